"""What the folder store does on its disk: rights, durability, races, faults, kills."""

import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from storage import filesystem
from storage.base import (
    CHUNK_BYTES,
    BlobExists,
    BlobNotFound,
    BlobStoreForbidden,
    BlobStoreFull,
    BlobStoreUnavailable,
)
from storage.filesystem import FilesystemStore

KEY = "p/1.2/3/4_5.dcm"


@pytest.fixture(params=["nameless", "named"])
def blobs(request) -> FilesystemStore:
    """The store on a file system with and without nameless files."""
    fixture = "folder_blobs" if request.param == "nameless" else "named_folder_blobs"
    return request.getfixturevalue(fixture)


def content_of(blobs: FilesystemStore, key: str) -> bytes:
    with blobs.open(key) as reader:
        return reader.read()


def files_in(folder: Path) -> list[str]:
    """Every file in a folder, of the store itself too."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fail(monkeypatch, name: str, code: int) -> None:
    """Have a function of ``os`` fail from now on."""

    def failing(*_args, **_options):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, name, failing)


def test_this_machine_runs_both_kinds_of_store(folder_blobs, tmp_path, monkeypatch):
    assert folder_blobs._nameless
    monkeypatch.delattr(os, "O_TMPFILE")
    assert not FilesystemStore(tmp_path / "named")._nameless


def test_a_key_is_the_path_of_a_plain_file(blobs, folder):
    blobs.put(KEY, [b"DI", b"CM"])
    assert (folder / KEY).read_bytes() == b"DICM"
    assert files_in(folder) == [KEY]


def test_nothing_is_readable_for_others(tmp_path):
    before = os.umask(0)
    try:
        blobs = FilesystemStore(tmp_path / "above" / "blobs")
        blobs.put(KEY, [b"content"])
        path = blobs.upload_directory / "upload"
        path.write_bytes(b"content")
        blobs.adopt("q/5/6/7_8.dcm", path)
    finally:
        os.umask(before)
    found = {p: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "above" / "blobs").rglob("*")}
    found[tmp_path / "above" / "blobs"] = stat.S_IMODE(
        (tmp_path / "above" / "blobs").stat().st_mode
    )
    assert {mode for path, mode in found.items() if path.is_file()} == {0o640}
    assert {mode for path, mode in found.items() if path.is_dir()} == {0o750}


def test_an_adopted_file_is_moved_not_copied(blobs, folder):
    path = blobs.upload_directory / "upload"
    path.write_bytes(b"content")
    inode = path.stat().st_ino
    blobs.adopt(KEY, path)
    assert (folder / KEY).stat().st_ino == inode
    assert files_in(folder) == [KEY]


@pytest.fixture
def synced(monkeypatch, folder) -> list[str]:
    """The paths within the store that ``fsync`` is called for from now on."""
    calls = []
    sync = os.fsync

    def recorded(descriptor: int) -> None:
        status = os.fstat(descriptor)
        found = next(p for p in [folder, *folder.rglob("*")] if p.stat().st_ino == status.st_ino)
        calls.append(str(found.relative_to(folder)))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", recorded)
    return calls


def test_a_put_syncs_its_file_under_its_key_then_its_folder_and_once_those_above(
    folder_blobs, synced
):
    folder_blobs.put("p/s/e/1", [b"content"])
    assert synced == ["p/s/e/1", "p/s/e", "p/s", "p", "."]
    synced.clear()
    folder_blobs.put("p/s/e/2", [b"content"])
    assert synced == ["p/s/e/2", "p/s/e"]
    synced.clear()
    folder_blobs.put("p/s/f/3", [b"content"])
    assert synced == ["p/s/f/3", "p/s/f", "p/s"]


def test_an_adopt_syncs_like_a_put(folder_blobs, synced):
    path = folder_blobs.upload_directory / "upload"
    path.write_bytes(b"content")
    folder_blobs.adopt("p/s/1", path)
    assert synced[0] in {"p/s/1", ".uploads/upload"}  # it has both names then
    assert synced[1:] == ["p/s", "p", "."]


def test_a_delete_syncs_each_remaining_folder_once(folder_blobs, synced):
    for key in ("p/s/e/1", "p/s/e/2", "p/s/f/3", "q/4", "q/5"):
        folder_blobs.put(key, [b"content"])
    synced.clear()
    folder_blobs.delete(["p/s/e/1", "p/s/e/2", "p/s/f/3", "q/4"])
    assert sorted(synced) == [".", "q"]


def test_a_folder_that_another_process_deleted_is_synced_when_made_again(
    folder_blobs, folder, synced
):
    folder_blobs.put("p/s/1", [b"content"])
    FilesystemStore(folder).delete(["p/s/1"])
    synced.clear()
    folder_blobs.put("p/s/2", [b"content"])
    assert synced == ["p/s/2", "p/s", "p", "."]


def test_a_folder_that_another_process_made_again_is_synced_here_too(folder_blobs, folder, synced):
    folder_blobs.put("p/s/1", [b"content"])
    folder_blobs.delete(["p/s/1"])
    FilesystemStore(folder).put("p/s/2", [b"content"])
    synced.clear()
    folder_blobs.put("p/s/3", [b"content"])
    assert synced == ["p/s/3", "p/s", "p", "."]


def test_the_memory_for_synced_folders_is_bounded(folder_blobs, folder, monkeypatch):
    monkeypatch.setattr(filesystem, "REMEMBERED_FOLDERS", 10)
    for number in range(40):
        folder_blobs.put(f"p/{number}/1", [b"content"])
        assert len(folder_blobs._synced) <= 12


def test_deleting_the_last_blob_of_a_folder_removes_the_folder(blobs, folder):
    blobs.put("p/s/e/1", [b"content"])
    blobs.put("p/s/f/2", [b"content"])
    blobs.delete(["p/s/e/1"])
    assert not (folder / "p/s/e").exists()
    assert content_of(blobs, "p/s/f/2") == b"content"
    blobs.delete(["p/s/f/2"])
    assert names_in(folder) == [".uploads"]


def test_a_delete_that_was_cut_short_before_pruning_can_be_repeated(blobs, folder):
    blobs.put("p/s/e/1", [b"content"])
    (folder / "p/s/e/1").unlink()
    blobs.delete(["p/s/e/1"])
    assert names_in(folder) == [".uploads"]


def test_threads_that_put_into_one_new_folder_all_succeed(blobs):
    threads, rounds = 8, 15
    start = threading.Barrier(threads, timeout=60)

    def work(number: int) -> None:
        for turn in range(rounds):
            start.wait()
            blobs.put(f"p/{turn}/e/{number}", [b"%d/%d" % (turn, number)])

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    for turn in range(rounds):
        for number in range(threads):
            assert content_of(blobs, f"p/{turn}/e/{number}") == b"%d/%d" % (turn, number)


def test_puts_survive_the_pruning_of_their_folder_by_other_stores(folder):
    """Two stores on one folder are what two worker processes have."""

    def work(name: str) -> None:
        blobs = FilesystemStore(folder)
        for turn in range(100):
            key = f"p/s/e/{name}{turn}"
            blobs.put(key, [key.encode()])
            assert content_of(blobs, key) == key.encode()
            blobs.delete([key])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, "abcd"))
    assert names_in(folder) == [".uploads"]


def test_a_folder_pruned_between_its_making_and_the_link_is_made_again(blobs, folder, monkeypatch):
    link, pruned = filesystem._link, []

    def prune_first(file: int, source: Path, path: Path) -> None:
        if path.parent.exists() and len(pruned) < 3:
            pruned.append(path.parent)
            os.removedirs(path.parent)
            folder.mkdir(exist_ok=True)
        link(file, source, path)

    monkeypatch.setattr(filesystem, "_link", prune_first)
    blobs.put(KEY, [b"content"])
    assert len(pruned) == 3
    assert content_of(blobs, KEY) == b"content"


def test_a_folder_that_cannot_be_kept_is_an_error_and_leaves_nothing(blobs, folder, monkeypatch):
    def never(file: int, source: Path, path: Path) -> None:
        raise FileNotFoundError(errno.ENOENT, "pruned again")

    monkeypatch.setattr(filesystem, "_link", never)
    with pytest.raises(BlobStoreUnavailable, match="folder"):
        blobs.put(KEY, [b"content"])
    assert files_in(folder) == []


def test_a_disk_that_is_gone_is_not_replaced_by_an_empty_folder(blobs, folder):
    blobs.put(KEY, [b"content"])
    upload = folder.parent / "upload"
    upload.write_bytes(b"content")
    shutil.rmtree(folder)
    for attempt in (
        lambda: blobs.put(KEY, [b"content"]),
        lambda: blobs.adopt(KEY, upload),
        lambda: blobs.delete([KEY]),
        lambda: list(blobs.list()),
        blobs.check,
    ):
        with pytest.raises(BlobStoreUnavailable):
            attempt()
    assert not folder.exists()
    assert upload.read_bytes() == b"content"


def test_a_disk_that_fills_up_in_the_middle_leaves_nothing(blobs, folder, monkeypatch):
    write, calls = os.writev, []

    def full_after_half(descriptor: int, pieces) -> int:
        calls.append(len(pieces))
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, [pieces[0][: len(pieces[0]) // 2]])

    with monkeypatch.context() as patch:
        patch.setattr(os, "writev", full_after_half)
        with pytest.raises(BlobStoreFull, match=f"{KEY}: No space left on device"):
            blobs.put(KEY, [b"first piece", b"second piece"])
    assert len(calls) == 2
    assert files_in(folder) == []
    blobs.put(KEY, [b"first piece", b"second piece"])
    assert content_of(blobs, KEY) == b"first piecesecond piece"


def test_a_full_disk_noticed_by_the_system_leaves_nothing(tmp_path):
    """A file may be 4 MiB here; the kernel ends the write in the middle and refuses the rest."""
    program = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from storage.base import BlobStoreUnavailable\n"
        "from storage.filesystem import FilesystemStore\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, 4 << 20))\n"
        "blobs = FilesystemStore(Path(sys.argv[1]))\n"
        "try: blobs.put('p/large', [bytes(3 << 20), bytes(3 << 20)])\n"
        "except BlobStoreUnavailable as error: print(error)\n"
        "print([info.key for info in blobs.list()])\n"
    )
    assert run(program, tmp_path / "blobs") == "p/large: File too large\n[]\n"
    assert files_in(tmp_path / "blobs") == []


STEPS = ["writev", "fchmod", "link", "fsync"]


@pytest.mark.parametrize("step", STEPS)
def test_a_put_that_fails_at_any_step_leaves_nothing(blobs, folder, monkeypatch, step):
    with monkeypatch.context() as patch:
        fail(patch, step, errno.ENOSPC)
        with pytest.raises(BlobStoreFull, match=KEY):
            blobs.put(KEY, [b"content"])
    assert files_in(folder) == []
    with pytest.raises(BlobNotFound):
        blobs.open(KEY)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (errno.ENOSPC, BlobStoreFull),
        (errno.EDQUOT, BlobStoreFull),
        (errno.EACCES, BlobStoreForbidden),
        (errno.EPERM, BlobStoreForbidden),
        (errno.EROFS, BlobStoreForbidden),
        (errno.EIO, BlobStoreUnavailable),
        (errno.EXDEV, BlobStoreUnavailable),
        (errno.ESTALE, BlobStoreUnavailable),
    ],
)
def test_a_systems_error_has_one_meaning(folder_blobs, monkeypatch, code, error):
    fail(monkeypatch, "writev", code)
    with pytest.raises(error, match=f"{KEY}: {os.strerror(code)}"):
        folder_blobs.put(KEY, [b"content"])


@pytest.mark.parametrize("step", STEPS[1:])
def test_an_adopt_that_fails_at_any_step_leaves_the_upload(blobs, folder, monkeypatch, step):
    path = blobs.upload_directory / "upload"
    path.write_bytes(b"content")
    with monkeypatch.context() as patch:
        fail(patch, step, errno.ENOSPC)
        with pytest.raises(BlobStoreFull):
            blobs.adopt(KEY, path)
    assert files_in(folder) == [".uploads/upload"]
    blobs.adopt(KEY, path)
    assert content_of(blobs, KEY) == b"content"


def test_a_folder_that_cannot_be_synced_takes_its_blob_back(blobs, folder, monkeypatch):
    sync = os.fsync

    def files_only(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", files_only)
        with pytest.raises(BlobStoreUnavailable):
            blobs.put(KEY, [b"content"])
    assert files_in(folder) == []


def test_a_taken_key_leaves_nothing_in_the_upload_folder(blobs, folder):
    blobs.put(KEY, [b"first"])
    with pytest.raises(BlobExists):
        blobs.put(KEY, [b"second"])
    assert files_in(folder) == [KEY]


def test_a_write_that_the_system_cuts_short_goes_on(blobs, monkeypatch):
    write = os.writev

    def three_bytes(descriptor: int, pieces) -> int:
        return write(descriptor, [b"".join(pieces)[:3]])

    monkeypatch.setattr(os, "writev", three_bytes)
    blobs.put(KEY, [b"ab", b"", memoryview(b"cdefghij").cast("H"), b"k"])
    assert content_of(blobs, KEY) == b"abcdefghijk"


@pytest.mark.parametrize("step", STEPS)
def test_a_check_says_that_the_disk_is_full_and_keeps_nothing(blobs, folder, monkeypatch, step):
    with monkeypatch.context() as patch:
        fail(patch, step, errno.ENOSPC)
        with pytest.raises(BlobStoreFull):
            blobs.check()
    assert files_in(folder) == []


def test_a_check_notices_that_other_bytes_come_back(blobs, folder, monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda *_args: "other bytes")
    with pytest.raises(BlobStoreUnavailable, match="not what was written"):
        blobs.check()
    assert files_in(folder) == []


def test_a_file_that_shrinks_while_it_is_read_is_an_error_and_never_a_short_answer(blobs, folder):
    blobs.put(KEY, [bytes(3 * CHUNK_BYTES)])
    with blobs.open(KEY) as reader:
        chunks = iter(reader)
        assert len(next(chunks)) == CHUNK_BYTES
        os.truncate(folder / KEY, 2 * CHUNK_BYTES)
        assert len(next(chunks)) == CHUNK_BYTES
        with pytest.raises(BlobStoreUnavailable, match="shorter"):
            next(chunks)
        with pytest.raises(BlobStoreUnavailable, match="shorter"):
            reader.read()


def test_a_disk_that_fails_while_it_is_read_is_unavailable(blobs, monkeypatch):
    blobs.put(KEY, [b"content"])
    with blobs.open(KEY) as reader, monkeypatch.context() as patch:
        fail(patch, "pread", errno.EIO)
        with pytest.raises(BlobStoreUnavailable, match="Input/output error"):
            reader.read()


def test_a_listing_shows_plain_files_and_nothing_hidden(blobs, folder):
    blobs.put("p/1", [b"content"])
    (folder / ".hidden").write_bytes(b"")
    (folder / "p" / ".2.part").write_bytes(b"")
    (folder / "lost+found").mkdir()
    (folder / "lost+found" / "#12").write_bytes(b"")
    (folder / "p" / "empty").mkdir()
    (folder / "p" / "nowhere").symlink_to("absent")
    (folder / "p" / "of another program").write_bytes(b"12345")
    found = [(info.key, info.length) for info in blobs.list()]
    assert found == [("p/1", 7), ("p/of another program", 5)]


def test_blobs_that_go_during_a_listing_are_left_out(blobs):
    keys = [f"p/{folder}/{number}" for folder in "abc" for number in range(3)]
    for key in keys:
        blobs.put(key, [b"content"])
    listing = blobs.list()
    assert next(listing).key == "p/a/0"
    blobs.delete(["p/a/1", *(key for key in keys if key.startswith("p/b/"))])
    assert [info.key for info in listing] == ["p/a/2", "p/c/0", "p/c/1", "p/c/2"]


def test_opening_a_store_says_what_is_wrong_with_its_folder(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BlobStoreUnavailable, match="Not a directory"):
        FilesystemStore(tmp_path / "file" / "blobs")


def run(program: str, *arguments: object) -> str:
    """Run a program of this project in a process of its own; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
    )
    return done.stdout


PUT_FOR_EVER = """
import itertools, os, sys, threading
from pathlib import Path
from storage.filesystem import FilesystemStore

if sys.argv[2] == "named":
    del os.O_TMPFILE
blobs = FilesystemStore(Path(sys.argv[1]))
numbers = itertools.count()

def work():
    while True:
        number = next(numbers)
        key = f"p/{number // 20}/{number % 3}/{number}"
        blobs.put(key, [b"\\0" * 128, memoryview(key.encode() * 20_000)])
        os.write(1, f"{key}\\n".encode())

for _ in range(4):
    threading.Thread(target=work).start()
"""


@pytest.mark.parametrize("kind", ["nameless", "named"])
def test_a_process_killed_in_the_middle_loses_no_blob_and_shows_no_half_one(folder, kind):
    acknowledged: set[str] = set()
    for _ in range(3):  # a restarted process goes on where the first was killed
        shutil.rmtree(folder, ignore_errors=True)
        acknowledged.clear()
        with subprocess.Popen(
            [sys.executable, "-c", PUT_FOR_EVER, folder, kind],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
        ) as process:
            for line in process.stdout:
                acknowledged.add(line.decode().strip())
                if len(acknowledged) == 100:
                    process.send_signal(signal.SIGKILL)
        assert len(acknowledged) >= 100
        blobs = FilesystemStore(folder)
        listed = {info.key for info in blobs.list()}
        assert acknowledged <= listed
        for key in listed:
            assert content_of(blobs, key) == b"\0" * 128 + key.encode() * 20_000
        blobs.put("p/after/the/kill", [b"content"])
        assert content_of(blobs, "p/after/the/kill") == b"content"
        if kind == "nameless":
            assert names_in(blobs.upload_directory) == []
