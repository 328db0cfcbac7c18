"""Storing: the rows of instances whose bytes are durable already.

A batch may come from several requests; it is written with a number of statements that does not
depend on its size. Whether an instance is there already is decided by the unique constraint, inside
the transaction. Then it is refused, or takes the place of what is there (``replace.py``).
"""

from collections.abc import Iterable
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

import xxhash

from index import changefeed
from index.batch import COLUMNS, STORED, NewInstance, Outcome, Placed
from index.changefeed import Action, Change
from index.database import Index
from index.external import store_external
from index.levels import SERIES, STUDIES, Attributes, Row
from index.models import Answer, Instance, InstanceHeader
from index.replace import settle
from index.statements import Statement, parameters

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
        Instance.insert_many([tuple(parameters(len(COLUMNS))) for _ in range(size)], COLUMNS)
        .on_conflict_ignore()
        .returning(Instance.watermark)
    )
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

    Of two with the same UIDs the first is stored, and the second too if it may replace. The values
    of a study or series become those of the last of its instances that is stored.

    What is there already is looked up before the transaction, which others wait for. Should it be
    removed in between, the foreign keys notice, and the transaction is run again.

    :raise IndexUnavailable: nothing was stored.
    :raise ExternalRefused: external metadata do not fit those of a study; nothing was stored.
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
    batch = [
        Placed(new, study, series[study.id, new.series_instance_uid], both)
        for new, study, both in zip(instances, study_of, digests, strict=True)
    ]
    _add_answers(index, instances, digests, known.answers)
    _insert_instances(index, batch)
    stored = [each for each in batch if each.outcome in STORED]
    STUDIES.keep_latest(index, [(each.study, each.new.study) for each in stored])
    SERIES.keep_latest(index, [(each.series, each.new.series) for each in stored])
    _add_headers(index, {each.key: each.new for each in stored}.values())
    given = [(each.study.id, each.new.partition_id, each.new.external) for each in stored]
    store_external(index, given)
    changefeed.append(index, [_change(each) for each in stored])
    return [each.outcome for each in batch]


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


def _insert_instances(index: Index, batch: list[Placed]) -> None:
    in_order = sorted(batch, key=attrgetter("key"))  # the same for all writers: no deadlocks
    values = list(chain.from_iterable([each.row for each in in_order]))
    written = {row[0] for row in index.insert(_INSERT_INSTANCES, values, len(COLUMNS))}
    left = [each for each in batch if each.new.watermark not in written]
    if left:
        settle(index, batch, left)


def _add_headers(index: Index, instances: Iterable[NewInstance]) -> None:
    values = [value for new in instances for value in (new.watermark, new.frame_table, new.header)]
    index.insert(_INSERT_HEADERS, values, len(_HEADER))


def _digest(attributes: Attributes) -> bytes:
    return xxhash.xxh3_128_digest(b"%b\0%b" % (attributes.v1, attributes.v2))


def _change(stored: Placed) -> Change:
    new = stored.new
    return Change(
        Action.UPDATE if stored.outcome is Outcome.REPLACED else Action.CREATE,
        new.partition_id,
        new.study_instance_uid,
        new.series_instance_uid,
        new.sop_instance_uid,
        new.watermark,
    )
