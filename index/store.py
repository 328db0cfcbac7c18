"""Storing: the rows of instances whose bytes are durable already.

A batch may come from several requests; it is written with a number of statements that does not
depend on its size. Whether an instance is there already is decided by the unique constraint, inside
the transaction.
"""

from dataclasses import dataclass
from enum import Enum
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

import xxhash

from index import changefeed
from index.changefeed import Action, Change
from index.database import Index
from index.levels import SERIES, STUDIES, Attributes, Row
from index.models import Answer, Instance, InstanceHeader
from index.statements import Statement, parameters


@dataclass(frozen=True, slots=True)
class NewInstance:
    """An instance to be made visible."""

    partition_id: int
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    watermark: int
    blob_length: int
    blob_digest: bytes
    study: Attributes
    series: Attributes
    attributes: bytes  # members of a DICOM JSON object: the instance's own part of a v1 answer
    frame_table: bytes | None
    header: bytes


class Outcome(Enum):
    """What became of an instance of a batch."""

    STORED = 1
    EXISTS = 2
    WATERMARK_TAKEN = 3  # by another instance: cannot be, but must not pass for EXISTS


_INSTANCE = (
    Instance.watermark,
    Instance.partition,
    Instance.study,
    Instance.series,
    Instance.sop_instance_uid,
    Instance.sop_class_uid,
    Instance.transfer_syntax_uid,
    Instance.blob_length,
    Instance.blob_digest,
    Instance.study_answer,
    Instance.series_answer,
    Instance.attributes,
)
_HEADER = (InstanceHeader.watermark, InstanceHeader.frame_table, InstanceHeader.header)
_ANSWER = (Answer.digest, Answer.v1, Answer.v2)


def _insert(model: Any, columns: tuple[Any, ...]) -> Statement:
    return Statement(
        lambda size: model.insert_many(
            [tuple(parameters(len(columns))) for _ in range(size)], columns
        ).on_conflict_ignore()
    )


_INSERT_HEADERS = _insert(InstanceHeader, _HEADER)
_INSERT_ANSWERS = _insert(Answer, _ANSWER)
_INSERT_INSTANCES = Statement(
    lambda size: (
        Instance.insert_many([tuple(parameters(len(_INSTANCE))) for _ in range(size)], _INSTANCE)
        .on_conflict_ignore()
        .returning(Instance.watermark)
    )
)
_TAKEN = Statement(
    lambda size: Instance.select(Instance.watermark).where(Instance.watermark.in_(parameters(size)))
)
_KNOWN_ANSWERS = Statement(
    lambda size: Answer.select(Answer.digest).where(Answer.digest.in_(parameters(size)))
)


class _Known(NamedTuple):
    """What the index has already of what a batch needs."""

    studies: dict[Any, Row]
    series: dict[Any, Row]
    answers: set[bytes]


def store_instances(index: Index, instances: list[NewInstance]) -> list[Outcome]:
    """Make instances visible, all in one transaction; say of each what became of it.

    Of two with the same UIDs the first is stored. The values of a study or series become those of
    the last of its instances that is stored.

    What is there already is looked up before the transaction, which others wait for. Should it be
    removed in between, the foreign keys notice, and the transaction is run again.

    :raise IndexUnavailable: nothing was stored.
    """
    digests = [(_digest(new.study), _digest(new.series)) for new in instances]
    known = [_look_up(index, instances, digests)]
    return index.in_transaction(
        lambda: _store(
            index,
            instances,
            digests,
            known.pop() if known else _look_up(index, instances, digests),
        )
    )


def _look_up(
    index: Index, instances: list[NewInstance], digests: list[tuple[bytes, bytes]]
) -> _Known:
    studies = STUDIES.find(index, {(new.partition_id, new.study_instance_uid) for new in instances})
    series = SERIES.find(
        index,
        {
            (study.id, new.series_instance_uid)
            for new in instances
            if (study := studies.get((new.partition_id, new.study_instance_uid)))
        },
    )
    answers = index.fetch_many(_KNOWN_ANSWERS, sorted(set(chain.from_iterable(digests))))
    return _Known(studies, series, {bytes(digest) for (digest,) in answers})


def _store(
    index: Index, instances: list[NewInstance], digests: list[tuple[bytes, bytes]], known: _Known
) -> list[Outcome]:
    studies = STUDIES.ensure(
        index,
        {(new.partition_id, new.study_instance_uid): new.study for new in reversed(instances)},
        known.studies,
    )
    study_of = [studies[new.partition_id, new.study_instance_uid] for new in instances]
    series = SERIES.ensure(
        index,
        {
            (new.partition_id, study.id, new.series_instance_uid): new.series
            for study, new in zip(reversed(study_of), reversed(instances), strict=True)
        },
        known.series,
    )
    series_of = [
        series[study.id, new.series_instance_uid]
        for study, new in zip(study_of, instances, strict=True)
    ]
    _add_answers(index, instances, digests, known.answers)
    rows = [
        _instance_row(*parts) for parts in zip(instances, study_of, series_of, digests, strict=True)
    ]
    outcomes = _insert_instances(index, rows)
    stored = [
        (new, study, its_series)
        for new, study, its_series, outcome in zip(
            instances, study_of, series_of, outcomes, strict=True
        )
        if outcome is Outcome.STORED
    ]
    STUDIES.keep_latest(index, [(study, new.study) for new, study, _ in stored])
    SERIES.keep_latest(index, [(its_series, new.series) for new, _, its_series in stored])
    headers = [
        value for new, _, _ in stored for value in (new.watermark, new.frame_table, new.header)
    ]
    index.insert(_INSERT_HEADERS, headers, len(_HEADER))
    changefeed.append(index, [_change(new) for new, _, _ in stored])
    return outcomes


def _add_answers(
    index: Index,
    instances: list[NewInstance],
    digests: list[tuple[bytes, bytes]],
    known: set[bytes],
) -> None:
    missing = {
        digest: attributes
        for new, both in zip(instances, digests, strict=True)
        for digest, attributes in zip(both, (new.study, new.series), strict=True)
        if digest not in known
    }
    values = [
        value
        for digest, attributes in sorted(missing.items(), key=itemgetter(0))
        for value in (digest, attributes.v1, attributes.v2)
    ]
    index.insert(_INSERT_ANSWERS, values, len(_ANSWER))


def _instance_row(
    new: NewInstance, study: Row, series: Row, digests: tuple[bytes, bytes]
) -> tuple[Any, ...]:
    return (
        new.watermark,
        new.partition_id,
        study.id,
        series.id,
        new.sop_instance_uid,
        new.sop_class_uid,
        new.transfer_syntax_uid,
        new.blob_length,
        new.blob_digest,
        *digests,
        new.attributes,
    )


def _insert_instances(index: Index, rows: list[tuple[Any, ...]]) -> list[Outcome]:
    in_order = sorted(rows, key=itemgetter(3, 4))  # the same for all writers: no deadlocks
    values = list(chain.from_iterable(in_order))
    written = {row[0] for row in index.insert(_INSERT_INSTANCES, values, len(_INSTANCE))}
    left = [row[0] for row in rows if row[0] not in written]
    taken = {row[0] for row in index.fetch_many(_TAKEN, left)}
    return [
        Outcome.STORED
        if row[0] in written
        else Outcome.WATERMARK_TAKEN
        if row[0] in taken
        else Outcome.EXISTS
        for row in rows
    ]


def _digest(attributes: Attributes) -> bytes:
    return xxhash.xxh3_128_digest(b"%b\0%b" % (attributes.v1, attributes.v2))


def _change(new: NewInstance) -> Change:
    return Change(
        Action.CREATE,
        new.partition_id,
        new.study_instance_uid,
        new.series_instance_uid,
        new.sop_instance_uid,
        new.watermark,
    )
