"""Every element at every depth is checked as what it is, wherever and however it is encoded."""

import pytest
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dicomweb.part10 import read_part10
from dicomweb.stow.walk import invalid_attributes
from tests.datasets import dataset, encoded
from tests.dicomweb.part10.encoded import (
    BIG_ENDIAN,
    EXPLICIT,
    IMPLICIT,
    explicit,
    implicit,
    item,
    part10,
    pydicom_files,
    sequence,
)
from tests.dicomweb.part10.test_generated_files import SYNTAXES, every_vr, file_of, with_lengths
from tests.dicomweb.part10.test_pydicom_files import READABLE, name_of

CHARACTER_SET = 0x00080005
MODALITY = 0x00080060
INSTITUTION_NAME = 0x00080080
OPERATORS_NAME = 0x00081070
REFERENCED_IMAGES = 0x00081140
UNKNOWN = 0x00091001


def invalid(data_set: bytes, syntax: str = EXPLICIT) -> dict[int, str]:
    return invalid_attributes(read_part10(part10(data_set, syntax)))


@pytest.fixture(params=SYNTAXES.values(), ids=SYNTAXES.keys())
def syntax(request) -> str:
    return request.param


@pytest.fixture(params=[True, False], ids=["defined-lengths", "undefined-lengths"])
def defined(request) -> bool:
    return request.param


def test_nothing_is_wrong_with_valid_values_of_every_vr(syntax):
    ds = every_vr()
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    assert invalid_attributes(read_part10(file_of(ds, syntax))) == {}


def test_nothing_is_wrong_with_empty_elements_of_every_vr(syntax):
    ds = every_vr()
    for element in ds:
        element.value = None
    assert invalid_attributes(read_part10(file_of(ds, syntax))) == {}


def test_an_invalid_element_is_found_at_any_depth(syntax, defined):
    ds = inner = Dataset()
    for _ in range(5):
        inner.ReferencedImageSequence = Sequence([Dataset(), Dataset(), Dataset()])
        inner.Modality = "CT"
        inner = inner.ReferencedImageSequence[1]
    with disable_value_validation():
        inner.add_new(0x00081155, "UI", "1.02")
        file = file_of(with_lengths(ds, defined=defined), syntax)
    assert invalid_attributes(read_part10(file)) == {
        0x00081155: 'DICOM100: (0008,1155) - Content "1.02" does not validate VR UI: '
        "ReferencedSOPInstanceUID must be a UID, whose components do not start with 0."
    }


def test_of_a_tag_the_first_thing_that_is_wrong_is_told():
    first, second = explicit(MODALITY, "CS", b"ct"), explicit(MODALITY, "CS", b"mr")
    found = invalid(sequence(REFERENCED_IMAGES, item(first), item(second)) + second)
    assert list(found) == [MODALITY]
    assert '"ct"' in found[MODALITY]


@pytest.mark.parametrize("vr", ["CS", "DA", "DS", "IS", "LO", "PN", "SH", "TM", "UI", "AE", "DT"])
@pytest.mark.parametrize("padding", [b"", b" ", b"\0", b"\0\0\0", b" \0 "])
def test_padding_is_no_part_of_a_value(vr, padding):
    value = {"DA": b"20240131", "TM": b"10", "UI": b"1.2", "DT": b"2024"}.get(vr, b"12")
    assert invalid(explicit(UNKNOWN, vr, value + padding)) == {}
    assert invalid(explicit(UNKNOWN, vr, padding)) == {}


def test_a_nul_within_a_value_is_wrong():
    found = invalid(explicit(INSTITUTION_NAME, "LO", b"X\0X"))
    assert 'Content "X\u2400X" does not validate VR LO' in found[INSTITUTION_NAME]


@pytest.mark.parametrize(
    ("character_set", "encoding", "character"),
    [
        (b"ISO_IR 192", "utf-8", "山"),
        (b"GB18030", "gb18030", "山"),
        (b"ISO_IR 13", "shift_jis", "ﾔ"),
        (b"ISO 2022 IR 6\\ISO 2022 IR 87", "iso2022_jp", "山"),
        (b"ISO_IR 100", "latin-1", "ä"),
    ],
)
def test_lengths_are_of_characters(character_set, encoding, character):
    def found(length: int) -> dict[int, str]:
        value = (length * character).encode(encoding)
        charset = explicit(CHARACTER_SET, "CS", character_set)
        return invalid(charset + explicit(INSTITUTION_NAME, "LO", value))

    assert found(64) == {}
    assert "at most 64 characters" in found(65)[INSTITUTION_NAME]


def test_an_items_own_character_set_counts_in_it_and_below_it():
    name = explicit(INSTITUTION_NAME, "LO", ("山" * 40).encode())
    charset = explicit(CHARACTER_SET, "CS", b"ISO_IR 192")
    below = sequence(REFERENCED_IMAGES, item(name))
    assert invalid(sequence(REFERENCED_IMAGES, item(charset + below))) == {}
    assert list(invalid(sequence(REFERENCED_IMAGES, item(below)))) == [INSTITUTION_NAME]
    beside = sequence(REFERENCED_IMAGES, item(charset), item(name))
    assert list(invalid(beside)) == [INSTITUTION_NAME]


def test_a_backslash_that_is_half_a_character_separates_nothing():
    charset = explicit(CHARACTER_SET, "CS", b"GB18030")
    half = "乗".encode("gb18030")
    assert half.endswith(b"\\")
    assert invalid(charset + explicit(OPERATORS_NAME, "PN", half * 64)) == {}
    assert invalid(charset + explicit(INSTITUTION_NAME, "LO", half * 64)) == {}
    assert list(invalid(charset + explicit(OPERATORS_NAME, "PN", half * 65))) == [OPERATORS_NAME]


@pytest.mark.parametrize(
    ("tag", "vr", "value", "counted"),
    [
        (MODALITY, "CS", b"CT\\MR", "ValueMultiplicity 1, not 2 values"),
        (MODALITY, "CS", b"CT\\", "ValueMultiplicity 1, not 2 values"),
        (0x00080008, "CS", b"ORIGINAL", "ValueMultiplicity 2-n, not 1 values"),
        (0x00200032, "DS", b"1\\2", "ValueMultiplicity 3, not 2 values"),
        (0x30060050, "DS", b"1\\2\\3\\4", "ValueMultiplicity 3-3n, not 4 values"),
        (0x00280010, "US", bytes(4), "ValueMultiplicity 1, not 2 values"),
        (0x00189089, "FD", bytes(8), "ValueMultiplicity 3, not 1 values"),
        (0x00280009, "AT", b"", ""),
        (0x60003000, "US", bytes(8), ""),
        (0x60000010, "US", bytes(8), "ValueMultiplicity 1, not 4 values"),
        (0x00080119, "UC", b"a\\b", "ValueMultiplicity 1, not 2 values"),
        (0x00104000, "LT", b"a\\b", ""),
        (0x0040A160, "UT", b"a\\b", ""),
        (0x00080008, "ST", b"a\\b", ""),
        (UNKNOWN, "CS", b"A\\B\\C", ""),
        (0x00089999, "CS", b"A\\B\\C", ""),
        (0x00281201, "US", bytes(512), ""),
    ],
)
def test_the_number_of_values_is_that_of_the_dictionary_where_it_says_one(tag, vr, value, counted):
    found = invalid(explicit(tag, vr, value))
    if counted:
        assert found[tag].endswith(f"must have {counted}.")
    else:
        assert found == {}


def test_what_is_wrong_with_a_value_comes_before_their_number():
    assert "upper case" in invalid(explicit(MODALITY, "CS", b"CT\\mr"))[MODALITY]


def test_an_element_is_checked_by_the_vr_it_has_not_by_the_dictionarys():
    assert invalid(explicit(MODALITY, "LO", b"ct")) == {}
    assert list(invalid(explicit(INSTITUTION_NAME, "CS", b"ct"))) == [INSTITUTION_NAME]


def test_private_elements_are_checked_by_the_vr_they_have():
    creator = explicit(0x00090010, "LO", b"SOMEBODY")
    assert invalid(creator + explicit(UNKNOWN, "CS", b"CT")) == {}
    found = invalid(creator + explicit(UNKNOWN, "CS", b"ct"))
    assert "the value must have only upper case letters" in found[UNKNOWN]
    items = sequence(0x00091002, item(creator + explicit(UNKNOWN, "CS", b"ct")), defined=False)
    assert list(invalid(creator + items)) == [UNKNOWN]


def test_private_elements_in_implicit_vr_are_not_checked_but_their_creators_are():
    creator = implicit(0x00190010, b"SIEMENS MR HEADER ")
    assert invalid(creator + implicit(0x0019100C, b"no number"), IMPLICIT) == {}
    assert list(invalid(implicit(0x00190010, b"a\nb "), IMPLICIT)) == [0x00190010]


def test_an_element_of_vr_un_is_checked_as_what_the_dictionary_says_it_is():
    assert invalid(explicit(MODALITY, "UN", b"CT")) == {}
    assert list(invalid(explicit(MODALITY, "UN", b"ct"))) == [MODALITY]
    assert invalid(explicit(UNKNOWN, "UN", b"\0\1\2\3")) == {}
    assert invalid(explicit(0x00089999, "UN", b"\0\1\2\3")) == {}


def test_items_in_implicit_vr_within_explicit_vr_are_checked():
    inner = item(implicit(MODALITY, b"ct"))
    assert list(invalid(sequence(REFERENCED_IMAGES, inner, defined=False, vr="UN"))) == [MODALITY]
    assert list(invalid(sequence(REFERENCED_IMAGES, inner))) == [MODALITY]


def test_an_element_without_vr_within_explicit_vr_is_checked():
    assert list(invalid(explicit(0x00080050, "SH", b"A1") + implicit(MODALITY, b"ct"))) == [
        MODALITY
    ]


def test_big_endian_numbers_are_shown_as_they_are():
    found = invalid(explicit(0x00280010, "US", b"\0\1\0\2", order=">"), BIG_ENDIAN)
    assert 'Content "1\\2" does not validate VR US: Rows' in found[0x00280010]


def test_us_or_ss_in_implicit_vr_has_a_number_of_values():
    assert invalid(implicit(0x00280106, b"\0\0"), IMPLICIT) == {}
    assert list(invalid(implicit(0x00280106, bytes(4)), IMPLICIT)) == [0x00280106]
    assert invalid(implicit(0x00283006, bytes(512)), IMPLICIT) == {}


def test_bulk_values_are_not_checked():
    assert invalid(explicit(0x7FE00010, "OW", bytes(4000))) == {}
    assert invalid(explicit(0x00420011, "OB", b"\xff" * 100)) == {}


@pytest.mark.parametrize("length", [64, 65, 100_000])
def test_a_long_value_is_quoted_in_part(length):
    value = b"a" * length
    comment = invalid(explicit(0x00080119, "UC", b"x") + implicit(MODALITY, value))[MODALITY]
    assert ('"' + "a" * 64 + ("..." if length > 64 else "") + '"') in comment
    assert len(comment) < 250


def test_many_numbers_are_quoted_in_part():
    comment = invalid(explicit(0x00280010, "US", b"\xff\xff" * 30_000))[0x00280010]
    assert "not 30000 values" in comment
    assert len(comment) < 250


def test_only_the_first_attributes_are_commented_on_but_all_are_known():
    bad = b"".join(explicit(0x00091000 + n, "CS", b"ct") for n in range(5000))
    found = invalid(bad)
    assert len(found) == 5000
    assert sum(map(bool, found.values())) == 100


def test_ten_thousand_frames_with_the_same_fault_are_one_fault():
    frame = item(sequence(0x00289145, item(explicit(0x00281052, "DS", b"zero"))))
    assert list(invalid(sequence(0x52009230, *[frame] * 10_000))) == [0x00281052]


# pydicom's files

LEADING_ZERO = {0x00081155}
KNOWN_INVALID = {
    # The dates and times of ACR-NEMA, with their separators.
    "ExplVR_BigEnd.dcm": {0x00080020, 0x00080030},
    # NumberOfFrames is "1A".
    "badVR.dcm": {0x00280008, 0x00081155},
    # UIDs that are "0" stand for none.
    "reportsi.dcm": {0x00081150, 0x00081155},
    "reportsi_with_empty_number_tags.dcm": {0x00081150, 0x00081155},
    # The UID of the plan has a component that starts with 0.
    "rtdose.dcm": LEADING_ZERO,
    "rtdose_1frame.dcm": LEADING_ZERO,
    "rtdose_expb.dcm": LEADING_ZERO,
    "rtdose_expb_1frame.dcm": LEADING_ZERO,
    "rtdose_rle.dcm": LEADING_ZERO,
    "rtdose_rle_1frame.dcm": LEADING_ZERO,
}


@pytest.mark.parametrize("path", READABLE, ids=name_of)
def test_of_pydicoms_files_nothing_is_called_invalid_that_is_not(path):
    header = read_part10(memoryview(path.read_bytes()))
    assert invalid_attributes(header).keys() == KNOWN_INVALID.get(path.name, set())


def test_the_known_files_are_there():
    assert {path.name for path in pydicom_files()} >= KNOWN_INVALID.keys()


def test_the_instances_of_the_other_tests_are_valid():
    assert invalid_attributes(read_part10(memoryview(encoded(dataset())))) == {}
