import pytest

from dicomweb.errors import RangeNotSatisfiable
from dicomweb.ranges import Selected, select

WHOLE = 1000


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-499", 0, 500),
        ("bytes=500-", 500, 1000),
        ("bytes=999-", 999, 1000),
        ("bytes=990-5000", 990, 1000),
        ("bytes=0-", 0, 1000),
        ("bytes=-1", 999, 1000),
        ("bytes=-5000", 0, 1000),
        ("bytes=0007-0008", 7, 9),
        ("bytes=0-" + "9" * 5000, 0, 1000),
        ("bytes=-" + "9" * 5000, 0, 1000),
        ("Bytes= 3-4 ,", 3, 5),
    ],
)
def test_a_range_is_clipped_to_what_there_is(header, start, stop):
    asked = select(header, WHOLE)
    assert asked == Selected(start, stop, WHOLE, partial=True)
    assert asked.length == stop - start
    assert asked.status == 206
    assert asked.headers["Content-Range"] == f"bytes {start}-{stop - 1}/1000"


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=1000-1001", "bytes=-0", "bytes=-000"])
def test_a_range_that_is_not_there_cannot_be_satisfied(header):
    with pytest.raises(RangeNotSatisfiable) as raised:
        select(header, WHOLE)
    assert raised.value.status == 416
    assert raised.value.headers == {"Content-Range": "bytes */1000"}
    assert "1000" in str(raised.value)


def test_a_position_of_any_length_is_beyond_the_end():
    with pytest.raises(RangeNotSatisfiable):
        select("bytes=" + "1" * 5000 + "-", WHOLE)


@pytest.mark.parametrize(
    "header",
    [
        *(None, "", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-3", "bytes=1", "bytes=--1"),
        *("items=0-1", "0-1", "bytes=0-1;q=1", "bytes=٣-٤", "bytes=1.5-2", "bytes:0-1"),
        *("bytes=0-1,3-4", "bytes=0-1, -1", "bytes=0-9,5-"),
    ],
)
def test_what_is_malformed_or_several_ranges_selects_everything(header):
    asked = select(header, WHOLE)
    assert asked == Selected(0, WHOLE, WHOLE)
    assert asked.status == 200
    assert asked.headers == {"Accept-Ranges": "bytes"}


def test_of_nothing_the_end_is_all_and_a_beginning_is_not_there():
    assert select("bytes=-5", 0) == Selected(0, 0, 0)
    with pytest.raises(RangeNotSatisfiable):
        select("bytes=0-", 0)
