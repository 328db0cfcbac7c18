"""Bodies of any size take a bounded amount of memory."""

import threading
from collections.abc import Iterator
from typing import Self

import requests

from tests.blackbox.server import running
from tests.datasets import dataset, encoded, with_pixels

MIB = 2**20
LARGE = 3072 * MIB


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


def test_an_instance_of_3_gib_is_stored_and_returned_in_bounded_memory(tmp_path):
    study, head, zeros = large_instance()
    boundary = b"--b\r\nContent-Type: application/dicom\r\n\r\n"
    related = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}
    with running(tmp_path / "data", workers="2") as server:
        url = f"{server.url}/v2/studies"
        idle = server.resident_bytes()
        with PeakMemory(server) as memory:
            body = chunks(boundary + head, zeros, b"\r\n--b--\r\n")
            answer = requests.post(url, data=body, headers=related, timeout=300)
            assert answer.status_code == 200
            frame = requests.get(
                f"{url}/{study}/series/{series_of(answer)}/instances/{instance_of(answer)}/frames/"
                f"{LARGE // (2 * MIB)}",
                headers={"Accept": "application/octet-stream; transfer-syntax=*"},
                timeout=60,
            )
            assert frame.content == bytes(2 * MIB)
            with requests.get(
                f"{url}/{study}",
                headers={
                    "Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'
                },
                stream=True,
                timeout=300,
            ) as whole:
                assert whole.status_code == 200
                received = sum(len(chunk) for chunk in whole.iter_content(4 * MIB))
        assert received > len(head) + zeros
        assert memory.peak - idle < 100 * MIB
        assert requests.delete(f"{url}/{study}", timeout=60).status_code == 204


def parts_of_url(answer: requests.Response) -> list[str]:
    (item,) = answer.json()["00081199"]["Value"]
    return item["00081190"]["Value"][0].split("/")


def series_of(answer: requests.Response) -> str:
    return parts_of_url(answer)[-3]


def instance_of(answer: requests.Response) -> str:
    return parts_of_url(answer)[-1]
