"""Ranges of bytes: which part of an answer is asked for (RFC 9110 14)."""

import re
from dataclasses import dataclass

from dicomweb.errors import RangeNotSatisfiable

_RANGE = re.compile(r"bytes=[ \t,]*([0-9]*)-([0-9]*)[ \t,]*", re.ASCII | re.IGNORECASE)
_MOST_DIGITS = 18
_BEYOND = 10**_MOST_DIGITS
"""Where a number of more digits is taken to be: after the end of everything."""


@dataclass(frozen=True, slots=True)
class Selected:
    """The bytes [start, stop) of a representation: those asked for, or all."""

    start: int
    stop: int
    whole: int
    """Bytes of the representation."""
    partial: bool = False

    @property
    def length(self) -> int:
        """How many bytes are sent."""
        return self.stop - self.start

    @property
    def status(self) -> int:
        """Status of the answer."""
        return 206 if self.partial else 200

    @property
    def headers(self) -> dict[str, str]:
        """What the answer says of it."""
        headers = {"Accept-Ranges": "bytes"}
        if self.partial:
            headers["Content-Range"] = f"bytes {self.start}-{self.stop - 1}/{self.whole}"
        return headers


def select(header: str | None, whole: int) -> Selected:
    """The bytes that a Range header asks for.

    All of them without a header, and with one that is malformed or names several ranges: whoever
    asks for ranges has to take the whole (RFC 9110 14.2).

    :param whole: bytes of the representation.
    :raise RangeNotSatisfiable: the range begins after the last byte, or is empty.
    """
    everything = Selected(0, whole, whole)
    match = _RANGE.fullmatch(header) if header else None
    if match is None or match[1] == match[2] == "":
        return everything
    first, last = _position(match[1]), _position(match[2])
    if first is None:
        if last == 0:
            raise RangeNotSatisfiable(whole)
        start, stop = max(0, whole - (last or 0)), whole
    elif last is not None and last < first:
        return everything
    else:
        start, stop = first, whole if last is None else min(last + 1, whole)
        if start >= whole:
            raise RangeNotSatisfiable(whole)
    return Selected(start, stop, whole, partial=True) if whole else everything


def _position(digits: str) -> int | None:
    digits = digits.lstrip("0") or digits[:1]
    if not digits:
        return None
    return int(digits) if len(digits) <= _MOST_DIGITS else _BEYOND
