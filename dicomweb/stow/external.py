"""External metadata of a store: headers ``msdicom-meta-{VR}-{tag}``, one for each attribute.

Their values are in UTF-8. One that is malformed refuses the request before its body is read.
"""

import re
from collections.abc import Iterable, Mapping

from dicomweb.elements import NUMBERS
from dicomweb.errors import BadRequest
from dicomweb.external import STORE_HEADER, can_be_external, element
from dicomweb.stow.rules import FULL, MINIMUM, Rule, no_backslash, wrong_by
from index.external import NewExternal

MOST_ATTRIBUTES = 64
"""Of one request. Its server does not take many more headers."""
MOST_CHARACTERS = 200

_SHOWN = 80  # characters of what a client sent that are repeated in a message
_NAME = re.compile(r"([A-Za-z]{2})-([0-9A-Fa-f]{8})", re.ASCII)
_FLOAT = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_BOUNDS = {
    "SL": (-(2**31), 2**31 - 1),
    "SS": (-(2**15), 2**15 - 1),
    "UL": (0, 2**32 - 1),
    "US": (0, 2**16 - 1),
}
_GREATEST = {"FL": 3.4028234663852886e38, "FD": 1.7976931348623157e308}


def _integer_between(least: int, most: int) -> Rule:
    def rule(value: str) -> str | None:
        if _INTEGER.fullmatch(value) and least <= int(value) <= most:
            return None
        return f"must be an integer between {least} and {most}"

    return rule


def _number_up_to(greatest: float) -> Rule:
    def rule(value: str) -> str | None:
        if _FLOAT.fullmatch(value) and abs(float(value)) <= greatest:
            return None
        return f"must be a number between {-greatest} and {greatest}"

    return rule


def _short(value: str) -> str | None:
    long = len(value) > MOST_CHARACTERS
    return f"must have at most {MOST_CHARACTERS} characters" if long else None


RULES: Mapping[str, tuple[Rule, ...]] = {
    **{vr: (_short, no_backslash, *FULL[vr]) for vr in ("AE", "AS", "CS", "LO", "PN", "SH", "UI")},
    **{vr: (_short, *MINIMUM[vr]) for vr in ("DA", "DT", "IS", "TM")},
    **{vr: (_short, _number_up_to(greatest)) for vr, greatest in _GREATEST.items()},
    **{vr: (_short, _integer_between(*bounds)) for vr, bounds in _BOUNDS.items()},
}
"""What a value must fulfil, by the VRs that there can be. It is one value, and may be empty."""


def header_name(vr: str, tag: int) -> str:
    """The header that an attribute comes in."""
    return f"{STORE_HEADER}{vr}-{tag:08X}"


def parse_external(headers: Iterable[tuple[str, str]]) -> tuple[NewExternal, ...]:
    """The attributes that headers of a request give.

    :param headers: what follows :data:`STORE_HEADER` in their names, and their values, in which
        each character stands for a byte, as WSGI has it.
    :raise BadRequest: one is malformed or there are too many; names it.
    """
    given: dict[int, NewExternal] = {}
    for name, value in headers:
        try:
            new = _attribute(name, value)
        except ValueError as error:
            raise BadRequest(
                f"The header '{STORE_HEADER}{name[:_SHOWN]}' is wrong: {error}."
            ) from error
        if new.tag in given:
            raise BadRequest(
                f"The headers '{header_name(given[new.tag].vr, new.tag)}' and "
                f"'{header_name(new.vr, new.tag)}' name the same attribute. Each can be given once."
            )
        given[new.tag] = new
    if len(given) > MOST_ATTRIBUTES:
        raise BadRequest(
            f"There are {len(given)} headers '{STORE_HEADER}...'. "
            f"A request can have {MOST_ATTRIBUTES}."
        )
    return tuple(given.values())


def _attribute(name: str, value: str) -> NewExternal:
    """:raise ValueError: says what of a header is wrong."""
    match = _NAME.fullmatch(name)
    if not match:
        raise ValueError("its name ends with a VR, '-' and a tag in eight hexadecimal digits")
    vr, tag = match[1].upper(), int(match[2], 16)
    if vr not in RULES:
        raise ValueError(f"the VR is one of {', '.join(RULES)}")
    if not can_be_external(tag):
        raise ValueError(
            "the tag is that of a private attribute, with an odd group from 0009 to FFFD and an "
            "element from 0010 to 00FF or from 1000 on"
        )
    text = _decoded(value).strip(" ")
    if text and (wrong := wrong_by(RULES, vr, text)):
        raise ValueError(f"its value {wrong}")
    return NewExternal(tag, vr, text, element(tag, vr, _encoded(vr, text)))


def _decoded(value: str) -> str:
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        raise ValueError("its value must be in UTF-8") from None


def _encoded(vr: str, text: str) -> bytes:
    """The value as a file would have it."""
    if not text or vr not in NUMBERS:
        return text.encode()
    number = float(text) if vr in _GREATEST else int(text)
    return NUMBERS[vr].pack(number)
