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
    tag_text,
    unknown_vr,
)
from dicomweb.frames import fragment_offsets
from dicomweb.header import Cut, Limits

_FIRST_WINDOW = 16 * 1024
_LARGEST_WINDOW = 256 * 1024
# An element header is 12 bytes at most: none may straddle the end of the window.
_MARGIN = 12


class _Container:
    """The data set, a sequence or an item that the walk is in."""

    __slots__ = ("defined", "end", "headers", "length", "length_at", "removed", "sequence")

    def __init__(
        self, sequence: bool, end: int, defined: bool, length_at: int, headers: ElementHeaders
    ) -> None:
        self.sequence = sequence
        self.end = end  # position in the file; with undefined length that of what encloses it
        self.defined = defined
        self.length_at = length_at  # position of the length in the header
        self.length = 0
        self.removed = 0  # bytes of bulk values left out of it
        self.headers = headers


class DataSetWalk:
    """Walks the data set in ``view`` from ``start`` to the end of ``view``.

    Positions called ``i`` and ``at`` count from the start of the window ``buf``; ``origin`` makes
    file positions of them, ``shift`` positions in the header.
    """

    __slots__ = (
        "_budget", "_buf", "_i", "_kept_from", "_limits", "_long", "_nested", "_order", "_origin",
        "_parts", "_patches", "_shift", "_size", "_stack", "_view", "_window", "cuts", "fragments",
        "offsets", "pixel_data",
    )  # fmt: skip

    def __init__(
        self, view: memoryview, start: int, headers: ElementHeaders, order: str, limits: Limits
    ) -> None:
        self._view = view
        self._limits = limits
        self._budget = limits.elements
        self._order = order
        self._long = Struct(order + "I").unpack_from
        self._size = len(view)
        self._window = _FIRST_WINDOW
        self._origin = start
        self._buf = bytes(view[start : start + _FIRST_WINDOW])
        self._i = self._kept_from = 0
        self._shift = 0
        self._stack = [_Container(False, self._size, True, -1, headers)]
        self._parts: list[bytes] = []
        self._patches: dict[int, int] = {}
        self._nested: dict[int, int] = {}
        self.offsets: dict[int, int] = {}
        self.cuts: list[Cut] = []
        self.pixel_data: Cut | None = None
        self.fragments: array[int] | None = None

    def run(self) -> bytes:
        """The header bytes.

        :raise NotReadable: an element does not fit where it stands, or a limit is exceeded.
        """
        while self._stack:
            if self._stack[-1].sequence:
                self._next_item()
            else:
                self._elements()
        self._keep_until(self._i)
        if not self._patches:
            return b"".join(self._parts)
        header = bytearray().join(self._parts)
        for position, length in self._patches.items():
            pack_into(self._order + "I", header, position, length)
        return bytes(header)

    def _elements(self) -> None:
        """Elements of one data set or item, up to its end or to something that is not plain."""
        container = self._stack[-1]
        headers, buf, i, shift = container.headers, self._buf, self._i, self._shift
        offsets = self.offsets if len(self._stack) == 1 else self._nested
        end = container.end - self._origin
        stop = min(end, len(buf) - _MARGIN if self._origin + len(buf) < self._size else end)
        tag = step = kind = 0
        vr = ""
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
        if i < stop:
            self._special(tag, kind, vr)
        elif i > end:
            raise self._past_end(tag)
        elif i < end:
            self._slide()
        elif container.defined:
            self._leave(container)
        else:
            raise NotReadable(f"an item has no end before byte {container.end}")

    def _special(self, tag: int, kind: int, vr: str) -> None:
        """An element with a 32-bit length that is not simply stepped over, or an item's end."""
        at = self._i
        if kind == LONG:
            value = at + 12
            if value > len(self._buf):
                raise self._past_end(tag)
            length = self._long(self._buf, at + 8)[0]
        elif kind == IMPLICIT or (kind == IMPLICIT_IN_EXPLICIT and self._order == "<"):
            if kind == IMPLICIT_IN_EXPLICIT:
                _, _, _, vr = IMPLICIT_HEADERS[self._buf[at : at + 8]]
            value = at + 8
            length = self._long(self._buf, at + 4)[0]
        elif kind == ITEM_END and not self._stack[-1].defined:
            self._i = at + 8
            self._leave(self._stack[-1])
            return
        else:
            raise self._unreadable(tag)
        self._value(tag, unknown_vr(tag, length) if vr == "UN" else vr, value, length)

    def _value(self, tag: int, vr: str, value: int, length: int) -> None:
        if vr == "SQ":
            self._enter(True, value, length, tag)
        elif length == UNDEFINED_LENGTH:
            if vr not in BULK_VRS:
                raise NotReadable(f"{tag_text(tag)} of VR {vr} has no length")
            fragments = self._fragments(value)
            self._cut(tag, value, fragments[-1] + 8 - self._origin - value, fragments)
        elif vr in BULK_VRS and (length > INLINE_BYTES or tag in PIXEL_DATA_TAGS):
            self._cut(tag, value, length)
        else:
            self._i = value + length

    def _fragments(self, value: int) -> "array[int]":
        end = self._stack[-1].end
        return fragment_offsets(self._view, self._origin + value, end, self._limits.elements)

    def _cut(
        self, tag: int, value: int, length: int, fragments: "array[int] | None" = None
    ) -> None:
        """Leave a value out of the header and remember where it is."""
        container = self._stack[-1]
        if self._origin + value + length > container.end:
            raise self._past_end(tag)
        self._keep_until(value)
        cut = Cut(value + self._shift, self._origin + value, length)
        self.cuts.append(cut)
        self._patches[cut.position - 4] = 0
        if len(self._stack) == 1 and tag in PIXEL_DATA_TAGS:
            self.pixel_data, self.fragments = cut, fragments
        container.removed += length
        self._shift -= length
        self._i = self._kept_from = value + length

    def _enter(self, sequence: bool, value: int, length: int, tag: int) -> None:
        outer = self._stack[-1]
        if len(self._stack) > 2 * self._limits.depth:
            raise NotReadable(f"sequences nested deeper than {self._limits.depth} levels")
        defined = length != UNDEFINED_LENGTH
        end = self._origin + value + length if defined else outer.end
        if end > outer.end:
            raise self._past_end(tag)
        inner = _Container(sequence, end, defined, value + self._shift - 4, outer.headers)
        inner.length = length
        self._stack.append(inner)
        self._i = value
        self._nested.clear()
        if not sequence and inner.headers is not IMPLICIT_HEADERS:
            self._look_for_vr(inner, value)

    def _look_for_vr(self, item: _Container, value: int) -> None:
        """Items of a UN sequence are in Implicit VR (PS3.5 6.2.2); some writers do it unasked."""
        code = bytes(self._view[self._origin + value + 4 : self._origin + value + 6])
        if not b"AA" <= code <= b"ZZ" and self._order == "<":
            item.headers = IMPLICIT_HEADERS

    def _next_item(self) -> None:
        sequence = self._stack[-1]
        position = self._origin + self._i
        if position == sequence.end and sequence.defined:
            self._leave(sequence)
            return
        if position + 8 > sequence.end:
            raise NotReadable(f"a sequence is cut short at byte {position}")
        if self._i + 8 > len(self._buf):
            self._slide()
        self._budget -= 1
        tag, length, kind, _ = sequence.headers[self._buf[self._i : self._i + 8]]
        if kind == ITEM:
            self._enter(False, self._i + 8, length, tag)
        elif kind == SEQUENCE_END and not sequence.defined:
            self._i += 8
            self._leave(sequence)
        else:
            raise NotReadable(f"no item where one is due, at byte {position}")

    def _leave(self, container: _Container) -> None:
        self._stack.pop()
        if not self._stack or not container.removed:
            return
        self._stack[-1].removed += container.removed
        if container.defined:
            self._patches[container.length_at] = container.length - container.removed

    def _slide(self) -> None:
        """Move the window so that it starts at the next element."""
        start = self._origin + self._i
        if start > self._stack[-1].end:
            raise self._past_end(0)
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
        implicit = not b"AA" <= code <= b"ZZ"
    return IMPLICIT_HEADERS if implicit else EXPLICIT_HEADERS
