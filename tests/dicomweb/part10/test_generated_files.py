"""Data sets made for the purpose, in every encoding, read as pydicom reads them."""

import json

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from dicomweb.dicomjson import metadata_json
from dicomweb.part10 import decode_header, encode_header, read_part10
from tests.dicomweb.part10.encoded import EXPLICIT, IMPLICIT, file_meta, part10, written
from tests.dicomweb.part10.generated import SYNTAXES, every_vr, file_of, nested, with_lengths
from tests.dicomweb.part10.oracle import metadata_of, shown


@pytest.fixture(params=SYNTAXES.values(), ids=SYNTAXES.keys())
def syntax(request) -> str:
    return request.param


@pytest.fixture(params=[True, False], ids=["defined-lengths", "undefined-lengths"])
def defined(request) -> bool:
    return request.param


def assert_read_as_pydicom_does(file: memoryview) -> None:
    header = read_part10(file)
    assert shown(json.loads(metadata_json(header))) == metadata_of(file)
    assert metadata_json(decode_header(encode_header(header))) == metadata_json(header)


def test_values_of_every_vr(syntax):
    assert_read_as_pydicom_does(file_of(every_vr(), syntax))


def test_every_vr_without_a_value(syntax):
    ds = every_vr()
    for element in ds:
        element.value = None
    assert_read_as_pydicom_does(file_of(ds, syntax))


def test_sequences_in_sequences(syntax, defined):
    assert_read_as_pydicom_does(file_of(with_lengths(nested(6), defined=defined), syntax))


def test_bulk_values_in_sequences_are_remembered_with_their_place_in_the_file(defined):
    ds = with_lengths(nested(3), defined=defined)
    for number, element in enumerate(e for e in ds.iterall() if e.tag == 0x00420011):
        element.value = bytes([number]) * (1026 + 2 * number)
    file = file_of(ds, EXPLICIT)
    header = read_part10(file)
    stored = {bytes(file[cut.offset : cut.offset + cut.length]) for cut in header.cuts}
    assert stored == {bytes([number]) * (1026 + 2 * number) for number in range(3)}


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT], ids=["implicit", "explicit"])
def test_the_header_of_a_file_is_a_data_set_that_pydicom_reads(syntax, defined):
    header = read_part10(file_of(with_lengths(nested(4), defined=defined), syntax))
    again = part10(header.data, syntax)
    assert metadata_of(again) == shown(json.loads(metadata_json(header)))


def test_private_elements_keep_their_vr_in_explicit_vr():
    ds = Dataset()
    ds.add_new(0x00090010, "LO", "NOBODY KNOWS")
    ds.add_new(0x00091001, "LO", "a value")
    ds.add_new(0x00091002, "US", [1, 2])
    ds.add_new(0x00091003, "UN", b"ab")
    ds.add_new(0x00091004, "SQ", [Dataset()])
    assert json.loads(metadata_json(read_part10(written(ds)))) == {
        "00090010": {"vr": "LO", "Value": ["NOBODY KNOWS"]},
        "00091001": {"vr": "LO", "Value": ["a value"]},
        "00091002": {"vr": "US", "Value": [1, 2]},
        "00091004": {"vr": "SQ", "Value": [{}]},
    }


def test_unknown_private_elements_vanish_in_implicit_vr():
    ds = Dataset()
    ds.add_new(0x00090010, "LO", "NOBODY KNOWS")
    ds.add_new(0x00091001, "LO", "a value")
    assert json.loads(metadata_json(read_part10(written(ds, IMPLICIT)))) == {
        "00090010": {"vr": "LO", "Value": ["NOBODY KNOWS"]},
    }


def test_private_elements_that_pydicom_knows_are_shown_in_implicit_vr(defined):
    inner = Dataset()
    inner.add_new(0x00290010, "LO", "SIEMENS CSA HEADER")
    inner.add_new(0x00291008, "CS", "IMAGE NUM 4")
    ds = Dataset()
    ds.add_new(0x00190010, "LO", "SIEMENS MR HEADER")
    ds.add_new(0x0019100C, "IS", "1000")
    ds.add_new(0x0019100E, "FD", [0.5, 0.25, 1.0])
    ds.ReferencedImageSequence = Sequence([inner])
    file = written(with_lengths(ds, defined=defined), IMPLICIT)
    assert_read_as_pydicom_does(file)
    shown_json = json.loads(metadata_json(read_part10(file)))
    assert shown_json["0019100C"] == {"vr": "IS", "Value": [1000]}
    assert shown_json["00081140"]["Value"][0]["00291008"]["Value"] == ["IMAGE NUM 4"]


def test_a_private_value_that_was_cut_out_is_not_shown_as_empty():
    ds = Dataset()
    ds.add_new(0x00190010, "LO", "SIEMENS MR HEADER")
    ds.add_new(0x0019100E, "FD", [0.5] * 200)
    header = read_part10(written(ds, IMPLICIT))
    assert [cut.length for cut in header.cuts] == [1600]
    assert "0019100E" not in json.loads(metadata_json(header))


@pytest.mark.parametrize(("representation", "vr", "value"), [(0, "US", 65534), (1, "SS", -2)])
def test_us_or_ss_follows_pixel_representation_in_implicit_vr(representation, vr, value):
    lut = Dataset()
    lut.LUTDescriptor = [1, 0, 16]
    lut.LUTData = [7]
    lut["LUTData"].VR = "US"
    ds = Dataset()
    ds.PixelRepresentation = representation
    ds.add_new(0x00280120, vr, value)  # PixelPaddingValue
    ds.ModalityLUTSequence = Sequence([lut])
    file = written(ds, IMPLICIT)
    metadata = json.loads(metadata_json(read_part10(file)))
    assert metadata["00280120"] == {"vr": vr, "Value": [value]}
    assert metadata["00283000"]["Value"] == [
        {
            "00283002": {"vr": vr, "Value": [1, 0, 16]},
            "00283006": {"vr": "US", "Value": [7]},
        }
    ]


def test_specific_character_set_of_an_item_overrides_that_around_it(syntax):
    inner = Dataset()
    inner.SpecificCharacterSet = "ISO_IR 144"
    inner.PatientName = "Люди"
    plain = Dataset()
    plain.PatientName = "Äneas"
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.ReferencedStudySequence = Sequence([inner, plain])
    ds.PatientName = "Buc^Jérôme"
    file = file_of(ds, syntax)
    assert_read_as_pydicom_does(file)
    metadata = json.loads(metadata_json(read_part10(file)))
    names = [item["00100010"]["Value"][0] for item in metadata["00081110"]["Value"]]
    assert names == [{"Alphabetic": "Люди"}, {"Alphabetic": "Äneas"}]
    assert metadata["00100010"]["Value"] == [{"Alphabetic": "Buc^Jérôme"}]


def test_elements_out_of_order_are_shown_in_order():
    first, second = Dataset(), Dataset()
    first.StudyDate, second.Modality = "20240131", "CT"
    data_set = b"".join(bytes(written(ds))[len(file_meta()) :] for ds in (second, first))
    metadata = json.loads(metadata_json(read_part10(part10(data_set))))
    assert list(metadata) == [f"{Tag('StudyDate'):08X}", f"{Tag('Modality'):08X}"]
