"""Ranges of the bytes of an instance."""

import pytest

from tests.datasets import dataset, with_pixels
from tests.dicomweb.wado.exchange import parts, path

SINGLE = "application/dicom; transfer-syntax=*"
MULTIPART = 'multipart/related; type="application/dicom"; transfer-syntax=*'


@pytest.fixture
def database_url(tmp_path) -> str:
    """The index matters little here: one database is enough."""
    return f"sqlite://{tmp_path}/index.sqlite"


@pytest.fixture
def stored(store) -> tuple[str, bytes]:
    """Path and file of an instance."""
    ds = with_pixels(dataset(), frames=3)
    (file,) = store(ds)
    return path(ds), file


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("0-131", slice(0, 132)),
        ("128-", slice(128, None)),
        ("-10", slice(-10, None)),
        ("100-100", slice(100, 101)),
    ],
)
def test_a_range_of_an_instance_is_read_and_sent_alone(stored, get, ranges, asked, expected):
    where, file = stored
    first, last, _ = expected.indices(len(file))
    answer = get(where, SINGLE, Range=f"bytes={asked}")
    assert (answer.status_code, answer.data) == (206, file[expected])
    assert answer.headers["Content-Range"] == f"bytes {first}-{last - 1}/{len(file)}"
    assert answer.headers["Content-Length"] == str(last - first)
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Content-Type"].startswith("application/dicom; transfer-syntax=1.2.840")
    assert ranges == [(first, last)]


def test_a_whole_instance_says_that_it_has_ranges(stored, get):
    where, file = stored
    answer = get(where, SINGLE)
    assert (answer.status_code, answer.data) == (200, file)
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert "Content-Range" not in answer.headers


def test_a_range_behind_the_end_is_refused_with_the_length(stored, get, ranges):
    where, file = stored
    answer = get(where, SINGLE, Range=f"bytes={len(file)}-")
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(file)}"
    assert str(len(file)) in answer.text
    assert ranges == []


@pytest.mark.parametrize("asked", ["bytes=5-3", "bytes=0-1,4-5", "lines=1-2", "bytes=x"])
def test_other_ranges_are_passed_over(stored, get, asked):
    where, file = stored
    answer = get(where, SINGLE, Range=asked)
    assert (answer.status_code, answer.data) == (200, file)


def test_a_message_of_several_parts_has_no_ranges(stored, get):
    where, file = stored
    answer = get(where, MULTIPART, Range="bytes=0-9")
    assert [content for _, content in parts(answer)] == [file]
    assert "Accept-Ranges" not in answer.headers


def test_a_range_is_sent_only_if_the_rest_that_the_client_has_is_of_the_same_file(stored, get):
    where, file = stored
    etag = get(where, SINGLE).headers["ETag"]
    for same in (etag, etag.strip('"')):
        answer = get(where, SINGLE, Range="bytes=0-9", If_Range=same)
        assert (answer.status_code, answer.data) == (206, file[:10])
    for other in ('"1"', f"W/{etag}", "Wed, 21 Oct 2015 07:28:00 GMT", ""):
        answer = get(where, SINGLE, Range="bytes=0-9", If_Range=other)
        assert (answer.status_code, answer.data) == (200, file)
        answer = get(where, SINGLE, Range=f"bytes={len(file)}-", If_Range=other)
        assert (answer.status_code, answer.data) == (200, file)


def test_who_has_the_whole_is_not_sent_a_range(stored, get):
    where, _ = stored
    etag = get(where, SINGLE).headers["ETag"]
    answer = get(where, SINGLE, Range="bytes=0-9", If_None_Match=etag)
    assert (answer.status_code, answer.data) == (304, b"")


def test_head_passes_over_ranges(client, version, stored):
    where, file = stored
    headers = {"Accept": SINGLE, "Range": "bytes=0-9"}
    answer = client.head(f"/{version}/{where}", headers=headers)
    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(file))
    assert answer.headers["Accept-Ranges"] == "bytes"
