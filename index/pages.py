"""The keys of a page of a search, newest first: which studies, series or instances match.

Databases without statistics guess badly, hence hints that all of them understand: CROSS JOIN keeps
SQLite to the order of the tables, and a column within ``+ 0`` or COALESCE is found by no index, so
that the one is taken that was made for the search.
"""

from collections.abc import Sequence
from enum import Enum, IntEnum, auto
from typing import Any, NamedTuple

from peewee import JOIN, SQL, Join, NodeList, Select, fn

from index.matching import Condition, Rule, Selectivity, selectivity
from index.models import Instance, Series, Study
from index.statements import parameter


class Level(IntEnum):
    """What is searched for; also the number of UIDs that name one."""

    STUDY = 1
    SERIES = 2
    INSTANCE = 3


class Walk(Enum):
    """How the matches of a page are come by."""

    FEW = auto()
    """Some matches in no order, by the narrowest condition; then these in their order. ``found``
    says how many: if they were all, the page is right."""
    NEWEST = auto()
    """From the newest row on, some rows far. If the page is full, it is right."""
    SORTED = auto()
    """All matches, which are sorted."""
    WHOLE = auto()
    """All matches, which are sorted unless an index has them in their order."""


class ConditionShape(NamedTuple):
    """A condition but for its values."""

    name: str
    alternatives: tuple[tuple[Rule, int], ...]
    selectivity: Selectivity

    @classmethod
    def of(cls, name: str, condition: Condition, *, alone: bool) -> "ConditionShape":
        """The shape of a condition on the column of that name.

        :param alone: whether it is the only one.
        """
        alternatives = tuple((rule, len(values)) for rule, values in condition)
        narrow = selectivity(condition)
        if name == MODALITIES_IN_STUDY:
            narrow = Selectivity.SCAN
        if name == SOP_CLASS_UID:  # there are many instances of one, in the order of an index
            one = alone and alternatives[0][1] == 1
            narrow = Selectivity.ONE_VALUE if one else Selectivity.SCAN
        return cls(name, alternatives, narrow)

    @property
    def level(self) -> Level:
        """Whose column it is on."""
        return Level.STUDY if self.name == MODALITIES_IN_STUDY else COLUMNS[self.name][0]


class PageShape(NamedTuple):
    """All of a page but its values."""

    level: Level
    within: int
    """How many UIDs fix what is searched."""
    conditions: tuple[ConditionShape, ...]
    before: bool
    walk: Walk = Walk.WHOLE

    @property
    def narrowest(self) -> Selectivity:
        """How the rows are found that are then held against the other conditions."""
        return min((each.selectivity for each in self.conditions), default=Selectivity.SCAN)

    def finds_by(self, condition: ConditionShape) -> bool:
        """Whether rows may be found by the condition; otherwise they are held against it."""
        if self.walk is Walk.NEWEST:
            return False
        return condition.selectivity is (Selectivity.FEW if self.within else self.narrowest)

    def finds_by_several(self, condition: ConditionShape) -> bool:
        """The same at several places of an index, each in the partition."""
        is_range = condition.selectivity is Selectivity.RANGE
        return is_range and len(condition.alternatives) > 1 and self.finds_by(condition)

    @property
    def is_of_modality(self) -> bool:
        """Whether studies are asked for by nothing but a modality: an index has their order."""
        if self.level is not Level.STUDY or len(self.conditions) != 1:
            return False
        name, ((rule, _), *others), _ = self.conditions[0]
        is_one_value = rule.selectivity is Selectivity.ONE_VALUE and not others
        return name == MODALITIES_IN_STUDY and is_one_value

    @property
    def is_cheap(self) -> bool:
        """Whether the matches are few, or an index has them in their order."""
        if not self.conditions or self.is_of_modality:
            return True
        if self.narrowest is Selectivity.ONE_VALUE and not self.within:
            return self.level is min(
                each.level for each in self.conditions if each.selectivity is self.narrowest
            )
        return self.narrowest is Selectivity.FEW


MODALITIES_IN_STUDY = "modalities_in_study"
SOP_CLASS_UID = "sop_class_uid"
MODELS: dict[Level, Any] = {Level.STUDY: Study, Level.SERIES: Series, Level.INSTANCE: Instance}
KEYS = {Level.STUDY: Study.id, Level.SERIES: Series.id, Level.INSTANCE: Instance.watermark}
COLUMNS: dict[str, tuple[Level, Any]] = {
    name: (level, getattr(model, name))
    for level, model in MODELS.items()
    for name in model._meta.fields  # noqa: SLF001 - Peewee's documented way to list them
    if name not in {"id", "partition", "study", "series", "attributes", "revision"}
}
COLUMNS["study_id"] = (Level.STUDY, Study.id)  # for conditions on what goes with a study


def page_query(shape: PageShape) -> Any:
    """The query of a page: its column ``key``, and after :attr:`Walk.FEW` also ``found``."""
    if shape.walk is Walk.NEWEST:
        return _newest(shape)
    tables, key, where = _matches(shape)
    if shape.before:
        where.append(key < parameter())
    query = Select([cross_join([MODELS[level] for level in tables])], [key.alias("key")])
    query = query.where(*where)
    if shape.walk is Walk.FEW:
        few = query.limit(parameter()).alias("few")
        key = few.c.key
        query = Select([few], [key.alias("key"), fn.COUNT(key).over().alias("found")])
    elif shape.is_of_modality:
        query = query.distinct()
    return _cut(query, key)


def page_values(
    shape: PageShape,
    place: Sequence[Any],
    conditions: Sequence[Condition],
    before: int | None,
    most: int,
) -> list[Any]:
    """The values of a page's query, but for limit and offset.

    :param place: number of the partition, and the UIDs that fix what is searched.
    :param most: how many matches are few, or how far the newest rows go.
    """
    values = [*place]
    for condition, its_shape in zip(conditions, shape.conditions, strict=True):
        here = place[:1] if shape.finds_by_several(its_shape) else ()
        for alternative in condition:
            values += (*here, *alternative.values)
    until = [] if before is None else [before]
    values += until
    if shape.walk is Walk.NEWEST:
        values += [*place, *until, most]
    elif shape.walk is Walk.FEW:
        values.append(most + 1)
    return values


def cross_join(sources: Sequence[Any]) -> Any:
    """These tables, in this order."""
    joined = sources[0]
    for source in sources[1:]:
        joined = Join(joined, source, JOIN.CROSS)
    return joined


def _cut(query: Any, key: Any) -> Any:
    return query.order_by(key.desc()).limit(parameter()).offset(parameter())


def _newest(shape: PageShape) -> Any:
    """The matches among the newest rows."""
    model, key = MODELS[shape.level], KEYS[shape.level]
    levels = {shape.level, *(condition.level for condition in shape.conditions)}
    tables = sorted(levels, reverse=True)
    other = model.alias()
    other_key = getattr(other, key.name)
    first = other.select(other_key).where(_within(shape, other))
    where = [*_links(tables), _within(shape, model)]
    where += [_expression(shape, each, shape.level) for each in shape.conditions]
    if shape.before:
        where.append(key < parameter())
        first = first.where(other_key < parameter())
    first = first.order_by(other_key.desc()).limit(1).offset(parameter())
    where.append(key > fn.COALESCE(first, 0))
    query = Select([cross_join([MODELS[level] for level in tables])], [key.alias("key")])
    return _cut(query.where(*where), key)


def _matches(shape: PageShape) -> tuple[list[Level], Any, list[Any]]:
    """The tables of the matches, their key there, and what they have to satisfy."""
    if shape.is_of_modality:
        ((rule, count),) = shape.conditions[0].alternatives
        where = [_within(shape, Series), rule.expression(Series.modality, count)]
        return [Level.SERIES], Series.study, where
    tables = _tables(shape)
    key: Any = KEYS[shape.level]
    is_hidden = shape.walk is Walk.SORTED or shape.narrowest is Selectivity.FEW
    if shape.walk is Walk.FEW:  # below the first table the key is no temptation but a help
        is_hidden = tables[0] is shape.level
    if is_hidden:
        key += SQL("0")
    where = [*_links(tables), _within(shape, MODELS[tables[0]])]
    where += [_expression(shape, each, tables[0]) for each in shape.conditions]
    return tables, key, where


def _tables(shape: PageShape) -> list[Level]:
    """The tables to be joined: first the one with the narrowest condition, then its neighbours."""
    narrowest = {shape.level: Selectivity.SCAN + 1}
    for condition in shape.conditions:
        level, narrow = condition.level, condition.selectivity
        narrowest[level] = min(narrow, narrowest.get(level, narrow))
        if condition.name == "sop_instance_uid" and shape.within == Level.STUDY:
            narrowest.setdefault(Level.SERIES, narrow)  # the UID is unique within a series
    levels = sorted(narrowest)
    first = levels[0] if shape.within else min(levels, key=narrowest.__getitem__)
    return sorted(levels, key=lambda level: (abs(level - first), level))


def _links(tables: list[Level]) -> list[Any]:
    links = []
    if Level.STUDY in tables and Level.SERIES in tables:
        links.append(Series.study == Study.id)
    elif Level.STUDY in tables and Level.INSTANCE in tables:
        links.append(Instance.study == Study.id)
    if Level.SERIES in tables and Level.INSTANCE in tables:
        links.append(Instance.series == Series.id)
    return links


def _within(shape: PageShape, model: Any) -> Any:
    """Limits a table to the partition, or to a study or series of it."""
    if not shape.within:
        partition: Any = model.partition
        if any(map(shape.finds_by_several, shape.conditions)):
            partition += SQL("0")
        return partition == parameter()
    study = Study.select(Study.id).where(
        Study.partition == parameter(), Study.study_instance_uid == parameter()
    )
    if shape.within == Level.STUDY:
        return model.study == study
    series = Series.select(Series.id).where(
        Series.study == study, Series.series_instance_uid == parameter()
    )
    return model.series == series


def _expression(shape: PageShape, condition: ConditionShape, first: Level) -> Any:
    """What a condition asks of its column.

    :param first: whose rows are looked for first.
    """
    if condition.name == MODALITIES_IN_STUDY:
        other = Series.alias()
        here = (other.partition == Study.partition) & (other.study == Study.id)
        return fn.EXISTS(
            other.select(other.id).where(here, _one_of(_alternatives(other.modality, condition)))
        )
    level, column = COLUMNS[condition.name]
    if shape.finds_by_several(condition):
        here = MODELS[level].partition == parameter()
        expressions = _alternatives(column, condition)
        return _one_of([NodeList((here, SQL("AND"), each)) for each in expressions])
    if level is first and not shape.finds_by(condition):
        column = fn.COALESCE(column, column)
    return _one_of(_alternatives(column, condition))


def _alternatives(column: Any, condition: ConditionShape) -> list[Any]:
    return [rule.expression(column, count) for rule, count in condition.alternatives]


def _one_of(expressions: list[Any]) -> Any:
    return NodeList(expressions, glue=" OR ", parens=True)
