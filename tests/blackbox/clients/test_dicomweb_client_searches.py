"""dicomweb-client searches with everything that it can say, and stores."""

import pytest
import requests
from pydicom.uid import generate_uid

from tests.blackbox.clients.samples import as_file, store
from tests.datasets import dataset, with_pixels


@pytest.fixture(scope="module")
def patient(server) -> str:
    """A patient with five studies of one series with two instances each; the first is MR."""
    patient = generate_uid()[-20:]
    for number in range(5):
        series = dataset(
            PatientID=patient,
            PatientName="Bröwn^Jörg",
            StudyDate=f"2024010{number + 1}",
            StudyDescription=f"Visit {number}",
            Modality="CT" if number else "MR",
        )
        for instance in (1, 2):
            series.SOPInstanceUID, series.InstanceNumber = generate_uid(), instance
            store(f"{server.url}/v2", series)
    return patient


def dates(found) -> list[str]:
    return [match["00080020"]["Value"][0] for match in found]


def test_studies_are_found_by_all_that_a_search_can_say(dicomweb, patient):
    (match,) = dicomweb.search_for_studies(
        fuzzymatching=True,
        limit=10,
        offset=1,
        fields=["StudyDescription", "00080060", "NumberOfStudyRelatedSeries", "00201208"],
        search_filters={
            "PatientName": "jorg bro",
            "PatientID": patient,
            "StudyDate": "20240102-20240103",
            "ModalitiesInStudy": "CT",
        },
    )
    assert dates([match]) == ["20240102"]
    assert match["00081030"]["Value"] == ["Visit 1"]
    assert match["00080060"]["Value"] == ["CT"]
    assert match["00080061"]["Value"] == ["CT"]
    assert match["00201206"]["Value"] == [1]
    assert match["00201208"]["Value"] == [2]
    assert match["00100010"]["Value"] == [{"Alphabetic": "Bröwn^Jörg"}]


@pytest.mark.parametrize("limit", [1, 2, 5, 200])
def test_all_studies_are_found_page_by_page(dicomweb, patient, limit):
    filters = {"00100020": patient}
    found = dicomweb.search_for_studies(
        limit=limit, get_remaining=True, fuzzymatching=False, search_filters=filters
    )
    assert dates(found) == [f"2024010{day}" for day in (5, 4, 3, 2, 1)]
    last = dicomweb.search_for_studies(
        limit=limit, offset=4, get_remaining=True, search_filters=filters
    )
    assert dates(last) == ["20240101"]
    assert dicomweb.search_for_studies(limit=limit, offset=5, search_filters=filters) == []


def test_wildcards_find_studies(dicomweb, patient):
    for filters in ({"PatientID": f"{patient[:-1]}?"}, {"PatientID": f"*{patient[1:]}"}):
        assert len(dicomweb.search_for_studies(search_filters=filters)) == 5
        narrower = filters | {"StudyDescription": "*it 3"}
        assert dates(dicomweb.search_for_studies(search_filters=narrower)) == ["20240104"]


def test_series_are_found_in_a_study_and_everywhere(dicomweb, patient):
    study, *_ = dicomweb.search_for_studies(search_filters={"PatientID": patient})
    uid = study["0020000D"]["Value"][0]
    (match,) = dicomweb.search_for_series(
        uid, fields=["NumberOfSeriesRelatedInstances", "SeriesNumber", "PatientID"], limit=1
    )
    assert match["0020000D"]["Value"] == [uid]
    assert match["00201209"]["Value"] == [2]
    assert match["00200011"]["Value"] == [1]
    assert match["00100020"]["Value"] == [patient]
    found = dicomweb.search_for_series(
        limit=2, get_remaining=True, search_filters={"PatientID": patient, "Modality": "CT"}
    )
    assert len(found) == 4
    assert dicomweb.search_for_series(uid, search_filters={"Modality": "MR"}) == []


def test_instances_are_found_in_a_series_a_study_and_everywhere(dicomweb, patient):
    study, *_ = dicomweb.search_for_studies(search_filters={"PatientID": patient})
    uid = study["0020000D"]["Value"][0]
    (series,) = dicomweb.search_for_series(uid)
    for place in ((uid,), (uid, series["0020000E"]["Value"][0])):
        found = dicomweb.search_for_instances(
            *place, fields=["InstanceNumber", "SOPClassUID"], limit=1, get_remaining=True
        )
        assert [match["00200013"]["Value"] for match in found] == [[2], [1]]
        wanted = {"SOPInstanceUID": found[0]["00080018"]["Value"][0]}
        assert len(dicomweb.search_for_instances(*place, search_filters=wanted)) == 1
    everywhere = dicomweb.search_for_instances(
        limit=3, get_remaining=True, search_filters={"PatientID": patient}
    )
    assert len(everywhere) == 10


def test_a_search_that_is_wrong_is_told_so(dicomweb):
    with pytest.raises(requests.HTTPError, match="400"):
        dicomweb.search_for_studies(search_filters={"StudyDate": "yesterday"})


def test_what_was_stored_is_understood_also_when_it_is_sent_in_chunks(dicomweb):
    large = as_file(with_pixels(dataset(), 300, 300))
    small = as_file(dataset(StudyInstanceUID=large.StudyInstanceUID))
    dicomweb.set_chunk_size(10_000)  # a longer body is sent with Transfer-Encoding: chunked
    answer = dicomweb.store_instances([large, small])
    assert len(answer.ReferencedSOPSequence) == 2
    assert answer.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == large.SOPInstanceUID
    assert "RetrieveURL" in answer.ReferencedSOPSequence[0]
    (back,) = dicomweb.retrieve_series(large.StudyInstanceUID, large.SeriesInstanceUID)
    assert back.PixelData == large.PixelData


LONG_COMMENTS = "ignore:The value length .* exceeds the maximum length of 64:UserWarning"
"""An ErrorComment may be longer than its VR allows: so it is in the service that we follow."""


@pytest.mark.filterwarnings(LONG_COMMENTS)
def test_a_store_that_fails_in_part_says_of_each_instance_how_it_went(dicomweb):
    good, bad = as_file(dataset()), as_file(dataset(PatientID=None))
    answer = dicomweb.store_instances([good, bad])
    (stored,) = answer.ReferencedSOPSequence
    (failed,) = answer.FailedSOPSequence
    assert stored.ReferencedSOPInstanceUID == good.SOPInstanceUID
    assert failed.ReferencedSOPInstanceUID == bad.SOPInstanceUID
    assert failed.FailureReason == 43264
    assert "(0010,0020)" in failed.FailedAttributesSequence[0].ErrorComment


@pytest.mark.filterwarnings(LONG_COMMENTS)
def test_the_warnings_of_a_store_are_understood(dicomweb, version):
    doubtful = as_file(dataset(Modality="M" * 20))
    if version == "v1":  # refuses what v2 stores with a warning
        with pytest.raises(requests.HTTPError, match="409"):
            dicomweb.store_instances([doubtful], doubtful.StudyInstanceUID)
        return
    answer = dicomweb.store_instances([doubtful], doubtful.StudyInstanceUID)
    (stored,) = answer.ReferencedSOPSequence
    assert stored.WarningReason == 1
    # The host is not compared: a short store comes with a Host header that lacks the port.
    assert answer.RetrieveURL.endswith(f"/v2/studies/{doubtful.StudyInstanceUID}")
