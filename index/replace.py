"""What could not be inserted because something is there already: refused, or put in its place.

Whoever changes or removes the row of an instance holds the row of its study, so that of a delete
and those who replace, one waits for the other, and no version goes without its blob being queued.
"""

from typing import NamedTuple

from peewee import EXCLUDED, NodeList

from index.batch import COLUMNS, NewInstance, Outcome, Placed
from index.blobs import queue_for_removal
from index.database import Index, IndexConflict
from index.levels import SERIES, STUDIES
from index.models import Instance, InstanceHeader, Study
from index.statements import Statement, parameter, parameters


class _There(NamedTuple):
    """What is stored under a key."""

    watermark: int
    blob_length: int
    blob_digest: bytes

    def has_content_of(self, new: NewInstance) -> bool:
        """Whether its bytes are the same."""
        same_length = self.blob_length == new.blob_length
        return same_length and bytes(self.blob_digest) == new.blob_digest


_IN_THE_WAY = Statement(
    lambda size: Instance.select(
        Instance.series,
        Instance.sop_instance_uid,
        Instance.watermark,
        Instance.blob_length,
        Instance.blob_digest,
    ).where(
        NodeList(
            [
                ((Instance.series == parameter()) & (Instance.sop_instance_uid == parameter()))
                | (Instance.watermark == parameter())
                for _ in range(size)
            ],
            glue=" OR ",
        )
    )
)
_REPLACE = Statement(
    lambda size: Instance.insert_many(
        [tuple(parameters(len(COLUMNS))) for _ in range(size)], COLUMNS
    ).on_conflict(
        conflict_target=[Instance.series, Instance.sop_instance_uid],
        update={column: EXCLUDED[column.column_name] for column in COLUMNS},
    )
)
_DELETE_HEADERS = Statement(
    lambda size: InstanceHeader.delete().where(InstanceHeader.watermark.in_(parameters(size)))
)
_REVISE = Statement(
    lambda size: Study.update(revision=Study.revision + 1).where(Study.id.in_(parameters(size)))
)


def settle(index: Index, batch: list[Placed], left: list[Placed]) -> None:
    """Set the outcome of those of a batch that are left because something was in their way.

    Of several that replace the same instance each takes the place of the one before it.

    :raise IndexConflict: what was in the way is gone: another try may insert them.
    """
    replacing = [each for each in left if each.new.blob_key]
    if replacing:
        _lock(index, batch)
    there, taken = _in_the_way(index, left)
    for each in left:
        each.outcome = _outcome(each, there.get(each.key), taken)
    _replace(index, [each for each in replacing if each.outcome is Outcome.REPLACED], there)


def _lock(index: Index, batch: list[Placed]) -> None:
    """Hold the studies and series of a batch, and see what they are by now.

    All of them, in order: one more later on, and two batches could wait for each other.
    """
    studies = STUDIES.lock(index, {each.study.id for each in batch})
    series = SERIES.lock(index, {each.series.id for each in batch})
    for each in batch:
        each.study, each.series = studies[each.study.id], series[each.series.id]


def _in_the_way(
    index: Index, left: list[Placed]
) -> tuple[dict[tuple[int, str], _There], frozenset[int]]:
    """What is stored under the keys of instances, and which of their watermarks are taken."""
    values = [value for each in left for value in (*each.key, each.new.watermark)]
    rows = index.fetch_many(_IN_THE_WAY, values, width=3)
    there = {(series, uid): _There(*version) for series, uid, *version in rows}
    return there, frozenset(version.watermark for version in there.values())


def _outcome(each: Placed, there: _There | None, taken: frozenset[int]) -> Outcome:
    new = each.new
    if new.watermark in taken:
        return Outcome.WATERMARK_TAKEN
    if new.blob_key:
        if there is None:
            raise IndexConflict("an instance to be replaced was deleted meanwhile")
        return Outcome.REPLACED
    return Outcome.IDENTICAL if there and there.has_content_of(new) else Outcome.EXISTS


def _replace(index: Index, replacing: list[Placed], there: dict[tuple[int, str], _There]) -> None:
    """Put each in the place of what is there."""
    latest: dict[tuple[int, str], Placed] = {}
    unused = []
    for each in replacing:
        earlier = latest[each.key].new if each.key in latest else there[each.key]
        unused.append(each.new.blob_key(earlier.watermark))  # type: ignore[misc]  # see settle
        latest[each.key] = each
    if not latest:
        return
    index.fetch_many(_REVISE, sorted({each.study.id for each in replacing}))
    index.fetch_many(_DELETE_HEADERS, sorted(there[key].watermark for key in latest))
    rows = [value for key in sorted(latest) for value in latest[key].row]
    index.insert(_REPLACE, rows, len(COLUMNS))
    queue_for_removal(index, unused)
