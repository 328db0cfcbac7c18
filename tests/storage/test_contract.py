"""What every blob store promises (storage/base.py), asked of every blob store."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from storage.base import CHUNK_BYTES, BlobExists, BlobNotFound, BlobStore

KEY = "Microsoft.Default/1.2.3/1.2.3.4/1.2.3.4.5_638.dcm"
LOCAL = ["memory_blobs", "folder_blobs", "named_folder_blobs"]
STORES = [*LOCAL, "rclone_blobs"]
# rclone ignores If-None-Match, and will not have a key deleted that is one of its folders.
OBEYING = [*LOCAL, "moto_blobs"]


@pytest.fixture(params=STORES)
def blobs(request) -> BlobStore:
    return request.getfixturevalue(request.param)


@pytest.fixture(params=OBEYING)
def obeying_blobs(request) -> BlobStore:
    return request.getfixturevalue(request.param)


def content_of(blobs: BlobStore, key: str, start: int = 0, stop: int | None = None) -> bytes:
    """What a range holds, read in both ways."""
    with blobs.open(key, start, stop) as reader:
        read = reader.read()
        assert reader.length == len(read)
    with blobs.open(key, start, stop) as reader:
        chunks = list(reader)
    assert b"".join(chunks) == read
    assert all(0 < len(chunk) <= CHUNK_BYTES for chunk in chunks)
    return read


def keys_of(blobs: BlobStore, prefix: str = "") -> list[str]:
    return [info.key for info in blobs.list(prefix)]


def upload(blobs: BlobStore, content: bytes) -> os.PathLike:
    path = blobs.upload_directory / "upload"
    path.write_bytes(content)
    return path


def test_what_was_put_is_read_back(blobs):
    blobs.put(KEY, [b"DICM"])
    assert content_of(blobs, KEY) == b"DICM"
    assert blobs.length(KEY) == 4


@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [b""],
        [b"", b"one", b""],
        [b"\0" * 128, memoryview(b"a part of a body")[2:6], bytearray(b"!")],
        [memoryview(b"12345678").cast("H"), b"9"],
        [b"%d," % number for number in range(3000)],
    ],
    ids=["none", "empty", "empties", "kinds", "wide items", "more than one writev takes"],
)
def test_pieces_become_one_blob_in_their_order(blobs, pieces):
    blobs.put(KEY, pieces)
    assert content_of(blobs, KEY) == b"".join(pieces)


def test_a_blob_of_several_chunks_is_read_back(blobs):
    content = os.urandom(2 * CHUNK_BYTES + 1)
    blobs.put(KEY, [content])
    assert content_of(blobs, KEY) == content


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (0, None, b"0123456789"),
        (0, 4, b"0123"),
        (3, 7, b"3456"),
        (3, None, b"3456789"),
        (9, 10, b"9"),
        (8, 99, b"89"),
        (0, 99, b"0123456789"),
        (4, 4, b""),
        (0, 0, b""),
        (10, None, b""),
        (10, 11, b""),
        (50, 60, b""),
    ],
)
def test_a_range_is_clipped_to_the_blob(blobs, start, stop, expected):
    blobs.put(KEY, [b"0123456789"])
    assert content_of(blobs, KEY, start, stop) == expected


@pytest.mark.parametrize(("start", "stop"), [(0, None), (0, 5), (3, None), (0, 0)])
def test_an_empty_blob_has_only_empty_ranges(blobs, start, stop):
    blobs.put(KEY, [b""])
    assert content_of(blobs, KEY, start, stop) == b""
    assert blobs.length(KEY) == 0


def test_a_range_longer_than_a_chunk_comes_in_chunks(blobs):
    content = os.urandom(3 * CHUNK_BYTES)
    blobs.put(KEY, [content])
    assert content_of(blobs, KEY, 5, 2 * CHUNK_BYTES + 9) == content[5 : 2 * CHUNK_BYTES + 9]


@pytest.mark.parametrize(("start", "stop"), [(-1, None), (5, 4), (-4, -2)])
def test_a_range_that_is_none_is_refused(blobs, start, stop):
    blobs.put(KEY, [b"0123456789"])
    with pytest.raises(ValueError, match="no range of bytes"):
        blobs.open(KEY, start, stop)


@pytest.mark.parametrize(("start", "stop"), [(0, None), (2, 5), (3, None), (1, 1)])
def test_opening_a_missing_key_raises_at_once(blobs, start, stop):
    blobs.put(KEY, [b"there"])
    with pytest.raises(BlobNotFound):
        blobs.open("Microsoft.Default/1.2.3/1.2.3.4/absent.dcm", start, stop)


def test_the_length_of_a_missing_key_is_an_error(blobs):
    with pytest.raises(BlobNotFound):
        blobs.length(KEY)


@pytest.mark.parametrize("key", ["Microsoft.Default", "Microsoft.Default/1.2.3", KEY + "/more"])
def test_what_is_above_or_below_a_blob_is_not_a_blob(blobs, key):
    blobs.put(KEY, [b"there"])
    with pytest.raises(BlobNotFound):
        blobs.open(key)
    with pytest.raises(BlobNotFound):
        blobs.length(key)


@pytest.mark.parametrize("key", ["Microsoft.Default", "Microsoft.Default/1.2.3", KEY + "/more"])
def test_deleting_what_is_above_or_below_a_blob_deletes_nothing(obeying_blobs, key):
    obeying_blobs.put(KEY, [b"there"])
    obeying_blobs.delete([key])
    assert keys_of(obeying_blobs) == [KEY]


def test_a_reader_may_be_closed_again_and_before_its_end(blobs):
    blobs.put(KEY, [os.urandom(2 * CHUNK_BYTES)])
    reader = blobs.open(KEY)
    assert len(next(iter(reader))) > 0
    reader.close()
    reader.close()
    assert blobs.length(KEY) == 2 * CHUNK_BYTES


def test_a_readers_file_stands_at_the_start_of_the_range(blobs):
    blobs.put(KEY, [b"0123456789"])
    with blobs.open(KEY, 3, 7) as reader:
        if reader.file is not None:
            assert os.lseek(reader.file.fileno(), 0, os.SEEK_CUR) == 3
            assert reader.file.read(reader.length) == b"3456"
        assert reader.read() == b"3456"


def test_a_key_that_is_taken_is_not_overwritten_by_put(obeying_blobs):
    obeying_blobs.put(KEY, [b"first"])
    with pytest.raises(BlobExists):
        obeying_blobs.put(KEY, [b"second"])
    assert content_of(obeying_blobs, KEY) == b"first"


def test_a_key_that_is_taken_is_not_overwritten_by_adopt(blobs):
    blobs.put(KEY, [b"first"])
    path = upload(blobs, b"second")
    with pytest.raises(BlobExists):
        blobs.adopt(KEY, path)
    assert content_of(blobs, KEY) == b"first"
    assert path.read_bytes() == b"second"


def test_of_several_threads_putting_one_key_one_succeeds(obeying_blobs):
    def put(content: bytes) -> bytes | None:
        try:
            obeying_blobs.put(KEY, [content])
        except BlobExists:
            return None
        return content

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(put, [b"%d" % number for number in range(8)]))
    stored = [outcome for outcome in outcomes if outcome is not None]
    assert stored == [content_of(obeying_blobs, KEY)]


@pytest.mark.parametrize("length", [0, 5, 20 << 20], ids=["empty", "small", "in parts"])
def test_an_adopted_file_becomes_a_blob_and_is_gone(blobs, length):
    content = os.urandom(length)
    path = upload(blobs, content)
    blobs.adopt(KEY, path)
    assert content_of(blobs, KEY) == content
    assert keys_of(blobs) == [KEY]
    assert not path.exists()


def test_adopting_a_file_that_is_not_there_leaves_nothing(blobs):
    with pytest.raises(FileNotFoundError):
        blobs.adopt(KEY, blobs.upload_directory / "absent")
    assert keys_of(blobs) == []


def test_a_source_that_fails_in_the_middle_leaves_nothing(blobs):
    def pieces():
        yield b"the first half"
        raise RuntimeError("the client went away")

    with pytest.raises(RuntimeError, match="went away"):
        blobs.put(KEY, pieces())
    assert keys_of(blobs) == []
    blobs.put(KEY, [b"the whole"])
    assert content_of(blobs, KEY) == b"the whole"


def test_deleted_blobs_are_gone_and_others_stay(blobs):
    kept = "Microsoft.Default/1.2.3/1.2.3.4/1.2.3.4.6_639.dcm"
    for key in (KEY, kept):
        blobs.put(key, [b"content"])
    blobs.delete([KEY, "Microsoft.Default/9/9/9_9.dcm"])
    with pytest.raises(BlobNotFound):
        blobs.open(KEY)
    assert keys_of(blobs) == [kept]
    blobs.delete(iter([KEY, kept]))
    assert keys_of(blobs) == []


def test_deleting_nothing_is_fine(blobs):
    blobs.delete([])
    blobs.delete(["p/absent"])


def test_a_listing_says_length_and_time_of_each_blob(blobs):
    blobs.put("p/1", [b"12345"])
    blobs.put("p/2", [])
    first, second = blobs.list()
    assert (first.key, first.length) == ("p/1", 5)
    assert (second.key, second.length) == ("p/2", 0)
    assert first.modified.tzinfo is UTC
    assert abs(datetime.now(UTC) - first.modified) < timedelta(minutes=10)


def test_a_listing_is_in_the_order_of_whole_keys(blobs):
    keys = ["p.q/a", "p/1-2/a", "p/1.2/a", "p/1.2/b", "p/1/a", "p/10/a", "p/1a", "q", "q-1/a"]
    for key in reversed(keys):
        blobs.put(key, [b"content"])
    assert keys == sorted(keys)
    assert keys_of(blobs) == keys


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("p/1.2/3", ["p/1.2/3/a", "p/1.2/3/b", "p/1.2/34/a"]),
        ("p/1.2/3/", ["p/1.2/3/a", "p/1.2/3/b"]),
        ("p/1.2/3/b", ["p/1.2/3/b"]),
        ("p/1.", ["p/1.2/3/a", "p/1.2/3/b", "p/1.2/34/a"]),
        ("q", ["q/1/a"]),
        ("p/1.2/3/a/", []),
        ("absent/", []),
        ("/p", []),
        ("../", []),
        ("p/../q", []),
    ],
)
def test_a_prefix_selects_the_keys_that_start_with_it(blobs, prefix, expected):
    for key in ("p/1.2/3/a", "p/1.2/3/b", "p/1.2/34/a", "q/1/a"):
        blobs.put(key, [b"content"])
    assert keys_of(blobs, prefix) == expected


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/",
        "/etc/passwd",
        "..",
        "../a",
        "p/../../a",
        "p//a",
        "p/./a",
        "p/",
        ".uploads/a",
        "a\0b",
    ],
)
def test_what_is_no_key_is_refused_everywhere(blobs, key):
    path = upload(blobs, b"content")
    for attempt in (
        lambda: blobs.put(key, [b"content"]),
        lambda: blobs.adopt(key, path),
        lambda: blobs.open(key),
        lambda: blobs.length(key),
        lambda: blobs.delete([key]),
    ):
        with pytest.raises(ValueError, match="not a key"):
            attempt()
    assert path.read_bytes() == b"content"
    assert keys_of(blobs) == []


def test_names_with_escapes_and_odd_letters_are_kept(blobs):
    key = "%2E./1+2 3/ü&=?#/~%25_1.dcm"
    blobs.put(key, [b"content"])
    assert keys_of(blobs) == [key]
    assert content_of(blobs, key) == b"content"
    blobs.delete([key])
    assert keys_of(blobs) == []


def test_a_healthy_store_passes_its_check_and_keeps_nothing_of_it(blobs):
    blobs.put(KEY, [b"content"])
    blobs.check()
    assert keys_of(blobs) == [KEY]


def test_blobs_are_put_and_read_by_many_threads_at_once(blobs):
    def work(number: int) -> None:
        for version in range(5):
            key = f"p/study/{number % 2}/{number}_{version}.dcm"
            blobs.put(key, [b"%d " % number, b"%d" % version])
            assert content_of(blobs, key) == b"%d %d" % (number, version)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(keys_of(blobs)) == 40
