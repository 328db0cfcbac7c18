"""The query of a search: what may be asked, and what is wrong with what is asked (PS3.18 8.3.4)."""

import datetime as dt
import re
from dataclasses import dataclass
from urllib.parse import urlencode

from pydicom.datadict import dictionary_VR, keyword_for_tag

from dicomweb.errors import BadRequest
from dicomweb.query import INCLUDE, SHOWN, Pairs, first_value, included, known_tag
from index import matching
from index.matching import Condition
from index.search import Level

LIMIT_DEFAULT = 100
LIMIT_MAXIMUM = 200
OFFSET_MAXIMUM = 2**31 - 1
KEY_MAXIMUM = 2**63 - 1

ACCEPT = "accept"
CURSOR = "cursor"
"""Where the page before ended; comes in the link to the next one and is no DICOM parameter."""
FIXED = frozenset({ACCEPT, CURSOR, "fuzzymatching", INCLUDE, "limit", "offset"})
"""Parameters that are no attributes; their names are taken in any case."""

FILTERS: dict[int, tuple[Level, str]] = {
    0x00080018: (Level.INSTANCE, "sop_instance_uid"),
    0x00080016: (Level.INSTANCE, "sop_class_uid"),
    0x0020000E: (Level.SERIES, "series_instance_uid"),
    0x00080060: (Level.SERIES, "modality"),
    0x00400244: (Level.SERIES, "performed_procedure_step_start_date"),
    0x00081090: (Level.SERIES, "manufacturer_model_name"),
    0x0020000D: (Level.STUDY, "study_instance_uid"),
    0x00080020: (Level.STUDY, "study_date"),
    0x00081030: (Level.STUDY, "study_description"),
    0x00080050: (Level.STUDY, "accession_number"),
    0x00100020: (Level.STUDY, "patient_id"),
    0x00100010: (Level.STUDY, "patient_name"),
    0x00080090: (Level.STUDY, "referring_physician_name"),
    0x00100030: (Level.STUDY, "patient_birth_date"),
    0x00080061: (Level.STUDY, "modalities_in_study"),
}
"""Attributes that can be searched by: their level, and their name in the index."""

_NUMBER = re.compile(r"[0-9]{1,19}", re.ASCII)
_DATE = re.compile(r"[0-9]{8}", re.ASCII)
_UID_SEPARATOR = re.compile(r"[\\,]")


@dataclass(frozen=True, slots=True)
class Parameters:
    """The query of a search, checked."""

    filters: frozenset[int]
    """Tags of the attributes that are searched by."""
    conditions: tuple[tuple[str, Condition], ...]
    """What is asked of them, by name in the index."""
    include: frozenset[int]
    """Tags of the attributes that are asked for."""
    include_all: bool
    limit: int
    offset: int
    cursor: int | None


def next_query(pairs: Pairs, cursor: int) -> str:
    """The query string of the page after the one that ended at ``cursor``."""
    kept = [pair for pair in pairs if pair[0].lower() not in {"offset", CURSOR}]
    return urlencode([*kept, (CURSOR, str(cursor))])


def parse(pairs: Pairs, level: Level, within: int, *, wildcards: bool) -> Parameters:
    """Check a query.

    :param within: how many UIDs the path fixes.
    :param wildcards: whether ``*`` and ``?`` are wildcards.
    :raise BadRequest: says which parameter is wrong, and what would be right.
    """
    fuzzy = _boolean("fuzzymatching", first_value(pairs, "fuzzymatching"))
    filters = _filters(pairs, level, within)
    include, include_all = included(pairs)
    limit = _number(pairs, "limit", 1, LIMIT_MAXIMUM)
    return Parameters(
        filters=frozenset(filters),
        conditions=tuple(
            _condition(tag, value, fuzzy=fuzzy, wildcards=wildcards)
            for tag, value in filters.items()
        ),
        include=include,
        include_all=include_all,
        limit=LIMIT_DEFAULT if limit is None else limit,
        offset=_number(pairs, "offset", 0, OFFSET_MAXIMUM) or 0,
        cursor=_number(pairs, CURSOR, 0, KEY_MAXIMUM),
    )


def _filters(pairs: Pairs, level: Level, within: int) -> dict[int, str]:
    """Values of the attributes that are searched by, by tag.

    A UID given again, as clients give a list of them, is one more of its list.
    """
    values: dict[int, str] = {}
    names: dict[int, str] = {}
    for name, given in pairs:
        if name.lower() in FIXED:
            continue
        tag = _filter_tag(name, level, within)
        value = given.strip()
        if not value:
            raise BadRequest(
                f"Invalid query: attribute '{name}' has an empty value, which is not supported. "
                "An attribute is asked for by includefield."
            )
        if names.setdefault(tag, name) != name or (tag in values and dictionary_VR(tag) != "UI"):
            again = "" if name == names[tag] else f" (the other time as '{names[tag]}')"
            raise BadRequest(
                f"Invalid query: duplicate attribute '{name}'{again}. Each can be given once."
            )
        values[tag] = f"{values[tag]}\\{value}" if tag in values else value
    return values


def _filter_tag(name: str, level: Level, within: int) -> int:
    tag = known_tag(name)
    if tag is None:
        raise BadRequest(
            f"Invalid query: unknown query parameter '{name[:SHOWN]}'. An attribute is named by "
            "its keyword, in which case matters, or by its tag in eight hexadecimal digits."
        )
    if tag not in FILTERS or not within < FILTERS[tag][0] <= level:
        queryable = [
            keyword_for_tag(tag) for tag, (its, _) in FILTERS.items() if within < its <= level
        ]
        raise BadRequest(
            f"Invalid query: attribute '{name}' is not queryable here. "
            f"Queryable are {', '.join(queryable)}."
        )
    return tag


def _condition(tag: int, value: str, *, fuzzy: bool, wildcards: bool) -> tuple[str, Condition]:
    """What an attribute is asked for, by its name in the index."""
    name = FILTERS[tag][1]
    vr = dictionary_VR(tag)
    if vr == "UI":
        return name, matching.uid_list(uid.strip() for uid in _UID_SEPARATOR.split(value))
    if vr == "DA":
        return name, _dates(tag, value)
    if vr == "PN" and fuzzy:
        if '"' in value:
            raise BadRequest(
                f"Invalid query: the value of '{keyword_for_tag(tag)}' contains the unsupported "
                "character '\"', which fuzzy matching does not take."
            )
        return f"{name}_words", matching.name_words_match(value, wildcards=wildcards)
    if wildcards and matching.has_wildcard(value):
        return name, (matching.name_wild_card if vr == "PN" else matching.wild_card)(value)
    return name, (matching.name_value if vr == "PN" else matching.single_value)(value)


def _dates(tag: int, value: str) -> Condition:
    """``yyyyMMdd``, or a range ``a-b``, ``a-`` or ``-b``."""
    first, hyphen, last = value.partition("-")
    ends = (first.strip(), last.strip()) if hyphen else (first, first)
    if not any(ends) or not all(_is_date(end) for end in ends if end):
        raise BadRequest(
            f"Invalid query: the value of '{keyword_for_tag(tag)}' is not a date. A date is "
            "valid and formatted as yyyyMMdd; a range of dates as a-b, a- or -b."
        )
    if all(ends) and ends[0] > ends[1]:
        raise BadRequest(
            f"Invalid query: the date range of '{keyword_for_tag(tag)}' is invalid. Its first "
            "date has to be lesser than or equal to the second."
        )
    return matching.date_range(ends[0] or None, ends[1] or None)


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        dt.date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True


def _boolean(name: str, value: str | None) -> bool:
    if value is not None and value.strip().lower() not in {"true", "false"}:
        raise BadRequest(
            f"The query parameter '{name}' is invalid: '{value[:SHOWN]}' is not true or false."
        )
    return value is not None and value.strip().lower() == "true"


def _number(pairs: Pairs, name: str, least: int, most: int) -> int | None:
    value = first_value(pairs, name)
    if value is None:
        return None
    number = int(value) if _NUMBER.fullmatch(value.strip()) else -1
    if not least <= number <= most:
        raise BadRequest(
            f"The query parameter '{name}' is invalid: '{value[:SHOWN]}' is not a number "
            f"between {least} and {most}."
        )
    return number
