"""Value Multiplicity: how many values an element may have (PS3.5 6.4, PS3.6)."""

from functools import lru_cache
from sys import maxsize

from dicomweb.elements import BULK_VRS, known_multiplicity, known_vr

Counts = range
"""The numbers of values that are right."""
ANY: Counts = range(1, maxsize)
ONE: Counts = range(1, 2)


@lru_cache(maxsize=64)
def counts_of(multiplicity: str) -> Counts:
    """The numbers that ``3``, ``1-3``, ``2-n`` or ``2-2n`` stands for."""
    least, _, most = multiplicity.partition("-")
    if not most:
        return range(int(least), int(least) + 1)
    if most.endswith("n"):
        return range(int(least), maxsize, int(most[:-1] or 1))
    return range(int(least), int(most) + 1)


def counts(tag: int, vr: str) -> Counts:
    """How many values an element of this VR may have.

    Any number if the data dictionary does not tell: of private and unknown elements, and of those
    that it says to be one bulk value while the file has them as single numbers.
    """
    multiplicity = known_multiplicity(tag)
    if not multiplicity or (vr not in BULK_VRS and known_vr(tag) in BULK_VRS):
        return ANY
    return counts_of(multiplicity)
