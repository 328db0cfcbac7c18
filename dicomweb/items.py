"""The elements of a header at any depth: its top level, and the items of its sequences.

A header has been walked when it was read (``dataset.py``), so nothing is checked again.
"""

from typing import NamedTuple, Self

from dicomweb.elements import ITEM_END, NUMBERS, SEQUENCE_END, UNDEFINED_LENGTH, ElementHeaders
from dicomweb.header import Cut, Header, element_at, item_headers, next_element

_MOST_NUMBER_BYTES = 18  # DS: 16 and padding; IS: 12


class Element(NamedTuple):
    """An element that is no sequence."""

    vr: str
    """As :func:`dicomweb.header.element_at` tells it; ``US or SS`` where that is not known."""
    value: bytes
    """Undecoded; empty if it was cut out."""
    cut: Cut | None = None
    """Where the value is, if it is not in the header."""


class Item:
    """A data set within a header."""

    def __init__(
        self,
        header: Header,
        headers: ElementHeaders,
        cuts: dict[int, Cut],
        offsets: dict[int, int],
    ) -> None:
        self._header = header
        self._headers = headers
        self._cuts = cuts
        self._offsets = offsets

    @classmethod
    def top(cls, header: Header) -> Self:
        """The top level of a header."""
        cuts = {cut.position: cut for cut in header.cuts}
        return cls(header, header.headers, cuts, header.offsets)

    def __contains__(self, tag: int) -> bool:
        return tag in self._offsets

    def element(self, tag: int) -> Element | None:
        """An element; None if it is not there or is a sequence."""
        at = self._offsets.get(tag)
        if at is None:
            return None
        vr, value, length = element_at(self._header.data, at, self._headers)
        if vr == "SQ":
            return None
        cut = None if length else self._cuts.get(value)
        return Element(vr, self._header.data[value : value + length], cut)

    def item(self, tag: int, number: int = 1) -> "Item | None":
        """An item of a sequence; None if there is no such item or sequence.

        :param number: 1 and up. Those before it are stepped over.
        """
        data, headers = self._header.data, self._headers
        at = self._offsets.get(tag)
        vr, at, length = ("", 0, 0) if at is None else element_at(data, at, headers)
        end = len(data) if length == UNDEFINED_LENGTH else at + length
        while vr == "SQ" and at < end:
            _, length, kind, _ = headers[data[at : at + 8]]
            if kind == SEQUENCE_END:
                break
            at += 8
            inner = item_headers(data, at, headers)
            number -= 1
            if not number or length == UNDEFINED_LENGTH:
                offsets, after = _elements(data, at, inner, length)
                if not number:
                    return Item(self._header, inner, self._cuts, offsets)
                at = after
            else:
                at += length
        return None

    def text(self, tag: int) -> str:
        """The first value of an element of ASCII text, without padding; empty if there is none."""
        element = self.element(tag)
        first = element.value.partition(b"\\")[0] if element else b""
        return first.decode("latin-1").strip(" \0")

    def numbers(self, tag: int, most: int) -> list[float]:
        """The first values of an element of numbers, binary or in text, up to a malformed one.

        They are no larger than a float can be, but may be NaN or infinite.
        """
        element = self.element(tag)
        if element is None:
            return []
        if form := NUMBERS.get(element.vr[:2]):
            size = min(len(element.value) // form.size, most) * form.size
            return [float(number) for (number,) in form.iter_unpack(element.value[:size])]
        found = []
        for text in element.value[: most * _MOST_NUMBER_BYTES].split(b"\\")[:most]:
            try:
                found.append(float(text.strip(b" \0")))
            except ValueError:
                break
        return found


def _elements(
    data: bytes, at: int, headers: ElementHeaders, length: int
) -> tuple[dict[int, int], int]:
    """Tags and positions of the elements of an item, and where the next item begins."""
    offsets: dict[int, int] = {}
    end = len(data) if length == UNDEFINED_LENGTH else at + length
    while at < end:
        tag, _, kind, _ = headers[data[at : at + 8]]
        if kind == ITEM_END:
            return offsets, at + 8
        offsets[tag] = at
        at = next_element(data, at, headers)
    return offsets, at
