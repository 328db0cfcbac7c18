"""Blobs as plain files in a folder.

**Never half there.** A blob is written to a file that has no name (O_TMPFILE), linked to its key,
then synced. So nobody ever sees half a blob, a process that is killed leaves nothing behind, and no
blob is ever overwritten. Where the file system has no nameless files (NFS), the file is named in
the upload folder meanwhile, and a killed process may leave it there.

**Durable.** The file is synced and then its folder, as fsync(2) asks for. A sync of the file alone
often suffices, since ext4, xfs and btrfs write a new name and the file's inode to their logs
together, but not always. Copying the disk under each of them right after the sync returned and
mounting the copy, blobs were missing on ext4 with ``fast_commit`` (if they had been nameless), on
ext4 with ``fdatasync`` (if the kernel had written the bytes before the link), and on btrfs in new
folders. With the syncs made here every blob was whole. The folder comes after the file, when the
log has been written and only a flush of the disk remains. The names of the folders above are synced
once per process.

**What it costs.** 525 KB files per second on ext4 with one thread and with eight, medians of 11
rounds taken in turn on a machine where a tenth is noise:

================================================================ ===== =====
this store                                                       1,091 1,676
the same steps without Python around them                        1,201 1,644
the file nameless and synced, but not its folder                 1,281 1,797
written under its key, ``fdatasync``: half a blob may be seen    1,222 1,741
nameless, ``fdatasync``, link, sync of the folder                1,247 1,645
temporary name, ``fdatasync``, rename, sync of the folder        1,084 1,391
================================================================ ===== =====

``posix_fallocate`` adds 3% (25 rounds), but libc emulates it by writing where it is not supported.
"""

import contextlib
import errno
import os
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO, Self

from storage.base import (
    CHUNK_BYTES,
    BlobExists,
    BlobInfo,
    BlobNotFound,
    BlobReader,
    BlobStoreForbidden,
    BlobStoreFull,
    BlobStoreUnavailable,
    Buffer,
    StorageError,
    clip,
)
from storage.keys import is_key, require_key

FILE_MODE = 0o640
FOLDER_MODE = 0o750
ATTEMPTS = 100
REMEMBERED_FOLDERS = 10_000  # some 2 MB
WRITEV_PIECES = os.sysconf("SC_IOV_MAX")


class FilesystemStore:
    """A :class:`~storage.base.BlobStore` in a folder of a local disk."""

    def __init__(self, root: Path) -> None:
        """Open the folder; it is made if it is missing.

        :raise StorageError: the folder cannot be made.
        """
        self._root = root
        self.upload_directory = root / ".uploads"
        self._synced: set[Path] = set()
        """Folders whose entries, and those of all folders above them, this process has synced. One
        that another process deletes and makes again goes unnoticed: that process syncs it too."""
        with _own_errors(str(root)):
            root.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
            self.upload_directory.mkdir(FOLDER_MODE, exist_ok=True)
        self._nameless = self._has_nameless_files()

    def put(self, key: str, pieces: Sequence[Buffer]) -> None:
        """Write a blob."""
        path = self._path(key)
        with _own_errors(key), self._new_file() as (file, source):
            _write(file, pieces)
            self._publish(file, source, path)

    def adopt(self, key: str, path: Path) -> None:
        """Give the file its key as a name, then remove its old one."""
        target = self._path(key)
        with path.open("rb") as file, _own_errors(key):
            self._publish(file.fileno(), path, target)
            path.unlink()

    def open(self, key: str, start: int = 0, stop: int | None = None) -> BlobReader:
        """Open bytes [start, stop) of a blob."""
        with _own_errors(key, missing=BlobNotFound):
            file = self._path(key).open("rb", buffering=0)
        try:
            asked = clip(start, stop, os.fstat(file.fileno()).st_size)
            file.seek(asked.start)
        except BaseException:
            file.close()
            raise
        return _FileReader(key, file, asked)

    def length(self, key: str) -> int:
        """Bytes of a blob."""
        with _own_errors(key, missing=BlobNotFound):
            status = self._path(key).stat()
        if not S_ISREG(status.st_mode):
            raise BlobNotFound(key)
        return status.st_size

    def delete(self, keys: Iterable[str]) -> None:
        """Delete blobs, and the folders that this empties."""
        self._require_disk()
        folders = set()
        for key in keys:
            path = self._path(key)
            with _own_errors(key), contextlib.suppress(*_ABSENT):
                path.unlink()
            folders.add(path.parent)
        for folder in {self._prune(folder) for folder in folders}:
            with _own_errors(folder.name), contextlib.suppress(FileNotFoundError):
                _sync_folder(folder)

    def list(self, prefix: str = "") -> Iterator[BlobInfo]:
        """Yield the blobs whose keys start with ``prefix``, in key order.

        Holds the names in one folder of each level in memory.
        """
        self._require_disk()
        folder = prefix.rpartition("/")[0]
        if is_key(folder):
            yield from self._walk(folder + "/", prefix)
        elif not folder:
            yield from self._walk("", prefix)

    def check(self) -> None:
        """Write, read and delete a file in the folder."""
        name = f".check-{uuid.uuid4().hex}"
        path = self._root / name
        with _own_errors(name), self._new_file() as (file, source):
            _write(file, [name.encode()])
            self._publish(file, source, path)
            content = path.read_text("ascii")
            path.unlink()
        if content != name:
            raise BlobStoreUnavailable(f"{self._root}: what is read is not what was written")

    def _require_disk(self) -> None:
        """Raise if the store's own folder is gone: an unmounted disk is not an empty store."""
        if not self.upload_directory.is_dir():
            raise BlobStoreUnavailable(f"{self._root}: not there, or no longer the store's folder")

    def _path(self, key: str) -> Path:
        return self._root / require_key(key)

    @contextlib.contextmanager
    def _new_file(self) -> Iterator[tuple[int, Path]]:
        """A new file and a path to it; unless it has been linked, it is gone after the block."""
        if self._nameless:
            file = os.open(self.upload_directory, os.O_RDWR | os.O_TMPFILE, FILE_MODE)
            source = Path(f"/proc/self/fd/{file}")
        else:
            file, name = tempfile.mkstemp(dir=self.upload_directory)
            source = Path(name)
        try:
            yield file, source
        finally:
            os.close(file)
            if not self._nameless:
                source.unlink()

    def _has_nameless_files(self) -> bool:
        """Whether the file system has files without a name, and can name them later."""
        self._nameless = True
        path = self.upload_directory / uuid.uuid4().hex
        try:
            with self._new_file() as (file, source):
                _link(file, source, path)
            path.unlink()
        except (OSError, AttributeError):  # O_TMPFILE is known to Linux only
            return False
        return True

    def _publish(self, file: int, source: Path, path: Path) -> None:
        """Give a file its name among the blobs, durably: all of it or nothing."""
        os.fchmod(file, FILE_MODE)
        for _ in range(ATTEMPTS):  # a folder may be pruned between its making and the link
            with contextlib.suppress(FileNotFoundError):
                _link(file, source, path)
                break
            with contextlib.suppress(FileNotFoundError):
                self._make_folder(path.parent)
        else:
            raise BlobStoreUnavailable(f"{path.name}: its folder cannot be made or kept")
        try:
            os.fsync(file)
            self._sync_entry(path)
        except BaseException:
            path.unlink()
            raise

    def _make_folder(self, folder: Path) -> None:
        """Make a folder and those above it, but never the root: if that is gone, so is the disk."""
        if folder == self._root:
            raise FileNotFoundError(folder)
        self._synced.discard(folder)  # first, lest another thread take it for the one that was
        with contextlib.suppress(FileExistsError):
            try:
                folder.mkdir(FOLDER_MODE)
            except FileNotFoundError:
                self._make_folder(folder.parent)
                folder.mkdir(FOLDER_MODE)

    def _sync_entry(self, path: Path) -> None:
        """Have the name of a blob on the disk, and the names of the folders above it."""
        folder = path.parent
        _sync_folder(folder)
        unsynced = []
        while folder != self._root and folder not in self._synced:
            unsynced.append(folder)
            folder = folder.parent
            _sync_folder(folder)
        if len(self._synced) > REMEMBERED_FOLDERS:
            self._synced.clear()
        self._synced.update(unsynced)

    def _prune(self, folder: Path) -> Path:
        """Remove a folder if it is empty, and so on upwards; return the first that remains."""
        while folder != self._root:
            try:
                folder.rmdir()
            except _ABSENT:
                pass
            except OSError:  # not empty; or it cannot be removed, which does no harm
                break
            self._synced.discard(folder)
            folder = folder.parent
        return folder

    def _walk(self, folder: str, prefix: str) -> Iterator[BlobInfo]:
        """Yield the blobs below a folder (empty or ending in ``/``) that start with ``prefix``."""
        for name in _names(self._root / folder):
            key = folder + name
            if name.endswith("/") and (key.startswith(prefix) or prefix.startswith(key)):
                yield from self._walk(key, prefix)
            elif key.startswith(prefix) and (status := _status(self._root / key)):
                modified = datetime.fromtimestamp(status.st_mtime, UTC)
                yield BlobInfo(key, status.st_size, modified)


class _FileReader:
    """A reader of a range of a file."""

    def __init__(self, key: str, file: BinaryIO, asked: range) -> None:
        self.file: BinaryIO | None = file
        self._key = key
        self._file = file
        self._asked = asked

    @property
    def length(self) -> int:
        """Bytes to be read."""
        return len(self._asked)

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks(CHUNK_BYTES)

    def read(self) -> bytes:
        """All the bytes, by one ``pread`` (join returns a lone chunk as it is)."""
        return b"".join(self._chunks(self.length))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _chunks(self, size: int) -> Iterator[bytes]:
        offset, stop = self._asked.start, self._asked.stop
        while offset < stop:
            with _own_errors(self._key):
                chunk = os.pread(self._file.fileno(), min(size, stop - offset), offset)
            if not chunk:
                raise BlobStoreUnavailable(f"{self._key}: the file is shorter than it was")
            yield chunk
            offset += len(chunk)


_NOT_OURS = {"lost+found"}  # of a disk's own root, and closed to us
_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
_FULL = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextlib.contextmanager
def _own_errors(key: str, missing: type[StorageError] = BlobStoreUnavailable) -> Iterator[None]:
    """Turn the system's errors into the store's; ``missing`` is for a path that is not there."""
    try:
        yield
    except FileExistsError as error:
        raise BlobExists(key) from error
    except _ABSENT as error:
        raise missing(f"{key}: {error.strerror}") from error
    except OSError as error:
        own: type[StorageError] = BlobStoreUnavailable
        if error.errno in _FULL:
            own = BlobStoreFull
        elif error.errno in _FORBIDDEN:
            own = BlobStoreForbidden
        raise own(f"{key}: {error.strerror}") from error


def _write(file: int, pieces: Sequence[Buffer]) -> None:
    """Write all the pieces without joining them."""
    waiting = [view for piece in pieces if (view := memoryview(piece).cast("B")).nbytes]
    first = 0
    while first < len(waiting):
        written = os.writev(file, waiting[first : first + WRITEV_PIECES])
        while first < len(waiting) and written >= waiting[first].nbytes:
            written -= waiting[first].nbytes
            first += 1
        if written:
            waiting[first] = waiting[first][written:]


def _link(file: int, source: Path, path: Path) -> None:
    """Name a file; for ``src_dir_fd`` Python calls linkat(2), which can follow /proc/self/fd."""
    os.link(source, path, src_dir_fd=file, follow_symlinks=True)


def _sync_folder(path: Path) -> None:
    """Have the entries of a folder on the disk."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _names(folder: Path) -> Sequence[str]:
    """The names in a folder in key order; a folder's ends in ``/``, since its keys go on so."""
    with _own_errors(folder.name), contextlib.suppress(*_ABSENT), os.scandir(folder) as entries:
        return sorted(
            entry.name + "/" if entry.is_dir(follow_symlinks=False) else entry.name
            for entry in entries
            if not entry.name.startswith(".") and entry.name not in _NOT_OURS
        )
    return ()  # pruned meanwhile, or no folder at all


def _status(path: Path) -> os.stat_result | None:
    """Status of a regular file; None if there is none."""
    with _own_errors(path.name), contextlib.suppress(*_ABSENT):
        status = path.stat()
        if S_ISREG(status.st_mode):
            return status
    return None
