"""The form in which a value of any VR that can be searched by is stored and compared: as text.

Two values that mean the same have the same form, and forms of dates and times sort as these do, so
that the rules of ``matching.py`` hold for them. Values are given as PS3.5 section 6.2 has them, and
are known to be right.
"""

from collections.abc import Callable, Mapping
from struct import pack, unpack

from index.matching import fold, fold_name

_FIRST_MOMENT = "00000101000000.000000"
_FIRST_TIME = _FIRST_MOMENT[8:]


def date_time(value: str) -> str:
    """A moment with all its parts; an offset from UTC is left out.

    What is not given is as small as it can be: a year counts as its first moment.
    """
    digits = value.strip(" ").partition("+")[0].partition("-")[0]
    return digits + _FIRST_MOMENT[len(digits) :]


def time(value: str) -> str:
    """A time of the day with all its parts, as :func:`date_time`."""
    digits = value.strip(" ")
    return digits + _FIRST_TIME[len(digits) :]


def integer(value: str) -> str:
    """An integer without leading zeros."""
    return str(int(value))


def double(value: str) -> str:
    """The nearest number of 64 bits."""
    return repr(float(value) + 0.0)  # not a negative zero


def single(value: str) -> str:
    """The nearest number of 32 bits; infinite beyond their range."""
    try:
        (number,) = unpack("<f", pack("<f", float(value)))
    except OverflowError:
        number = float("inf")
    return repr(number + 0.0)


FORMS: Mapping[str, Callable[[str], str]] = {
    "AE": fold,
    "AS": fold,
    "CS": fold,
    "DA": str.strip,
    "DT": date_time,
    "FD": double,
    "FL": single,
    "IS": integer,
    "LO": fold,
    "PN": fold_name,
    "SH": fold,
    "SL": integer,
    "SS": integer,
    "TM": time,
    "UI": str.strip,
    "UL": integer,
    "US": integer,
}
"""By VR; these are the VRs that can be searched by."""
