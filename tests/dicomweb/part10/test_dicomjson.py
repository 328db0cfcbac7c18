"""The DICOM JSON of single values, where the contract or PS3.18 Annex F says how it must look."""

import json
from struct import pack

import orjson
import pytest

from dicomweb import dicomjson
from dicomweb.dicomjson import element_json, members, metadata_json, values
from dicomweb.part10 import decode_header, encode_header, read_part10
from tests.dicomweb.part10.encoded import EXPLICIT, IMPLICIT, explicit, implicit, item, part10
from tests.dicomweb.part10.encoded import sequence as sequence_of

TAG = 0x00091010  # no VR of its own: any will do


def metadata(data_set: bytes, syntax: str = EXPLICIT) -> dict:
    encoded = metadata_json(read_part10(part10(data_set, syntax)))
    assert orjson.loads(encoded) == json.loads(encoded)  # orjson knows no NaN, nor lone surrogates
    return json.loads(encoded)


def shown(vr: str, raw: bytes) -> dict | None:
    """The element of that VR and value, without its ``vr``."""
    element = metadata(explicit(TAG, vr, raw)).get(f"{TAG:08X}")
    if element is not None:
        assert element.pop("vr") == vr
    return element


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        (b"1", 1),
        (b"-0.5 ", -0.5),
        (b" +7", 7),
        (b"007", 7),
        (b"+.5", 0.5),
        (b"-5.", -5),
        (b"1.5E-3", 0.0015),
        (b"1e05\0", 100000),
        (b"0.1", 0.1),
        (b"9007199254740991", 2**53 - 1),
    ],
)
@pytest.mark.parametrize("vr", ["DS", "IS"])
def test_numbers_in_text_are_numbers(vr, raw, number):
    assert shown(vr, raw) == {"Value": [number]}


def test_a_decimal_string_keeps_all_its_digits():
    element = explicit(TAG, "DS", b"0.70710678118654757")
    assert b"[0.70710678118654757]" in metadata_json(read_part10(part10(element)))


@pytest.mark.parametrize(
    "raw",
    [b"1A", b"NaN", b"inf", b"1_0", b".", b"--1", b"1e999", b"9007199254740992", b"9" * 400, b"+"],
)
@pytest.mark.parametrize("vr", ["DS", "IS"])
def test_what_is_no_number_or_not_the_same_to_all_readers_is_a_string(vr, raw):
    assert shown(vr, raw) == {"Value": [raw.decode()]}


def test_binary_numbers_that_json_does_not_have_are_strings():
    raw = pack("<4d", float("nan"), float("inf"), float("-inf"), -0.5)
    assert shown("FD", raw) == {"Value": ["NaN", "Infinity", "-Infinity", -0.5]}
    exact = 2**53 - 1
    assert shown("UV", pack("<2Q", exact, 2**53)) == {"Value": [exact, "9007199254740992"]}
    assert shown("SV", pack("<2q", -exact, -(2**63))) == {"Value": [-exact, "-9223372036854775808"]}


@pytest.mark.parametrize("vr", ["US", "SS", "UL", "SL", "FL", "FD", "SV", "UV", "AT"])
def test_a_number_of_the_wrong_length_is_left_out_as_if_it_were_unknown(vr):
    assert shown(vr, b"123") is None


@pytest.mark.parametrize("vr", ["LO", "SH", "CS", "UI", "DA", "DS", "IS", "PN", "US", "AT", "UT"])
def test_an_empty_element_has_no_value(vr):
    assert shown(vr, b"") == {}


@pytest.mark.parametrize("vr", ["LO", "SH", "CS", "UI", "DA", "DS", "IS", "PN", "UT", "ST", "UR"])
def test_an_element_of_blanks_has_no_value(vr):
    assert shown(vr, b"    ") == {}


@pytest.mark.parametrize("vr", ["LO", "SH", "CS", "UI", "DA", "DS", "IS", "PN", "UC"])
def test_an_empty_value_among_others_is_null(vr):
    raw = b"1\\\\" if vr != "DA" else b"\\1\\"
    one = {"Alphabetic": "1"} if vr == "PN" else 1 if vr in ("DS", "IS") else "1"
    expected = [None, one, None] if vr == "DA" else [one, None, None]
    assert shown(vr, raw) == {"Value": expected}


def test_an_empty_sequence_has_no_value():
    assert metadata(sequence_of(0x00081140)) == {"00081140": {"vr": "SQ"}}


def test_an_empty_item_is_an_empty_object():
    assert metadata(sequence_of(0x00081140, item(b"")))["00081140"]["Value"] == [{}]


@pytest.mark.parametrize("vr", ["LO", "SH", "CS", "LT", "UT", "DA", "UC"])
def test_nul_padding_of_strings_is_kept(vr):
    assert shown(vr, b"abc\0") == {"Value": ["abc\0"]}


def test_nul_padding_of_names_is_kept():
    assert shown("PN", b"A^B\0") == {"Value": [{"Alphabetic": "A^B\0"}]}


def test_nul_padding_of_uids_is_not_shown():
    assert shown("UI", b"1.2.3\0") == {"Value": ["1.2.3"]}
    assert shown("UI", b"1.2\\1.2.3\0") == {"Value": ["1.2", "1.2.3"]}


def test_trailing_blanks_of_each_value_are_not_shown():
    assert shown("CS", b"DERIVED \\PRIMARY ") == {"Value": ["DERIVED", "PRIMARY"]}


def test_leading_blanks_of_text_are_kept():
    assert shown("LT", b"  two lines\r\n  \\ and blanks ") == {
        "Value": ["  two lines\r\n  \\ and blanks"]
    }


def test_names_are_objects_of_their_groups_that_are_not_empty():
    raw = b"A^B=Ideographic=Phonetic\\=I\\A==P\\X=1=2=3"
    assert shown("PN", raw) == {
        "Value": [
            {"Alphabetic": "A^B", "Ideographic": "Ideographic", "Phonetic": "Phonetic"},
            {"Ideographic": "I"},
            {"Alphabetic": "A", "Phonetic": "P"},
            {"Alphabetic": "X", "Ideographic": "1", "Phonetic": "2"},
        ]
    }


def test_attribute_tags_are_eight_upper_case_hex_digits():
    assert shown("AT", pack("<4H", 0x0018, 0x106A, 0x7FE0, 0x0010)) == {
        "Value": ["0018106A", "7FE00010"]
    }


@pytest.mark.parametrize("vr", ["OB", "OD", "OF", "OL", "OV", "OW", "UN"])
@pytest.mark.parametrize("length", [0, 8, 1024, 1026])
def test_elements_of_bulk_vrs_are_left_out_at_any_depth(vr, length):
    bulk = explicit(TAG, vr, bytes(length))
    assert metadata(bulk + sequence_of(0x00420010, item(bulk))) == {
        "00420010": {"vr": "SQ", "Value": [{}]}
    }


def test_group_lengths_and_file_meta_elements_are_left_out():
    data_set = explicit(0x00020010, "UI", b"1.2") + explicit(0x00080000, "UL", bytes(4))
    late = explicit(0x00100020, "LO", b"P1") + explicit(0x00020010, "UI", b"1.2")
    assert metadata(data_set + late) == {"00100020": {"vr": "LO", "Value": ["P1"]}}


def test_a_standard_element_sent_as_unknown_has_the_vr_of_the_dictionary():
    data_set = explicit(0x00100020, "UN", b"P1") + explicit(0x00280010, "UN", pack("<H", 512))
    assert metadata(data_set) == {
        "00100020": {"vr": "LO", "Value": ["P1"]},
        "00280010": {"vr": "US", "Value": [512]},
    }


def test_a_standard_sequence_sent_as_unknown_is_in_implicit_vr():
    inner = implicit(0x00081150, b"1.2.3\0")
    assert metadata(explicit(0x00081140, "UN", implicit(0xFFFEE000, inner))) == {
        "00081140": {"vr": "SQ", "Value": [{"00081150": {"vr": "UI", "Value": ["1.2.3"]}}]}
    }


def test_a_value_too_long_for_the_vr_it_would_have_stays_unknown():
    assert metadata(explicit(0x00102000, "UN", b"long" * 0x4000)) == {}


def test_the_last_of_two_elements_of_one_tag_counts():
    twice = explicit(0x00100020, "LO", b"P1") + explicit(0x00100020, "LO", b"P2")
    header = read_part10(part10(twice))
    assert json.loads(metadata_json(header)) == {"00100020": {"vr": "LO", "Value": ["P2"]}}
    assert values(header, 0x00100020) == ("P2",)


@pytest.mark.parametrize("vr", ["DS", "LO", "PN", "UL", "AT"])
def test_many_values_converted_in_steps_are_all_there(vr, monkeypatch):
    raws = {"UL": pack("<9I", *range(9)), "AT": pack("<18H", *range(18))}
    raw = raws.get(vr, b"\\".join(b"%d" % number for number in range(100)))
    whole = shown(vr, raw)
    dicomjson.forget()
    monkeypatch.setattr("dicomweb.jsonvalues._STEP", 8)
    assert shown(vr, raw) == whole


def test_dropped_attributes_are_not_shown():
    data_set = explicit(0x00080060, "CS", b"CT") + explicit(0x00100020, "LO", b"P1")
    header = decode_header(encode_header(read_part10(part10(data_set)), {0x00080060}))
    assert json.loads(metadata_json(header)) == {"00100020": {"vr": "LO", "Value": ["P1"]}}
    assert members(header, [0x00080060]) == b""
    assert decode_header(encode_header(header, {0x00100020})).dropped == {0x00080060, 0x00100020}


def test_a_dropped_character_set_still_says_how_text_is_encoded():
    data_set = explicit(0x00080005, "CS", b"ISO_IR 192") + explicit(0x00100020, "LO", "é".encode())
    header = decode_header(encode_header(read_part10(part10(data_set)), {0x00080005}))
    assert json.loads(metadata_json(header)) == {"00100020": {"vr": "LO", "Value": ["é"]}}


def test_members_are_those_asked_for_in_order_and_without_braces():
    data_set = explicit(0x00080060, "CS", b"CT") + explicit(0x00100020, "LO", b"P1")
    header = read_part10(part10(data_set))
    assert members(header, [0x00100020, 0x00080060, 0x00100010]) == (
        b'"00080060":{"vr":"CS","Value":["CT"]},"00100020":{"vr":"LO","Value":["P1"]}'
    )
    assert element_json(header, [0x00100020]) == b'{"00100020":{"vr":"LO","Value":["P1"]}}'


def test_values_are_text_with_their_padding():
    data_set = (
        explicit(0x00080005, "CS", b"ISO_IR 100")
        + explicit(0x00080008, "CS", b"ORIGINAL\\PRIMARY ")
        + explicit(0x00081140, "SQ", b"")
        + explicit(0x00091010, "OB", b"ab")
        + explicit(0x00100010, "PN", "M\u00fcller^Hans".encode("latin-1"))
        + explicit(0x00100020, "LO", b"P1\0")
        + explicit(0x00100030, "DA", b"")
        + explicit(0x00280009, "AT", pack("<2H", 0x0018, 0x1063))
        + explicit(0x00280010, "US", pack("<2H", 512, 3))
    )
    header = read_part10(part10(data_set))
    expected = {
        0x00080005: ("ISO_IR 100",),
        0x00080008: ("ORIGINAL", "PRIMARY "),
        0x00080060: None,
        0x00081140: (),
        0x00091010: (),
        0x00100010: ("Müller^Hans",),
        0x00100020: ("P1\0",),
        0x00100030: (),
        0x00280009: ("00181063",),
        0x00280010: ("512", "3"),
    }
    for _ in range(2):  # the second time from memory
        assert {tag: values(header, tag) for tag in expected} == expected


def test_values_are_not_confused_between_implicit_and_explicit_vr():
    # The same eight bytes: LO with length 0x2020, or implicit with a length that spells "LO".
    text = b"P1"
    assert values(read_part10(part10(explicit(0x00100020, "LO", text))), 0x00100020) == ("P1",)
    in_implicit = read_part10(part10(implicit(0x00100020, text), IMPLICIT))
    assert values(in_implicit, 0x00100020) == ("P1",)


def test_the_same_bytes_in_another_character_set_are_other_text():
    name = explicit(0x00100010, "PN", b"\xd0\xaf")
    for term, expected in ((b"ISO_IR 192", "Я"), (b"ISO_IR 100", "Ð¯"), (b"ISO_IR 144", "аЏ")):
        data_set = explicit(0x00080005, "CS", term) + name
        header = read_part10(part10(data_set))
        assert json.loads(metadata_json(header))["00100010"]["Value"] == [{"Alphabetic": expected}]
        assert values(header, 0x00100010) == (expected,)


def test_what_is_remembered_is_bounded(monkeypatch):
    dicomjson.forget()
    monkeypatch.setattr("dicomweb.dicomjson._KEPT_ELEMENTS", 10)
    for number in range(100):
        data_set = explicit(0x00100020, "LO", b"P%03d" % number)
        header = read_part10(part10(data_set))
        assert metadata_json(header) == b'{"00100020":{"vr":"LO","Value":["P%03d"]}}' % number
        assert values(header, 0x00100020) == (f"P{number:03}",)
        assert len(dicomjson._EXPLICIT_FRAGMENTS) <= 10
        assert len(dicomjson._VALUES) <= 10
    dicomjson.forget()
    long = explicit(0x00100020, "LO", b"P" * 300)
    metadata_json(read_part10(part10(long)))
    assert not dicomjson._EXPLICIT_FRAGMENTS


def test_what_is_remembered_is_bounded_in_bytes(monkeypatch):
    dicomjson.forget()
    monkeypatch.setattr("dicomweb.dicomjson._KEPT_BYTES", 1000)
    for number in range(100):
        metadata_json(read_part10(part10(explicit(0x00100020, "LO", b"P%099d" % number))))
    assert 0 < len(dicomjson._EXPLICIT_FRAGMENTS) < 10
