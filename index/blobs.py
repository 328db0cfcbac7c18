"""Blobs that no row refers to any more: queued here, removed after a grace period."""

import time
from collections.abc import Iterable

from index.database import Index
from index.models import DeletedBlob
from index.statements import Statement, parameters

_BLOB = (DeletedBlob.blob_key, DeletedBlob.deleted_us, DeletedBlob.attempts)
_QUEUE = Statement(
    lambda size: DeletedBlob.insert_many(
        [tuple(parameters(len(_BLOB))) for _ in range(size)], _BLOB
    )
)


def queue_for_removal(index: Index, keys: Iterable[str]) -> None:
    """Note that these blobs are to be removed; in the transaction that lets go of them."""
    now_us = time.time_ns() // 1000
    values = [value for key in keys for value in (key, now_us, 0)]
    index.insert(_QUEUE, values, len(_BLOB))
