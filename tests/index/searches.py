"""Searching the index in tests."""

import re
from collections.abc import Callable

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from index import matching
from index.database import Index
from index.matching import Condition
from index.partitions import DEFAULT_PARTITION_ID
from index.search import Level, Part, Search, search
from index.store import store_instances
from tests.index.rows import new_instance, study_attributes

STUDY, SERIES, INSTANCE = Level


def found(index: Index, level: Level, *within: str, parts=(), limit=100, **changes) -> list:
    """Keys and parts of the matches; parts are decoded."""
    given = {"partition_id": DEFAULT_PARTITION_ID, "conditions": {}} | changes
    given["conditions"] = tuple(given["conditions"].items())
    wanted = Search(level=level, within=within, parts=parts, limit=limit, **given)
    return [
        tuple(bytes(value).decode() if isinstance(value, bytes) else value for value in row)
        for row in search(index, wanted).rows
    ]


def uids(index: Index, level: Level, *within: str, **changes) -> list[str]:
    """SOP Instance UIDs of the (newest) instances of the matches."""
    rows = found(index, level, *within, parts=(Part.SOP_INSTANCE_UID,), **changes)
    return [uid for _, uid in rows]


ONE = {"patient_id": matching.single_value("P1")}
CT = {"modality": matching.single_value("CT")}

Find = Callable[[Condition], list[str | None]]


def finder(index, attribute: str, values: list[str | None], column: str | None = None) -> Find:
    """Stores a study with each value; what it returns says which values a condition finds."""
    by_member = {b'"%d":1' % number: value for number, value in enumerate(values)}
    store_instances(
        index,
        [
            new_instance(
                f"1.{number}",
                f"1.{number}.1",
                f"1.{number}.1.1",
                study=study_attributes(member, **({attribute: value} if value else {})),
            )
            for number, (member, value) in enumerate(by_member.items())
        ],
    )

    def find(condition: Condition) -> list[str | None]:
        conditions = ((column or attribute, condition),)
        wanted = Search(
            Level.STUDY, DEFAULT_PARTITION_ID, (), conditions, (Part.LATEST_STUDY,), limit=1000
        )
        rows = search(index, wanted).rows
        return [by_member[bytes(members)] for _, members in reversed(rows)]

    return find


def finder_of_fresh_rows(index, attribute: str, values: list[str]) -> Find:
    with index.transaction():
        for table in ("instance_header", "instance", "series", "study"):
            index.execute(f"DELETE FROM {table}")
    return finder(index, attribute, values)


ALPHABET = st.sampled_from("aAbé^= %_!\\'\0ßZ山")
TEXTS = st.lists(st.text(ALPHABET, min_size=1, max_size=6), min_size=1, max_size=6, unique=True)
PATTERNS = st.text(st.one_of(ALPHABET, st.sampled_from("*?")), min_size=1, max_size=5)


bounded = settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def as_regex(pattern: str) -> re.Pattern[str]:
    pieces = {"*": ".*", "?": "."}
    return re.compile("".join(pieces.get(char) or re.escape(char) for char in pattern), re.DOTALL)
