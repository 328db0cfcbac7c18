"""Orthanc as a client: files sent in chunks as they are read, and studies fetched."""

import json
import uuid
from collections.abc import Iterator

import pytest
import requests
from pydicom.uid import generate_uid

from tests.blackbox.clients.browser import parts
from tests.blackbox.clients.samples import TIMEOUT_S, sample
from tests.blackbox.server import Server
from tests.datasets import dataset, encoded, with_pixels
from tests.dicomweb.wado.exchange import path

JSON = "application/dicom+json"


@pytest.fixture
def datasets():
    """Small and large files of one study."""
    study = {"StudyInstanceUID": generate_uid()}
    large = with_pixels(dataset(**study), 700, 900)
    return [sample("MR_small.dcm", **study), large, sample("MR_small_RLE.dcm", **study)]


def pieces(boundary: str, datasets) -> Iterator[bytes]:
    """Each part has its length, unlike what other clients send; files come in several pieces."""
    for ds in datasets:
        file = encoded(ds)
        yield (
            f"--{boundary}\r\nContent-Type: application/dicom\r\n"
            f"Content-Length: {len(file)}\r\n\r\n"
        ).encode()
        for start in range(0, len(file), 65_536):
            yield file[start : start + 65_536]
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


@pytest.mark.parametrize("count", [1, 3])
def test_files_are_stored_in_chunks(url, datasets, count):
    datasets, boundary = datasets[:count], str(uuid.uuid4())
    answer = requests.post(
        f"{url}/studies",
        data=pieces(boundary, datasets),  # sent with Transfer-Encoding: chunked
        headers={
            "Accept": JSON,
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
        },
        timeout=TIMEOUT_S,
    )
    assert answer.request.headers["Transfer-Encoding"] == "chunked"
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, JSON)
    assert len(answer.json()["00081199"]["Value"]) == count
    accept = 'multipart/related; type="application/dicom"; transfer-syntax=*'
    study = f"{url}/{path(datasets[0], 1)}"
    fetched = requests.get(study, headers={"Accept": accept}, timeout=TIMEOUT_S)
    assert fetched.status_code == 200
    assert sorted(part.data for part in parts(fetched)) == sorted(map(encoded, datasets))


def test_chunks_of_odd_sizes_are_put_together(server: Server, version, datasets):
    """Chunks end within boundaries, headers and files, and may have extensions and trailers."""
    boundary = str(uuid.uuid4())
    body = b"".join(pieces(boundary, datasets[:1]))
    sizes = [1, 7, 3, len(boundary), 2, 1000, 13]
    chunks = []
    while body:
        size = sizes[len(chunks) % len(sizes)]
        chunk, body = body[:size], body[size:]
        chunks.append(b"%X;from=orthanc\r\n%b\r\n" % (len(chunk), chunk))
    head = (
        f"POST /{version}/studies HTTP/1.1\r\nHost: pacs\r\nAccept: {JSON}\r\n"
        "Connection: close\r\nTransfer-Encoding: chunked\r\n"
        f'Content-Type: multipart/related; type="application/dicom"; boundary={boundary}\r\n\r\n'
    ).encode()
    received = server.raw(head + b"".join(chunks) + b"0\r\n\r\n")
    status, _, rest = received.partition(b"\r\n")
    assert status == b"HTTP/1.1 200 OK", received
    (stored,) = json.loads(rest.partition(b"\r\n\r\n")[2])["00081199"]["Value"]
    assert stored["00081155"]["Value"] == [datasets[0].SOPInstanceUID]
