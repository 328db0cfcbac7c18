"""The header of an instance: its data set without the bulk values, as the index keeps it."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from struct import Struct
from typing import NamedTuple

from dicomweb.charset import Encodings, encodings_of
from dicomweb.elements import (
    BULK_VRS,
    EXPLICIT_HEADERS,
    IMPLICIT_HEADERS,
    IMPLICIT_IN_EXPLICIT,
    LONG,
    SEQUENCE_END,
    UNDEFINED_LENGTH,
    ElementHeaders,
    is_vr,
    known_vr,
    unknown_vr,
)

_FORMAT = 1
_IMPLICIT = 1
_INFLATED = 2
_COUNTS = Struct("<BHII")
_CUT = Struct("<IQQ")
_LENGTH = Struct("<I").unpack_from
_ITEM_END = bytes.fromhex("feff0de0")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may ask of its reader; whatever exceeds them is not readable."""

    depth: int = 32
    """Sequences within sequences. Structured reports nest one level per content item."""
    elements: int = 1_000_000
    """Elements and items at all depths: ten thousand frames with a hundred each."""
    header_bytes: int = 64 * 1024 * 1024
    """What is kept in memory: everything but bulk values."""
    inflated_bytes: int = 512 * 1024 * 1024
    """A deflated data set after inflation, pixel data included: it is inflated in memory."""


class Cut(NamedTuple):
    """A value that was left out of the header."""

    position: int
    """Where in the header it would be: the end of its element's header."""
    offset: int
    """Where it is in the stored file (in the inflated data set if the file is deflated)."""
    length: int


@dataclass(slots=True)
class Header:
    """A data set in Little Endian, Explicit or Implicit VR, with its bulk values emptied.

    Emptied are Pixel Data and every OB, OD, OF, OL, OV, OW and UN value of more than 1,024 bytes,
    at any depth; lengths say so, hence ``data`` is a data set in its own right.
    """

    implicit: bool
    data: bytes
    cuts: tuple[Cut, ...]
    inflated: bool = False
    """The file is deflated: the offsets of ``cuts`` count in the inflated data set."""
    dropped: frozenset[int] = frozenset()
    """Top-level tags that are not to be shown."""
    character_sets: bytes = b""
    """Specific Character Set of the top level, undecoded."""
    headers: ElementHeaders = field(init=False, repr=False, compare=False)
    """How the top level is to be read."""
    encodings: Encodings = field(init=False, repr=False, compare=False)
    """How the text of the top level is encoded."""
    _offsets: dict[int, int] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.headers = IMPLICIT_HEADERS if self.implicit else EXPLICIT_HEADERS
        self.encodings = encodings_of(self.character_sets)

    @property
    def offsets(self) -> dict[int, int]:
        """Top-level tags, and where in ``data`` their elements begin."""
        if self._offsets is None:
            self._offsets = _top_level(self.data, self.headers)
        return self._offsets

    def element(self, tag: int) -> tuple[str, bytes] | None:
        """VR and undecoded value of a top-level element; None if it is not there.

        The VR of an implicit private element is UN. Of a sequence only the presence is told.
        """
        at = self.offsets.get(tag)
        if at is None:
            return None
        vr, value, length = element_at(self.data, at, self.headers)
        if not length and any(cut.position == value for cut in self.cuts):
            vr = vr if vr in BULK_VRS else "UN"  # too long for the VR that UN stands for
        return vr, b"" if vr == "SQ" else self.data[value : value + length]


def element_at(data: bytes, at: int, headers: ElementHeaders) -> tuple[str, int, int]:
    """VR, position and length of the value of the element at ``at`` of a walked header."""
    tag, step, kind, vr = headers[data[at : at + 8]]
    value = at + 8
    if kind == LONG:
        value = at + 12
        (length,) = _LENGTH(data, at + 8)
    elif kind == IMPLICIT_IN_EXPLICIT:
        vr = known_vr(tag)
        (length,) = _LENGTH(data, at + 4)
    else:
        length = step - 8
    return (unknown_vr(tag, length) if vr == "UN" else vr), value, length


def item_headers(data: bytes, at: int, headers: ElementHeaders) -> ElementHeaders:
    """How the item whose first element is at ``at`` is to be read.

    Within Explicit VR, items of UN sequences (PS3.5 6.2.2) and of some writers' sequences are in
    Implicit VR.
    """
    if headers is IMPLICIT_HEADERS or is_vr(data[at + 4 : at + 6]):
        return headers
    return IMPLICIT_HEADERS


def next_element(data: bytes, at: int, headers: ElementHeaders) -> int:
    """Where the element after the one at ``at`` of a walked header begins."""
    _, value, length = element_at(data, at, headers)
    if length != UNDEFINED_LENGTH:
        return value + length
    at = value
    while True:
        _, length, kind, _ = headers[data[at : at + 8]]
        at += 8
        if kind == SEQUENCE_END:
            return at
        if length != UNDEFINED_LENGTH:
            at += length
            continue
        inner = item_headers(data, at, headers)
        while data[at : at + 4] != _ITEM_END:
            at = next_element(data, at, inner)
        at += 8


def _top_level(data: bytes, headers: ElementHeaders) -> dict[int, int]:
    offsets: dict[int, int] = {}
    at = 0
    while at < len(data):
        offsets[headers[data[at : at + 8]][0]] = at
        at = next_element(data, at, headers)
    return offsets


def encode_header(header: Header, dropped: Iterable[int] = ()) -> bytes:
    """The header as the index keeps it: compressed, readable by :func:`decode_header`.

    :param dropped: top-level tags that must not be shown when it is read back.
    """
    tags = sorted(header.dropped.union(dropped))
    flags = (_IMPLICIT if header.implicit else 0) | (_INFLATED if header.inflated else 0)
    payload = b"".join(
        (
            _COUNTS.pack(flags, len(header.character_sets), len(tags), len(header.cuts)),
            header.character_sets,
            b"".join(tag.to_bytes(4, "little") for tag in tags),
            b"".join(_CUT.pack(*cut) for cut in header.cuts),
            header.data,
        )
    )
    return bytes((_FORMAT,)) + zlib.compress(payload, 1)


def decode_header(encoded: bytes) -> Header:
    """What :func:`encode_header` made.

    :raise ValueError: another version of the format.
    """
    if encoded[0] != _FORMAT:
        raise ValueError(f"header format {encoded[0]} is not known")
    payload = zlib.decompress(memoryview(encoded)[1:])
    flags, character_set_bytes, tag_count, cut_count = _COUNTS.unpack_from(payload)
    start = _COUNTS.size + character_set_bytes
    cuts_at = start + 4 * tag_count
    data_at = cuts_at + _CUT.size * cut_count
    tags = (payload[at : at + 4] for at in range(start, cuts_at, 4))
    return Header(
        implicit=bool(flags & _IMPLICIT),
        data=payload[data_at:],
        cuts=tuple(map(Cut._make, _CUT.iter_unpack(payload[cuts_at:data_at]))),
        inflated=bool(flags & _INFLATED),
        character_sets=payload[_COUNTS.size : start],
        dropped=frozenset(int.from_bytes(tag, "little") for tag in tags),
    )
