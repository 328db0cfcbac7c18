"""A stored data set written anew: in Explicit or Implicit VR Little Endian (PS3.5 7.1).

What is in the header is written here, in pieces; between them, the places of bulk values are told,
which the caller gets from the stored file.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct, pack, pack_into

from dicomweb.elements import (
    BULK_VRS,
    IMPLICIT_HEADERS,
    IMPLICIT_IN_EXPLICIT,
    ITEM_END,
    LONG_VRS,
    PIXEL_REPRESENTATION,
    SEQUENCE_END,
    UNDEFINED_LENGTH,
    ElementHeaders,
)
from dicomweb.header import Cut, Header, element_at, item_headers, next_element

IMPLEMENTATION_CLASS_UID = "2.25.32377584118198125268187136057752439764"
IMPLEMENTATION_VERSION_NAME = "GANTRY"

_SOP_CLASS_UID = 0x00080016
_SOP_INSTANCE_UID = 0x00080018
_LONGEST_SHORT = 0xFFFE  # even, in 16 bits
_SHORT_HEADER = Struct("<HH2sH").pack
_LONG_HEADER = Struct("<HH2sxxI").pack
_IMPLICIT_HEADER = Struct("<HHI").pack
_ITEM = bytes.fromhex("feff00e0")
_ITEM_END = bytes.fromhex("feff0de000000000")
_SEQUENCE_END = bytes.fromhex("feffdde000000000")

Changes = Mapping[int, tuple[str, bytes] | None]
"""VR and value of elements of the top level that are to be written instead; None: not at all."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """The place of a value that is not in the header."""

    tag: int
    vr: str
    cut: Cut


Piece = bytes | bytearray | Bulk


def file_meta(header: Header, transfer_syntax_uid: str) -> bytes:
    """Preamble, prefix and File Meta Information of a file with that data set (PS3.10 7.1)."""
    elements = (
        (0x00020001, "OB", b"\0\1"),
        (0x00020002, "UI", _uid(header, _SOP_CLASS_UID)),
        (0x00020003, "UI", _uid(header, _SOP_INSTANCE_UID)),
        (0x00020010, "UI", transfer_syntax_uid.encode("ascii")),
        (0x00020012, "UI", IMPLEMENTATION_CLASS_UID.encode("ascii")),
        (0x00020013, "SH", IMPLEMENTATION_VERSION_NAME.encode("ascii")),
    )
    group = b"".join(element(tag, vr, value, implicit=False) for tag, vr, value in elements)
    length = element(0x00020000, "UL", pack("<I", len(group)), implicit=False)
    return bytes(128) + b"DICM" + length + group


def _uid(header: Header, tag: int) -> bytes:
    found = header.element(tag)
    return found[1].strip(b"\0 ") if found else b""


def element(tag: int, vr: str, value: bytes, *, implicit: bool) -> bytes:
    """An element, its value padded to an even length."""
    if len(value) % 2:
        value += b" " if vr in ("CS", "DS", "SH") else b"\0"
    return element_header(tag, vr, len(value), implicit=implicit) + value


def element_header(tag: int, vr: str, length: int, *, implicit: bool) -> bytes:
    """Tag, VR and length. Values that are too long for their VR are of VR UN (PS3.5 6.2.2)."""
    group, number = tag >> 16, tag & 0xFFFF
    if implicit:
        return _IMPLICIT_HEADER(group, number, length)
    if vr in LONG_VRS:
        return _LONG_HEADER(group, number, vr.encode("ascii"), length)
    if length > _LONGEST_SHORT:
        return _LONG_HEADER(group, number, b"UN", length)
    return _SHORT_HEADER(group, number, vr.encode("ascii"), length)


def data_set(
    header: Header, tags: range, *, implicit: bool, changes: Changes | None = None
) -> list[Piece]:
    """The elements of the top level with these tags, in ascending order, without group lengths."""
    writer = _Writer(header, implicit=implicit)
    changes = changes or {}
    for tag in sorted(header.offsets.keys() | changes.keys()):
        if tag not in tags or not tag & 0xFFFF:
            continue
        if tag not in changes:
            writer.element(header.offsets[tag], header.headers, signed=_is_signed(header))
        elif change := changes[tag]:
            writer.put(element(tag, *change, implicit=implicit))
    return writer.pieces


def length(pieces: list[Piece]) -> int:
    """Bytes of all pieces."""
    return sum(piece.cut.length if isinstance(piece, Bulk) else len(piece) for piece in pieces)


def _is_signed(header: Header) -> bool:
    representation = header.element(PIXEL_REPRESENTATION)
    return representation is not None and representation[1][:1] == b"\1"


class _Writer:
    """Writes elements of one header."""

    def __init__(self, header: Header, *, implicit: bool) -> None:
        self.pieces: list[Piece] = []
        self._data = header.data
        self._implicit = implicit
        self._cuts = {cut.position: cut for cut in header.cuts}
        self._positions = sorted(self._cuts)
        self._buffer = bytearray()
        self._written = 0

    def put(self, data: bytes) -> None:
        """Write bytes."""
        if not self.pieces or self.pieces[-1] is not self._buffer:
            self._buffer = bytearray()
            self.pieces.append(self._buffer)
        self._buffer += data
        self._written += len(data)

    def element(self, at: int, headers: ElementHeaders, *, signed: bool) -> int:
        """Write the element at ``at``; where the next one begins.

        :param signed: what Pixel Representation says, on which some VRs depend.
        """
        data = self._data
        tag, _, kind, _ = headers[data[at : at + 8]]
        vr, value, length = element_at(data, at, headers)
        after = next_element(data, at, headers)
        same = (headers is IMPLICIT_HEADERS) == self._implicit and kind != IMPLICIT_IN_EXPLICIT
        if same and not self._has_cuts(at, after):
            self.put(data[at:after])
            return after
        if vr == "SQ":
            self._sequence(tag, value, length, headers, signed=signed)
        elif not length and (cut := self._cuts.get(value)):
            bulk = Bulk(tag, vr if vr in BULK_VRS else "UN", cut)
            self.put(element_header(tag, bulk.vr, cut.length, implicit=self._implicit))
            self.pieces.append(bulk)
            self._written += cut.length
        else:
            vr = _told(vr, signed=signed)
            self.put(element_header(tag, vr, length, implicit=self._implicit))
            self.put(data[value:after])
        return after

    def _has_cuts(self, start: int, stop: int) -> bool:
        """Whether values were cut out between two positions; one at ``stop`` belongs there too."""
        return bisect_right(self._positions, start) < bisect_right(self._positions, stop)

    def _sequence(
        self, tag: int, at: int, length: int, headers: ElementHeaders, *, signed: bool
    ) -> None:
        data = self._data
        defined = length != UNDEFINED_LENGTH
        end = at + length if defined else len(data)
        self.put(element_header(tag, "SQ", UNDEFINED_LENGTH, implicit=self._implicit))
        begin = self._begin(defined)
        while at < end:
            _, length, kind, _ = headers[data[at : at + 8]]
            at += 8
            if kind == SEQUENCE_END:
                break
            at = self._item(at, length, headers, signed=signed)
        self._end(begin, _SEQUENCE_END)

    def _item(self, at: int, length: int, headers: ElementHeaders, *, signed: bool) -> int:
        """Write an item whose first element is at ``at``; where what follows it begins."""
        data = self._data
        inner = item_headers(data, at, headers)
        defined = length != UNDEFINED_LENGTH
        end = at + length if defined else len(data)
        self.put(_ITEM + pack("<I", UNDEFINED_LENGTH))
        begin = self._begin(defined)
        while at < end:
            tag, _, kind, _ = inner[data[at : at + 8]]
            if kind == ITEM_END:
                at += 8
                break
            if tag == PIXEL_REPRESENTATION:
                _, value, _ = element_at(data, at, inner)
                signed = data[value : value + 1] == b"\1"
            if tag & 0xFFFF:
                at = self.element(at, inner, signed=signed)
            else:
                at = next_element(data, at, inner)
        self._end(begin, _ITEM_END)
        return at

    def _begin(self, defined: bool) -> tuple[bytearray, int, int] | None:
        """Remember where the length is that was just written; None if it stays undefined."""
        return (self._buffer, len(self._buffer) - 4, self._written) if defined else None

    def _end(self, begin: tuple[bytearray, int, int] | None, delimiter: bytes) -> None:
        """Write the length that is now known, or the delimiter of an undefined one."""
        if begin is None:
            self.put(delimiter)
            return
        buffer, at, written = begin
        length = self._written - written
        if length < UNDEFINED_LENGTH:
            pack_into("<I", buffer, at, length)
        else:
            self.put(delimiter)


def _told(vr: str, *, signed: bool) -> str:
    """The VR of an element whose VR the data dictionary leaves open."""
    if vr == "US or SS":
        return "SS" if signed else "US"
    return "OW" if vr == "US or OW" else vr
