"""Palette Color Lookup Tables (PS3.3 C.7.6.3.1.5, C.7.6.3.1.6 and C.7.9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dicomweb.imaging.grayscale import Samples, Shades, every_sample, words

_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2
_KEPT_TABLES = 16


class Descriptor(NamedTuple):
    """Palette Color Lookup Table Descriptor (0028,1101-1103)."""

    entries: int
    """1 to 65,536."""
    first: int
    """The stored value that is mapped to the first entry, as all below it."""
    bits: int
    """Of an entry: 8 or 16."""


@dataclass(frozen=True, slots=True)
class Palette:
    """A color for each stored value."""

    first: int
    """The stored value that is mapped to the first color, as all below it."""
    colors: bytes
    """At least one, each a byte of red, green and blue."""


def palette(descriptor: Descriptor, channels: Sequence[NDArray[Any]]) -> Palette:
    """The palette of three lookup tables of as many entries each as there are, at least one.

    Some writers put 8-bit entries into 16 bits without scaling them, which PS3.3 C.7.6.3.1.6 does
    not allow: where no entry is over 255, entries count as 8-bit.
    """
    entries = min(descriptor.entries, *map(len, channels))
    colors = np.stack([channel[:entries] for channel in channels], axis=1)
    if colors.max() > 255:
        colors = colors >> 8
    return Palette(descriptor.first, colors.astype(np.uint8).tobytes())


def render(samples: Samples, palette: Palette) -> Shades:
    """Red, green and blue of each pixel.

    :param samples: integers of at most 16 bits.
    """
    return _table(samples.dtype, palette).take(words(samples), axis=0)


@lru_cache(_KEPT_TABLES)
def _table(dtype: np.dtype[Any], palette: Palette) -> Shades:
    """The color of every sample."""
    colors = np.frombuffer(palette.colors, np.uint8).reshape(-1, 3)
    numbers = np.clip(every_sample(dtype).astype(np.int64) - palette.first, 0, len(colors) - 1)
    return colors[numbers]


def entries(data: bytes, descriptor: Descriptor) -> NDArray[Any]:
    """The entries of a lookup table, as many as there are.

    Entries of 8 bits come in bytes, but some writers give each a word.
    """
    size = 1 if descriptor.bits == 8 and len(data) < 2 * descriptor.entries else 2
    return np.frombuffer(data[: len(data) // size * size], f"<u{size}")


def segments(data: bytes, descriptor: Descriptor) -> NDArray[Any]:
    """The entries of a segmented lookup table (PS3.3 C.7.9.2), up to what is malformed."""
    size = 1 if descriptor.bits == 8 else 2
    numbers = np.frombuffer(data[: len(data) // size * size], f"<u{size}").tolist()
    found: list[int] = []
    at = 0
    while at + 1 < len(numbers) and len(found) < descriptor.entries:
        operation, length = numbers[at : at + 2]
        if operation != _INDIRECT:
            at = _segment(numbers, at, found)
            continue
        offset = numbers[at + 2 : at + 2 + 4 // size]
        if len(offset) < 4 // size:
            break
        at += 2 + 4 // size
        again = sum(number << 8 * size * place for place, number in enumerate(offset)) // size
        for _ in range(length):
            if again + 1 >= len(numbers) or numbers[again] == _INDIRECT:
                break
            if len(found) >= descriptor.entries:
                break
            known = len(found)
            again = _segment(numbers, again, found)
            if len(found) == known:  # could be repeated for hours
                break
    return np.array(found[: descriptor.entries], f"<u{size}")


def _segment(numbers: list[int], at: int, found: list[int]) -> int:
    """Expand the discrete or linear segment at ``at``; return where the next one begins."""
    operation, length = numbers[at : at + 2]
    at += 2
    if operation == _DISCRETE:
        found += numbers[at : at + length]
        return at + length
    if operation == _LINEAR and found and at < len(numbers):
        steps = np.linspace(found[-1], numbers[at], length + 1)[1:]
        found += np.rint(steps).astype(np.int64).tolist()
        return at + 1
    return len(numbers)
