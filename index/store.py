"""Storing: the rows of instances whose bytes are durable already.

A batch may come from several requests; it is written with a number of statements that does not
depend on its size. Whether an instance is there already is decided by the unique constraint, inside
the transaction.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import reduce
from itertools import chain, islice
from operator import itemgetter
from typing import Any, NamedTuple

import orjson
import xxhash
from peewee import NodeList

from index import changefeed
from index.changefeed import Action, Change
from index.database import INSERT_ROWS, Index
from index.matching import fold, fold_name, name_words
from index.models import Answer, Instance, InstanceHeader, Series, Study
from index.statements import Statement, parameter, parameters


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a search can find and answer of a study or a series, as one of its instances has it.

    ``v1`` and ``v2`` are members of a DICOM JSON object (``"00100020":{...},...``), without braces:
    the default sets of the two API versions.
    """

    values: dict[str, str | None]
    """Value by column, for the columns of :data:`STUDY_COLUMNS` or :data:`SERIES_COLUMNS`."""
    v1: bytes
    v2: bytes


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


STUDY_COLUMNS = (
    "study_date",
    "study_description",
    "accession_number",
    "patient_id",
    "patient_name",
    "referring_physician_name",
    "patient_birth_date",
)
SERIES_COLUMNS = ("modality", "performed_procedure_step_start_date", "manufacturer_model_name")
NAMES = {"patient_name", "referring_physician_name"}


def _matching_columns(names: Iterable[str]) -> list[str]:
    """The columns in which values of these names are matched: names of people have two."""
    return [
        column
        for name in names
        for column in ((name, f"{name}_words") if name in NAMES else (name,))
    ]


def _matching_values(names: Iterable[str], values: dict[str, str | None]) -> list[str | None]:
    folded: list[str | None] = []
    for name in names:
        value = values[name]
        if name in NAMES:
            folded += (fold_name(value), name_words(value)) if value else (None, None)
        else:
            folded.append(fold(value) if value else None)
    return folded


class _Row(NamedTuple):
    id: int
    values: list[Any]


class _Level:
    """The rows of studies, or those of series: what differs between them is in the arguments.

    :param parents: columns that place a row; the last of them, with the UID, is its key.
    :param names: the values by which a row is found.
    """

    def __init__(
        self, model: Any, parents: tuple[str, ...], uid: str, names: tuple[str, ...]
    ) -> None:
        self._names = names
        self._place = (*(getattr(model, name) for name in parents), getattr(model, uid))
        self._columns = [getattr(model, name) for name in (*_matching_columns(names), "attributes")]
        self._key = self._place[-2:]
        self._find = Statement(
            lambda size: model.select(model.id, *self._key, *self._columns).where(
                NodeList(  # flat: SQLite does not parse a hundred expressions within each other
                    [
                        (self._key[0] == parameter()) & (self._key[1] == parameter())
                        for _ in range(size)
                    ],
                    glue=" OR ",
                )
            )
        )
        row = (*self._place, *self._columns)
        self._insert = Statement(
            lambda size: model.insert_many(
                [tuple(parameters(len(row))) for _ in range(size)], row
            ).on_conflict_ignore()
        )
        self._width = len(row)
        self._lock = Statement(
            lambda _: model.select(*self._columns).where(model.id == parameter())
        )
        self._update = Statement(
            lambda _: model.update({column: parameter() for column in self._columns}).where(
                model.id == parameter()
            )
        )

    def ensure(
        self, index: Index, wanted: dict[tuple[Any, ...], Attributes], known: dict[Any, _Row]
    ) -> dict[Any, _Row]:
        """The rows of these places by their keys; those not known are made."""
        missing = sorted(place for place in wanted if place[-2:] not in known)
        if not missing:
            return known
        values = [value for place in missing for value in (*place, *self._values(wanted[place]))]
        index.insert(self._insert, values, self._width)
        return known | self.find(index, {place[-2:] for place in missing})

    def keep_latest(self, index: Index, changes: list[tuple[_Row, Attributes]]) -> None:
        """Overwrite rows with the values of newly stored instances, where they differ.

        Rows are locked in the order of their numbers, so that writers do not wait for each other in
        a circle.
        """
        differing: dict[int, list[list[Any]]] = {}
        for row, attributes in changes:
            values = self._values(attributes)
            if values != row.values or row.id in differing:
                differing.setdefault(row.id, []).append(values)
        for number, news in sorted(differing.items()):
            before = list(index.fetch_locked(self._lock, number)[0])
            after = reduce(_latest, news, before)
            if after != before:
                index.fetch(self._update, *after, number)

    def find(self, index: Index, keys: set[tuple[Any, ...]]) -> dict[Any, _Row]:
        """The rows there are, by their keys: the parent's number and the UID."""
        rows: list[Any] = []
        for some in _batches(keys):
            rows += index.fetch(self._find, *chain.from_iterable(some), size=len(some))
        return {(parent, uid): _Row(number, values) for number, parent, uid, *values in rows}

    def _values(self, attributes: Attributes) -> list[Any]:
        return [*_matching_values(self._names, attributes.values), attributes.v2]


def _batches(keys: set[tuple[Any, ...]]) -> Iterator[tuple[tuple[Any, ...], ...]]:
    left = iter(sorted(keys))
    return iter(lambda: tuple(islice(left, INSERT_ROWS)), ())


def _latest(before: list[Any], new: list[Any]) -> list[Any]:
    """A row's values after a store: what is new, and what was there where nothing is new."""
    columns = [
        old if value is None else value for old, value in zip(before[:-1], new[:-1], strict=True)
    ]
    return [*columns, _latest_members(before[-1], new[-1])]


def _latest_members(before: bytes, new: bytes) -> bytes:
    if before == new:
        return before
    members = orjson.loads(b"{" + before + b"}")
    members |= {
        tag: element
        for tag, element in orjson.loads(b"{" + new + b"}").items()
        if "Value" in element or tag not in members
    }
    return orjson.dumps(members, option=orjson.OPT_SORT_KEYS)[1:-1]


_STUDIES = _Level(Study, ("partition",), "study_instance_uid", STUDY_COLUMNS)
_SERIES = _Level(Series, ("partition", "study"), "series_instance_uid", SERIES_COLUMNS)

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

    studies: dict[Any, _Row]
    series: dict[Any, _Row]
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
    studies = _STUDIES.find(
        index, {(new.partition_id, new.study_instance_uid) for new in instances}
    )
    series = _SERIES.find(
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
    studies = _STUDIES.ensure(
        index,
        {(new.partition_id, new.study_instance_uid): new.study for new in reversed(instances)},
        known.studies,
    )
    study_of = [studies[new.partition_id, new.study_instance_uid] for new in instances]
    series = _SERIES.ensure(
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
    _STUDIES.keep_latest(index, [(study, new.study) for new, study, _ in stored])
    _SERIES.keep_latest(index, [(its_series, new.series) for new, _, its_series in stored])
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
    new: NewInstance, study: _Row, series: _Row, digests: tuple[bytes, bytes]
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
