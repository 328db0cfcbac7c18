"""Finished answers, kept in the memory of a process."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple

ENTRY_BYTES = 1000
"""What an entry takes beside its content: key, version and bookkeeping."""


class Entry(NamedTuple):
    """An answer and what it was made of."""

    version: Hashable
    content: bytes


class Cache:
    """Keeps answers up to a number of bytes; the least recently used go first.

    It does not know when an answer is out of date: whoever takes one compares the version with
    what is stored now. Safe to share between threads.
    """

    def __init__(self, capacity: int) -> None:
        """:param capacity: bytes; 0 keeps nothing."""
        self._capacity = capacity
        self._size = 0
        self._entries: OrderedDict[Hashable, Entry] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Entry | None:
        """The answer kept under the key."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._entries.move_to_end(key)
            return entry

    def put(self, key: Hashable, version: Hashable, content: bytes) -> None:
        """Keep an answer in the place of an earlier one, unless it takes more than a quarter."""
        with self._lock:
            if (earlier := self._entries.pop(key, None)) is not None:
                self._size -= _size(earlier)
            entry = Entry(version, content)
            if _size(entry) > self._capacity // 4:
                return
            self._entries[key] = entry
            self._size += _size(entry)
            while self._size > self._capacity:
                _, oldest = self._entries.popitem(last=False)
                self._size -= _size(oldest)


def _size(entry: Entry) -> int:
    return len(entry.content) + ENTRY_BYTES
