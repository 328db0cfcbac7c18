"""Value Multiplicity: how many values an element may have (PS3.5 6.4, PS3.6)."""

from functools import lru_cache
from sys import maxsize

from dicomweb.elements import BULK_VRS, NUMBERS, ONE_VALUE_VRS, known_multiplicity, known_vr

Counts = range
"""The numbers of values that are right."""
VALUE_BYTES = {vr: number.size for vr, number in NUMBERS.items()} | {"AT": 4}
"""The VRs whose values are as many as fit their length."""
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

    Any number if the data dictionary does not tell: of private and unknown elements, of those that
    it says to be one bulk value while the file has single numbers, and of text that is one value
    whatever is in it.
    """
    multiplicity = known_multiplicity(tag)
    if not multiplicity or vr in ONE_VALUE_VRS or known_vr(tag) in BULK_VRS:
        return ANY
    return counts_of(multiplicity)


def binary_count(vr: str, length: int) -> int:
    """How many values so many bytes are; too few for one are one that nobody can read."""
    return max(length // VALUE_BYTES[vr], 1)
