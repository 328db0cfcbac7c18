"""Search: which studies, series or instances match, and what the index has ready to answer.

One statement does it: an inner query finds the keys of a page by an index, the outer one joins to
them what is asked for. It is compiled once per shape, that is for everything but the values.

Databases without statistics guess badly, hence two hints that all of them understand: CROSS JOIN
keeps SQLite to the order of the tables, and ``key + 0`` keeps an index in the order of the key from
looking better than the one that finds the few rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum, auto
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from peewee import JOIN, SQL, Join, NodeList, Select, fn

from index.database import Index, Row
from index.matching import Condition, Rule, Selectivity, selectivity
from index.models import Answer, Instance, InstanceHeader, Series, Study
from index.statements import Statement, parameter, parameters


class Level(IntEnum):
    """What is searched for; also the number of UIDs that name one."""

    STUDY = 1
    SERIES = 2
    INSTANCE = 3


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


class _ConditionShape(NamedTuple):
    """A condition but for its values."""

    name: str
    alternatives: tuple[tuple[Rule, int], ...]
    selectivity: Selectivity

    @property
    def in_partition(self) -> bool:
        """Whether each alternative is limited to the partition, so that each finds an index."""
        return len(self.alternatives) > 1 and self.selectivity is Selectivity.FEW

    @property
    def is_of_uids(self) -> bool:
        """Whether it finds few rows by their UIDs."""
        return len(self.alternatives) == 1 and self.selectivity is Selectivity.FEW


class _Shape(NamedTuple):
    """All of a search but its values."""

    level: Level
    within: int
    conditions: tuple["_ConditionShape", ...]
    parts: tuple[Part, ...]
    before: bool

    @property
    def in_partition(self) -> bool:
        """Whether a condition limits the search to the partition."""
        return any(condition.in_partition for condition in self.conditions)


_MODELS: dict[Level, Any] = {Level.STUDY: Study, Level.SERIES: Series, Level.INSTANCE: Instance}
_KEYS = {Level.STUDY: Study.id, Level.SERIES: Series.id, Level.INSTANCE: Instance.watermark}
_MODALITIES_IN_STUDY = "modalities_in_study"
_COLUMNS: dict[str, tuple[Level, Any]] = {
    name: (level, getattr(model, name))
    for level, model in _MODELS.items()
    for name in model._meta.fields  # noqa: SLF001 - Peewee's documented way to list them
    if name not in {"id", "partition", "study", "series", "attributes", "revision"}
}
_WITHOUT_INDEX = {_MODALITIES_IN_STUDY, "sop_class_uid"}
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


def search(index: Index, wanted: Search) -> list[Row]:
    """Key and parts of each match, newest first.

    The key of a match, as ``before`` of the next search, continues after it at the same cost.

    :raise IndexUnavailable: the database does not answer.
    """
    shape = _Shape(
        wanted.level,
        len(wanted.within),
        tuple(_condition_shape(*condition) for condition in wanted.conditions),
        wanted.parts,
        wanted.before is not None,
    )
    values: list[Any] = [] if shape.in_partition else [wanted.partition_id, *wanted.within]
    for (_, condition), its_shape in zip(wanted.conditions, shape.conditions, strict=True):
        for alternative in condition:
            values += [wanted.partition_id] if its_shape.in_partition else []
            values += alternative.values
    if wanted.before is not None:
        values.append(wanted.before)
    rows = index.fetch(_statement(shape), *values, wanted.limit, wanted.offset)
    rows.sort(key=itemgetter(0), reverse=True)  # nearly in order; a database would copy them
    return rows


def _condition_shape(name: str, condition: Condition) -> _ConditionShape:
    alternatives = tuple((rule, len(values)) for rule, values in condition)
    narrow = Selectivity.SCAN if name in _WITHOUT_INDEX else selectivity(condition)
    return _ConditionShape(name, alternatives, narrow)


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


@lru_cache(maxsize=512)
def _statement(shape: _Shape) -> Statement:
    return Statement(lambda _: _query(shape))


def _query(shape: _Shape) -> Any:
    """What is asked for, joined to the keys of a page."""
    page = _page(shape).alias("page")
    sources, links = [page], []
    for source, link in _sources(shape, page.c.key):
        sources.append(source)
        links.append(link)
    columns = [_part_column(part, shape.level, page.c.key) for part in shape.parts]
    query = Select([_cross_join(sources)], [page.c.key, *columns])
    return query.where(*links) if links else query


def _part_column(part: Part, level: Level, key: Any) -> Any:
    if part is Part.STUDY_ID:
        return {Level.STUDY: key, Level.SERIES: Series.study, Level.INSTANCE: Instance.study}[level]
    if part is Part.SERIES_ID:
        return {Level.SERIES: key, Level.INSTANCE: Instance.series}[level]
    return _PART_COLUMNS[part]


def _sources(shape: _Shape, key: Any) -> list[tuple[Any, Any]]:
    """The tables that the parts come from, each with the condition that joins it."""
    parts = set(shape.parts)
    sources: list[tuple[Any, Any]] = []
    if shape.level is Level.SERIES and parts & {
        Part.LATEST_STUDY,
        Part.LATEST_SERIES,
        Part.STUDY_ID,
    }:
        sources.append((Series, Series.id == key))
    if Part.LATEST_STUDY in parts:
        study = key if shape.level is Level.STUDY else Series.study
        sources.append((Study, Study.id == study))
    if shape.level is Level.INSTANCE:
        sources.append((Instance, Instance.watermark == key))
    elif parts - {Part.LATEST_STUDY, Part.LATEST_SERIES, Part.STUDY_ID, Part.SERIES_ID}:
        sources.append((Instance, Instance.watermark == _newest(shape.level, key)))
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


def _page(shape: _Shape) -> Any:
    """The keys of one page."""
    if _is_modality_alone(shape):
        ((rule, count),) = shape.conditions[0].alternatives
        where = [_within(Level.SERIES, shape.within), rule.expression(Series.modality, count)]
        return _cut(Series.study, [Level.SERIES], where, shape).distinct()
    tables = _tables(shape)
    key: Any = _KEYS[shape.level]
    if any(condition.is_of_uids for condition in shape.conditions):
        key += SQL("0")
    where = _links(tables)
    if not shape.in_partition:
        where.append(_within(tables[0], shape.within))
    where += [_expression(condition) for condition in shape.conditions]
    return _cut(key, tables, where, shape)


def _cut(key: Any, tables: list[Level], where: list[Any], shape: _Shape) -> Any:
    """A page of the keys that satisfy all of ``where``."""
    if shape.before:
        where.append(key < parameter())
    return (
        Select([_cross_join([_MODELS[level] for level in tables])], [key.alias("key")])
        .where(*where)
        .order_by(key.desc())
        .limit(parameter())
        .offset(parameter())
    )


def _is_modality_alone(shape: _Shape) -> bool:
    """Whether studies are asked for by nothing but a modality: an index has their order."""
    if shape.level is not Level.STUDY or len(shape.conditions) != 1:
        return False
    name, alternatives, _ = shape.conditions[0]
    return name == _MODALITIES_IN_STUDY and all(
        rule.selectivity is Selectivity.ONE_VALUE for rule, _ in alternatives
    )


def _tables(shape: _Shape) -> list[Level]:
    """The tables to be joined: first the one with the narrowest condition, then its neighbours."""
    narrowest = {shape.level: Selectivity.SCAN + 1}
    for name, _, narrow in shape.conditions:
        level = _level(name)
        narrowest[level] = min(narrow, narrowest.get(level, narrow))
        if name == "sop_instance_uid" and shape.within == Level.STUDY:
            narrowest.setdefault(Level.SERIES, narrow)  # the UID is unique within a series
    levels = sorted(narrowest)
    first = levels[0] if shape.within else min(levels, key=narrowest.__getitem__)
    return sorted(levels, key=lambda level: (abs(level - first), level))


def _level(name: str) -> Level:
    return Level.STUDY if name == _MODALITIES_IN_STUDY else _COLUMNS[name][0]


def _links(tables: list[Level]) -> list[Any]:
    links = []
    if Level.STUDY in tables and Level.SERIES in tables:
        links.append(Series.study == Study.id)
    elif Level.STUDY in tables and Level.INSTANCE in tables:
        links.append(Instance.study == Study.id)
    if Level.SERIES in tables and Level.INSTANCE in tables:
        links.append(Instance.series == Series.id)
    return links


def _within(first: Level, uids: int) -> Any:
    """Limits the first table to the partition, or to a study or series of it."""
    model = _MODELS[first]
    if not uids:
        return model.partition == parameter()
    study = Study.select(Study.id).where(
        Study.partition == parameter(), Study.study_instance_uid == parameter()
    )
    if uids == Level.STUDY:
        return model.study == study
    series = Series.select(Series.id).where(
        Series.study == study, Series.series_instance_uid == parameter()
    )
    return model.series == series


def _expression(condition: _ConditionShape) -> Any:
    if condition.name == _MODALITIES_IN_STUDY:
        other = Series.alias()
        holds = _one_of_alternatives(other.modality, condition)
        return fn.EXISTS(other.select(other.id).where(other.study == Study.id, holds))
    return _one_of_alternatives(_COLUMNS[condition.name][1], condition)


def _one_of_alternatives(column: Any, condition: _ConditionShape) -> Any:
    expressions = [rule.expression(column, count) for rule, count in condition.alternatives]
    if condition.in_partition:
        here = column.model.partition == parameter()
        expressions = [NodeList((here, SQL("AND"), expression)) for expression in expressions]
    return NodeList(expressions, glue=" OR ", parens=True)


def _cross_join(sources: Sequence[Any]) -> Any:
    joined = sources[0]
    for source in sources[1:]:
        joined = Join(joined, source, JOIN.CROSS)
    return joined
