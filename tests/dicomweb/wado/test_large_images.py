"""Images of very many frames: any frame is one short read, and metadata stay small and quick."""

from collections.abc import Callable, Iterator

import orjson
import pytest

from index import instances
from index.instances import Reference
from storage.base import BlobReader
from tests.dicomweb.wado.exchange import parts, path
from tests.multiframe import enhanced_ct, frame_content, slide

OCTETS = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
FRAME = "application/octet-stream; transfer-syntax=*"
FRAME_BYTES = 512

IMAGES: dict[str, Callable] = {
    "full": lambda: slide(5000, sparse=False, frame_bytes=FRAME_BYTES),
    "sparse": lambda: slide(5000, sparse=True, frame_bytes=FRAME_BYTES),
    "enhanced": lambda: enhanced_ct(1000, rows=16),
}
COUNTS = {"full": 5000, "sparse": 5000, "enhanced": 1000}


@pytest.fixture
def database_url(tmp_path) -> str:
    """The index matters little here: one database is enough."""
    return f"sqlite://{tmp_path}/index.sqlite"


@pytest.fixture(scope="module", params=IMAGES)
def image(request) -> tuple:
    """A data set without its groups and pixels, its file, and how many frames it has."""
    return (*IMAGES[request.param](), COUNTS[request.param])


@pytest.fixture
def stored(client, version, image) -> tuple:
    """The same, stored."""
    answer = client.post(f"/{version}/studies", data=image[1], content_type="application/dicom")
    assert answer.status_code == 200, answer.text
    return image


class Counted:
    """A reader that counts the bytes that are read."""

    def __init__(self, reader: BlobReader, reads: list[int]) -> None:
        self._reader = reader
        self._reads = reads
        self._reads.append(0)
        self._number = len(reads) - 1
        self.file = None

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._reader:
            self._reads[self._number] += len(chunk)
            yield chunk

    def __getattr__(self, name: str):
        return getattr(self._reader, name)


@pytest.fixture
def reads(archive, monkeypatch) -> list[int]:
    """Bytes that are read by each opening of a blob."""
    counts: list[int] = []
    open_blob = archive.blobs.open
    monkeypatch.setattr(archive.blobs, "open", lambda *range_: Counted(open_blob(*range_), counts))
    return counts


def test_any_frame_is_one_read_of_its_own_bytes(stored, get, reads):
    ds, _, count = stored
    for number in (1, 2, count // 2, count - 1, count):
        del reads[:]
        answer = get(f"{path(ds)}/frames/{number}", FRAME)
        assert (answer.status_code, answer.data) == (200, frame_content(number, FRAME_BYTES))
        assert reads == [FRAME_BYTES]
    assert get(f"{path(ds)}/frames/{count + 1}", FRAME).status_code == 404


def test_frames_side_by_side_are_one_read_and_others_one_each(stored, get, reads):
    ds, _, count = stored
    numbers = range(1, 501)
    answer = get(f"{path(ds)}/frames/{','.join(map(str, numbers))}", OCTETS)
    expected = [frame_content(number, FRAME_BYTES) for number in numbers]
    assert [content for _, content in parts(answer)] == expected
    assert len(reads) == 1
    assert reads[0] <= 500 * (FRAME_BYTES + 8)
    del reads[:]
    scattered = [count, 7, 8, 9, 1]
    answer = get(f"{path(ds)}/frames/{','.join(map(str, scattered))}", OCTETS)
    expected = [frame_content(number, FRAME_BYTES) for number in scattered]
    assert [content for _, content in parts(answer)] == expected
    assert len(reads) == 3


def test_all_frames_as_bulkdata_are_one_read(stored, get, reads):
    ds, _, count = stored
    answer = get(f"{path(ds)}/bulkdata/7FE00010", OCTETS)
    content = b"".join(content for _, content in parts(answer))
    expected = (frame_content(number, FRAME_BYTES) for number in range(1, count + 1))
    assert content == b"".join(expected)
    assert len(reads) == 1


def test_metadata_have_the_groups_of_each_frame_and_read_no_blob(stored, get, reads):
    ds, _, count = stored
    (instance,) = orjson.loads(get(f"{path(ds)}/metadata").data)
    groups = instance.get("52009230", {"Value": []})["Value"]
    if ds.get("DimensionOrganizationType") == "TILED_FULL":
        assert groups == []
    else:
        assert len(groups) == count
        (content,) = groups[41]["00209111"]["Value"]
        assert content["00209157"]["Value"] == ([42, 1] if count == 5000 else [1, 42])
    assert instance["00280008"]["Value"] == [count]
    (some,) = orjson.loads(get(f"{path(ds)}/metadata?includefield=NumberOfFrames").data)
    assert some.keys() == {"00080018", "0020000D", "0020000E", "00280008"}
    assert reads == []


def test_what_the_index_keeps_of_the_groups_is_a_few_bytes_a_frame(archive, stored):
    ds, _, count = stored
    uids = ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID
    _, header, table = instances.with_header(archive.index, Reference(1, *uids))
    assert len(header) < 1000 + 40 * count
    assert len(table) <= 25 + 4 * (count + 1)


def test_the_image_is_found_by_a_search(stored, get, reads):
    ds, _, count = stored
    answer = get(f"instances?SOPInstanceUID={ds.SOPInstanceUID}&includefield=NumberOfFrames")
    (found,) = orjson.loads(answer.data)
    assert found["00280008"]["Value"] == [count]
    assert reads == []
