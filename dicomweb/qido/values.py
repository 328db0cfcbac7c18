"""What the value of a parameter asks of an attribute, by the attribute's VR (PS3.4 C.2.2.2)."""

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from dicomweb.errors import BadRequest
from index import matching
from index.forms import FORMS
from index.matching import Condition

_UID_SEPARATOR = re.compile(r"[\\,]")
_DATE = re.compile(r"[0-9]{8}", re.ASCII)
_CLOCK = r"(?:[01][0-9]|2[0-3])(?:[0-5][0-9](?:(?:[0-5][0-9]|60)(?:\.[0-9]{1,6})?)?)?"
_TIME = re.compile(_CLOCK, re.ASCII)
_DATE_TIME = re.compile(rf"[0-9]{{4}}(?:(?:0[1-9]|1[0-2])(?:[0-9]{{2}}(?:{_CLOCK})?)?)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?[0-9]{1,40}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?", re.ASCII)


class _Kind(NamedTuple):
    """Values that are compared by their form (``index/forms.py``)."""

    name: str
    valid: Callable[[str], object]
    right: str
    """What is right, for people."""
    ranges: bool = True


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        dt.date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True


def _is_date_time(text: str) -> bool:
    return bool(_DATE_TIME.fullmatch(text)) and _is_date(FORMS["DT"](text)[:8])


_DATES = _Kind("date", _is_date, "valid and formatted as yyyyMMdd")
_DATE_TIMES = _Kind(
    "date and time", _is_date_time, "formatted as yyyy[MM[dd[HH[mm[ss[.FFFFFF]]]]]], without offset"
)
_TIMES = _Kind("time", _TIME.fullmatch, "formatted as HH[mm[ss[.FFFFFF]]]")
_INTEGERS = _Kind("integer", _INTEGER.fullmatch, "written in digits", ranges=False)
_NUMBERS = _Kind("number", _NUMBER.fullmatch, "written as 1.5 or 15e-1", ranges=False)
_KINDS: Mapping[str, _Kind] = {
    "DA": _DATES,
    "DT": _DATE_TIMES,
    "TM": _TIMES,
    **dict.fromkeys(("IS", "SL", "SS", "UL", "US"), _INTEGERS),
    **dict.fromkeys(("FD", "FL"), _NUMBERS),
}


class Asked(NamedTuple):
    """What a parameter asks."""

    condition: Condition
    of_words: bool = False
    """Of the words of a name, not of the value as a whole."""


def ask(name: str, vr: str, value: str, *, fuzzy: bool, wildcards: bool) -> Asked:
    """What a value asks.

    :param name: of the attribute, for messages.
    :param vr: one of :data:`index.forms.FORMS`.
    :raise BadRequest: the value does not fit the VR.
    """
    if vr == "UI":
        return Asked(matching.uid_list(uid.strip() for uid in _UID_SEPARATOR.split(value)))
    if vr in _KINDS:
        return Asked(_compared(name, vr, value))
    if vr == "PN" and fuzzy:
        if '"' in value:
            raise BadRequest(
                f"Invalid query: the value of '{name}' contains the unsupported character '\"', "
                "which fuzzy matching does not take."
            )
        return Asked(matching.name_words_match(value, wildcards=wildcards), of_words=True)
    if wildcards and matching.has_wildcard(value):
        return Asked((matching.name_wild_card if vr == "PN" else matching.wild_card)(value))
    return Asked((matching.name_value if vr == "PN" else matching.single_value)(value))


def _compared(name: str, vr: str, value: str) -> Condition:
    """One value, or a range ``a-b``, ``a-`` or ``-b`` where the VR has ranges."""
    kind = _KINDS[vr]
    first, hyphen, last = value.partition("-") if kind.ranges else (value, "", "")
    ends = (first.strip(), last.strip()) if hyphen else (first, first)
    if not any(ends) or not all(kind.valid(end) for end in ends if end):
        also = f"; a range of {kind.name}s as a-b, a- or -b" if kind.ranges else ""
        raise BadRequest(
            f"Invalid query: the value of '{name}' is not a {kind.name}. It has to be "
            f"{kind.right}{also}."
        )
    least, most = (FORMS[vr](end) if end else None for end in ends)
    if least and most and kind.ranges and least > most:
        raise BadRequest(
            f"Invalid query: the {kind.name} range of '{name}' is invalid. Its first {kind.name} "
            "has to be lesser than or equal to the second."
        )
    return matching.date_range(least, most)
