"""Where each frame of an instance is in the stored file (PS3.5 8 and Annex A.4).

A frame is found without reading pixel data: native frames by arithmetic, encapsulated ones through
the Extended or Basic Offset Table or by a walk over the item headers of the fragments.
"""

import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from struct import Struct, unpack_from
from typing import Self

from dicomweb.elements import UNDEFINED_LENGTH, NotReadable

_ITEM_TAG = 0xE000FFFE  # read as one little-endian number
_SEQUENCE_END_TAG = 0xE0DDFFFE
_ITEM = Struct("<II").unpack_from
_ITEM_HEADER_BYTES = 8
_END_OF_IMAGE = b"\xff\xd9"
_END_OF_IMAGE_WITHIN = 10

_NATIVE = 1
_FRAGMENT_EACH = 2
_FRAGMENTS = 3
_WIDE = 0x40  # marks are of eight bytes, not of four
_INFLATED = 0x80
_HEAD = Struct("<BQIQ")


def fragment_offsets(view: memoryview, start: int, end: int, most: int) -> "array[int]":
    """Positions of all items of encapsulated Pixel Data and of the sequence delimiter after them.

    The first item is the Basic Offset Table.

    :param most: how many items there may be.
    :raise NotReadable: an item is no item, or there is no delimiter before ``end``.
    """
    offsets = array("Q")
    append = offsets.append
    at = start
    last = end - _ITEM_HEADER_BYTES
    for _ in range(most):
        if at > last:
            break
        tag, length = _ITEM(view, at)
        append(at)
        if tag != _ITEM_TAG or length == UNDEFINED_LENGTH:
            break
        at += _ITEM_HEADER_BYTES + length
    else:
        raise NotReadable(f"more than {most} fragments")
    if at > last:
        raise NotReadable(f"Pixel Data is cut short: its fragments do not end before byte {end}")
    if tag != _SEQUENCE_END_TAG:
        raise NotReadable(f"no fragment where one is due in Pixel Data, at byte {at}")
    return offsets


@dataclass(frozen=True, slots=True)
class PixelDescription:
    """What the Image Pixel Module says of the size of a native frame (PS3.3 C.7.6.3)."""

    rows: int
    columns: int
    samples_per_pixel: int
    bits_allocated: int
    photometric_interpretation: str

    @property
    def frame_bits(self) -> int:
        """Bits of one frame with all samples at full resolution."""
        return self.rows * self.columns * self.samples_per_pixel * self.bits_allocated

    def frame_bits_in(self, value_bits: int, frames: int) -> int:
        """Bits of one frame in Pixel Data of that size.

        YBR_FULL_422 and YBR_PARTIAL_422 leave out every other chrominance sample, unless the value
        has room for all of them: some writers keep the name after resampling.
        """
        bits = self.frame_bits
        if self.photometric_interpretation.endswith("_422") and value_bits < bits * frames:
            return bits // 3 * 2
        return bits


@dataclass(frozen=True, slots=True)
class FrameTable:
    """The byte ranges of the frames of one instance, in frame order."""

    count: int
    """Whole frames that are there, whatever Number of Frames says."""
    start: int
    """Position of the first frame (native) or of the first fragment's item (encapsulated)."""
    inflated: bool
    """The file is deflated: positions count in the inflated data set, not in the stored file."""
    frame_bits: int
    """Bits of one native frame; 0 if encapsulated."""
    _marks: bytes = b""  # fragments: item positions relative to start, and where the last one ends
    _firsts: bytes = b""  # number of each frame's first fragment, and of all fragments
    _wide: bool = False

    @property
    def encapsulated(self) -> bool:
        """Whether frames consist of fragments, each after an item header."""
        return not self.frame_bits

    def first_bit(self, frame: int) -> int:
        """Bit of its first byte at which a native frame starts; 0 but for 1-bit pixels.

        :param frame: 1 and up.
        """
        return (frame - 1) * self.frame_bits % 8

    def ranges(self, frame: int) -> list[tuple[int, int]]:
        """Offset and length of the frame's pieces, ascending.

        Between two pieces of an encapsulated frame lies nothing but an 8-byte item header, so one
        read from the first to the last serves.

        :param frame: 1 and up.
        :raise IndexError: there is no such frame.
        """
        if not 1 <= frame <= self.count:
            raise IndexError(frame)
        if self.frame_bits:
            first = (frame - 1) * self.frame_bits
            start, stop = first // 8, -(-(first + self.frame_bits) // 8)
            return [(self.start + start, stop - start)]
        first, after = frame - 1, frame
        if self._firsts:
            first, after = unpack_from("<II", self._firsts, 4 * first)
        code, size = ("Q", 8) if self._wide else ("I", 4)
        marks = unpack_from(f"<{after - first + 1}{code}", self._marks, size * first)
        return [
            (self.start + at + _ITEM_HEADER_BYTES, stop - at - _ITEM_HEADER_BYTES)
            for at, stop in pairwise(marks)
        ]

    def encode(self) -> bytes:
        """The table as the index keeps it."""
        kind = _NATIVE if self.frame_bits else _FRAGMENTS if self._firsts else _FRAGMENT_EACH
        kind |= (_INFLATED if self.inflated else 0) | (_WIDE if self._wide else 0)
        head = _HEAD.pack(kind, self.start, self.count, self.frame_bits)
        return head + self._firsts + self._marks

    @classmethod
    def decode(cls, encoded: bytes) -> Self:
        """What :meth:`encode` made."""
        kind, start, count, frame_bits = _HEAD.unpack_from(encoded)
        firsts = 4 * (count + 1) if kind & 0xF == _FRAGMENTS else 0
        marks_at = _HEAD.size + firsts
        return cls(
            count,
            start,
            bool(kind & _INFLATED),
            frame_bits,
            encoded[marks_at:],
            encoded[_HEAD.size : marks_at],
            bool(kind & _WIDE),
        )


def native_frames(
    offset: int, length: int, frames: int, pixels: PixelDescription, inflated: bool
) -> FrameTable | None:
    """The table of native Pixel Data; None if not one whole frame is there.

    :param frames: Number of Frames; fewer are listed if the value has no room for them.
    """
    bits = pixels.frame_bits_in(8 * length, frames)
    count = min(frames, 8 * length // bits) if bits else 0
    return FrameTable(count, offset, inflated, bits) if count > 0 else None


def encapsulated_frames(
    view: memoryview,
    items: Sequence[int],
    frames: int,
    extended: Sequence[int],
    inflated: bool,
) -> FrameTable | None:
    """The table of encapsulated Pixel Data; None if its frames cannot be told apart.

    :param items: from :func:`fragment_offsets`.
    :param frames: Number of Frames.
    :param extended: Extended Offset Table, empty if there is none (PS3.3 C.7.6.3).
    """
    if len(items) < 3:
        return None
    start = items[1]
    wide = items[-1] - start >= 2**32
    marks = array("Q" if wide else "I", [at - start for at in items[1:]])
    firsts = _first_fragments(view, items, marks, frames, extended)
    if firsts is None:
        return None
    count = len(firsts)
    every = count == len(marks) - 1
    bounds = array("I", [] if every else [*firsts, len(marks) - 1])
    return FrameTable(
        count, start, inflated, 0, _little_endian(marks), _little_endian(bounds), wide
    )


def _first_fragments(
    view: memoryview,
    items: Sequence[int],
    marks: "array[int]",
    frames: int,
    extended: Sequence[int],
) -> Sequence[int] | None:
    """The number of each frame's first fragment.

    A table that fits both the fragments and Number of Frames is believed first; then the fragments
    themselves; then a table that contradicts Number of Frames.
    """
    fragments = len(marks) - 1
    entries = (items[1] - items[0] - _ITEM_HEADER_BYTES) // 4
    basic = (
        unpack_from(f"<{entries}I", view, items[0] + _ITEM_HEADER_BYTES)
        if entries <= fragments
        else ()
    )
    tables = [found for table in (extended, basic) if (found := _on_fragments(table, marks))]
    for table in tables:
        if len(table) == frames:
            return table
    if fragments == frames:
        return range(frames)
    if tables:
        return tables[0]
    if frames == 1:
        return (0,)
    return _after_end_of_image(view, items, frames)


def _on_fragments(table: Sequence[int], marks: "array[int]") -> list[int] | None:
    """Fragment numbers for the offsets of a table; None if it does not fit the fragments."""
    if not table or table[0] != 0 or len(table) >= len(marks):
        return None
    number_at = {mark: number for number, mark in enumerate(marks[:-1])}
    numbers = [number_at.get(offset, -1) for offset in table]
    ascending = all(a < b for a, b in pairwise(numbers))
    return numbers if ascending else None


def _after_end_of_image(
    view: memoryview, items: Sequence[int], frames: int
) -> Sequence[int] | None:
    """Frames that begin after a fragment with a JPEG end-of-image marker in its last bytes."""
    if frames >= len(items) - 2:
        return None
    firsts = [0]
    for number, stop in enumerate(items[2:], start=1):
        tail_from = max(items[number] + _ITEM_HEADER_BYTES, stop - _END_OF_IMAGE_WITHIN)
        if _END_OF_IMAGE in bytes(view[tail_from:stop]):
            firsts.append(number)
    if firsts.pop() != len(items) - 2:
        return None
    return firsts if len(firsts) == frames else None


def _little_endian(numbers: "array[int]") -> bytes:
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()
