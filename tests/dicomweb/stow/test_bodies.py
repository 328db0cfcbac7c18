"""Bodies that do not arrive as they were announced: nothing of them is stored."""

from io import BytesIO

import pytest
from gunicorn.http.body import Body, ChunkedReader
from gunicorn.http.unreader import IterUnreader

from tests.datasets import dataset, encoded

DICOM = "application/dicom"
RELATED = 'multipart/related; type="application/dicom"; boundary=b'
TRAILING = 0xFFFCFFFC
"""Data Set Trailing Padding: an instance is whole without it, as far as one can see."""


def padded() -> tuple[bytes, int]:
    """A file, and where its last element begins."""
    ds = dataset()
    ds.add_new(TRAILING, "OB", bytes(64))
    file = encoded(ds)
    return file, len(file) - 12 - 64


@pytest.fixture
def sent(client, archive, version):
    """Posts a body as the server passes it on, too large to be buffered."""
    settings = archive.settings.model_copy(update={"max_buffered_bytes": 1})
    object.__setattr__(archive, "settings", settings)

    def sent(content_type: str = DICOM, **environ):
        return client.post(
            f"/{version}/studies",
            content_type=content_type,
            environ_overrides={"wsgi.input_terminated": True} | environ,
        )

    return sent


def chunked(body: bytes) -> dict:
    """What the server passes on of a chunked body."""
    reader = ChunkedReader(None, IterUnreader(iter([body])))
    return {"wsgi.input": Body(reader), "HTTP_TRANSFER_ENCODING": "chunked"}


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def nothing_is_left(archive) -> bool:
    return not list(archive.blobs.list()) and not list(archive.blobs.upload_directory.iterdir())


def test_a_file_that_ends_before_its_announced_length_is_not_stored(sent, archive):
    file, end = padded()
    answer = sent(**{"wsgi.input": BytesIO(file[:end]), "CONTENT_LENGTH": str(len(file))})

    assert answer.status_code == 400
    assert answer.text == f"The body ended after {end} of {len(file)} bytes."
    assert nothing_is_left(archive)


@pytest.mark.parametrize("content_type", [DICOM, RELATED])
@pytest.mark.parametrize(
    "end",
    [
        b"",
        b"5\r\nab",
        b"zz\r\nab\r\n",
        b"-1\r\n",
        b"2\r\nabc\r\n",
        b"0\r\n",
    ],
    ids=["no end", "cut short", "no size", "negative", "too long", "no trailer"],
)
def test_a_malformed_chunked_body_is_400_and_not_logged(sent, archive, caplog, content_type, end):
    file, boundary = padded()
    answer = sent(content_type, **chunked(chunk(file[:boundary]) + end))

    assert answer.status_code == 400
    assert answer.content_type == "text/plain; charset=utf-8"
    assert "its chunks are malformed" in answer.text
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    assert nothing_is_left(archive)
