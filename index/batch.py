"""What a store is given to write, and what becomes of it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from index.external import NewExternal
from index.levels import Attributes, Row
from index.models import Instance


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
    blob_key: Callable[[int], str] | None = None
    """Key of the blob of any version of this instance, by its watermark. Where it is given, this
    takes the place of a version that is there, whose blob is queued for removal."""
    external: tuple[NewExternal, ...] = ()
    """Attributes that its study gets if it is stored."""


class Outcome(Enum):
    """What became of an instance of a batch."""

    STORED = 1
    REPLACED = 2  # stored, in the place of an earlier version
    EXISTS = 3
    IDENTICAL = 4  # exists, with the same bytes
    WATERMARK_TAKEN = 5  # by another instance: cannot be, but must not pass for EXISTS


STORED = frozenset({Outcome.STORED, Outcome.REPLACED})
"""What means that the instance is there now as it was given."""

COLUMNS = (
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
"""Those of an instance's row."""


@dataclass(slots=True)
class Placed:
    """An instance of a batch with the rows that it belongs to."""

    new: NewInstance
    study: Row
    series: Row
    digests: tuple[bytes, bytes]
    """Of its study's and its series' answer."""
    outcome: Outcome = Outcome.STORED

    @property
    def key(self) -> tuple[int, str]:
        """Under which there can be one instance only: series and UID."""
        return self.series.id, self.new.sop_instance_uid

    @property
    def row(self) -> tuple[Any, ...]:
        """The values of :data:`COLUMNS`."""
        new = self.new
        return (
            new.watermark,
            new.partition_id,
            self.study.id,
            self.series.id,
            new.sop_instance_uid,
            new.sop_class_uid,
            new.transfer_syntax_uid,
            new.blob_length,
            new.blob_digest,
            *self.digests,
            new.attributes,
        )
