"""The searches that real clients make, in their own words."""

import pytest
from dicomweb_client.uri import build_query_string, parse_query_parameters
from pydicom.uid import ExplicitVRLittleEndian, VLWholeSlideMicroscopyImageStorage

from tests.dicomweb.qido.reading import all_of, value, values


@pytest.fixture
def stored(store):
    """A study of two series, and another study."""
    first = store(PatientID="P1", PatientName="Doe^Jane", Modality="CT", SeriesNumber=1)
    store(
        PatientID="P1",
        PatientName="Doe^Jane",
        Modality="SR",
        SeriesNumber=2,
        StudyInstanceUID=first.StudyInstanceUID,
    )
    store(PatientID="P2", PatientName="Roe^Richard", Modality="MR", StudyDate="20200101")
    return first


OHIF = "limit=101&offset=0&fuzzymatching=false&includefield=00081030,00080060,00080090,00100030"


def test_ohifs_worklist(search, stored):
    matches = search(f"studies?{OHIF}")
    assert all_of(matches, "PatientID") == ["P2", "P1"]
    assert all_of(matches, "StudyDescription") == ["Chest", "Chest"]
    assert all_of(matches, "Modality") == ["MR", "SR"]


def test_ohifs_worklist_shows_modalities_and_counts(search, stored):
    _, match = search(f"studies?{OHIF}&includefield=00080061,00201206,00201208")
    assert values(match, "ModalitiesInStudy") == ["CT", "SR"]
    assert value(match, "NumberOfStudyRelatedSeries") == 2
    assert value(match, "NumberOfStudyRelatedInstances") == 2


def test_ohifs_worklist_gets_no_computed_attribute_without_a_value(search, store):
    """It reads the length of the list of modalities that it asked for, if there is one."""
    store(Modality=None)
    store(Modality="")
    for match in search(f"studies?{OHIF}&includefield=00080061,00201206,00201208"):
        assert values(match, "ModalitiesInStudy") is None
        assert value(match, "NumberOfStudyRelatedSeries") == 1
        assert value(match, "NumberOfStudyRelatedInstances") == 1


@pytest.mark.parametrize(
    "query",
    [
        "PatientName=*jan*",
        "00100020=*1*",
        "AccessionNumber=*A*&StudyDate=20230101-20241231",
        "StudyDescription=*hes*&ModalitiesInStudy=CT",
        "ModalitiesInStudy=US%2CCT",
    ],
)
def test_ohifs_filters(search, stored, query):
    assert all_of(search(f"studies?{OHIF}&{query}"), "PatientID") == ["P1"]


def test_ohif_opens_a_study(search, stored):
    study = stored.StudyInstanceUID
    (match,) = search(f"studies?{OHIF}&StudyInstanceUID={study}%5C1.2.3")
    assert value(match, "StudyInstanceUID") == study
    series = search(f"studies/{study}/series?includefield=00080021,00080031,0008103E,00200011")
    assert all_of(series, "SeriesNumber") == [2, 1]
    assert all_of(series, "Modality") == ["SR", "CT"]
    assert len(search("studies?00100020=P1")) == 1


def test_the_search_calls_of_dicomweb_client(search, stored):
    query = build_query_string(
        parse_query_parameters(
            fuzzymatching=True,
            limit=5,
            offset=0,
            fields=["PatientSex", "00201208"],
            search_filters={"PatientName": "Doe Jane", "StudyDate": "20240131"},
        )
    )
    (match,) = search(f"studies{query}")
    assert value(match, "PatientSex") == "O"
    assert value(match, "NumberOfStudyRelatedInstances") == 2


def test_the_search_of_wsidicom(search, store, stored):
    slide = store(
        SOPClassUID=VLWholeSlideMicroscopyImageStorage,
        Modality="SM",
        StudyInstanceUID=stored.StudyInstanceUID,
    )
    query = build_query_string(
        parse_query_parameters(
            fields=["AvailableTransferSyntaxUID"],
            search_filters={
                "00080016": VLWholeSlideMicroscopyImageStorage,
                "0020000E": [slide.SeriesInstanceUID],
                "00080060": "SM",
            },
        )
    )
    (match,) = search(f"studies/{stored.StudyInstanceUID}/instances{query}")
    assert value(match, "SeriesInstanceUID") == slide.SeriesInstanceUID
    assert value(match, "SOPInstanceUID") == slide.SOPInstanceUID
    assert values(match, "AvailableTransferSyntaxUID") == [ExplicitVRLittleEndian]


def test_dicomweb_client_gives_several_uids_as_several_parameters(search, store):
    stored = [store() for _ in range(3)]
    uids = [ds.SeriesInstanceUID for ds in stored[1:]]
    query = build_query_string(parse_query_parameters(search_filters={"0020000E": uids}))
    assert query.count("0020000E=") == 2
    assert all_of(search(f"series{query}"), "SeriesInstanceUID") == uids[::-1]
