"""The VRs of elements in Implicit VR are those of pydicom's dictionary."""

from pydicom.datadict import DicomDictionary, RepeatersDictionary, dictionary_VR

from dicomweb.elements import IMPLICIT_HEADERS, known_vr, private_vr, unknown_vr
from tests.dicomweb.part10.encoded import implicit


def test_every_standard_element_has_the_vr_of_the_dictionary():
    repeating = [int(tag.replace("x", digit), 16) for tag in RepeatersDictionary for digit in "02E"]
    for tag in [*DicomDictionary, *repeating]:
        if tag & 0xFFFF:
            vr = dictionary_VR(tag)
            open_bulk = len(vr) > 2 and vr not in ("US or SS", "US or OW")
            assert known_vr(tag) == ("OW" if open_bulk else vr)


def test_what_the_dictionary_does_not_know_is_unknown():
    for tag in (0x00080004, 0x60013000, 0x00091001, 0x50FF0001, 0x12345678):
        assert known_vr(tag) == "UN"


def test_private_creators_and_group_lengths_need_no_dictionary():
    assert known_vr(0x00090010) == "LO"
    assert known_vr(0x000900FF) == "LO"
    assert known_vr(0x00090100) == "UN"
    assert known_vr(0x00080000) == known_vr(0x00090000) == "UL"


def test_private_elements_have_the_vr_of_the_private_dictionary():
    assert private_vr(0x0019100C, "SIEMENS MR HEADER") == "IS"
    assert private_vr(0x0019100C, "NOBODY KNOWS") == "UN"
    assert private_vr(0x0019100C, "") == "UN"


def test_unknown_is_what_is_private_or_too_long_or_ambiguous():
    assert unknown_vr(0x00100020, 2) == "LO"
    assert unknown_vr(0x00100020, 0xFFFF) == "UN"
    assert unknown_vr(0x00091001, 2) == "UN"
    assert unknown_vr(0x00280106, 2) == "UN"
    assert unknown_vr(0x00091001, 0xFFFFFFFF) == "SQ"


def test_what_is_remembered_of_headers_is_bounded(monkeypatch):
    monkeypatch.setattr("dicomweb.elements._MAX_HEADERS", 10)
    IMPLICIT_HEADERS.clear()
    for tag in range(0x00100010, 0x00100100):
        assert IMPLICIT_HEADERS[implicit(tag, b"")][0] == tag
        assert len(IMPLICIT_HEADERS) <= 10
