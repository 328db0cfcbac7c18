"""From stored values of one sample to shades of 8 bits (PS3.4 N.2, PS3.3 C.11.1 and C.11.2).

Stored values become those of the modality by a table or a slope and an intercept, these become
shades by a table or a window, and maybe black becomes white. Of samples of up to 16 bits, all that
is done once for each value there can be, not for each pixel, and the table is kept: the images of a
series share it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[Any]
Values = NDArray[Any]
"""Floating point numbers."""
Shades = NDArray[Any]
"""Of 8 bits each."""

BLACK, WHITE = 0, 255

_KEPT_TABLES = 64
_BLOCK_SAMPLES = 2**20
"""Samples with no table are turned into shades so many at a time: as floats they take more room."""
_MOST_EXPONENT = 700.0


class Function(StrEnum):
    """VOI LUT Function (0028,1056), as the ``window`` parameter spells it (PS3.18 8.3.5.1.4)."""

    LINEAR = "linear"
    LINEAR_EXACT = "linear-exact"
    SIGMOID = "sigmoid"


@dataclass(frozen=True, slots=True)
class Window:
    """Which values are spread over the shades, and how (PS3.3 C.11.2.1.2 and C.11.2.1.3)."""

    center: float
    width: float
    """At least 1 if the function is LINEAR, otherwise more than 0."""
    function: Function = Function.LINEAR

    def fractions(self, values: Values) -> Values:
        """How far each value is between black, 0, and white, 1."""
        if self.function is Function.SIGMOID:
            exponents = (values - self.center) * (-4 / self.width)
            found: Values = 1 / (1 + np.exp(exponents.clip(-_MOST_EXPONENT, _MOST_EXPONENT)))
            return found
        center, width = self.center, self.width
        if self.function is Function.LINEAR:
            center, width = center - 0.5, width - 1
        if width == 0:
            return (values > center).astype(np.float64)
        return np.clip((values - center) / width + 0.5, 0, 1)


@dataclass(frozen=True, slots=True)
class LookupTable:
    """A Modality or VOI LUT (PS3.3 C.11.1.1 and C.11.2.1.1)."""

    first: int
    """The value that is mapped to the first entry, as all below it."""
    bits: int
    """Of an entry."""
    entries: bytes
    """At least one, each two bytes, little-endian."""

    def mapped(self, values: Values) -> Values:
        """The entry of each value."""
        entries = np.frombuffer(self.entries, "<u2")
        numbers = np.clip(np.floor(values) - self.first, 0, len(entries) - 1)
        found: Values = entries[numbers.astype(np.intp)].astype(np.float64)
        return found

    def fractions(self, values: Values) -> Values:
        """How far each value's entry is between black, 0, and white, 1."""
        return np.minimum(self.mapped(values) / ((1 << self.bits) - 1), 1)


@dataclass(frozen=True, slots=True)
class StoredValues:
    """Which values samples can have, lossy compression aside."""

    bits: int
    """Bits Stored."""
    signed: bool

    @property
    def least(self) -> int:
        """The least value there can be."""
        return -(1 << self.bits - 1) if self.signed else 0

    @property
    def greatest(self) -> int:
        """The greatest value there can be."""
        return self.least + (1 << self.bits) - 1


@dataclass(frozen=True, slots=True)
class Grayscale:
    """How stored values become shades."""

    slope: float = 1
    intercept: float = 0
    modality: LookupTable | None = None
    """Takes the place of slope and intercept."""
    voi: Window | LookupTable | None = None
    """None: from the least to the greatest value in the image, padding aside."""
    inverted: bool = False
    padding: tuple[float, float] | None = None
    """The least and greatest stored value that mean that there was nothing to see."""

    def modality_values(self, stored: Samples) -> Values:
        """What stored values mean; 0 for what is no number."""
        values = stored.astype(np.float64)
        if self.modality:
            values = self.modality.mapped(np.nan_to_num(values, copy=False))
        elif (self.slope, self.intercept) != (1, 0):
            values = values * self.slope + self.intercept
        return np.nan_to_num(values, copy=False)

    def shades(self, stored: Samples, voi: Window | LookupTable) -> Shades:
        """The shade of each stored value."""
        fractions = voi.fractions(self.modality_values(stored))
        if self.inverted:
            fractions = 1 - fractions
        found: Shades = np.rint(fractions * WHITE).astype(np.uint8)
        return found


def render(samples: Samples, stored: StoredValues, grayscale: Grayscale) -> Shades:
    """The shades of an image.

    :param samples: integers or floating point numbers.
    """
    voi = grayscale.voi or full_range(extremes(samples, grayscale), stored)
    with np.errstate(all="ignore"):  # values may be anything; what is no number becomes 0
        if has_table(samples):
            return _table(samples.dtype, grayscale, voi).take(words(samples))
        shades = np.empty(samples.shape, np.uint8)
        for block, part in _blocks(samples, shades):
            part[...] = grayscale.shades(block, voi)
        return shades


Extremes = tuple[float, float]


def extremes(samples: Samples, grayscale: Grayscale) -> Extremes | None:
    """The least and the greatest value of the modality in an image; None if all of it is padding.

    Values that are no numbers do not count.
    """
    with np.errstate(all="ignore"):
        if has_table(samples):
            every = every_sample(samples.dtype)
            present = np.zeros(every.shape, bool)
            present[words(samples)] = True
            return _extremes(every[present], grayscale)
        found = [_extremes(block, grayscale) for block, _ in _blocks(samples, samples)]
    return joined(*found)


def joined(*all_extremes: Extremes | None) -> Extremes | None:
    """The extremes of several images."""
    known = [extremes for extremes in all_extremes if extremes]
    if not known:
        return None
    return min(least for least, _ in known), max(greatest for _, greatest in known)


def full_range(extremes: Extremes | None, stored: StoredValues) -> Window:
    """The window from the least to the greatest value.

    Of one bit, it is from 0 to 1 whatever there is: of a mask, all of it is to be white.
    """
    if extremes is None or stored.bits == 1:
        extremes = 0.0, 1.0
    least, greatest = extremes
    width = (greatest - least) or 1.0
    return Window(least + width / 2, width, Function.LINEAR_EXACT)


def has_table(samples: Samples) -> bool:
    """Whether there are so few values that each is looked at once."""
    return samples.dtype.kind in "iu" and samples.itemsize <= 2


def words(samples: Samples) -> Samples:
    """Samples bit for bit as unsigned numbers, each a position in :func:`every_sample`."""
    return samples.view(f"u{samples.itemsize}")


def every_sample(dtype: np.dtype[Any]) -> Samples:
    """All samples that there can be."""
    return np.arange(2 ** (8 * dtype.itemsize)).astype(f"u{dtype.itemsize}").view(dtype)


def _extremes(stored: Samples, grayscale: Grayscale) -> Extremes | None:
    shown = stored
    if grayscale.padding:
        least, greatest = grayscale.padding
        shown = shown[(shown < least) | (shown > greatest)]
    if stored.dtype.kind == "f":
        shown = shown[np.isfinite(shown)]
    if not shown.size:
        return None
    values = grayscale.modality_values(shown)
    return float(values.min()), float(values.max())


@lru_cache(_KEPT_TABLES)
def _table(dtype: np.dtype[Any], grayscale: Grayscale, voi: Window | LookupTable) -> Shades:
    """The shade of every sample."""
    return grayscale.shades(every_sample(dtype), voi)


def _blocks(samples: Samples, other: NDArray[Any]) -> Iterator[tuple[Samples, NDArray[Any]]]:
    """Some rows at a time of two arrays of the same shape."""
    rows = max(_BLOCK_SAMPLES // max(samples[:1].size, 1), 1)
    for start in range(0, len(samples), rows):
        yield samples[start : start + rows], other[start : start + rows]
