"""Bodies of any size take a bounded amount of memory."""

import threading
from collections.abc import Iterator
from typing import Self

import pytest
import requests
from pydicom.uid import MPEG4HP41

from tests.blackbox.server import Server, running
from tests.datasets import dataset, encoded, with_pixels
from tests.dicomweb.part10.encoded import ITEM, SEQUENCE_END, UNDEFINED, explicit, implicit

MIB = 2**20
LARGE = 3072 * MIB
CHUNK = bytes(4 * MIB)
END_OF_FRAGMENTS = implicit(SEQUENCE_END, b"")


def large_instance() -> tuple[str, bytes, int]:
    """Study UID, the head of a file of about 3 GiB, and how many zero bytes follow it."""
    ds = with_pixels(dataset(), 1024, 1024)
    ds.NumberOfFrames = LARGE // (2 * MIB)
    head = encoded(ds)
    pixels = 2 * MIB
    start = len(head) - pixels
    head = head[: start - 4] + LARGE.to_bytes(4, "little")
    return ds.StudyInstanceUID, head, LARGE


def chunks(head: bytes, zeros: int, tail: bytes = b"") -> Iterator[bytes]:
    yield head
    piece = bytes(4 * MIB)
    for _ in range(zeros // len(piece)):
        yield piece
    yield tail


class PeakMemory:
    """Watches the highest memory of a server while the block runs."""

    def __init__(self, server) -> None:
        self._server = server
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.peak = 0

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self.peak = max(self.peak, self._server.resident_bytes())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    """A server with two workers; what a test stores, it deletes."""
    with running(tmp_path_factory.mktemp("large") / "data", workers="2") as server:
        yield server


def test_an_instance_of_3_gib_is_stored_and_returned_in_bounded_memory(server):
    study, head, zeros = large_instance()
    boundary = b"--b\r\nContent-Type: application/dicom\r\n\r\n"
    related = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}
    url = f"{server.url}/v2/studies"
    idle = server.resident_bytes()
    with PeakMemory(server) as memory:
        body = chunks(boundary + head, zeros, b"\r\n--b--\r\n")
        answer = requests.post(url, data=body, headers=related, timeout=300)
        assert answer.status_code == 200
        instance = f"{url}/{study}/series/{series_of(answer)}/instances/{instance_of(answer)}"
        frame = requests.get(
            f"{instance}/frames/{LARGE // (2 * MIB)}",
            headers={"Accept": "application/octet-stream; transfer-syntax=*"},
            timeout=60,
        )
        assert frame.content == bytes(2 * MIB)
        frames = ",".join(map(str, range(1, 501)))
        octets = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
        assert received(f"{instance}/frames/{frames}", octets) > 500 * 2 * MIB
        files = 'multipart/related; type="application/dicom"; transfer-syntax=*'
        assert received(f"{url}/{study}", files) > len(head) + zeros
    assert memory.peak - idle < 100 * MIB
    assert requests.delete(f"{url}/{study}", timeout=60).status_code == 204


def test_a_video_of_2_gib_is_stored_and_played_from_anywhere_in_bounded_memory(server):
    study, head, length = large_video()
    url = f"{server.url}/v1/studies"
    dicom = {"Content-Type": "application/dicom"}
    idle = server.resident_bytes()
    with PeakMemory(server) as memory:
        body = marked_chunks(head, length, END_OF_FRAGMENTS)
        answer = requests.post(url, data=body, headers=dicom, timeout=300)
        assert answer.status_code == 200
        instance = f"{url}/{study}/series/{series_of(answer)}/instances/{instance_of(answer)}"
        (metadata,) = requests.get(f"{instance}/metadata?bulkdata=uri", timeout=60).json()
        video = metadata["7FE00010"]["BulkDataURI"]
        with requests.Session() as player:
            for chunk in (0, 1, 300, length // len(CHUNK) - 1):
                start = chunk * len(CHUNK)
                asked = {"Range": f"bytes={start}-{start + 99}", "Accept": "video/*"}
                some = player.get(video, headers=asked, timeout=60)
                assert (some.status_code, some.content) == (206, marked(chunk)[:100])
                assert some.headers["Content-Range"] == f"bytes {start}-{start + 99}/{length}"
                assert some.headers["Content-Type"].startswith("video/mp4")
            rest = player.get(video, headers={"Range": f"bytes=-{len(CHUNK)}"}, timeout=60)
            assert rest.content == marked(length // len(CHUNK) - 1)
    assert memory.peak - idle < 100 * MIB
    assert requests.delete(f"{url}/{study}", timeout=60).status_code == 204


def received(url: str, accept: str) -> int:
    """How many bytes are answered."""
    with requests.get(url, headers={"Accept": accept}, stream=True, timeout=300) as answer:
        assert answer.status_code == 200
        return sum(len(chunk) for chunk in answer.iter_content(4 * MIB))


def large_video() -> tuple[str, bytes, int]:
    """Study UID, the head of a file of a video of 2 GiB in one fragment, and its length."""
    length = 2048 * MIB
    ds = dataset(MPEG4HP41, Modality="ES", NumberOfFrames=100_000)
    items = implicit(ITEM, b"") + implicit(ITEM, b"", length)
    return ds.StudyInstanceUID, encoded(ds) + explicit(0x7FE00010, "OB", items, UNDEFINED), length


def marked(number: int) -> bytes:
    """A piece of the video, with its number."""
    return number.to_bytes(8, "little") + CHUNK[8:]


def marked_chunks(head: bytes, length: int, tail: bytes) -> Iterator[bytes]:
    yield head
    yield from map(marked, range(length // len(CHUNK)))
    yield tail


def parts_of_url(answer: requests.Response) -> list[str]:
    (item,) = answer.json()["00081199"]["Value"]
    return item["00081190"]["Value"][0].split("/")


def series_of(answer: requests.Response) -> str:
    return parts_of_url(answer)[-3]


def instance_of(answer: requests.Response) -> str:
    return parts_of_url(answer)[-1]
