"""What a client sees of validation: the answer to a store, then metadata, searches and the file."""

import logging

import pytest
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import ImplicitVRLittleEndian

from tests.datasets import dataset, encoded, part10
from tests.dicomweb.stow.answers import DICOM, RELATED, comments, failed, multipart, reasons, stored

SEARCHABLE_AND_WRONG = {
    "Modality": "A" * 20,
    "StudyDate": "NotAValidStudyDate",
    "PatientBirthDate": "1970",
    "PatientName": "a=b=c=d",
    "AccessionNumber": "x" * 17,
    "StudyDescription": "x" * 65,
    "ReferringPhysicianName": "a\x01",
}


@pytest.fixture(autouse=True)
def anything_goes():
    """Lets pydicom make what is invalid."""
    with disable_value_validation():
        yield


def hexadecimal(keyword: str) -> str:
    return f"{Tag(keyword):08X}"


def metadata(client, version: str, ds: Dataset) -> dict:
    (shown,) = client.get(f"/{version}/studies/{ds.StudyInstanceUID}/metadata").json
    return shown


def is_warned_of(answer) -> list[str]:
    """The comments of an answer that says that something was dropped."""
    assert answer.status_code == 202
    (item,) = stored(answer)
    assert item["00081196"] == {"vr": "US", "Value": [1]}
    return comments(item)


def is_refused(answer) -> list[str]:
    """The comments of an answer that refuses an instance."""
    assert answer.status_code == 409
    assert reasons(answer) == [43264]
    return comments(failed(answer)[0])


# --- required attributes -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keyword",
    ["SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "PatientID"],
)
def test_a_missing_required_attribute_is_named(post, archive, keyword):
    (comment,) = is_refused(post(part10(**{keyword: None})))
    assert comment.startswith("DICOM100: (00")
    assert comment.endswith("is missing.")
    assert not list(archive.blobs.list())


def test_a_refused_instance_is_named_by_the_uids_it_has(post):
    ds = dataset(PatientID=None, SOPInstanceUID="not.a.uid")
    (item,) = failed(post(encoded(ds)))
    assert item["00081150"] == {"vr": "UI", "Value": [ds.SOPClassUID]}
    assert item["00081155"] == {"vr": "UI", "Value": ["not.a.uid"]}


def test_a_refused_instance_is_not_named_by_what_is_too_long_for_a_uid(post):
    answer = post(part10(SOPInstanceUID="1" * 60_000))
    is_refused(answer)
    assert "00081155" not in failed(answer)[0]
    assert len(answer.data) < 1000


def test_an_empty_patient_id_is_refused_in_v1_and_dropped_with_a_warning_in_v2(
    post, client, version
):
    ds = dataset(PatientID="")
    answer = post(encoded(ds))
    comment = "DICOM100: (0010,0020) - The required tag '(0010,0020)' is missing."
    if version == "v1":
        assert is_refused(answer) == [comment]
    else:
        assert is_warned_of(answer) == [comment]
        assert "00100020" not in metadata(client, version, ds)


@pytest.mark.parametrize("uid", ["abc.123", "11|", "1" * 65, "1.2."])
def test_an_instance_with_a_malformed_study_uid_is_refused(post, uid):
    assert is_refused(post(part10(StudyInstanceUID=uid)))[0].startswith("DICOM100: (0020,000d) - ")


@pytest.mark.parametrize("value", ["x" * 65, "a\x01b", "\0123\0", ["A", "B"]])
def test_an_invalid_patient_id_is_refused(post, value):
    assert is_refused(post(part10(PatientID=value)))[0].startswith("DICOM100: (0010,0020) - ")


def test_an_instance_of_another_study_than_the_urls_is_refused(post):
    ds = dataset()
    other = dataset(StudyInstanceUID="1.2.3")
    answer = post(multipart(encoded(ds), encoded(other)), RELATED, path="studies/1.2.3")
    assert answer.status_code == 202
    assert reasons(answer) == [43264]
    assert comments(failed(answer)[0])[0].startswith("DICOM100: (0020,000d) - ")
    assert stored(answer)[0]["00081155"]["Value"] == [other.SOPInstanceUID]


def test_a_uid_with_a_leading_zero_is_warned_of_in_v2_and_kept(post, client, version):
    ds = dataset(StudyInstanceUID="1.2.03")
    answer = post(encoded(ds))
    if version == "v1":
        assert answer.status_code == 200
    else:
        assert is_warned_of(answer)[0].startswith("DICOM100: (0020,000d) - ")
    assert metadata(client, version, ds)["0020000D"]["Value"] == ["1.2.03"]
    assert client.get(f"/{version}/studies?StudyInstanceUID=1.2.03").status_code == 200


def test_nuls_that_pad_a_value_are_forgiven_in_v2_and_shown(post, client, version):
    ds = dataset(PatientID="P1\0", PatientName="Doe^Jane\0\0")
    answer = post(encoded(ds))
    if version == "v1":
        assert sorted(comment[:23] for comment in is_refused(answer)) == [
            "DICOM100: (0010,0010) -",
            "DICOM100: (0010,0020) -",
        ]
        return
    assert answer.status_code == 200
    assert metadata(client, version, ds)["00100020"]["Value"] == ["P1\0"]
    assert client.get("/v2/studies?PatientID=P1").json[0]["0020000D"]["Value"] == [
        ds.StudyInstanceUID
    ]


# --- what searches filter by ---------------------------------------------------------------------


def test_invalid_searchable_values_are_refused_in_v1_and_dropped_in_v2(post, client, version):
    ds = dataset(**SEARCHABLE_AND_WRONG, StudyTime="101112")
    answer = post(encoded(ds))
    if version == "v1":
        assert len(is_refused(answer)) == len(SEARCHABLE_AND_WRONG)
        return
    assert len(is_warned_of(answer)) == len(SEARCHABLE_AND_WRONG)
    shown = metadata(client, version, ds)
    assert not shown.keys() & set(map(hexadecimal, SEARCHABLE_AND_WRONG))
    assert shown["00080030"]["Value"] == ["101112"]
    (study,) = client.get(f"/v2/studies?StudyInstanceUID={ds.StudyInstanceUID}").json
    assert not study.keys() & set(map(hexadecimal, SEARCHABLE_AND_WRONG))
    assert client.get(f"/v2/studies?StudyDescription={'x' * 65}").status_code == 204
    assert client.get(f"/v2/series?Modality={'A' * 20}").status_code == 204


@pytest.mark.parametrize("value", ["20210231", "20210101-20210201"])
def test_a_date_that_is_no_day_is_shown_in_v2_but_found_by_no_search(client, value):
    ds = dataset(StudyDate=value)
    answer = client.post("/v2/studies", data=encoded(ds), content_type=DICOM)
    assert answer.status_code == 200
    assert metadata(client, "v2", ds)["00080020"]["Value"] == [value]
    assert client.get("/v2/studies?StudyDate=20210101-20211231").status_code == 204
    assert client.get("/v2/studies?PatientID=P1").status_code == 200


@pytest.mark.parametrize("host", ["localhost", "pacs.example.org", "10.0.0.1", "[::1]"])
def test_several_values_of_an_indexed_attribute_are_accepted_with_a_warning_header_in_v1(
    client, host
):
    answer = client.post(
        "/v1/studies",
        data=part10(Modality=["CT", "MR"]),
        content_type=DICOM,
        base_url=f"http://{host}:8080",
    )
    assert answer.status_code == 200
    assert answer.headers["Warning"] == (
        f'299 {host}: "One or more indexed Dicom tag(s) have multiple values, '
        'only first value is indexed."'
    )
    assert client.get("/v1/series?Modality=CT").status_code == 200
    assert client.get("/v1/series?Modality=MR").status_code == 204


def test_several_values_of_an_indexed_attribute_are_dropped_with_a_warning_in_v2(client):
    ds = dataset(Modality=["CT", "MR"])
    answer = client.post("/v2/studies", data=encoded(ds), content_type=DICOM)
    (comment,) = is_warned_of(answer)
    assert comment == (
        'DICOM100: (0008,0060) - Content "CT\\MR" does not validate VR CS: '
        "Modality must have ValueMultiplicity 1, not 2 values."
    )
    assert "Warning" not in answer.headers
    assert "00080060" not in metadata(client, "v2", ds)
    assert client.get("/v2/series?Modality=CT").status_code == 204


# --- every element -------------------------------------------------------------------------------


def full_of_faults() -> Dataset:
    """Invalid at top level, within items, and in private elements."""
    inner = Dataset()
    inner.CodeMeaning = "x" * 65
    inner.InstitutionName = "y" * 65
    ds = dataset(ContentDate="2021.01.31", InstitutionName="General", ScanOptions="lower")
    ds.ProcedureCodeSequence = Sequence([inner])
    ds.private_block(0x0009, "SOMEBODY", create=True).add_new(1, "CS", "lower case")
    return ds


def test_every_element_is_looked_at_in_v2_and_the_file_keeps_them_all(post, client, version):
    ds = full_of_faults()
    body = encoded(ds)
    answer = post(body)
    if version == "v1":
        assert answer.status_code == 200
        assert "00091001" in metadata(client, version, ds)
        return
    assert [comment[:21] for comment in is_warned_of(answer)] == [
        "DICOM100: (0008,0023)",
        "DICOM100: (0008,0080)",
        "DICOM100: (0008,0104)",
        "DICOM100: (0009,1001)",
        "DICOM100: (0018,0022)",
    ]
    shown = metadata(client, version, ds)
    assert not shown.keys() & {"00080023", "00091001", "00180022", "00080080"}
    assert shown["00081032"]["Value"][0]["00080104"]["Value"] == ["x" * 65]
    assert shown["00090010"]["Value"] == ["SOMEBODY"]
    back = client.get(
        f"/v2/studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}"
        f"/instances/{ds.SOPInstanceUID}",
        headers={"Accept": "application/dicom; transfer-syntax=*"},
    )
    assert back.data == body


def test_dropping_attributes_goes_before_implicit_vr_as_the_reason_of_a_warning(client):
    body = encoded(dataset(ImplicitVRLittleEndian, ScanOptions="lower"))
    answer = client.post("/v2/studies", data=body, content_type=DICOM)
    assert len(is_warned_of(answer)) == 1


def test_a_warning_of_one_instance_leaves_the_others_without(client):
    body = multipart(part10(), part10(ScanOptions="lower"), part10(PatientID=None))
    answer = client.post("/v2/studies", data=body, content_type=RELATED)
    assert answer.status_code == 202
    fine, warned = stored(answer)
    assert "00081196" not in fine
    assert fine["00741048"] == {"vr": "SQ"}
    assert warned["00081196"]["Value"] == [1]
    assert len(comments(warned)) == 1
    assert len(comments(failed(answer)[0])) == 1


def test_all_that_is_wrong_refuses_an_instance_when_all_is_validated(post, archive):
    settings = archive.settings.model_copy(update={"full_validation": True})
    object.__setattr__(archive, "settings", settings)
    assert len(is_refused(post(encoded(full_of_faults())))) == 5
    assert post(part10()).status_code == 200


def test_no_value_of_a_refused_or_warned_of_instance_is_logged(post, caplog):
    caplog.set_level(logging.DEBUG)
    post(part10(PatientName="Secret^" + "x" * 65, ScanOptions="Secret", PatientID="Secret\x01"))
    post(part10(PatientName="Secret^" + "x" * 65, ScanOptions="Secret"))
    assert "Secret" not in caplog.text
