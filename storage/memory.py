"""Blobs in this process's memory: for tests, and gone with the process."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from storage.base import BlobExists, BlobInfo, BlobNotFound, BlobReader, Buffer, BytesReader, clip
from storage.keys import require_key


class MemoryStore:
    """A :class:`~storage.base.BlobStore` in a dictionary."""

    def __init__(self, upload_directory: Path) -> None:
        self.upload_directory = upload_directory
        self._blobs: dict[str, tuple[bytes, datetime]] = {}

    def put(self, key: str, pieces: Sequence[Buffer]) -> None:
        """Store the pieces as one blob."""
        blob = (b"".join(pieces), datetime.now(UTC))
        if self._blobs.setdefault(require_key(key), blob) is not blob:
            raise BlobExists(key)

    def adopt(self, key: str, path: Path) -> None:
        """Read the file, then delete it."""
        self.put(key, [path.read_bytes()])
        path.unlink()

    def open(self, key: str, start: int = 0, stop: int | None = None) -> BlobReader:
        """Open bytes [start, stop) of a blob."""
        content = self._content(key)
        asked = clip(start, stop, len(content))
        return BytesReader(content[asked.start : asked.stop])

    def length(self, key: str) -> int:
        """Bytes of a blob."""
        return len(self._content(key))

    def delete(self, keys: Iterable[str]) -> None:
        """Delete blobs."""
        for key in keys:
            self._blobs.pop(require_key(key), None)

    def list(self, prefix: str = "") -> Iterator[BlobInfo]:
        """Yield the blobs whose keys start with ``prefix``, in key order."""
        for key, (content, modified) in sorted(self._blobs.items()):
            if key.startswith(prefix):
                yield BlobInfo(key, len(content), modified)

    def check(self) -> None:
        """Memory is always there."""

    def _content(self, key: str) -> bytes:
        try:
            return self._blobs[require_key(key)][0]
        except KeyError:
            raise BlobNotFound(key) from None
