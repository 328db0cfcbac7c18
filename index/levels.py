"""The rows of studies and series: found, made, and given the values last stored."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import chain, islice
from typing import Any, NamedTuple

import orjson
from peewee import NodeList

from index.database import INSERT_ROWS, Index, IndexConflict
from index.matching import fold, fold_name, name_words
from index.models import Series, Study
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


class Row(NamedTuple):
    """A study's or series' row."""

    id: int
    values: list[Any]


class Level:
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
            lambda size: (
                model.select(model.id, *self._columns)
                .where(model.id.in_(parameters(size)))
                .order_by(model.id)
            )
        )
        self._update = Statement(
            lambda _: model.update({column: parameter() for column in self._columns}).where(
                model.id == parameter()
            )
        )

    def ensure(
        self, index: Index, wanted: dict[tuple[Any, ...], Attributes], known: dict[Any, Row]
    ) -> dict[Any, Row]:
        """The rows of these places by their keys; those not known are made."""
        missing = sorted(place for place in wanted if place[-2:] not in known)
        if not missing:
            return known
        values = [value for place in missing for value in (*place, *self._values(wanted[place]))]
        index.insert(self._insert, values, self._width)
        return known | self.find(index, {place[-2:] for place in missing})

    def keep_latest(self, index: Index, changes: list[tuple[Row, Attributes]]) -> None:
        """Overwrite rows with the values of newly stored instances, where they differ.

        Rows are locked one after the other in the order of their numbers, so that writers do not
        wait for each other in a circle.
        """
        differing: dict[int, list[list[Any]]] = {}
        for row, attributes in changes:
            values = self._values(attributes)
            if values != row.values or row.id in differing:
                differing.setdefault(row.id, []).append(values)
        for number, news in sorted(differing.items()):
            before = self.lock(index, [number])[number].values
            after = reduce(_latest, news, before)
            if after != before:
                index.fetch(self._update, *after, number)

    def lock(self, index: Index, numbers: Iterable[int]) -> dict[int, Row]:
        """Rows as they are now, by their numbers; nobody else changes them in this transaction.

        They are locked in the order of their numbers.

        :raise IndexConflict: one has been deleted.
        """
        wanted = sorted(set(numbers))
        rows: list[Any] = []
        for start in range(0, len(wanted), INSERT_ROWS):
            some = wanted[start : start + INSERT_ROWS]
            rows += index.fetch_locked(self._lock, *some, size=len(some))
        if len(rows) < len(wanted):
            raise IndexConflict("a study or series was deleted meanwhile")
        return {number: Row(number, values) for number, *values in rows}

    def find(self, index: Index, keys: set[tuple[Any, ...]]) -> dict[Any, Row]:
        """The rows there are, by their keys: the parent's number and the UID."""
        rows: list[Any] = []
        for some in _batches(keys):
            rows += index.fetch(self._find, *chain.from_iterable(some), size=len(some))
        return {(parent, uid): Row(number, values) for number, parent, uid, *values in rows}

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


STUDIES = Level(Study, ("partition",), "study_instance_uid", STUDY_COLUMNS)
SERIES = Level(Series, ("partition", "study"), "series_instance_uid", SERIES_COLUMNS)
