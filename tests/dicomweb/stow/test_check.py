"""What refuses an instance in each version of the API, and what is only warned of."""

from itertools import product

import pytest
from pydicom.config import disable_value_validation
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import ImplicitVRLittleEndian

from dicomweb.part10 import read_part10
from dicomweb.stow.check import CORE, EXPECTED_VRS, INDEXED, REQUIRED_UIDS, Verdict, check
from dicomweb.versions import V1, V2, VERSIONS
from tests.datasets import dataset, encoded

PATIENT_ID = Tag("PatientID")
STUDY_UID = Tag("StudyInstanceUID")


def verdict_of(ds: Dataset, api=V2, study: str | None = None, *, full: bool = False) -> Verdict:
    return check(read_part10(memoryview(encoded(ds))), api, study, full=full)


def verdict(api=V2, **attributes) -> Verdict:
    return verdict_of(dataset(**attributes), api)


def with_item(keyword: str, ds: Dataset | None = None, **attributes) -> Dataset:
    """A data set with a sequence of one item, which has these attributes."""
    ds = ds or dataset()
    inner = dataset(**attributes)
    setattr(ds, keyword, Sequence([inner]))
    return ds


def with_vr(keyword: str, vr: str, value: object) -> Dataset:
    ds = dataset()
    ds[keyword] = DataElement(Tag(keyword), vr, value)
    return ds


@pytest.fixture(autouse=True)
def anything_goes():
    """Lets pydicom make what is invalid."""
    with disable_value_validation():
        yield


@pytest.fixture(params=VERSIONS, ids=lambda api: api.name)
def api(request):
    return request.param


# Required


def test_a_valid_instance_passes(api):
    assert verdict(api) == Verdict()
    assert verdict_of(dataset(ImplicitVRLittleEndian), api) == Verdict()
    assert verdict_of(dataset(), api, full=True) == Verdict()


def test_the_first_missing_attribute_is_named_alone(api):
    keywords = ["SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]
    keywords.append("PatientID")
    for number, keyword in enumerate(keywords):
        tag = f"({Tag(keyword).group:04x},{Tag(keyword).element:04x})"
        comment = f"DICOM100: {tag} - The required tag '{tag}' is missing."
        missing = dict.fromkeys(keywords[number:])
        assert verdict(api, StudyDate="wrong", **missing) == Verdict([comment])


@pytest.mark.parametrize("value", ["", " ", "\0", ["1.2", "1.3"], "\\1.2"])
@pytest.mark.parametrize("tag", REQUIRED_UIDS)
def test_a_uid_that_is_empty_or_several_counts_as_missing(api, tag, value):
    (failure,) = verdict_of(with_vr(tag, "UI", value), api).failures
    assert failure.endswith("is missing.")


@pytest.mark.parametrize("value", ["", "  ", "\0\0", "\0 "])
def test_an_empty_patient_id_is_missing_in_v1_and_dropped_in_v2(value):
    comment = "DICOM100: (0010,0020) - The required tag '(0010,0020)' is missing."
    assert verdict(V1, PatientID=value) == Verdict([comment])
    dropped = frozenset([PATIENT_ID])
    assert verdict(V2, PatientID=value) == Verdict([], [comment], dropped, dropped)


def test_several_patient_ids_are_missing_in_v1_and_invalid_in_v2():
    assert verdict(V1, PatientID=["A", "B"]).failures[0].endswith("is missing.")
    (failure,) = verdict(V2, PatientID=["A", "B"]).failures
    assert "must be one value" in failure


@pytest.mark.parametrize("tag", CORE)
def test_a_required_attribute_of_another_vr_is_refused(api, tag):
    ds = with_vr(tag, "LT", "1.2.3")
    (failure,) = verdict_of(ds, api).failures
    assert f"expected to have VR '{EXPECTED_VRS[tag]}' but has 'LT'" in failure


@pytest.mark.parametrize("tag", REQUIRED_UIDS)
@pytest.mark.parametrize("uid", ["abc.123", "11|", "1" * 65, "1.2.", "1.2\0.3"])
def test_a_malformed_uid_is_refused_and_quoted(api, tag, uid):
    (failure,) = verdict_of(with_vr(tag, "UI", uid), api).failures
    assert failure.startswith(f"DICOM100: ({tag >> 16:04x},{tag & 0xFFFF:04x}) - ")
    assert uid[:3] in failure


@pytest.mark.parametrize("padding", ["\0", " ", "\0\0", " \0"])
def test_uids_may_be_padded(api, padding):
    ds = dataset()
    for tag in REQUIRED_UIDS:
        ds[tag].value = "1.2.3" + padding
    assert verdict_of(ds, api, "1.2.3") == Verdict()


def test_another_study_than_the_urls_is_refused_whatever_else_is_wrong(api):
    ds = dataset(StudyInstanceUID="1.2.3")
    assert verdict_of(ds, api, "1.2.3") == Verdict()
    (failure,) = verdict_of(ds, api, "1.2.4").failures
    assert failure.startswith("DICOM100: (0020,000d) - ")
    malformed = dataset(StudyInstanceUID="abc.123", PatientID="x" * 65)
    (failure,) = verdict_of(malformed, api, "1.2.4").failures
    assert failure.startswith("DICOM100: (0020,000d) - ")


# NULs


@pytest.mark.parametrize(
    "keyword", ["PatientID", "PatientName", "StudyDescription", "ManufacturerModelName"]
)
def test_a_nul_that_pads_text_is_refused_in_v1_and_forgiven_in_v2(keyword):
    (failure,) = verdict(V1, **{keyword: "abc\0"}).failures
    assert "must have no control characters but ESC" in failure
    assert verdict(V2, **{keyword: "abc\0"}) == Verdict()


def test_a_nul_that_pads_a_date_is_refused_in_v1_and_forgiven_in_v2():
    assert verdict(V1, StudyDate="20240131\0\0").failures
    assert verdict(V2, StudyDate="20240131\0\0") == Verdict()


def test_a_nul_in_front_or_within_is_not_forgiven(api):
    assert verdict(api, PatientID="\0123\0").failures
    found = verdict(api, PatientName="X\0X")
    assert found.failures if api is V1 else found.dropped == {Tag("PatientName")}


# What searches filter by


@pytest.mark.parametrize("tag", INDEXED)
def test_what_searches_filter_by_is_looked_at_in_both_versions(tag):
    wrong = {"CS": "X" * 17, "DA": "20241301", "LO": "x" * 65, "PN": "a=b=c=d", "SH": "x" * 17}
    ds = with_vr(tag, EXPECTED_VRS[tag], wrong[EXPECTED_VRS[tag]])
    (failure,) = verdict_of(ds, V1).failures
    assert failure.startswith(f"DICOM100: ({tag >> 16:04x},{tag & 0xFFFF:04x}) - Dicom element ")
    found = verdict_of(ds, V2)
    if tag == PATIENT_ID:
        assert found.failures == [failure]
    else:
        assert not found.failures
        assert len(found.warnings) == 1
        assert "does not validate VR" in found.warnings[0]
        assert found.dropped == found.unsearchable == {tag}


def test_every_failing_attribute_has_its_comment():
    attributes = {"Modality": "X" * 17, "StudyDate": "x", "PatientName": "a=b=c=d"}
    assert len(verdict(V1, **attributes).failures) == 3
    found = verdict(V2, **attributes, InstitutionName="x" * 65)
    assert len(found.warnings) == 4
    assert not found.failures


def test_another_vr_of_what_searches_filter_by_is_refused_in_v1_and_dropped_in_v2():
    ds = with_vr("StudyDescription", "ST", "Chest")
    (failure,) = verdict_of(ds, V1).failures
    assert failure == (
        "DICOM100: (0008,1030) - The tag '(0008,1030)' (StudyDescription) is expected to have VR "
        "'LO' but has 'ST'."
    )
    dropped = frozenset([Tag("StudyDescription")])
    assert verdict_of(ds, V2) == Verdict([], [failure], dropped, dropped)


def test_what_is_of_vr_un_has_the_vr_of_the_dictionary(api):
    assert verdict_of(with_vr("StudyDescription", "UN", b"Chest "), api) == Verdict()


def test_nothing_else_is_looked_at_in_v1():
    found = verdict(V1, InstitutionName="x" * 65, StudyTime="x", SeriesNumber="1")
    assert found == Verdict()
    assert verdict_of(with_item("ReferencedStudySequence", StudyDate="x"), V1) == Verdict()


@pytest.mark.parametrize("value", ["20210231", "20210001", "20210101-20210201", "-"])
def test_a_date_that_is_no_day_is_shown_but_not_searchable_in_v2(value):
    ds = dataset(StudyDate=value)
    assert len(verdict_of(ds, V1).failures) == 1
    assert verdict_of(ds, V2) == Verdict(unsearchable=frozenset([Tag("StudyDate")]))


@pytest.mark.parametrize(
    ("keyword", "values"),
    [
        ("Modality", ["CT", "MR"]),
        ("StudyDate", ["20240101", "20240102"]),
        ("PatientName", ["A^B", "C^D"]),
        ("AccessionNumber", ["A", "B"]),
        ("StudyDescription", ["A", "B"]),
    ],
)
def test_of_several_values_v1_takes_the_first_and_v2_none(keyword, values):
    ds = dataset(**{keyword: values})
    assert verdict_of(ds, V1) == Verdict(has_many_values=True)
    found = verdict_of(ds, V2)
    assert found.dropped == found.unsearchable == {Tag(keyword)}
    (warning,) = found.warnings
    assert warning.endswith(f"{keyword} must have ValueMultiplicity 1, not 2 values.")


def test_of_several_values_the_first_must_be_valid_in_v1():
    assert verdict(V1, Modality=["CT", "x" * 17]) == Verdict(has_many_values=True)
    assert len(verdict(V1, Modality=["x" * 17, "CT"]).failures) == 1


def test_several_values_of_what_no_search_filters_by_need_no_warning():
    assert verdict(V1, ImageType=["ORIGINAL", "PRIMARY"]) == Verdict()
    assert verdict(V1, InstitutionName=["A", "B"]) == Verdict()


# Every element, in v2


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
@pytest.mark.parametrize("uid", ["1.02.3", "1..2", "0.1"])
def test_a_uid_that_only_the_full_rules_refuse_is_warned_of_and_kept(keyword, uid):
    ds = dataset(**{keyword: uid})
    found = verdict_of(ds, V2)
    assert not found.failures
    assert len(found.warnings) == 1
    assert not found.dropped
    assert not found.unsearchable
    assert verdict_of(ds, V1) == Verdict()


def test_an_invalid_element_of_an_item_is_warned_of_and_nothing_is_dropped():
    found = verdict_of(with_item("ReferencedStudySequence", InstitutionName="x" * 65))
    assert len(found.warnings) == 1
    assert not found.dropped


def test_what_is_dropped_for_an_item_is_the_same_attribute_at_top_level():
    ds = dataset(InstitutionName="General")
    found = verdict_of(with_item("ReferencedStudySequence", ds, InstitutionName="x" * 65))
    assert found.dropped == {Tag("InstitutionName")}


@pytest.mark.parametrize("tag", CORE)
def test_a_required_attribute_stays_whatever_is_in_an_item(tag):
    keyword = {value: name for name, value in KEYWORDS.items()}[tag]
    found = verdict_of(with_item("ReferencedStudySequence", **{keyword: "1.0.00\n" + "x" * 64}))
    assert len(found.warnings) == 1
    assert not found.dropped


KEYWORDS = {
    "SOPClassUID": 0x00080016,
    "SOPInstanceUID": 0x00080018,
    "StudyInstanceUID": 0x0020000D,
    "SeriesInstanceUID": 0x0020000E,
    "PatientID": 0x00100020,
}


def test_a_private_element_is_dropped_like_any_other():
    ds = dataset()
    ds.private_block(0x0009, "SOMEBODY", create=True).add_new(1, "CS", "lower case")
    found = verdict_of(ds)
    assert found.dropped == {0x00091001}
    assert found.warnings[0].startswith("DICOM100: (0009,1001) - Content ")


def test_a_hostile_instance_gets_a_hundred_comments_that_tell_of_the_rest():
    ds = dataset()
    for n in range(300):
        ds.add_new(0x00091000 + n, "CS", "lower case")
    found = verdict_of(ds)
    assert len(found.warnings) == 100
    assert found.warnings[-1].startswith("DICOM100: (0009,1063) - ")
    assert found.warnings[-1].endswith("200 more attributes are at fault.")
    assert len(found.dropped) == 300
    refused = verdict_of(ds, full=True)
    assert refused.failures == found.warnings


# Full validation


@pytest.mark.parametrize(
    "ds",
    [
        dataset(InstitutionName="x" * 65),
        with_item("ReferencedStudySequence", InstitutionName="x" * 65),
        dataset(StudyInstanceUID="1.02"),
        dataset(PatientID=""),
        dataset(Modality=["CT", "MR"]),
        with_vr("StudyDescription", "ST", "Chest"),
    ],
    ids=["element", "item", "uid", "empty", "values", "vr"],
)
def test_whatever_is_found_refuses_when_all_is_validated(api, ds):
    found = verdict_of(ds, api, full=True)
    assert len(found.failures) == 1
    assert found == Verdict(found.failures)


def test_an_attribute_that_breaks_both_kinds_of_rules_has_one_comment():
    for api, ds in product(VERSIONS, (dataset(StudyDate="x"), dataset(PatientID="x" * 65))):
        assert len(verdict_of(ds, api, full=True).failures) == 1
