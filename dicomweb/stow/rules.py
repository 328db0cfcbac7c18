"""What is wrong with a value, by its VR: the rules that instances are checked by.

A rule is a function from one value to what it must be instead, which reads after the name of the
attribute; nothing if the value is right. Two tables say which rules a VR has. Rules see a value as
it stands between two backslashes, without the NULs and the blanks that pad the element.
"""

import datetime as dt
import re
from collections.abc import Callable, Mapping

from dicomweb.urls import UID

Rule = Callable[[str], str | None]

_CONTROL = re.compile(r"[\x00-\x1a\x1c-\x1f\x7f]")  # all but ESC, which switches character sets
_AGE = re.compile(r"[0-9]{3}[DWMY]")
_CODE = re.compile(r"[A-Z0-9 _]*")
_DATE = re.compile(r"[0-9]{4}([0-9]{2})([0-9]{2})")
_DECIMAL = re.compile(r" *[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)? *")
_INTEGER = re.compile(r" *[+-]?[0-9]+ *")
_TIME = re.compile(r"([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:\.[0-9]{1,6})?)?)?")
_DATE_TIME = re.compile(
    r"[0-9]{4}(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:\.[0-9]{1,6})?"
    r")?)?)?)?)?([+-][0-9]{4})?"
)
_OFFSET = re.compile(r"-(0[0-9]|1[01])[0-9]{2}")  # and not a year before 1200
_LONGEST_RANGE = 53  # two date times of 26 characters
_LEAST_INTEGER, _GREATEST_INTEGER = -(2**31), 2**31 - 1
_MONTH, _DAY = ("a month", 1, 12), ("a day", 1, 31)
_HOUR, _MINUTE, _SECOND = ("an hour", 0, 23), ("a minute", 0, 59), ("a second", 0, 60)
_MONTH_OR_0, _DAY_OR_0 = ("a month", 0, 12), ("a day", 0, 31)


def at_most(characters: int) -> Rule:
    """A length in characters, not in bytes."""

    def rule(value: str) -> str | None:
        too_long = len(value) > characters
        return f"must have at most {characters} characters" if too_long else None

    return rule


def exactly(characters: int) -> Rule:
    """A length in characters, which no value at all does not have."""

    def rule(value: str) -> str | None:
        return None if len(value) == characters else f"must have {characters} characters"

    return rule


def not_only_spaces(value: str) -> str | None:
    """Something to see, if there is a value."""
    return "must not consist of spaces only" if value and not value.strip(" ") else None


def no_control(value: str) -> str | None:
    """No control characters."""
    wrong = "\x1b" in value or _CONTROL.search(value)
    return "must have no control characters" if wrong else None


def no_control_but_escape(value: str) -> str | None:
    """No control characters but the one that switches character sets."""
    return "must have no control characters but ESC" if _CONTROL.search(value) else None


def no_backslash(value: str) -> str | None:
    """One value, where several would be separated."""
    return "must be one value, without a backslash" if "\\" in value else None


def age(value: str) -> str | None:
    """Three digits and a unit."""
    if not value or _AGE.fullmatch(value.rstrip(" ")):
        return None
    return "must be three digits and one of D, W, M and Y, such as 045Y"


def code(value: str) -> str | None:
    """The characters of a code string."""
    if _CODE.fullmatch(value):
        return None
    return "must have only upper case letters, digits, spaces and underscores"


def calendar_date(value: str) -> str | None:
    """A day that there is."""
    if not value:
        return None
    try:
        if _DATE.fullmatch(value):
            dt.date(int(value[:4]), int(value[4:6]), int(value[6:]))
            return None
    except ValueError:
        pass
    return "must be a day of the calendar, written YYYYMMDD"


def date(value: str) -> str | None:
    """Eight digits; whether the month has that day is not looked at."""
    match = _DATE.fullmatch(value)
    if not match:
        return "must be a date YYYYMMDD, or a range of two with a '-' between them"
    return _out_of_bounds((_MONTH_OR_0, _DAY_OR_0), match.groups())


def time(value: str) -> str | None:
    """Hours, and as much of the rest as is known."""
    match = _TIME.fullmatch(value)
    if not match:
        return "must be a time HH, HHMM, HHMMSS or HHMMSS.F with one to six digits F"
    return _out_of_bounds((_HOUR, _MINUTE, _SECOND), match.groups())


def date_time(value: str) -> str | None:
    """A year, as much of the rest as is known, and an offset from UTC if that is known."""
    match = _DATE_TIME.fullmatch(value)
    if not match:
        return (
            "must be a date and time YYYY[MM[DD[HH[MM[SS[.F]]]]]][+HHMM] with one to six digits F"
        )
    *parts, offset = match.groups()
    if offset and (offset == "-0000" or not -1200 <= int(offset) <= 1400 or offset[3:] > "59"):
        return "must have an offset from UTC between -1200 and +1400, and not -0000"
    return _out_of_bounds((_MONTH, _DAY, _HOUR, _MINUTE, _SECOND), parts)


def or_empty(rule: Rule) -> Rule:
    """No value, or one that the rule takes, which blanks may follow."""

    def optional(value: str) -> str | None:
        value = value.rstrip(" ")
        return rule(value) if value else None

    return optional


def or_range(rule: Rule) -> Rule:
    """No value, one that the rule takes, or two with a '-' between them, one of which may lack."""

    def ranging(value: str) -> str | None:
        ends = value.rstrip(" ").split("-", 2)
        if len(ends) > 2:
            return "must have at most one '-', which separates the ends of a range"
        return next(filter(None, (rule(end) for end in ends if end)), None)

    return ranging


def date_time_or_range(value: str) -> str | None:
    """As a range; every '-' in it may be what separates two ends, or the sign of an offset."""
    value = value.rstrip(" ")
    wrong = date_time(value) if value else None
    if wrong is None or len(value) > _LONGEST_RANGE:
        return wrong
    for at, character in enumerate(value):
        ends = [end for end in (value[:at], value[at + 1 :]) if end]
        separates = character == "-" and not _OFFSET.fullmatch(value, at)
        if separates and ends and not any(map(date_time, ends)):
            return None
    return wrong


def decimal(value: str) -> str | None:
    """A decimal number; blanks alone are none."""
    return None if not value or _DECIMAL.fullmatch(value) else "must be a decimal number"


def integer(value: str) -> str | None:
    """An integer of 32 bits."""
    if not value:
        return None
    if not _INTEGER.fullmatch(value):
        return "must be an integer"
    digits = value.strip(" ").lstrip("+-0") or "0"
    if len(digits) <= 10:
        number = -int(digits) if "-" in value else int(digits)
        if _LEAST_INTEGER <= number <= _GREATEST_INTEGER:
            return None
    return f"must be an integer between {_LEAST_INTEGER} and {_GREATEST_INTEGER}"


def three_groups(value: str) -> str | None:
    """The component groups of a name: alphabetic, ideographic, phonetic."""
    return "must have at most 3 groups separated by '='" if value.count("=") > 2 else None


def groups_of_64(value: str) -> str | None:
    """The length of each component group."""
    too_long = any(len(group) > 64 for group in value.split("="))
    return "must have at most 64 characters in each group" if too_long else None


def five_components(value: str) -> str | None:
    """The components of each group: family, given, middle name, prefix, suffix."""
    too_many = any(group.count("^") > 4 for group in value.split("="))
    return "must have at most 5 components separated by '^' in each group" if too_many else None


def identifier(value: str) -> str | None:
    """What a path takes for a UID."""
    if UID.fullmatch(value):
        return None
    return "must be a UID of at most 64 characters, only digits and dots, with a digit last"


def digits_and_dots(value: str) -> str | None:
    """The characters of a UID."""
    wrong = value.translate(_WITHOUT_UID_CHARACTERS)
    return "must be a UID, which has only digits and dots" if wrong else None


def no_empty_component(value: str) -> str | None:
    """A number before, between and after the dots of a UID."""
    wrong = value and not all(value.split("."))
    return "must be a UID, in which every component has a digit" if wrong else None


def no_leading_zero(value: str) -> str | None:
    """Components of a UID that are a plain 0, but for the first, or do not start with one."""
    wrong = value.startswith("0") or any(
        part.startswith("0") and part != "0" for part in value.split(".")
    )
    return "must be a UID, whose components do not start with 0" if wrong else None


def _out_of_bounds(
    bounds: tuple[tuple[str, int, int], ...], given: tuple[str | None, ...] | list[str | None]
) -> str | None:
    """The first part of a date or time that is too small or too large."""
    for (name, least, most), text in zip(bounds, given, strict=True):
        if text is not None and not least <= int(text) <= most:
            return f"must have {name} between {least} and {most}"
    return None


_WITHOUT_UID_CHARACTERS = dict.fromkeys(map(ord, "0123456789."))
_NAME = (three_groups, groups_of_64, no_control_but_escape, five_components)

MINIMUM: Mapping[str, tuple[Rule, ...]] = {
    "AE": (at_most(16),),
    "AS": (exactly(4),),
    "CS": (at_most(16),),
    "DA": (calendar_date,),
    "DT": (or_empty(date_time),),
    "IS": (integer,),
    "LO": (at_most(64), no_backslash, no_control_but_escape),
    "PN": _NAME,
    "SH": (at_most(16),),
    "TM": (or_empty(time),),
    "UI": (identifier,),
}
"""What an attribute must fulfil to be an identifier, or to be searched for."""

FULL: Mapping[str, tuple[Rule, ...]] = {
    "AE": (at_most(16), not_only_spaces, no_control),
    "AS": (age,),
    "CS": (at_most(16), code),
    "DA": (or_range(date),),
    "DS": (at_most(16), decimal),
    "DT": (date_time_or_range,),
    "IS": (integer,),
    "LO": (at_most(64), no_control_but_escape),
    "LT": (at_most(10240),),
    "PN": _NAME,
    "SH": (at_most(16), no_control_but_escape),
    "ST": (at_most(1024),),
    "TM": (or_range(time),),
    "UI": (at_most(64), digits_and_dots, no_empty_component, no_leading_zero),
}
"""What PS3.5 section 6.2 demands of a value, as far as this service looks at it."""


def wrong_by(rules: Mapping[str, tuple[Rule, ...]], vr: str, value: str) -> str | None:
    """What the first rule of the VR that the value breaks wants; None if it breaks none."""
    for rule in rules.get(vr, ()):
        if wrong := rule(value):
            return wrong
    return None
