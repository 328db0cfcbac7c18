"""What every blob store promises, and what can go wrong with one.

A blob is a file that is written once, under a key that is never used again (:mod:`storage.keys`),
read many times, and deleted. One test suite, ``tests/storage/test_contract.py``, holds every store
to the promises made here.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol, Self

CHUNK_BYTES = 1 << 20
"""Longest chunk of a streamed blob. Through a loopback socket, 256 KiB give 2.8 GB/s, 1 MiB gives
3.7, and 4 MiB 3.8: more memory for nothing."""

Buffer = bytes | bytearray | memoryview


class StorageError(Exception):
    """Base of the store's errors. Messages hold keys, hence UIDs, and nothing else of a patient."""


class BlobNotFound(StorageError):
    """There is no blob under the key."""


class BlobExists(StorageError):
    """There is a blob under the key already; it was not touched."""


class BlobStoreUnavailable(StorageError):
    """The store does not answer, or not as it should; the same call may succeed later."""


class BlobStoreFull(StorageError):
    """The store has no room, or its quota is used up."""


class BlobStoreForbidden(StorageError):
    """The store refuses this service: wrong credentials or missing rights."""


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """One blob of a listing."""

    key: str
    length: int
    """Bytes."""
    modified: datetime
    """When it was written, UTC."""


class BlobReader(Protocol):
    """An opened blob, or a range of its bytes. Whoever opened it closes it.

    Reading yields exactly :attr:`length` bytes or raises a :class:`StorageError`.
    """

    @property
    def length(self) -> int:
        """Bytes to be read."""

    @property
    def file(self) -> BinaryIO | None:
        """A real file standing at the first byte, for ``wsgi.file_wrapper``; None if there is none.

        It goes on to the end of the *blob*: the sender stops after :attr:`length` bytes.
        """

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes, at most ``CHUNK_BYTES`` at a time; once, and not after :meth:`read`."""

    def read(self) -> bytes:
        """All the bytes at once: for ranges that are known to be small."""

    def close(self) -> None:
        """Let go of the file or connection; may be called again."""

    def __enter__(self) -> Self:
        """Return the reader, to be closed at the end of the block."""

    def __exit__(self, *exception: object) -> None:
        """Close."""


class BlobStore(Protocol):
    """A place for blobs. All methods may be called from any thread.

    Keys are those of :mod:`storage.keys`; no key may be a folder of another ("a" beside "a/b").
    Any method that reaches the store may raise :class:`BlobStoreUnavailable` or
    :class:`BlobStoreForbidden`, those that write also :class:`BlobStoreFull`; a key that could
    leave the store is a ValueError.
    """

    @property
    def upload_directory(self) -> Path:
        """Local folder for uploads on their way to :meth:`adopt`, on the blobs' disk if local."""

    def put(self, key: str, pieces: Sequence[Buffer]) -> None:
        """Store the pieces, one after the other, as one blob; it is durable on return.

        If this raises there is nothing under the key, except that an object store whose answer got
        lost may have stored the blob: nobody knows it, and ``flask cleanup`` finds it.

        :raise BlobExists: the key is taken.
        """

    def adopt(self, key: str, path: Path) -> None:
        """Take over a file of any size from :attr:`upload_directory`; it is durable on return.

        On success the file is gone from ``path``; if this raises it is still there, and nothing is
        under the key, but for the exception named at :meth:`put`.

        :raise BlobExists: the key is taken.
        :raise FileNotFoundError: there is no file at ``path``.
        """

    def open(self, key: str, start: int = 0, stop: int | None = None) -> BlobReader:
        """Open bytes [start, stop) of a blob, clipped to its length; all of it by default.

        :raise BlobNotFound: by this call, never while reading.
        """

    def length(self, key: str) -> int:
        """Bytes of a blob.

        :raise BlobNotFound: there is none.
        """

    def delete(self, keys: Iterable[str]) -> None:
        """Delete blobs, durably on return; keys without a blob are fine.

        If this raises, some of the blobs may be gone: call it again.
        """

    def list(self, prefix: str = "") -> Iterator[BlobInfo]:
        """Yield the blobs whose keys start with ``prefix``, in key order.

        Blobs that come or go meanwhile may or may not be seen. What other programs put into the
        store is listed too, except names starting with a dot, which are never blobs.
        """

    def check(self) -> None:
        """Write, read and delete a few bytes; raises what stands in the way."""


class BytesReader:
    """A reader of bytes at hand."""

    file = None

    def __init__(self, content: bytes) -> None:
        self._content = content

    @property
    def length(self) -> int:
        """Bytes to be read."""
        return len(self._content)

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._content), CHUNK_BYTES):
            yield self._content[start : start + CHUNK_BYTES]

    def read(self) -> bytes:
        """All the bytes."""
        return self._content

    def close(self) -> None:
        """Nothing to let go of."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def clip(start: int, stop: int | None, length: int) -> range:
    """Offsets of the bytes [start, stop) that a blob of ``length`` bytes has.

    :raise ValueError: ``start`` is before the blob, or ``stop`` before ``start``.
    """
    if start < 0 or (stop is not None and stop < start):
        raise ValueError(f"no range of bytes: [{start}, {stop})")
    end = length if stop is None else min(stop, length)
    return range(start, max(start, end))
