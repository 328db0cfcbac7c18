"""OHIF lists studies, opens one, and reads its metadata, request by request (3.13)."""

from urllib.parse import quote

import pytest

from tests.blackbox.clients.ohif import PATIENT_ID

JSON = "application/dicom+json"
LISTED = "limit=101&offset=0&fuzzymatching=false&includefield=" + quote(
    "00081030,00080060,00080090,00100030", safe=""
)
SERIES = f"includefield={quote('00080021,00080031,0008103E,00200011', safe='')}"
WITH_WADO_HEADER = [
    f'{JSON}, multipart/related; type="application/octet-stream"; transfer-syntax="*"',
    f"{JSON}, multipart/related; type=application/octet-stream; transfer-syntax=*",
]
"""Up to version 3.11 the Accept of pixels is added to that of metadata."""


@pytest.fixture
def search(browser, archive):
    """The matches of a search."""

    def search(path: str, accept: str = JSON) -> list[dict]:
        answer = browser.get(path, accept)
        if answer.status_code == 204:
            assert answer.content == b""
            return []
        assert answer.headers["Content-Type"] == JSON
        return answer.json()

    return search


def shown(match: dict) -> dict:
    """What OHIF reads of a match: first values, and the letters of names."""
    values = {tag: element["Value"][0] for tag, element in match.items() if "Value" in element}
    return {
        tag: value["Alphabetic"] if isinstance(value, dict) and "Alphabetic" in value else value
        for tag, value in values.items()
    }


def patients(found: list[dict]) -> list[str]:
    return [shown(match)["00100020"] for match in found]


def test_the_list_shows_every_study(search, archive):
    found = {match["0020000D"]["Value"][0]: shown(match) for match in search(f"studies?{LISTED}")}
    row = found[archive.study]
    assert row["00080020"] == "20240131"
    assert row["00080050"] == "ACC-77"
    assert row["00081030"] == "Abdomen and more"
    assert row["00080090"] == "Ref^Erring"
    assert row["00100010"] == "Viewer^Olga"
    assert row["00100020"] == PATIENT_ID
    assert row["00100030"] == "19700101"
    assert row["00080060"] == "US"  # of the newest instance
    assert {archive.prior.StudyInstanceUID, archive.other.StudyInstanceUID} <= found.keys()


def test_modalities_and_counts_have_values_when_asked_for(search, archive):
    """The list crashes where ModalitiesInStudy is there without one."""
    more = quote(",00080061,00201206,00201208", safe="")
    found = {match["0020000D"]["Value"][0]: match for match in search(f"studies?{LISTED}{more}")}
    for match in found.values():
        assert all(match[tag]["Value"] for tag in ("00080061", "00201206", "00201208"))
    match = found[archive.study]
    kinds = ["DOC", "ECG", "MR", "SEG", "SR", "US", "XC"]
    assert sorted(match["00080061"]["Value"]) == kinds
    assert match["00201206"]["Value"] == [7]
    assert match["00201208"]["Value"] == [6 + len(archive.images)]


@pytest.mark.parametrize(
    "filters",
    [
        {"PatientName": "*iewer*"},
        {"PatientName": "*OLGA*"},
        {"00100020": f"*{PATIENT_ID}*"},
        {"AccessionNumber": "*CC-7*"},
        {"StudyDescription": "*and more*"},
        {"ModalitiesInStudy": "SEG"},
        {"StudyDate": "20240101-20240131"},
        {"StudyDate": "19700102-20240131"},
        {"PatientName": "*viewer*", "AccessionNumber": "*77*", "ModalitiesInStudy": "MR"},
    ],
)
def test_a_filter_finds_the_study(search, archive, filters):
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in filters.items())
    found = search(f"studies?{query}&{LISTED}")
    assert archive.study in [match["0020000D"]["Value"][0] for match in found]
    assert "OHIF-2" not in patients(found)


@pytest.mark.parametrize("query", ["PatientName=*nobody*", "ModalitiesInStudy=PT", "offset=1000"])
def test_what_nothing_matches_is_an_empty_list(search, query):
    listed = LISTED.replace("offset=0&", "") if "offset" in query else LISTED
    assert search(f"studies?{query}&{listed}") == []


def test_studies_are_opened_by_a_list_of_uids(search, archive):
    uids = [archive.study, archive.prior.StudyInstanceUID, "1.2.3"]
    for count, expected in ((1, 1), (3, 2)):
        listed = quote("\\".join(uids[:count]), safe="")
        found = search(f"studies?{LISTED}&StudyInstanceUID={listed}")
        assert len(found) == expected
        assert {match["0020000D"]["Value"][0] for match in found} == set(uids[:expected])


def test_the_other_studies_of_a_patient_are_found(search, archive):
    found = search(f"studies?00100020={PATIENT_ID}&{LISTED}")
    uids = {match["0020000D"]["Value"][0] for match in found}
    assert uids == {archive.study, archive.prior.StudyInstanceUID}
    assert len(search(f"studies?00100020={PATIENT_ID}")) == 2


@pytest.mark.parametrize("accept", [JSON, *WITH_WADO_HEADER])
def test_the_series_of_a_study_can_be_sorted_and_named(search, archive, accept):
    found = search(f"studies/{archive.study}/series?{SERIES}", accept)
    series = {match["00200011"]["Value"][0]: match for match in found}
    assert sorted(series) == [1, 2, 3, 4, 5, 6, 7]
    first = shown(series[1])
    assert first["0020000D"] == archive.study
    assert first["0020000E"] == archive.series
    assert (first["00080021"], first["00080031"]) == ("20240131", "101500")
    assert (first["0008103E"], first["00080060"]) == ("Slices", "MR")
    for match in found:
        assert shown(match)["00080060"]


def test_one_series_is_found_by_its_uid(search, archive):
    (match,) = search(f"studies/{archive.study}/series?{SERIES}&SeriesInstanceUID={archive.series}")
    assert match["0020000E"]["Value"] == [archive.series]


def test_the_series_in_the_list_say_how_many_instances_they_have(search, archive):
    asked = quote("0008103E,00080021", safe="")
    assert len(search(f"studies/{archive.study}/series?includefield={asked}")) == 7
    found = search(f"studies/{archive.study}/series?includefield={asked},00201209")
    counts = [match["00201209"]["Value"][0] for match in found]
    assert sorted(counts) == [1] * 6 + [len(archive.images)]


@pytest.mark.parametrize("accept", [JSON, *WITH_WADO_HEADER])
def test_the_metadata_of_a_series_hold_what_makes_a_stack(search, archive, accept):
    found = search(f"studies/{archive.study}/series/{archive.series}/metadata", accept)
    assert len(found) == len(archive.images)
    by_uid = {ds.SOPInstanceUID: ds for ds in archive.images.values()}
    for metadata in found:
        values = shown(metadata)
        ds = by_uid.pop(values["00080018"])
        assert values["0020000D"] == archive.study
        assert values["0020000E"] == archive.series
        assert values["00080016"] == ds.SOPClassUID
        assert values["00200013"] == ds.InstanceNumber
        numbers = [values[tag] for tag in ("00280010", "00280011", "00280100", "00280103")]
        assert numbers == [ds.Rows, ds.Columns, ds.BitsAllocated, ds.PixelRepresentation]
        assert values["00280004"] == ds.PhotometricInterpretation
    assert by_uid == {}


def test_metadata_come_compressed_and_once_only(browser, archive):
    path = f"studies/{archive.study}/series/{archive.series}/metadata"
    answer = browser.get(path, JSON)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
    again = browser.get(path, JSON, **{"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_all_of_a_study_is_had_in_one_request(search, archive):
    """That is what it asks when series are not to be loaded one by one."""
    assert len(search(f"studies/{archive.study}/metadata")) == 6 + len(archive.images)


def test_an_instance_is_found_for_a_thumbnail(search, archive):
    query = "limit=1&includefield=00080018"
    (match,) = search(f"studies/{archive.study}/series/{archive.series}/instances?{query}")
    assert match["00080018"]["Value"][0] in {ds.SOPInstanceUID for ds in archive.images.values()}
