"""Data partitions: names to numbers. A partition is never removed, so what is known stays true."""

import threading
import time
from dataclasses import dataclass

from index.database import Index
from index.models import Partition
from index.statements import Statement, parameter

DEFAULT_PARTITION = "Microsoft.Default"
DEFAULT_PARTITION_ID = 1

_FIND = Statement(lambda _: Partition.select(Partition.id).where(Partition.name == parameter()))
_INSERT = Statement(
    lambda _: Partition.insert(
        {Partition.name: parameter(), Partition.created_us: parameter()}
    ).on_conflict_ignore()
)
_LIST = Statement(
    lambda _: Partition.select(Partition.id, Partition.name, Partition.created_us).order_by(
        Partition.id
    )
)


@dataclass(frozen=True)
class PartitionEntry:
    """A partition as it is listed."""

    id: int
    name: str
    created_us: int


class Partitions:
    """The partitions of an index, remembered once seen."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._known = {DEFAULT_PARTITION: DEFAULT_PARTITION_ID}
        self._lock = threading.Lock()

    def find(self, name: str) -> int | None:
        """Number of the partition of that name, or None."""
        known = self._known.get(name)
        if known is not None:
            return known
        rows = self._index.fetch(_FIND, name)
        if not rows:
            return None
        with self._lock:
            return self._known.setdefault(name, rows[0][0])

    def ensure(self, name: str) -> int:
        """Number of the partition of that name, made if it is new."""
        found = self.find(name)
        if found is not None:
            return found
        self._index.in_transaction(lambda: self._index.fetch(_INSERT, name, _now_us()))
        return self.ensure(name)

    def list(self) -> list[PartitionEntry]:
        """All partitions, oldest first."""
        return [PartitionEntry(*row) for row in self._index.fetch(_LIST)]


def _now_us() -> int:
    return time.time_ns() // 1000
