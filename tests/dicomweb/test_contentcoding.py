import gzip

import orjson
import pytest

from dicomweb.contentcoding import LEAST_BYTES, encoded, takes_gzip, together
from dicomweb.errors import NotAcceptable
from tests.datasets import part10

LONG = b"0123456789" * LEAST_BYTES


@pytest.mark.parametrize(
    "header",
    [
        *("gzip", "GZIP", "x-gzip", "*", "gzip, deflate, br", "br;q=1.0, gzip;q=0.2"),
        *("gzip;q=0.5, identity;q=0.5", "identity;q=0.1, *;q=0.2", "gzip ; q=0.001"),
        *("gzip;q=high", "gzip;q=7", "gzip;q=nan", "identity;q=0, gzip", "*;q=0, gzip;q=0.1"),
    ],
)
def test_a_long_answer_is_compressed_for_who_takes_gzip(header):
    content, headers = encoded(LONG, header)
    assert headers == {"Vary": "Accept-Encoding", "Content-Encoding": "gzip"}
    assert len(content) < len(LONG)
    assert gzip.decompress(content) == LONG
    assert takes_gzip(header)


@pytest.mark.parametrize(
    "header",
    [
        *(None, "", "identity", "br, deflate", "gzip;q=0", "gzip;q=0, *", "*;q=0, identity"),
        *("gzip;q=0.5, identity", "*;q=0.1, identity;q=0.2", "gzipped", ",", ";q=1"),
    ],
)
def test_an_answer_is_sent_as_it_is_to_who_does_not_take_gzip_or_would_rather_not(header):
    assert encoded(LONG, header) == (LONG, {"Vary": "Accept-Encoding"})
    assert not takes_gzip(header)


def test_a_short_answer_is_compressed_only_if_it_has_to_be():
    for header in ("gzip", "*", "gzip, identity;q=0.1"):
        assert encoded(b"short", header) == (b"short", {"Vary": "Accept-Encoding"})
    for header in ("gzip, identity;q=0", "gzip, *;q=0"):
        content, headers = encoded(b"short", header)
        assert headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(content) == b"short"


@pytest.mark.parametrize("header", ["identity;q=0", "*;q=0", "br, *;q=0", "gzip;q=0, identity;q=0"])
def test_who_takes_neither_gzip_nor_identity_is_told_what_is_on_offer(header):
    for judge in (takes_gzip, lambda header: encoded(b"", header)):
        with pytest.raises(NotAcceptable, match="gzip or identity"):
            judge(header)


@pytest.fixture
def database_url(tmp_path) -> str:
    """The index matters little here: one database is enough."""
    return f"sqlite://{tmp_path}/index.sqlite"


@pytest.mark.parametrize(
    "path", ["instances?includefield=ImageComments", "changefeed", "changefeed/latest"]
)
def test_searches_and_the_change_feed_are_compressed_for_who_takes_it(client, version, path):
    stored = client.post(
        f"/{version}/studies",
        data=part10(ImageComments="x" * LEAST_BYTES),
        content_type="application/dicom",
    )
    assert stored.status_code == 200
    plain = client.get(f"/{version}/{path}")
    packed = client.get(f"/{version}/{path}", headers={"Accept-Encoding": "gzip"})
    for answer in (plain, packed):
        assert answer.status_code == 200
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert answer.headers["Content-Type"] == plain.headers["Content-Type"]
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) == len(packed.data) < len(plain.data)
    assert gzip.decompress(packed.data) == plain.data
    assert orjson.loads(plain.data)
    refused = client.get(f"/{version}/{path}", headers={"Accept-Encoding": "identity;q=0"})
    assert (refused.status_code, "gzip" in refused.text) == (406, True)


@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_a_page_of_the_feed_that_is_too_long_is_sent_as_it_is_made(
    client, version, monkeypatch, coding
):
    for _ in range(3):
        client.post(f"/{version}/studies", data=part10(), content_type="application/dicom")
    headers = {"Accept-Encoding": coding}
    whole = client.get(f"/{version}/changefeed").data
    monkeypatch.setattr("dicomweb.changefeed.entries.STREAMED_BYTES", 0)
    streamed = client.get(f"/{version}/changefeed", headers=headers)
    assert "Content-Length" not in streamed.headers
    assert (gzip.decompress if coding == "gzip" else bytes)(streamed.data) == whole
    assert len(orjson.loads(whole)) == 3


def test_pieces_are_put_together_up_to_a_length():
    pieces = [b"ab", b"", b"cd", b"ef"]
    assert together(iter(pieces), 6) == b"abcdef"
    assert together(iter([]), 0) == b""
    for most in range(6):
        streamed = together(iter(pieces), most)
        assert not isinstance(streamed, bytes)
        assert b"".join(streamed) == b"abcdef"


def test_what_comes_in_pieces_is_compressed_whatever_its_length():
    content, headers = encoded(iter([b"a", b"b"]), "gzip")
    assert headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(b"".join(content)) == b"ab"
    content, headers = encoded(iter([b"a", b"b"]), None)
    assert headers == {"Vary": "Accept-Encoding"}
    assert list(content) == [b"a", b"b"]
