"""Blobs of instances, opened so that what is missing is noticed before an answer begins."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from dicomweb.urls import Scope
from index.instances import StoredInstance
from storage.base import BlobReader, BlobStore
from storage.keys import instance_key


class BlobDamaged(Exception):
    """A blob is not as long as it was when it was stored."""


class OpenedAhead:
    """Blobs, or ranges of blobs, to be read one after the other; each is opened one ahead.

    So the first two are known to be there before the answer begins. A later one that is not there
    ends the iteration with an error: the connection breaks, and the answer never passes for whole.
    """

    def __init__(self, openings: Iterable[Callable[[], BlobReader]]) -> None:
        self._openings = iter(openings)
        self._opened: deque[BlobReader] = deque()
        try:
            self._open_next()
            self._open_next()
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[BlobReader]:
        try:
            while self._opened:
                yield self._opened[0]
                self._opened.popleft().close()
                self._open_next()
        finally:
            self.close()

    @property
    def first(self) -> BlobReader:
        """The one that is read next."""
        return self._opened[0]

    def close(self) -> None:
        """Close what is open."""
        while self._opened:
            self._opened.popleft().close()

    def _open_next(self) -> None:
        opening = next(self._openings, None)
        if opening is not None:
            self._opened.append(opening())


def blob_key(scope: Scope, instance: StoredInstance) -> str:
    """Key of an instance's blob."""
    return instance_key(
        scope.partition_name,
        instance.study_instance_uid,
        instance.series_instance_uid,
        instance.sop_instance_uid,
        instance.watermark,
    )


def open_range(blobs: BlobStore, key: str, start: int, stop: int) -> BlobReader:
    """Bytes [start, stop) of a blob.

    :raise BlobNotFound: there is no such blob.
    :raise BlobDamaged: the blob ends before ``stop``.
    """
    reader = blobs.open(key, start, stop)
    if reader.length == stop - start:
        return reader
    reader.close()
    raise BlobDamaged(f"{key}: {start + reader.length} bytes instead of {stop} or more")


def open_instance(scope: Scope, instance: StoredInstance) -> BlobReader:
    """A whole blob; one that has become longer is as wrong as one that has become shorter."""
    key = blob_key(scope, instance)
    reader = scope.archive.blobs.open(key)
    if reader.length == instance.blob_length:
        return reader
    reader.close()
    raise BlobDamaged(f"{key}: {reader.length} bytes instead of {instance.blob_length}")


def require_blob(scope: Scope, instance: StoredInstance) -> None:
    """See that a blob is there, without opening it.

    :raise BlobNotFound: it is not.
    :raise BlobDamaged: it is not as long as it was stored.
    """
    key = blob_key(scope, instance)
    length = scope.archive.blobs.length(key)
    if length != instance.blob_length:
        raise BlobDamaged(f"{key}: {length} bytes instead of {instance.blob_length}")
