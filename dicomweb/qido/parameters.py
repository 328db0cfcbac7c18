"""The query of a search: what may be asked, and what is wrong with what is asked (PS3.18 8.3.4)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from pydicom.datadict import dictionary_VR, keyword_for_tag

from dicomweb.errors import BadRequest
from dicomweb.qido.values import ask
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

MODALITIES_IN_STUDY = 0x00080061
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
    MODALITIES_IN_STUDY: (Level.STUDY, "modalities_in_study"),
}
"""Attributes that can be searched by: their level, and their name in the index."""

_NUMBER = re.compile(r"[0-9]{1,19}", re.ASCII)
_SEPARATOR = re.compile(r"[\\,]")


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
    external: frozenset[int] = frozenset()
    """Tags of the private attributes that are answered from external metadata, if there are any."""


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
    filters = filter_values(
        pairs,
        lambda name: _filter_tag(name, level, within),
        lambda tag: dictionary_VR(tag) == "UI",
    )
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


def filter_values(
    pairs: Pairs, tag_of: Callable[[str], int], is_list: Callable[[int], bool]
) -> dict[int, str]:
    """Values of the attributes that are searched by, by tag.

    :param tag_of: the tag of an attribute by its name; raises for one that is not due.
    :param is_list: whether an attribute that is given again is one more of its list.
    :raise BadRequest: one has no value, or is given twice.
    """
    values: dict[int, str] = {}
    names: dict[int, str] = {}
    for name, given in pairs:
        if name.lower() in FIXED:
            continue
        tag = tag_of(name)
        value = given.strip()
        if not value:
            raise BadRequest(
                f"Invalid query: attribute '{name}' has an empty value, which is not supported. "
                "An attribute is asked for by includefield."
            )
        if names.setdefault(tag, name) != name or (tag in values and not is_list(tag)):
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
    name, vr = FILTERS[tag][1], dictionary_VR(tag)
    modalities = _SEPARATOR.split(value) if tag == MODALITIES_IN_STUDY else []
    if len(modalities) > 1:
        conditions = [
            _condition(tag, one.strip(), fuzzy=fuzzy, wildcards=wildcards)[1]
            for one in modalities
            if one.strip()
        ]
        return name, matching.any_of(conditions)
    asked = ask(keyword_for_tag(tag), vr, value, fuzzy=fuzzy, wildcards=wildcards)
    return f"{name}_words" if asked.of_words else name, asked.condition


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
