"""Storing: the rows of instances whose bytes are durable already.

A batch may come from several requests; it is written with a number of statements that does not
depend on its size. Whether an instance is there already is decided by the unique constraint, inside
the transaction.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from index.models import Instance, Series, Study
from index.statements import Statement, parameter


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


NAMES = {"patient_name", "referring_physician_name"}
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


def _columns(names: Iterable[str]) -> tuple[str, ...]:
    """Names of the columns that hold these values folded, and the words of the names."""
    return tuple(
        column
        for name in names
        for column in ((name, f"{name}_words") if name in NAMES else (name,))
    )


@dataclass(frozen=True)
class _Level:
    """What differs between writing study rows and series rows."""

    model: Any
    parent: Any  # column of the partition or the study
    uid: Any
    names: tuple[str, ...]
    columns: tuple[Any, ...]
    find: Statement
    lock: Statement
    insert: Statement
    update: Statement


def _level(model: Any, key: tuple[str, ...], uid: str, names: tuple[str, ...]) -> _Level:
    fields = tuple(getattr(model, name) for name in (*key, uid))
    columns = tuple(getattr(model, name) for name in (*_columns(names), "attributes"))
    parent = fields[-2]

    def find(size: int) -> Any:
        query = model.select(model.id, parent, fields[-1], *columns)
        alternatives = [(parent == parameter()) & (fields[-1] == parameter()) for _ in range(size)]
        where = alternatives[0]
        for alternative in alternatives[1:]:
            where |= alternative
        return query.where(where)

    def insert(size: int) -> Any:
        row = (*fields, *columns)
        return model.insert_many(
            [tuple(parameter() for _ in row) for _ in range(size)], row
        ).on_conflict_ignore()

    return _Level(
        model,
        parent,
        fields[-1],
        names,
        columns,
        Statement(find),
        Statement(lambda _: model.select(*columns).where(model.id == parameter()).for_update()),
        Statement(insert),
        Statement(
            lambda _: model.update({column: parameter() for column in columns}).where(
                model.id == parameter()
            )
        ),
    )


_STUDY = _level(Study, ("partition",), "study_instance_uid", STUDY_COLUMNS)
_SERIES = _level(Series, ("partition", "study"), "series_instance_uid", SERIES_COLUMNS)

_INSTANCE_COLUMNS = (
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
