"""Rows for tests of the index, without files."""

from typing import Any

from index.batch import NewInstance
from index.levels import SERIES_COLUMNS, STUDY_COLUMNS, Attributes
from index.partitions import DEFAULT_PARTITION_ID

_WATERMARKS = iter(range(1, 1_000_000))


def study_attributes(members: bytes = b"", **values: str) -> Attributes:
    """Attributes of a study with these values."""
    return Attributes(dict.fromkeys(STUDY_COLUMNS) | values, members, members)


def series_attributes(members: bytes = b"", **values: str) -> Attributes:
    """Attributes of a series with these values."""
    return Attributes(dict.fromkeys(SERIES_COLUMNS) | values, members, members)


def new_instance(study_uid: str, series_uid: str, uid: str, **changes: Any) -> NewInstance:
    """An instance with the next watermark."""
    row: dict[str, Any] = {
        "partition_id": DEFAULT_PARTITION_ID,
        "study_instance_uid": study_uid,
        "series_instance_uid": series_uid,
        "sop_instance_uid": uid,
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "watermark": next(_WATERMARKS),
        "blob_length": 1000,
        "blob_digest": bytes(16),
        "study": study_attributes(),
        "series": series_attributes(),
        "attributes": b"",
        "frame_table": None,
        "header": b"header of " + uid.encode(),
    }
    return NewInstance(**(row | changes))
