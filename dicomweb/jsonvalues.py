"""The values of one element: as text, and in the DICOM JSON Model (PS3.18 F.2.3 to F.2.5)."""

import re
from collections.abc import Iterator
from math import isfinite
from struct import iter_unpack, unpack

import orjson

from dicomweb.charset import DEFAULT_ENCODINGS, Encodings, decode
from dicomweb.elements import NUMBERS, ONE_VALUE_VRS, TEXT_VRS

_EXACT_INTEGERS = 2**53 - 1
"""Up to here an integer is the same number to every reader of JSON (RFC 8259 6)."""
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?")
_NUMBER = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?([eE][+-]?[0-9]{1,3})?")
_LONGEST_NUMBER = 64
_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_MOST_TEXT_VALUES = 1000
"""What comes after so many values stays one text."""
_STEP = 64 * 1024
"""Values are converted in steps of about so many bytes: a list of numbers takes ten times as much
memory as the numbers do."""


def json_values(vr: str, raw: bytes, encodings: Encodings) -> bytes | None:
    """The values separated by commas; nothing if there is none.

    None if the length does not fit the VR, so that nobody can tell what the value means.

    :param vr: any but SQ and the bulk VRs.
    """
    if vr in NUMBERS:
        return _binary_numbers(vr, raw)
    if vr == "AT":
        return _attribute_tags(raw)
    text = decode(raw, encodings if vr in TEXT_VRS else DEFAULT_ENCODINGS)
    if vr in ONE_VALUE_VRS:
        text = text.rstrip(" ")
        return orjson.dumps(text) if text else b""
    return b",".join(_texts(vr, part) for part in in_parts(text)) if text.strip(" ") else b""


def text_values(vr: str, raw: bytes, encodings: Encodings) -> tuple[str, ...]:
    """The values as text, with their padding; nothing if there is none.

    :param vr: any but SQ and the bulk VRs.
    """
    if not raw:
        return ()
    if vr in NUMBERS:
        whole = len(raw) // NUMBERS[vr].size * NUMBERS[vr].size
        return tuple(str(number) for (number,) in NUMBERS[vr].iter_unpack(raw[:whole]))
    if vr == "AT":
        return tuple(tag.strip('"') for tag in (_attribute_tags(raw) or b"").decode().split(","))
    text = decode(raw, encodings if vr in TEXT_VRS else DEFAULT_ENCODINGS)
    return (text,) if vr in ONE_VALUE_VRS else tuple(text.split("\\", _MOST_TEXT_VALUES))


def in_parts(text: str) -> Iterator[str]:
    """Many values in parts of some 64 KiB, each of whole values."""
    start = 0
    while len(text) - start > _STEP and (stop := text.find("\\", start + _STEP)) >= 0:
        yield text[start:stop]
        start = stop + 1
    yield text[start:] if start else text


def _texts(vr: str, text: str) -> bytes:
    values = text.split("\\")
    if vr in ("DS", "IS"):
        return ",".join([_number(value.strip(" \0")) for value in values]).encode()
    if vr == "PN":
        return orjson.dumps([_person_name(value) for value in values])[1:-1]
    if vr == "UI":
        values = [value.strip(" \0") for value in values]
    elif vr == "AE":
        values = [value.strip(" ") for value in values]
    else:
        values = [value.rstrip(" ") for value in values]
    return orjson.dumps([value or None for value in values])[1:-1]


def _person_name(value: str) -> dict[str, str] | None:
    """The component groups that are not empty (PS3.18 F.2.2)."""
    if not value:
        return None
    groups = zip(_NAME_GROUPS, value.split("="), strict=False)
    return {name: text for name, group in groups if (text := group.rstrip(" "))} or None


def _number(text: str) -> str:
    """The same decimal number in JSON, with all its digits; a string if JSON cannot have it.

    Readers of JSON disagree about integers of more than 53 bits, and a number beyond the range of
    an IEEE 754 double would become infinite.
    """
    if not text:
        return "null"
    if _JSON_NUMBER.fullmatch(text):
        return text
    match = _NUMBER.fullmatch(text) if len(text) <= _LONGEST_NUMBER else None
    if match and (match[2] or match[3]):
        sign, whole, fraction, exponent = match.groups("")
        number = ("-" if sign == "-" else "") + (whole.lstrip("0") or "0")
        if not fraction and not exponent and abs(int(number)) <= _EXACT_INTEGERS:
            return number
        number += (f".{fraction}" if fraction else "") + exponent
        if (fraction or exponent) and isfinite(float(number)):
            return number
    return orjson.dumps(text).decode()


def _binary_numbers(vr: str, raw: bytes) -> bytes | None:
    code = NUMBERS[vr].format[-1]
    size = NUMBERS[vr].size
    if len(raw) % size:
        return None
    parts = []
    for start in range(0, len(raw), _STEP):
        part = raw[start : start + _STEP]
        values = unpack(f"<{len(part) // size}{code}", part)
        parts.append(orjson.dumps(_exact(vr, values))[1:-1])
    return b",".join(parts)


def _exact(vr: str, values: tuple[float, ...]) -> tuple[float | str, ...]:
    """Values that are no JSON number as strings: NaN, Infinity, integers of more than 53 bits."""
    if vr in ("FD", "FL") and not all(map(isfinite, values)):
        return tuple(
            value if isfinite(value) else _NOT_FINITE.get(value, "NaN") for value in values
        )
    if vr in ("SV", "UV"):
        return tuple(
            value if -_EXACT_INTEGERS <= value <= _EXACT_INTEGERS else str(value)
            for value in values
        )
    return values


# PS3.18 has no word for them; the service we follow writes these strings.
_NOT_FINITE = {float("inf"): "Infinity", float("-inf"): "-Infinity"}


def _attribute_tags(raw: bytes) -> bytes | None:
    if len(raw) % 4:
        return None
    parts = (raw[start : start + _STEP] for start in range(0, len(raw), _STEP))
    return b",".join(
        b",".join([b'"%04X%04X"' % pair for pair in iter_unpack("<HH", part)]) for part in parts
    )
