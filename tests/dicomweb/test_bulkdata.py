"""Which values of a header are bulk values, how metadata show them, and where they are."""

from base64 import b64decode
from struct import pack

import orjson
import pytest

from dicomweb.bulkdata import find, parse_path, shown_under
from dicomweb.dicomjson import element_json, forget, metadata_json
from dicomweb.errors import BadRequest
from dicomweb.header import Cut, decode_header, encode_header
from dicomweb.part10 import read_part10
from tests.dicomweb.part10.encoded import (
    IMPLICIT,
    JPEG,
    encapsulated,
    explicit,
    implicit,
    item,
    part10,
    sequence,
)

URL = "https://pacs.example/v2/studies/1/series/2/instances/3"
SHORT = bytes(range(256)) * 4
LONG = SHORT + b"\1\0"
BULK_VRS = ("OB", "OD", "OF", "OL", "OV", "OW", "UN")
PRIVATE = 0x00091001


def kept(file: memoryview, dropped=()):
    """The header of a file as it is read back from the index."""
    return decode_header(encode_header(read_part10(file), dropped))


def shown(file: memoryview, dropped=()) -> dict:
    return orjson.loads(metadata_json(kept(file, dropped), shown_under(URL)))


def uri(path: str) -> str:
    return f"{URL}/bulkdata/{path}"


@pytest.mark.parametrize("vr", BULK_VRS)
def test_up_to_1024_bytes_are_inline_and_more_have_a_url(vr):
    file = part10(explicit(PRIVATE, vr, SHORT) + explicit(PRIVATE + 1, vr, LONG))
    elements = shown(file)
    assert elements["00091001"].keys() == {"vr", "InlineBinary"}
    assert elements["00091001"]["vr"] == vr
    assert b64decode(elements["00091001"]["InlineBinary"]) == SHORT
    assert elements["00091002"] == {"vr": vr, "BulkDataURI": uri("00091002")}


def test_without_being_asked_for_bulk_values_are_not_shown_at_all():
    values = explicit(PRIVATE, "OB", SHORT) + explicit(PRIVATE + 1, "OB", LONG)
    file = part10(values + sequence(0x00400100, item(values)))
    for _ in range(2):
        assert orjson.loads(metadata_json(kept(file))) == {
            "00400100": {"vr": "SQ", "Value": [{}]},
        }
        shown(file)  # leaves nothing behind


def test_an_implicit_value_is_shown_whether_or_not_it_was_hidden_before():
    forget()
    file = part10(
        implicit(0x00282000, b"profile!")
        + implicit(PRIVATE, SHORT)
        + implicit(0x00420011, LONG)
        + implicit(PRIVATE + 0x10000, LONG),
        IMPLICIT,
    )
    assert orjson.loads(metadata_json(kept(file))) == {}
    elements = shown(file)
    assert elements["00282000"] == {"vr": "OB", "InlineBinary": "cHJvZmlsZSE="}
    assert b64decode(elements["00091001"]["InlineBinary"]) == SHORT
    assert elements["00420011"] == {"vr": "OB", "BulkDataURI": uri("00420011")}
    assert elements["000A1001"] == {"vr": "UN", "BulkDataURI": uri("000A1001")}
    assert orjson.loads(metadata_json(kept(file))) == {}


def test_a_value_that_the_context_makes_bulk_has_a_url_when_it_is_long():
    descriptor = implicit(0x00283002, pack("<HHH", 4096, 0, 16))
    file = part10(descriptor + implicit(0x00283006, LONG), IMPLICIT)
    assert shown(file)["00283006"] == {"vr": "OW", "BulkDataURI": uri("00283006")}
    assert find(kept(file), "00283006") == ("OW", LONG)


def test_an_unknown_value_too_long_for_the_vr_it_should_have_has_a_url():
    file = part10(explicit(0x00081030, "UN", bytes(0x10000)))
    assert shown(file)["00081030"] == {"vr": "UN", "BulkDataURI": uri("00081030")}


def test_pixel_data_have_a_url_whatever_their_length():
    for value in (b"\1\2", LONG):
        assert shown(part10(explicit(0x7FE00010, "OW", value))) == {
            "7FE00010": {"vr": "OW", "BulkDataURI": uri("7FE00010")}
        }
    assert shown(part10(encapsulated(b"frame!"), JPEG)) == {
        "7FE00010": {"vr": "OB", "BulkDataURI": uri("7FE00010")}
    }


def test_an_empty_value_is_shown_as_empty():
    file = part10(explicit(PRIVATE, "OB", b"") + explicit(0x7FE00010, "OW", b""))
    assert shown(file) == {"00091001": {"vr": "OB"}, "7FE00010": {"vr": "OW"}}


def test_paths_lead_through_sequences_by_tag_and_number_of_the_item():
    inner = sequence(0x00400440, item(b""), item(explicit(PRIVATE, "OB", LONG)), defined=False)
    outer = sequence(0x00400100, item(explicit(PRIVATE, "OW", SHORT)), item(inner, defined=False))
    file = part10(outer + explicit(PRIVATE + 0x390000, "OB", LONG))
    (first, second) = shown(file)["00400100"]["Value"]
    path = "00400100/2/00400440/2/00091001"
    assert b64decode(first["00091001"]["InlineBinary"]) == SHORT
    assert second["00400440"]["Value"] == [
        {},
        {"00091001": {"vr": "OB", "BulkDataURI": uri(path)}},
    ]
    header = kept(file)
    found = find(header, path)
    assert found.vr == "OB"
    assert file[found.value.offset : found.value.offset + found.value.length] == LONG
    assert find(header, "00400100/1/00091001") == ("OW", SHORT)
    assert find(header, "00421001").value.length == len(LONG)


@pytest.mark.parametrize(
    "path",
    [
        *("00091003", "00400100", "00400100/3/00091001", "00400100/1/00091003", "00080016"),
        *(
            "00091001/1/00091001",
            "00080018/1/00091001",
            "00020001",
            "00090000",
            "00400100/1/00080016",
        ),
        "00400100/" + "9" * 5000 + "/00091001",
    ],
)
def test_nothing_is_found_where_there_is_no_bulk_value(path):
    file = part10(
        explicit(0x00080016, "UI", b"1.2\0")
        + explicit(0x00090000, "OB", b"\1\2\3\4")
        + explicit(PRIVATE, "OB", LONG)
        + sequence(0x00400100, item(explicit(0x00080016, "UI", b"1.2\0")), item(b""))
    )
    assert find(kept(file), path) is None


def test_what_was_dropped_is_neither_shown_nor_found():
    file = part10(
        explicit(PRIVATE, "OB", LONG)
        + sequence(0x00400100, item(explicit(PRIVATE, "OB", LONG)))
        + explicit(0x7FE00010, "OW", LONG)
    )
    dropped = [PRIVATE, 0x00400100]
    assert shown(file, dropped).keys() == {"7FE00010"}
    for path in ("00091001", "00400100/1/00091001"):
        assert find(kept(file), path)
        assert find(kept(file, dropped), path) is None


def test_a_choice_of_attributes_may_have_bulk_values_too():
    header = kept(part10(explicit(PRIVATE, "OB", LONG) + explicit(PRIVATE + 1, "OB", LONG)))
    assert orjson.loads(element_json(header, [PRIVATE], shown_under(URL))) == {
        "00091001": {"vr": "OB", "BulkDataURI": uri("00091001")}
    }


def test_a_url_is_escaped_as_json_asks():
    header = kept(part10(explicit(PRIVATE, "OB", LONG)))
    odd = 'http://h/"\\'
    elements = orjson.loads(metadata_json(header, shown_under(odd)))
    assert elements["00091001"]["BulkDataURI"] == f"{odd}/bulkdata/00091001"


def test_where_a_value_is_counts_in_the_file():
    file = part10(explicit(PRIVATE, "OB", LONG))
    found = find(kept(file), "00091001")
    assert isinstance(found.value, Cut)
    assert file[found.value.offset :] == LONG


@pytest.mark.parametrize("path", ["7fe00010", "0040a730/1/00420011", "00091001/999/0009100A"])
def test_a_path_is_taken_in_any_case(path):
    assert parse_path(path) == path.upper()


@pytest.mark.parametrize(
    "path",
    [
        *("7FE0001", "7FE000100", "PixelData", "7FE0,0010", "00420010/1", "00420010/0/00420011"),
        *("00420010/01/00420011", "00420010//00420011", "/7FE00010", "7FE00010/", "00420010/x/1"),
        *("00420010/1/00420011/", "00420010/00420011", "٠٠٤٢٠٠١١", "7FE00010\n", "0" * 5000),
    ],
)
def test_a_malformed_path_is_refused_with_what_would_be_right(path):
    with pytest.raises(BadRequest, match="00420010/1/00420011") as raised:
        parse_path(path)
    assert len(str(raised.value)) < 500
