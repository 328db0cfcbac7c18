"""What instances are refused for, and what is dropped of them."""

import pytest

from tests.datasets import dataset, encoded, part10
from tests.dicomweb.stow.answers import DICOM, RELATED, comments, failed, multipart, reasons, stored


@pytest.mark.parametrize(
    "keyword",
    ["SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "PatientID"],
)
@pytest.mark.usefixtures("version")
def test_a_missing_required_attribute_is_named(post, archive, keyword):
    ds = dataset(**{keyword: None})
    answer = post(encoded(ds))
    assert answer.status_code == 409
    assert reasons(answer) == [43264]
    (comment,) = comments(failed(answer)[0])
    assert comment.startswith("DICOM100: (00")
    assert comment.endswith("is missing.")
    assert not list(archive.blobs.list())


def test_an_empty_patient_id_is_refused_in_v1_and_dropped_with_a_warning_in_v2(post, version):
    answer = post(part10(PatientID=""))
    comment = "DICOM100: (0010,0020) - The required tag '(0010,0020)' is missing."
    if version == "v1":
        assert answer.status_code == 409
        assert comments(failed(answer)[0]) == [comment]
    else:
        assert answer.status_code == 202
        assert stored(answer)[0]["00081196"]["Value"] == [1]
        assert comments(stored(answer)[0]) == [comment]


@pytest.mark.parametrize("uid", ["abc.123", "11|", "1" * 65, "1.2."])
def test_an_instance_with_a_malformed_study_uid_is_refused(post, uid):
    answer = post(part10(StudyInstanceUID=uid))
    assert answer.status_code == 409
    assert comments(failed(answer)[0])[0].startswith("DICOM100: (0020,000d) - ")


def test_an_instance_of_another_study_than_the_urls_is_refused(post):
    ds = dataset()
    other = dataset(StudyInstanceUID="1.2.3")
    answer = post(multipart(encoded(ds), encoded(other)), RELATED, path="studies/1.2.3")
    assert answer.status_code == 202
    assert reasons(answer) == [43264]
    assert comments(failed(answer)[0])[0].startswith("DICOM100: (0020,000d) - ")
    assert stored(answer)[0]["00081155"]["Value"] == [other.SOPInstanceUID]


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("Modality", "A" * 20),
        ("StudyDate", "NotAValidStudyDate"),
        ("StudyDate", "20211331"),
        ("PatientBirthDate", "1970"),
        ("PatientName", "a=b=c=d"),
        ("PatientName", "a^b^c^d^e^f"),
        ("PatientName", "x" * 65),
        ("AccessionNumber", "x" * 17),
        ("StudyDescription", "x" * 65),
        ("ReferringPhysicianName", "a\x01"),
    ],
)
def test_an_invalid_indexed_value_is_refused_in_v1_and_dropped_in_v2(
    post, client, version, keyword, value
):
    ds = dataset(**{keyword: value})
    answer = post(encoded(ds))
    if version == "v1":
        assert answer.status_code == 409
        assert reasons(answer) == [43264]
        assert comments(failed(answer)[0])[0].startswith("DICOM100: (00")
        return
    assert answer.status_code == 202
    assert stored(answer)[0]["00081196"]["Value"] == [1]
    assert len(comments(stored(answer)[0])) == 1
    shown = client.get(f"/v2/studies/{ds.StudyInstanceUID}/metadata").json[0]
    assert f"{ds[keyword].tag:08X}" not in {f"{int(tag, 16):08X}" for tag in shown}


@pytest.mark.parametrize("value", ["x" * 65, "a\x01b", "\0123\0"])
def test_an_invalid_patient_id_is_refused_in_both_versions(post, value):
    answer = post(part10(PatientID=value))
    assert answer.status_code == 409
    assert comments(failed(answer)[0])[0].startswith("DICOM100: (0010,0020) - ")


def test_several_patient_ids_are_refused_in_both_versions(post):
    answer = post(part10(PatientID=["A", "B"]))
    assert answer.status_code == 409
    assert comments(failed(answer)[0])[0].startswith("DICOM100: (0010,0020) - ")


@pytest.mark.parametrize(
    "keyword",
    ["Modality", "StudyDate", "StudyDescription", "AccessionNumber", "PatientName"],
)
def test_several_values_of_an_indexed_attribute_are_dropped_with_a_warning_in_v2(client, keyword):
    value = ["20240101", "20240102"] if keyword == "StudyDate" else ["A", "B"]
    ds = dataset(**{keyword: value})
    answer = client.post("/v2/studies", data=encoded(ds), content_type=DICOM)
    assert answer.status_code == 202
    assert stored(answer)[0]["00081196"]["Value"] == [1]
    (comment,) = comments(stored(answer)[0])
    assert "ValueMultiplicity" in comment
    (shown,) = client.get(f"/v2/studies/{ds.StudyInstanceUID}/metadata").json
    assert f"{ds[keyword].tag:08X}" not in {tag.upper() for tag in shown}


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
