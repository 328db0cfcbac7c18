"""Search: which studies, series or instances match, and what the index has ready to answer.

One statement does it: an inner query finds the keys of a page, the outer one joins to them what is
asked for. It is compiled once per shape, that is for everything but the values.

Where no index has the matches in their order, it is not known which costs less: to find them all
and to sort them, or to go through the rows from the newest on until a page is full. Both are tried
in turns with growing limits, so that a search never costs much more than the better of the two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from peewee import Select, fn

from index.database import Index, Row
from index.matching import NOTHING, UNIVERSAL, Condition
from index.models import Answer, Instance, InstanceHeader, Series, Study
from index.pages import ConditionShape, Level, PageShape, Walk, cross_join, page_query, page_values
from index.statements import Statement, parameters

__all__ = ["Found", "Level", "Part", "Search", "count_instances", "count_series", "search"]

STEPS = (500, 4_000, 32_000)
"""So many matches, and so many of the newest rows, are looked at before more of the other are."""
COUNTED = 500
"""At most so many matches are counted that are not shown."""


class Part(Enum):
    """Something that a search answers of each match.

    Of a study or series, parts of an instance are those of its newest one.
    """

    LATEST_STUDY = auto()
    """DICOM JSON members of the v2 set, with the values last stored; not of instances."""
    LATEST_SERIES = auto()
    """The same of a series; not of studies or instances."""
    STUDY_V1 = auto()
    """DICOM JSON members of the v1 study set, as the instance has them."""
    STUDY_V2 = auto()
    SERIES_V1 = auto()
    SERIES_V2 = auto()
    INSTANCE_V1 = auto()
    SOP_INSTANCE_UID = auto()
    TRANSFER_SYNTAX_UID = auto()
    HEADER = auto()
    """The encoded header of the instance."""
    STUDY_ID = auto()
    """Number of the study, for :func:`count_instances` and :func:`count_series`."""
    SERIES_ID = auto()
    """Number of the series; not of studies."""


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for, and what to answer."""

    level: Level
    partition_id: int
    within: tuple[str, ...]
    """UIDs of the study, or of the study and series, that is searched; empty: the partition."""
    conditions: tuple[tuple[str, Condition], ...]
    """Conditions by column of study, series or instance, or ``modalities_in_study``."""
    parts: tuple[Part, ...]
    limit: int
    offset: int = 0
    before: int | None = None
    """Only matches after the one with this key."""


class Found(NamedTuple):
    """A page of matches."""

    rows: list[Row]
    """Key and parts of each. The key of the last one, as ``before`` of another search, continues
    after it at the same cost."""
    following: int | None
    """How many more there are; None: some, it would cost too much to count them."""


class _Shape(NamedTuple):
    """All of a search but its values."""

    page: PageShape
    parts: tuple[Part, ...]


_StudyAnswer = Answer.alias()
_SeriesAnswer = Answer.alias()
_PART_COLUMNS = {
    Part.LATEST_STUDY: Study.attributes,
    Part.LATEST_SERIES: Series.attributes,
    Part.STUDY_V1: _StudyAnswer.v1,
    Part.STUDY_V2: _StudyAnswer.v2,
    Part.SERIES_V1: _SeriesAnswer.v1,
    Part.SERIES_V2: _SeriesAnswer.v2,
    Part.INSTANCE_V1: Instance.attributes,
    Part.SOP_INSTANCE_UID: Instance.sop_instance_uid,
    Part.TRANSFER_SYNTAX_UID: Instance.transfer_syntax_uid,
    Part.HEADER: InstanceHeader.header,
}


def search(index: Index, wanted: Search) -> Found:
    """A page of the matches, newest first.

    :raise IndexUnavailable: the database does not answer.
    """
    conditions = [each for each in wanted.conditions if each[1] != UNIVERSAL]
    if NOTHING in (condition for _, condition in conditions):
        return Found([], 0)
    shape = PageShape(
        wanted.level,
        len(wanted.within),
        tuple(ConditionShape.of(*each, alone=len(conditions) == 1) for each in conditions),
        wanted.before is not None,
    )
    if shape.is_cheap:
        rows = _fetch_page(index, wanted, shape)
        if wanted.within and len(rows) > wanted.limit:
            return _found(wanted, rows, _count_following(index, wanted, shape))
        return _found(wanted, rows)
    for most in STEPS:
        if wanted.offset + wanted.limit < most:
            rows = _fetch_page(index, wanted, shape._replace(walk=Walk.FEW), most)
            if not rows or (matches := rows[0][-1]) <= most:
                following = matches - wanted.offset - wanted.limit if rows else 0
                return _found(wanted, [row[:-1] for row in rows], following)
            rows = _fetch_page(index, wanted, shape._replace(walk=Walk.NEWEST), most)
            if len(rows) > wanted.limit:
                return _found(wanted, rows)
    return _found(wanted, _fetch_page(index, wanted, shape._replace(walk=Walk.SORTED)))


def _found(wanted: Search, rows: list[Row], following: int | None = None) -> Found:
    more = len(rows) > wanted.limit
    return Found(rows[: wanted.limit], following if more else 0)


def _fetch_page(index: Index, wanted: Search, shape: PageShape, most: int = 0) -> list[Row]:
    """The rows of a page, and one more, which tells that there is more."""
    statement = _statement(_Shape(shape, wanted.parts))
    values = _values(wanted, shape, most)
    rows = index.fetch(statement, *values, wanted.limit + 1, wanted.offset)
    rows.sort(key=itemgetter(0), reverse=True)  # nearly in order; a database would copy them
    return rows


def _count_following(index: Index, wanted: Search, shape: PageShape) -> int | None:
    """How many matches follow a page, if they are soon counted."""
    values = _values(wanted, shape)
    skipped = wanted.offset + wanted.limit
    ((number,),) = index.fetch(_count(shape), *values, COUNTED + 1, skipped)
    return number if number <= COUNTED else None


def _values(wanted: Search, shape: PageShape, most: int = 0) -> list[Any]:
    place = (wanted.partition_id, *wanted.within)
    conditions = [condition for _, condition in wanted.conditions if condition != UNIVERSAL]
    return page_values(shape, place, conditions, wanted.before, most)


def count_instances(index: Index, level: Level, numbers: Sequence[int]) -> dict[int, int]:
    """How many instances these studies, or these series, have."""
    return dict(_fetch(index, _INSTANCES[level], numbers))


def count_series(index: Index, studies: Sequence[int]) -> dict[int, dict[str, int]]:
    """How many series of each modality these studies have; of no modality: under ``""``."""
    counts: dict[int, dict[str, int]] = {}
    for study, modality, count in _fetch(index, _SERIES, studies):
        # Code strings are upper case (PS3.5 6.2), the column is folded.
        counts.setdefault(study, {})[(modality or "").upper()] = count
    return counts


def _fetch(index: Index, statement: Statement, numbers: Sequence[int]) -> list[Row]:
    """Rows of a statement with one list, which is filled up so that few sizes are compiled."""
    distinct = list(dict.fromkeys(numbers))
    if not distinct:
        return []
    size = 1 << (len(distinct) - 1).bit_length()
    distinct += distinct[-1:] * (size - len(distinct))
    return index.fetch(statement, *distinct, size=size)


def _instances_of(parent: Any) -> Statement:
    return Statement(
        lambda size: (
            Instance.select(parent, fn.COUNT(Instance.watermark))
            .where(parent.in_(parameters(size)))
            .group_by(parent)
        )
    )


_INSTANCES = {
    Level.STUDY: _instances_of(Instance.study),
    Level.SERIES: _instances_of(Instance.series),
}
_SERIES = Statement(
    lambda size: (
        Series.select(Series.study, Series.modality, fn.COUNT(Series.id))
        .where(Series.study.in_(parameters(size)))
        .group_by(Series.study, Series.modality)
    )
)


@lru_cache(maxsize=64)
def _count(shape: PageShape) -> Statement:
    page = page_query(shape).alias("page")
    return Statement(lambda _: Select([page], [fn.COUNT(page.c.key)]))


@lru_cache(maxsize=512)
def _statement(shape: _Shape) -> Statement:
    return Statement(lambda _: _query(shape))


def _query(shape: _Shape) -> Any:
    """What is asked for, joined to the keys of a page."""
    page = page_query(shape.page).alias("page")
    level = shape.page.level
    sources, links = [page], []
    for source, link in _sources(level, set(shape.parts), page.c.key):
        sources.append(source)
        links.append(link)
    columns = [_part_column(part, level, page.c.key) for part in shape.parts]
    if shape.page.walk is Walk.FEW:
        columns.append(page.c.found)
    query = Select([cross_join(sources)], [page.c.key, *columns])
    return query.where(*links) if links else query


def _part_column(part: Part, level: Level, key: Any) -> Any:
    if part is Part.STUDY_ID:
        return {Level.STUDY: key, Level.SERIES: Series.study, Level.INSTANCE: Instance.study}[level]
    if part is Part.SERIES_ID:
        return {Level.SERIES: key, Level.INSTANCE: Instance.series}[level]
    return _PART_COLUMNS[part]


def _sources(level: Level, parts: set[Part], key: Any) -> list[tuple[Any, Any]]:
    """The tables that the parts come from, each with the condition that joins it."""
    sources: list[tuple[Any, Any]] = []
    if level is Level.SERIES and parts & {
        Part.LATEST_STUDY,
        Part.LATEST_SERIES,
        Part.STUDY_ID,
    }:
        sources.append((Series, Series.id == key))
    if Part.LATEST_STUDY in parts:
        study = key if level is Level.STUDY else Series.study
        sources.append((Study, Study.id == study))
    if level is Level.INSTANCE:
        sources.append((Instance, Instance.watermark == key))
    elif parts - {Part.LATEST_STUDY, Part.LATEST_SERIES, Part.STUDY_ID, Part.SERIES_ID}:
        sources.append((Instance, Instance.watermark == _newest(level, key)))
    if parts & {Part.STUDY_V1, Part.STUDY_V2}:
        sources.append((_StudyAnswer, _StudyAnswer.digest == Instance.study_answer))
    if parts & {Part.SERIES_V1, Part.SERIES_V2}:
        sources.append((_SeriesAnswer, _SeriesAnswer.digest == Instance.series_answer))
    if Part.HEADER in parts:
        sources.append((InstanceHeader, InstanceHeader.watermark == Instance.watermark))
    return sources


def _newest(level: Level, key: Any) -> Any:
    """Watermark of the newest instance of a study or series."""
    other = Instance.alias()
    parent = other.study if level is Level.STUDY else other.series
    return other.select(fn.MAX(other.watermark)).where(parent == key)
