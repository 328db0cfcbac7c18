"""One pass over an encoded data set (PS3.5 7): whether it is whole, and what of it is header.

The walk touches every element header at every depth and no bulk value. What comes out is the same
data set with its bulk values emptied, so it can be walked again without checks, and a list of where
in the file the emptied values are.
"""

from array import array
from struct import Struct, pack_into

from dicomweb.elements import (
    BULK_VRS,
    CONTEXT,
    EXPLICIT_HEADERS,
    IMPLICIT,
    IMPLICIT_HEADERS,
    IMPLICIT_IN_EXPLICIT,
    INLINE_BYTES,
    ITEM,
    ITEM_END,
    LONG,
    PIXEL_DATA_TAGS,
    SEQUENCE_END,
    UNDEFINED_LENGTH,
    ElementHeaders,
    NotReadable,
    is_vr,
    tag_text,
    unknown_vr,
)
from dicomweb.frames import fragment_offsets
from dicomweb.header import Cut, Limits

_FIRST_WINDOW = 16 * 1024
_LARGEST_WINDOW = 256 * 1024
# An element header is 12 bytes at most: none may straddle the end of the window.
_MARGIN = 12


class DataSetWalk:
    """Walks the data set in ``view`` from ``start`` to the end of ``view``.

    ``_i`` is where it is, counted from the start of the window ``_buf``; ``_origin`` makes file
    positions of such numbers, ``_shift`` positions in the header. Ends are file positions.
    """

    __slots__ = (
        "_budget", "_buf", "_i", "_kept_from", "_limits", "_long", "_nested", "_order", "_origin",
        "_parts", "_patches", "_removed", "_shift", "_size", "_view", "_window", "cuts",
        "fragments", "offsets", "pixel_data",
    )  # fmt: skip

    def __init__(self, view: memoryview, start: int, order: str, limits: Limits) -> None:
        self._view = view
        self._size = len(view)
        self._limits = limits
        self._budget = limits.elements
        self._order = order
        self._long = Struct(order + "I").unpack_from
        self._window = _FIRST_WINDOW
        self._buf = bytes(view[start : start + _FIRST_WINDOW])
        self._origin = start
        self._i = self._kept_from = self._shift = 0
        self._parts: list[bytes] = []
        self._patches: dict[int, int] = {}
        self._removed = 0  # bytes of values left out so far
        self._nested: dict[int, int] = {}  # offsets that nobody asks for
        self.offsets: dict[int, int] = {}
        self.cuts: list[Cut] = []
        self.pixel_data: Cut | None = None
        self.fragments: array[int] | None = None

    def run(self, headers: ElementHeaders) -> bytes:
        """The header bytes.

        :raise NotReadable: an element does not fit where it stands, or a limit is exceeded.
        """
        self._data_set(headers, end=self._size, defined=True, depth=0)
        self._keep_until(self._i)
        if not self._patches:
            return b"".join(self._parts)
        header = bytearray().join(self._parts)
        for position, length in self._patches.items():
            pack_into(self._order + "I", header, position, length)
        return bytes(header)

    def _data_set(self, headers: ElementHeaders, *, end: int, defined: bool, depth: int) -> None:
        """Elements up to ``end``, or to an item delimiter if the length is not defined."""
        offsets = self._nested if depth else self.offsets
        tag = step = kind = 0
        vr = ""
        while True:
            buf, i, shift = self._buf, self._i, self._shift
            last = end - self._origin
            stop = last
            if self._origin + len(buf) < self._size:
                stop = min(last, len(buf) - _MARGIN)
            for budget in range(self._budget, -1, -1):  # noqa: B007 - what is left of it is kept
                if i >= stop:
                    break
                tag, step, kind, vr = headers[buf[i : i + 8]]
                offsets[tag] = i + shift
                if kind > CONTEXT:
                    break
                i += step
            else:
                raise NotReadable(f"more than {self._limits.elements} elements")
            self._budget = budget - 1
            self._i = i
            if i >= last:
                break
            if i >= stop:
                self._slide()
            elif kind == ITEM_END and not defined:
                self._i = i + 8
                return
            else:
                self._special(tag, kind, vr, headers, end=end, depth=depth)
        if i > last or not defined:
            raise self._past_end(tag)

    def _special(
        self, tag: int, kind: int, vr: str, headers: ElementHeaders, *, end: int, depth: int
    ) -> None:
        """An element with a 32-bit length that is not simply stepped over."""
        vr, value, length = self._announced(tag, kind, vr)
        if vr == "SQ":
            self._sequence(tag, value, length, headers, outer_end=end, depth=depth)
        elif length == UNDEFINED_LENGTH:
            if vr not in BULK_VRS:
                raise NotReadable(f"{tag_text(tag)} of VR {vr} has no length")
            start = self._origin + value
            fragments = fragment_offsets(self._view, start, end, self._limits.elements)
            self._cut(tag, value, fragments[-1] + 8 - start, end=end, depth=depth)
            if self.cuts[-1] is self.pixel_data:
                self.fragments = fragments
        elif vr in BULK_VRS and (length > INLINE_BYTES or tag in PIXEL_DATA_TAGS):
            self._cut(tag, value, length, end=end, depth=depth)
        else:
            self._i = value + length

    def _announced(self, tag: int, kind: int, vr: str) -> tuple[str, int, int]:
        """VR, and where and how long the value is."""
        at = self._i
        value = at + (12 if kind == LONG else 8)
        if value > len(self._buf):
            raise self._past_end(tag)
        if kind == IMPLICIT_IN_EXPLICIT and self._order == "<":
            _, _, _, vr = IMPLICIT_HEADERS[self._buf[at : at + 8]]
        elif kind not in (LONG, IMPLICIT):
            raise self._unreadable(tag)
        length = self._long(self._buf, value - 4)[0]
        if vr == "UN":
            vr = unknown_vr(tag, length)
            if vr == "SQ" and self._order == ">":  # its items would be in Little Endian
                raise self._unreadable(tag)
        return vr, value, length

    def _sequence(
        self,
        tag: int,
        value: int,
        length: int,
        headers: ElementHeaders,
        *,
        outer_end: int,
        depth: int,
    ) -> None:
        if depth >= self._limits.depth:
            raise NotReadable(f"sequences nested deeper than {self._limits.depth} levels")
        defined = length != UNDEFINED_LENGTH
        end = self._origin + value + length if defined else outer_end
        if end > outer_end:
            raise self._past_end(tag)
        if not depth:
            self._nested.clear()
        length_at, removed = value + self._shift - 4, self._removed
        self._i = value
        while not defined or self._origin + self._i != end:
            if not self._item(headers, end=end, defined=defined, depth=depth):
                break
        if defined and self._removed != removed:
            self._patches[length_at] = length - (self._removed - removed)

    def _item(self, headers: ElementHeaders, *, end: int, defined: bool, depth: int) -> bool:
        """One item; False if it was the sequence delimiter of a sequence of undefined length."""
        if self._i + _MARGIN + 2 > len(self._buf):
            self._slide()
        buf, i = self._buf, self._i
        position = self._origin + i
        tag, length, kind, _ = headers[buf[i : i + 8]]
        self._i = i + 8
        if position + 8 > end:
            raise NotReadable(f"a sequence is cut short at byte {position}")
        if kind == SEQUENCE_END and not defined:
            return False
        if kind != ITEM:
            raise NotReadable(f"no item where one is due, at byte {position}")
        item_defined = length != UNDEFINED_LENGTH
        item_end = position + 8 + length if item_defined else end
        if item_end > end:
            raise self._past_end(tag)
        # Items of a UN sequence are in Implicit VR (PS3.5 6.2.2); some writers do it unasked.
        if headers is EXPLICIT_HEADERS and not is_vr(buf[i + 12 : i + 14]):
            headers = IMPLICIT_HEADERS
        length_at, removed = i + self._shift + 4, self._removed
        self._data_set(headers, end=item_end, defined=item_defined, depth=depth + 1)
        if item_defined and self._removed != removed:
            self._patches[length_at] = length - (self._removed - removed)
        return True

    def _cut(self, tag: int, value: int, length: int, *, end: int, depth: int) -> None:
        """Leave a value out of the header and remember where it is."""
        if self._origin + value + length > end:
            raise self._past_end(tag)
        self._keep_until(value)
        cut = Cut(value + self._shift, self._origin + value, length)
        self.cuts.append(cut)
        self._patches[cut.position - 4] = 0
        self._removed += length
        self._shift -= length
        self._i = self._kept_from = value + length
        if tag in PIXEL_DATA_TAGS and not depth:
            self.pixel_data, self.fragments = cut, None

    def _slide(self) -> None:
        """Move the window so that it starts where the walk is."""
        start = self._origin + self._i
        self._keep_until(self._i)
        self._window = min(2 * self._window, _LARGEST_WINDOW)
        self._buf = bytes(self._view[start : start + self._window])
        self._origin = start
        self._shift += self._i
        self._i = self._kept_from = 0

    def _keep_until(self, i: int) -> None:
        if i + self._shift > self._limits.header_bytes:
            raise NotReadable(f"the header is larger than {self._limits.header_bytes} bytes")
        if i > self._kept_from:
            start = self._origin + self._kept_from
            self._parts.append(bytes(self._view[start : self._origin + i]))
        self._kept_from = i

    def _past_end(self, tag: int) -> NotReadable:
        at = self._origin + self._i
        return NotReadable(f"{tag_text(tag)} before byte {at} runs past the end of what holds it")

    def _unreadable(self, tag: int) -> NotReadable:
        at = self._origin + self._i
        return NotReadable(f"{tag_text(tag)} at byte {at} is out of place or has no VR of PS3.5")


def encoded_headers(view: memoryview, start: int, implicit: bool) -> ElementHeaders:
    """Explicit or Implicit VR: what the first element says, whatever the transfer syntax claims."""
    code = bytes(view[start + 4 : start + 6])
    if len(code) == 2:
        implicit = not is_vr(code)
    return IMPLICIT_HEADERS if implicit else EXPLICIT_HEADERS
