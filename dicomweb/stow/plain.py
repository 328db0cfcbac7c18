"""What can be seen to be valid without decoding it: nearly every value of nearly every file.

A pattern takes no value that the rules of its VR would not take, but leaves some to be decoded and
looked at: those with code extensions, padded with NULs, or in unusual forms.
"""

import re
from collections.abc import Callable
from functools import lru_cache

from dicomweb.elements import (
    CHARACTER_SET,
    CONTEXT,
    EXPLICIT_HEADERS,
    IMPLICIT_HEADERS,
    PLAIN,
    ElementHeaders,
)
from dicomweb.stow.multiplicity import ANY, ONE, VALUE_BYTES, Counts, binary_count, counts

Fits = Callable[[bytes, int, int], object]
"""Whether the bytes from the first number to before the second are plainly valid."""

_MOST_ENTRIES = 16384
_PART_BYTES = 4096
_LONGEST_TEXT = {"LT": 10240, "ST": 1024}

_DAY = (
    rb"(?!0000)[0-9]{4}(?:(?:0[1-9]|1[0-2])(?:0[1-9]|1[0-9]|2[0-8])"
    rb"|(?:0[13-9]|1[0-2])(?:29|30)|(?:0[13578]|1[02])31)"
)
_TIME = rb"(?:[01][0-9]|2[0-3])(?:[0-5][0-9](?:[0-5][0-9](?:\.[0-9]{1,6})?)?)?"
_OFFSET = rb"(?:\+(?:0[0-9]|1[0-3])[0-5][0-9]|-(?:0[1-9]|1[01])[0-5][0-9])"
_NUMBER = rb"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?"
_COMPONENT = rb"(?:0(?![0-9])|[1-9][0-9]*+)"
_FIRST_HIGH = 0x80
_HIGH = rb"\x80-\xff"
"""Of text that is not ASCII. There are not more characters than bytes."""
_TEXT = rb"[ -\[\]-~" + _HIGH + rb"]"
_NAME_PART = rb"[ -<>-\[\]_-~" + _HIGH + rb"]*+"
_GROUP = rb"(?=[^=\\]{0,64}(?:[=\\]|\Z))%b(?:\^%b){0,4}" % (_NAME_PART, _NAME_PART)

# Each of one value: nothing in them ends before a backslash or the end. Possessive are single
# characters only: Python before 3.11.5 goes wrong with possessive groups.
_VALUES = {
    "AE": rb"(?:[!-\[\]-~][ -\[\]-~]{0,15}+)?",
    "AS": rb"[0-9]{3}[DWMY]",
    "CS": rb"[A-Z0-9 _]{0,16}+",
    "DA": rb"(?:%b)? *+" % _DAY,
    "DS": rb"(?=[^\\]{0,16}(?:\\|\Z))(?: *+%b *+)?" % _NUMBER,
    "DT": rb"(?:%b(?:%b)?%b?)? *+" % (_DAY, _TIME, _OFFSET),
    "IS": rb"(?: *+[+-]?[0-9]{1,9}+ *+)?",
    "LO": _TEXT + rb"{0,64}+",
    "PN": rb"%b(?:=%b){0,2}" % (_GROUP, _GROUP),
    "SH": _TEXT + rb"{0,16}+",
    "TM": rb"(?:%b)? *+" % _TIME,
    "UC": _TEXT + rb"*+",
    "UI": rb"(?=[^\\]{0,64}(?:\\|\Z))(?:[1-9][0-9]*+(?:\.%b)*)?\0?+" % _COMPONENT,
}


def fits(tag: int, vr: str, length: int) -> Fits | None:
    """What sees that a value of so many bytes is valid; None if there is nothing to be seen."""
    vr = vr[:2]  # of "US or SS" either
    if not length:
        return None
    if vr in VALUE_BYTES:
        return None if binary_count(vr, length) in counts(tag, vr) else _never
    if vr in _LONGEST_TEXT:
        return None if length <= _LONGEST_TEXT[vr] else _never
    return _pattern(vr, counts(tag, vr), length > _PART_BYTES) if vr in _VALUES else None


@lru_cache(maxsize=256)
def _pattern(vr: str, counts: Counts, is_long: bool) -> Fits:
    value = _VALUES[vr]
    if counts == ONE:
        return re.compile(value).fullmatch
    # A backslash may be the second half of a character, whose first half is not ASCII.
    match: Fits = re.compile(rb"%b(?:(?<![%b])\\%b)*" % (value, _HIGH, value)).fullmatch
    if is_long:
        match = _in_parts(match)
    if counts == ANY:
        return match
    return lambda data, start, end: (
        match(data, start, end) and data.count(b"\\", start, end) + 1 in counts
    )


def _in_parts(match: Fits) -> Fits:
    """The same for many values: what a pattern remembers of them takes memory."""

    def match_parts(data: bytes, start: int, end: int) -> object:
        while (stop := data.find(b"\\", start + _PART_BYTES, end)) >= 0:
            if data[stop - 1] >= _FIRST_HIGH or not match(data, start, stop):
                return False
            start = stop + 1
        return match(data, start, end)

    return match_parts


def _never(_data: bytes, _start: int, _end: int) -> bool:
    return False


class PlainElements(dict[bytes, tuple[int, int, Fits | None]]):
    """By the eight bytes at the start of an element: bytes to the next one, kind, what fits it.

    Bounded, shared by all threads. Kinds are those of :mod:`dicomweb.elements`; values whose VR
    depends on other elements are plain.
    """

    __slots__ = ("headers",)

    def __init__(self, headers: ElementHeaders) -> None:
        super().__init__()
        self.headers = headers

    def __missing__(self, header: bytes) -> tuple[int, int, Fits | None]:
        if len(self) >= _MOST_ENTRIES:
            self.clear()
        tag, step, kind, vr = self.headers[header]
        if kind == CONTEXT:
            kind = PLAIN
        fit = fits(tag, vr, step - 8) if kind in (PLAIN, CHARACTER_SET) else None
        entry = self[header] = step, kind, fit
        return entry


EXPLICIT_ELEMENTS = PlainElements(EXPLICIT_HEADERS)
IMPLICIT_ELEMENTS = PlainElements(IMPLICIT_HEADERS)


def plain_elements(headers: ElementHeaders) -> PlainElements:
    """The table for elements that are read in this way."""
    return IMPLICIT_ELEMENTS if headers is IMPLICIT_HEADERS else EXPLICIT_ELEMENTS
