"""External metadata: private attributes of studies that came beside the files.

Each study has each at most once, and they go with it. Several studies may have one of the same tag
with different VRs.
"""

from collections.abc import Collection, Iterable
from functools import lru_cache, reduce
from operator import or_
from typing import Any, NamedTuple

from peewee import EXCLUDED, Select, fn

from index.database import Index, IndexFailure
from index.forms import FORMS
from index.instances import Reference
from index.matching import (
    NOTHING,
    UNIVERSAL,
    Alternative,
    Condition,
    Rule,
    Selectivity,
    name_words,
)
from index.models import ExternalAttribute, Study
from index.statements import Statement, parameter, parameters

MOST_OF_STUDY = 256
"""They are all part of each answer about the study's metadata."""


class NewExternal(NamedTuple):
    """An attribute to be stored with instances."""

    tag: int
    vr: str
    value: str
    """Empty: it is shown, but not found."""
    element: bytes
    """A member of a DICOM JSON object."""


class ExternalRefused(IndexFailure):
    """An attribute cannot be stored with a study; nothing was."""

    def __init__(self, tag: int, vr: str, reason: str) -> None:
        super().__init__(reason)
        self.tag = tag
        self.vr = vr
        self.reason = reason


_COLUMNS = (
    ExternalAttribute.study,
    ExternalAttribute.tag,
    ExternalAttribute.partition,
    ExternalAttribute.vr,
    ExternalAttribute.value,
    ExternalAttribute.words,
    ExternalAttribute.element,
)
_UPSERT = Statement(
    lambda size: (
        ExternalAttribute.insert_many(
            [tuple(parameters(len(_COLUMNS))) for _ in range(size)], _COLUMNS
        )
        .on_conflict(
            conflict_target=[ExternalAttribute.study, ExternalAttribute.tag],
            update={column: EXCLUDED[column.column_name] for column in _COLUMNS[4:]},
            where=ExternalAttribute.vr == EXCLUDED.vr,
        )
        .returning(ExternalAttribute.study, ExternalAttribute.tag)
    )
)
_COUNT = Statement(
    lambda size: (
        ExternalAttribute.select(ExternalAttribute.study, fn.COUNT(ExternalAttribute.tag))
        .where(ExternalAttribute.study.in_(parameters(size)))
        .group_by(ExternalAttribute.study)
    )
)
_OF_STUDY = Statement(
    lambda _: (
        ExternalAttribute.select(ExternalAttribute.tag, ExternalAttribute.element)
        .join(Study)
        .where(Study.partition == parameter(), Study.study_instance_uid == parameter())
        .order_by(ExternalAttribute.tag)
    )
)
_OF_STUDIES = Statement(
    lambda size: ExternalAttribute.select(
        ExternalAttribute.study, ExternalAttribute.tag, ExternalAttribute.element
    ).where(ExternalAttribute.study.in_(parameters(size)))
)
_VRS = Statement(
    lambda _: Select(
        columns=[
            fn.EXISTS(
                ExternalAttribute.select(ExternalAttribute.tag).where(
                    ExternalAttribute.partition == parameter(),
                    ExternalAttribute.tag == parameter(),
                    ExternalAttribute.vr == vr,
                )
            )
            for vr in FORMS
        ]
    )
)


def store_external(index: Index, given: Iterable[tuple[int, int, Collection[NewExternal]]]) -> None:
    """Store attributes of studies, each in the place of one of the same tag; in a transaction.

    :param given: numbers of a study and its partition, and what to store; later ones win.
    :raise ExternalRefused: one is stored with another VR, or a study would have too many.
    """
    rows: dict[tuple[int, int], tuple[Any, ...]] = {}
    for study, partition, attributes in given:
        for new in attributes:
            row = _row(study, partition, new)
            if rows.setdefault((study, new.tag), row)[3] != new.vr:
                raise _other_vr(row)
            rows[study, new.tag] = row
    if not rows:
        return
    in_order = [value for key in sorted(rows) for value in rows[key]]
    written = index.insert(_UPSERT, in_order, len(_COLUMNS))
    for key in sorted(rows.keys() - set(written)):
        raise _other_vr(rows[key])
    studies = sorted({study for study, _ in rows})
    crowded = {study for study, count in index.fetch_many(_COUNT, studies) if count > MOST_OF_STUDY}
    for (study, tag), row in rows.items():
        if study in crowded:
            raise ExternalRefused(tag, row[3], f"a study can have {MOST_OF_STUDY} such attributes")


def _row(study: int, partition: int, new: NewExternal) -> tuple[Any, ...]:
    value = FORMS[new.vr](new.value) if new.value else None
    words = name_words(new.value) if new.vr == "PN" and new.value else None
    return study, new.tag, partition, new.vr, value, words, new.element


def _other_vr(row: tuple[Any, ...]) -> ExternalRefused:
    return ExternalRefused(row[1], row[3], "the study has that attribute with another VR")


def external_of_study(index: Index, reference: Reference) -> list[tuple[int, bytes]]:
    """Tag and element of what there is of the study of a reference, in the order of their tags."""
    return index.fetch(_OF_STUDY, reference.partition_id, reference.study)


def external_of_studies(
    index: Index, studies: Collection[int], tags: Collection[int]
) -> list[tuple[int, int, bytes]]:
    """Number of the study, tag and element of what there is of these studies and tags."""
    rows = index.fetch_many(_OF_STUDIES, sorted(set(studies)))
    return [row for row in rows if row[1] in tags]


def external_vrs(index: Index, partition_id: int, tag: int) -> list[str]:
    """The VRs with which studies of a partition have the attribute."""
    ((*found,),) = index.fetch(_VRS, *(partition_id, tag) * len(FORMS))
    return [vr for vr, exists in zip(FORMS, found, strict=True) if exists]


def external_condition(
    partition_id: int, tag: int, conditions: Collection[tuple[str, str, Condition]]
) -> Condition:
    """A condition on the numbers of studies: that the value of an attribute satisfies one of these.

    :param conditions: VR, column (``value`` or ``words``), and what is asked of it.
    """
    if any(condition == UNIVERSAL for _, _, condition in conditions):
        return UNIVERSAL
    each = [(vr, column, one) for vr, column, condition in conditions for one in condition]
    if not each:
        return NOTHING
    shape = tuple((column, one.rule, len(one.values)) for _, column, one in each)
    values = [value for vr, _, one in each for value in (partition_id, tag, vr, *one.values)]
    return (Alternative(_of_studies(shape), tuple(values)),)


@lru_cache(maxsize=128)
def _of_studies(shape: tuple[tuple[str, Rule, int], ...]) -> Rule:
    """The rule for numbers of studies; each part of it finds its values by the index."""

    def expression(study: Any, _: int) -> Any:
        return study.in_(reduce(or_, [_having(*part) for part in shape]))

    return Rule(expression, Selectivity.RANGE)  # many studies may have the same value


def _having(column: str, rule: Rule, count: int) -> Any:
    return ExternalAttribute.select(ExternalAttribute.study).where(
        ExternalAttribute.partition == parameter(),
        ExternalAttribute.tag == parameter(),
        ExternalAttribute.vr == parameter(),
        rule.expression(getattr(ExternalAttribute, column), count),
    )
