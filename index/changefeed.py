"""The change feed: what happened to instances, in the order in which it became visible.

Entries are only ever added. Their state is not stored but follows from what is stored now: an entry
about the stored version is Current, one about an earlier version Replaced, and one whose instance
is gone Deleted.
"""

import time
from collections.abc import Callable, Iterable
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple

from peewee import JOIN, fn

from index.database import Index
from index.models import ChangeFeedEntry, Instance, InstanceHeader, Partition, Series, Study
from index.statements import Statement, parameter

END_OF_TIME_US = 2**63 - 1


class Action(IntEnum):
    """What happened, as it is stored."""

    CREATE = 1
    DELETE = 2
    UPDATE = 3


class State(StrEnum):
    """What has become of the version an entry is about."""

    CURRENT = "Current"
    REPLACED = "Replaced"
    DELETED = "Deleted"


class Change(NamedTuple):
    """Something to be written to the feed."""

    action: Action
    partition_id: int
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    watermark: int


class Entry(NamedTuple):
    """An entry of the feed."""

    sequence: int
    created_us: int
    action: Action
    partition_name: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    state: State
    header: bytes | None  # of the version stored now, when asked for


_COLUMNS = (
    ChangeFeedEntry.sequence,
    ChangeFeedEntry.created_us,
    ChangeFeedEntry.action,
    ChangeFeedEntry.partition,
    ChangeFeedEntry.study_instance_uid,
    ChangeFeedEntry.series_instance_uid,
    ChangeFeedEntry.sop_instance_uid,
    ChangeFeedEntry.watermark,
)

_LAST = Statement(
    lambda _: (
        ChangeFeedEntry.select(ChangeFeedEntry.sequence, ChangeFeedEntry.created_us)
        .order_by(ChangeFeedEntry.sequence.desc())
        .limit(1)
    )
)
_APPEND = Statement(
    lambda size: ChangeFeedEntry.insert_many(
        [tuple(parameter() for _ in _COLUMNS) for _ in range(size)], _COLUMNS
    )
)


def append(index: Index, changes: Iterable[Change]) -> None:
    """Write entries, as the last thing of a transaction: others wait from here to its end."""
    changes = list(changes)
    if not changes:
        return
    index.lock_change_feed()
    last = index.fetch(_LAST)
    sequence, last_us = last[0] if last else (0, 0)
    now_us = max(time.time_ns() // 1000, last_us)
    values: list[Any] = []
    for number, change in enumerate(changes, sequence + 1):
        values += (number, now_us, *change)
    index.insert(_APPEND, values, width=len(_COLUMNS))


def _entries(*, with_header: bool) -> Any:
    """The feed beside what is stored now."""
    header = InstanceHeader.header if with_header else ChangeFeedEntry.sequence
    query = (
        ChangeFeedEntry.select(
            ChangeFeedEntry.sequence,
            ChangeFeedEntry.created_us,
            ChangeFeedEntry.action,
            Partition.name,
            ChangeFeedEntry.study_instance_uid,
            ChangeFeedEntry.series_instance_uid,
            ChangeFeedEntry.sop_instance_uid,
            ChangeFeedEntry.watermark,
            Instance.watermark,
            header,
        )
        .join(Partition, on=ChangeFeedEntry.partition == Partition.id)
        .join_from(
            ChangeFeedEntry,
            Study,
            JOIN.LEFT_OUTER,
            on=(
                (Study.partition == ChangeFeedEntry.partition)
                & (Study.study_instance_uid == ChangeFeedEntry.study_instance_uid)
            ),
        )
        .join(
            Series,
            JOIN.LEFT_OUTER,
            on=(
                (Series.study == Study.id)
                & (Series.series_instance_uid == ChangeFeedEntry.series_instance_uid)
            ),
        )
        .join(
            Instance,
            JOIN.LEFT_OUTER,
            on=(
                (Instance.series == Series.id)
                & (Instance.sop_instance_uid == ChangeFeedEntry.sop_instance_uid)
            ),
        )
    )
    if with_header:
        query = query.join(
            InstanceHeader, JOIN.LEFT_OUTER, on=Instance.watermark == InstanceHeader.watermark
        )
    return query


def _both(build: Callable[[Any], Any]) -> dict[bool, Statement]:
    """A statement without and with headers."""
    return {
        False: Statement(lambda _: build(_entries(with_header=False))),
        True: Statement(lambda _: build(_entries(with_header=True))),
    }


def _highest_sequence() -> Any:
    other = ChangeFeedEntry.alias()
    return other.select(fn.MAX(other.sequence))


_AFTER = _both(
    lambda entries: entries.where(
        ChangeFeedEntry.sequence > parameter(), ChangeFeedEntry.sequence <= parameter()
    ).order_by(ChangeFeedEntry.sequence)
)
_BETWEEN = _both(
    lambda entries: entries.where(
        ChangeFeedEntry.sequence >= parameter(),
        ChangeFeedEntry.sequence < parameter(),
        ChangeFeedEntry.created_us < parameter(),
    ).order_by(ChangeFeedEntry.sequence)
)
_FIRST_SINCE = Statement(
    lambda _: (
        ChangeFeedEntry.select(ChangeFeedEntry.sequence)
        .where(ChangeFeedEntry.created_us >= parameter())
        .order_by(ChangeFeedEntry.created_us, ChangeFeedEntry.sequence)
        .limit(1)
    )
)
_LATEST = _both(lambda entries: entries.where(ChangeFeedEntry.sequence == _highest_sequence()))


def after(index: Index, sequence: int, count: int, *, with_header: bool) -> list[Entry]:
    """Entries with the ``count`` sequence numbers after ``sequence``, in their order."""
    return _read(index, _AFTER[with_header], sequence, sequence + count)


def between(
    index: Index, start_us: int, end_us: int | None, offset: int, limit: int, *, with_header: bool
) -> list[Entry]:
    """Entries of the time from ``start_us`` to before ``end_us``, oldest first.

    With an end in the past the answer is final: a follower that asks for one window after the other
    misses nothing. Times grow with the sequence and the sequence has no gaps, so that the entry
    ``offset`` places on is found by its number: a deep page costs what the first one does.
    """
    if end_us is None:
        end_us = END_OF_TIME_US
    else:
        _await_entries_before(index, end_us)
    first = index.fetch(_FIRST_SINCE, start_us)
    if not first:
        return []
    start = first[0][0] + offset
    return _read(index, _BETWEEN[with_header], start, start + limit, end_us)


def _await_entries_before(index: Index, time_us: int) -> None:
    """Wait for those who are about to make entries of that time visible."""
    newest = index.fetch(_LAST)
    if not newest or newest[0][1] < time_us:
        index.await_change_feed()


def latest(index: Index, *, with_header: bool) -> Entry | None:
    """The newest entry."""
    entries = _read(index, _LATEST[with_header])
    return entries[0] if entries else None


def _read(index: Index, statement: Statement, *values: Any) -> list[Entry]:
    return [_entry(*row) for row in index.fetch(statement, *values)]


def _entry(*row: Any) -> Entry:
    sequence, created_us, action, partition, study, series, sop, watermark, now, header = row
    state = State.DELETED if now is None else State.CURRENT if now == watermark else State.REPLACED
    blob = bytes(header) if isinstance(header, bytes | memoryview) else None
    return Entry(sequence, created_us, Action(action), partition, study, series, sop, state, blob)
