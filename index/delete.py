"""Deleting: the rows of a study, a series or an instance, in one transaction.

The study's row is locked first. On PostgreSQL a store that adds to the study holds a share of that
lock through its foreign keys, so one of both waits for the other: either the delete sees all that
the store has added, or the store finds the study gone and makes it anew.
"""

from collections.abc import Callable
from typing import Any

from peewee import fn

from index import changefeed
from index.blobs import queue_for_removal
from index.changefeed import Action, Change
from index.database import Index
from index.instances import Reference
from index.models import Instance, InstanceHeader, Series, Study
from index.statements import Statement, parameter

BlobKey = Callable[[str, str, str, int], str]
"""Key of a blob by study, series and SOP instance UID and watermark."""

_KEYS = (Instance.study, Instance.series, Instance.watermark)  # at level 1, 2 and 3


def _by_level(build: Callable[[int], Any]) -> dict[int, Statement]:
    def at(level: int) -> Statement:
        return Statement(lambda _: build(level))

    return {level: at(level) for level in (1, 2, 3)}


def _find(level: int) -> Any:
    query = (
        Instance.select(*_KEYS, Series.series_instance_uid, Instance.sop_instance_uid)
        .join(Series, on=Instance.series == Series.id)
        .where(Instance.study == parameter())
        .order_by(Instance.watermark)
    )
    if level > 1:
        query = query.where(Series.series_instance_uid == parameter())
    if level > 2:
        query = query.where(Instance.sop_instance_uid == parameter())
    return query


def _delete_headers(level: int) -> Any:
    these = Instance.select(Instance.watermark).where(_KEYS[level - 1] == parameter())
    return InstanceHeader.delete().where(InstanceHeader.watermark.in_(these))


_STUDY = Statement(
    lambda _: Study.select(Study.id).where(
        Study.partition == parameter(), Study.study_instance_uid == parameter()
    )
)
_FIND = _by_level(_find)
_DELETE_HEADERS = _by_level(_delete_headers)
_DELETE_INSTANCES = _by_level(
    lambda level: Instance.delete().where(_KEYS[level - 1] == parameter())
)
_DELETE_EMPTY_SERIES = Statement(
    lambda _: Series.delete().where(
        Series.study == parameter(),
        ~fn.EXISTS(Instance.select(Instance.watermark).where(Instance.series == Series.id)),
    )
)
_REVISE = Statement(
    lambda _: Study.update(revision=Study.revision + 1).where(Study.id == parameter())
)
_DELETE_EMPTY_STUDY = Statement(
    lambda _: Study.delete().where(
        Study.id == parameter(),
        ~fn.EXISTS(Series.select(Series.id).where(Series.study == Study.id)),
    )
)


def delete_instances(index: Index, reference: Reference, blob_key: BlobKey) -> int:
    """Delete all instances under a reference and return how many there were.

    Their blobs are queued for removal after the grace period. A series or study that became empty
    goes too.

    :raise IndexUnavailable: nothing was deleted.
    """
    return index.in_transaction(lambda: _delete(index, reference, blob_key))


def _delete(index: Index, reference: Reference, blob_key: BlobKey) -> int:
    partition, study, *uids = reference.values
    locked = index.fetch_locked(_STUDY, partition, study, against_references=True)
    if not locked:
        return 0
    ((study_id,),) = locked
    found = index.fetch(_FIND[reference.level], study_id, *uids)
    if not found:
        return 0
    key = found[0][reference.level - 1]
    index.fetch(_DELETE_HEADERS[reference.level], key)
    index.fetch(_DELETE_INSTANCES[reference.level], key)
    index.fetch(_DELETE_EMPTY_SERIES, study_id)
    index.fetch(_DELETE_EMPTY_STUDY, study_id)
    index.fetch(_REVISE, study_id)
    queue_for_removal(
        index, [blob_key(study, series, sop, watermark) for *_, watermark, series, sop in found]
    )
    changefeed.append(
        index,
        [
            Change(Action.DELETE, partition, study, series, sop, watermark)
            for *_, watermark, series, sop in found
        ],
    )
    return len(found)
