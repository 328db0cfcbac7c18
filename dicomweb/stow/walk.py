"""Every element of a header, at every depth, checked by the rules of its VR and its multiplicity.

One pass over the encoded elements: what is plainly valid, and nearly all is, is not decoded. The
VR is the one that metadata are shown with, but for private elements in Implicit VR, of which only
guesses are known: they are not checked.
"""

from dicomweb.charset import DEFAULT_ENCODINGS, MOST_TERM_BYTES, Encodings, decode, encodings_of
from dicomweb.elements import (
    CHARACTER_SET,
    ITEM_END,
    ONE_VALUE_VRS,
    SEQUENCE_END,
    TEXT_VRS,
    UNDEFINED_LENGTH,
    known_multiplicity,
)
from dicomweb.header import Header, element_at, item_headers
from dicomweb.jsonvalues import in_parts, text_values
from dicomweb.stow.comments import MOST_COMMENTS, fails
from dicomweb.stow.multiplicity import VALUE_BYTES, binary_count, counts
from dicomweb.stow.plain import PlainElements, fits, plain_elements
from dicomweb.stow.rules import FULL, wrong_by

_SHOWN_BYTES = 64
"""Of binary numbers, whose comment needs no more."""


def invalid_attributes(header: Header) -> dict[int, str]:
    """What is wrong, by tag, in the order in which it was found; of each tag the first thing.

    Comments are made of the first attributes only; of the others it is said that they are invalid.
    """
    walk = _Walk(header.data)
    walk.data_set(0, len(header.data), plain_elements(header.headers), header.encodings, depth=0)
    return walk.invalid


class _Walk:
    """A pass over the elements of one header."""

    __slots__ = ("_data", "invalid")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.invalid: dict[int, str] = {}

    def data_set(
        self, at: int, end: int, elements: PlainElements, encodings: Encodings, depth: int
    ) -> int:
        """Check the elements from ``at`` to ``end`` or the item's end, and return where that is."""
        data = self._data
        while at < end:
            step, kind, fit = elements[data[at : at + 8]]
            if not kind:
                if fit and not fit(data, at + 8, at + step):
                    self._element(at, elements, encodings)
                at += step
            elif kind == ITEM_END:
                return at + 8
            else:
                if kind == CHARACTER_SET and depth:
                    encodings = encodings_of(data[at + 8 : at + min(step, 8 + MOST_TERM_BYTES)])
                at = self._element(at, elements, encodings, depth)
        return at

    def _element(
        self, at: int, elements: PlainElements, encodings: Encodings, depth: int = 0
    ) -> int:
        """Check one element, and return where the next one begins."""
        data = self._data
        tag = elements.headers[data[at : at + 8]][0]
        vr, value, length = element_at(data, at, elements.headers)
        if vr == "SQ":
            return self._sequence(value, length, elements, encodings, depth)
        after = value + length
        fit = None if tag in self.invalid else fits(tag, vr, length)
        if (
            fit
            and not fit(data, value, after)
            and (wrong := wrong_value(tag, vr, data[value:after], encodings))
        ):
            told = len(self.invalid) < MOST_COMMENTS
            self.invalid[tag] = fails(tag, vr, *wrong) if told else ""
        return after

    def _sequence(
        self, at: int, length: int, elements: PlainElements, encodings: Encodings, depth: int
    ) -> int:
        data, headers = self._data, elements.headers
        end = len(data) if length == UNDEFINED_LENGTH else at + length
        while at < end:
            _, length, kind, _ = headers[data[at : at + 8]]
            at += 8
            if kind == SEQUENCE_END:
                break
            inner = plain_elements(item_headers(data, at, headers))
            item_end = len(data) if length == UNDEFINED_LENGTH else at + length
            at = self.data_set(at, item_end, inner, encodings, depth + 1)
        return at


def wrong_value(tag: int, vr: str, raw: bytes, encodings: Encodings) -> tuple[str, str] | None:
    """The value that is wrong, and what it must be instead; None if all are right."""
    if not raw:
        return None
    if vr[:2] in VALUE_BYTES:  # of "US or SS" either
        shown = "\\".join(text_values(vr[:2], raw[:_SHOWN_BYTES], encodings))
        return _wrong_count(tag, vr, binary_count(vr[:2], len(raw)), shown)
    text = decode(raw, encodings if vr in TEXT_VRS else DEFAULT_ENCODINGS).rstrip("\0 ")
    if not text:
        return None
    count = 0
    for part in (text,) if vr in ONE_VALUE_VRS else in_parts(text):
        for value in (part,) if vr in ONE_VALUE_VRS else part.split("\\"):
            count += 1
            if wanted := wrong_by(FULL, vr, value.rstrip("\0")):
                return value, wanted
    return _wrong_count(tag, vr, count, text)


def _wrong_count(tag: int, vr: str, count: int, shown: str) -> tuple[str, str] | None:
    if count in counts(tag, vr):
        return None
    return shown, f"must have ValueMultiplicity {known_multiplicity(tag)}, not {count} values"
