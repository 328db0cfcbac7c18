"""Reading a Part 10 file (PS3.10 7): File Meta Information, header and frame table in one pass.

Only element headers and the values that stay in the header are read, so a file may be a view of a
mapped file of any size. Everything in it may have been made to do harm.
"""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from struct import unpack, unpack_from

from dicomweb.bigendian import little_endian
from dicomweb.charset import MOST_TERM_BYTES
from dicomweb.dataset import DataSetWalk, encoded_headers
from dicomweb.elements import (
    BIG_ENDIAN_HEADERS,
    CONTEXT,
    EXPLICIT_HEADERS,
    IMPLICIT_HEADERS,
    LONG,
    SPECIFIC_CHARACTER_SET,
    ElementHeaders,
    NotReadable,
    tag_text,
)
from dicomweb.frames import FrameTable, PixelDescription, encapsulated_frames, native_frames
from dicomweb.header import Cut, Header, Limits, decode_header, element_at, encode_header
from dicomweb.media import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from dicomweb.video import VIDEO

__all__ = [
    "DEFAULT_LIMITS",
    "Cut",
    "FrameTable",
    "Header",
    "Limits",
    "NotReadable",
    "Part10File",
    "code_string",
    "decode_header",
    "encode_header",
    "inflated_data_set",
    "number_of_frames",
    "pixel_description",
    "read_part10",
    "unsigned",
]

DEFLATED = frozenset(
    {
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
        "1.2.840.10008.1.2.4.95",  # JPIP Referenced Deflate
        "1.2.840.10008.1.2.4.205",  # JPIP HTJ2K Referenced Deflate
    }
)
DEFAULT_LIMITS = Limits()

_PREFIX_AT = 128
_META_AT = 132
_GROUP_LENGTH = 0x00020000
_TRANSFER_SYNTAX_UID = 0x00020010
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_MOST_META_BYTES = 1024 * 1024
_MOST_UID_BYTES = 64
_MOST_FRAMES = 2**31 - 1  # IS is a 32-bit number (PS3.5 6.2)


@dataclass(slots=True)
class Part10File(Header):
    """A file that was read: its header, and where its frames are."""

    transfer_syntax_uid: str = ""
    dataset_start: int = 0
    """Byte offset of the data set in the file."""
    frames: FrameTable | None = None
    """None if there is no pixel data or its frames cannot be told apart."""


def read_part10(view: memoryview, limits: Limits = DEFAULT_LIMITS) -> Part10File:
    """Read everything but bulk values.

    :param view: the whole file, one byte per item.
    :raise NotReadable: no Part 10 file, cut short, not well-formed, or beyond ``limits``.
    """
    syntax, start = _file_meta(view)
    inflated = syntax in DEFLATED
    stored_start = start
    if inflated:
        view, start = _inflate(view[start:], limits.inflated_bytes), 0
    if syntax == EXPLICIT_VR_BIG_ENDIAN:
        headers, order = BIG_ENDIAN_HEADERS, ">"
    else:
        headers, order = encoded_headers(view, start, syntax == IMPLICIT_VR_LITTLE_ENDIAN), "<"
    walk = DataSetWalk(view, start, order, limits)
    data = walk.run(headers)
    if order == ">":
        data, headers = little_endian(data), EXPLICIT_HEADERS
    file = Part10File(
        implicit=headers is IMPLICIT_HEADERS,
        data=data,
        cuts=tuple(walk.cuts),
        inflated=inflated,
        character_sets=_character_sets(data, walk.offsets, headers),
        _offsets=walk.offsets,
        transfer_syntax_uid=syntax,
        dataset_start=stored_start,
    )
    if walk.pixel_data:
        file.frames = _frame_table(file, view, walk.pixel_data, walk.fragments)
    return file


def _character_sets(data: bytes, offsets: dict[int, int], headers: ElementHeaders) -> bytes:
    """Specific Character Set of the top level, as much of it as counts."""
    at = offsets.get(SPECIFIC_CHARACTER_SET)
    if at is None:
        return b""
    _, value, length = element_at(data, at, headers)
    return data[value : value + min(length, MOST_TERM_BYTES)]


def inflated_data_set(view: memoryview, limits: Limits = DEFAULT_LIMITS) -> memoryview:
    """The data set of a deflated file, in which the positions of an inflated frame table count.

    :param view: the whole file.
    :raise NotReadable: it cannot be inflated, or not within ``limits``.
    """
    _, start = _file_meta(view)
    return _inflate(view[start:], limits.inflated_bytes)


def _file_meta(view: memoryview) -> tuple[str, int]:
    """Transfer Syntax UID and where the data set starts."""
    if bytes(view[_PREFIX_AT:_META_AT]) != b"DICM":
        raise NotReadable("no DICOM prefix at byte 128 (PS3.10 7.1)")
    at = stop = _META_AT
    syntax = b""
    while (head := bytes(view[at : at + 12]))[:2] == b"\x02\x00":
        tag, value, after = _meta_element(head, at)
        if after > len(view) or after > _MOST_META_BYTES:
            raise NotReadable(f"{tag_text(tag)} at byte {at} is cut short or too long")
        if tag == _GROUP_LENGTH:
            stop = after + int.from_bytes(view[value:after][:4], "little")
        elif tag == _TRANSFER_SYNTAX_UID:
            syntax = bytes(view[value:after][: _MOST_UID_BYTES + 2])
        at = after
    if stop > len(view):
        raise NotReadable(f"File Meta Information is cut short at byte {at}")
    uid = syntax.rstrip(b"\0 ").decode("latin-1")
    if not _UID.fullmatch(uid) or len(uid) > _MOST_UID_BYTES:
        raise NotReadable("File Meta Information has no valid Transfer Syntax UID (0002,0010)")
    return uid, at


def _meta_element(head: bytes, at: int) -> tuple[int, int, int]:
    """Tag of an element of File Meta Information, where its value is and where the next is."""
    tag, step, kind, _ = EXPLICIT_HEADERS[head[:8]]
    if kind == LONG and len(head) == 12:
        return tag, at + 12, at + 12 + int.from_bytes(head[8:], "little")
    if kind > CONTEXT:
        raise NotReadable(f"{tag_text(tag)} at byte {at} is not in Explicit VR Little Endian")
    return tag, at + 8, at + step


def _inflate(deflated: memoryview, most: int) -> memoryview:
    """The data set of a deflated transfer syntax (PS3.5 A.5)."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = inflater.decompress(deflated, most)
        more = inflater.decompress(inflater.unconsumed_tail, 1)
    except zlib.error as error:
        raise NotReadable("the deflated data set cannot be inflated") from error
    if more:
        raise NotReadable(f"the data set inflates to more than {most} bytes")
    if not inflater.eof:
        raise NotReadable("the deflated data set is cut short")
    return memoryview(data)


def _frame_table(
    file: Part10File, view: memoryview, pixel_data: Cut, items: Sequence[int] | None
) -> FrameTable | None:
    frames = 1 if file.transfer_syntax_uid in VIDEO else number_of_frames(file)
    if items is not None:
        extended = _extended_offsets(file, view, len(items))
        return encapsulated_frames(view, items, frames, extended, file.inflated)
    pixels = pixel_description(file)
    return native_frames(pixel_data.offset, pixel_data.length, frames, pixels, file.inflated)


def pixel_description(header: Header) -> PixelDescription:
    """What a header says of the size of a frame; 0 for what it does not say."""
    return PixelDescription(
        rows=unsigned(header, 0x00280010),
        columns=unsigned(header, 0x00280011),
        samples_per_pixel=unsigned(header, 0x00280002) or 1,
        bits_allocated=_bits_allocated(header),
        photometric_interpretation=code_string(header, 0x00280004),
    )


def code_string(header: Header, tag: int) -> str:
    """A value of VR CS, empty if it is not there."""
    element = header.element(tag)
    return element[1].decode("latin-1").strip("\0 ") if element else ""


def _bits_allocated(header: Header) -> int:
    if 0x7FE00009 in header.offsets:
        return 64
    if 0x7FE00008 in header.offsets:
        return 32
    return unsigned(header, 0x00280100)


def unsigned(header: Header, tag: int) -> int:
    """A value of VR US, 0 if it is not there or not of two bytes."""
    element = header.element(tag)
    if element is None or len(element[1]) != 2:
        return 0
    number: int = unpack("<H", element[1])[0]
    return number


def number_of_frames(header: Header) -> int:
    """Number of Frames; 1 if it is not there or no number."""
    element = header.element(0x00280008)
    text = element[1].strip(b"\0 ") if element else b""
    return min(max(int(text), 1), _MOST_FRAMES) if text.isdigit() and len(text) <= 12 else 1


def _extended_offsets(file: Header, view: memoryview, items: int) -> Sequence[int]:
    """Extended Offset Table (7FE0,0001), if it is no longer than the fragments are many."""
    at = file.offsets.get(0x7FE00001)
    if at is None:
        return ()
    _, start, length = element_at(file.data, at, file.headers)
    value = file.data[start : start + length]
    for cut in file.cuts:
        if cut.position == start and cut.length <= 8 * items:
            value = bytes(view[cut.offset : cut.offset + cut.length])
    return unpack_from(f"<{len(value) // 8}Q", value)
