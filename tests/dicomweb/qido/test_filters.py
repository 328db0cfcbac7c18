"""What searches find: each rule as a client sees it. Their fine points are in tests/index."""

import pytest

from tests.datasets import dataset
from tests.dicomweb.qido.reading import all_of


@pytest.fixture
def patients(search):
    """PatientIDs of the studies that a query finds, oldest first."""
    return lambda query: all_of(search(f"studies?{query}"), "PatientID")[::-1]


@pytest.fixture
def people(store):
    """Studies of four patients, P1 to P4."""
    for number, name, date, accession in (
        (1, "Doe^John", "20240130", "Acc1"),
        (2, "Doé^Jané", "20240131", "ACC2"),
        (3, "Roe^John^Q", "20240201", "acc%3"),
        (4, "Yamada^Tarou=山田^太郎=やまだ^たろう", "20240202", "Ácc4"),
    ):
        store(
            PatientID=f"P{number}",
            PatientName=name,
            StudyDate=date,
            AccessionNumber=accession,
            SpecificCharacterSet="ISO_IR 192",
            PatientBirthDate=f"1970010{number}",
            ReferringPhysicianName=f"Ref^{'AB'[number % 2]}",
        )


EVERYONE = ["P1", "P2", "P3", "P4"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        # Strings: the whole value, in any case, with its accents.
        ("PatientID=P1", ["P1"]),
        ("PatientID=p1", ["P1"]),
        ("PatientID=P", []),
        ("AccessionNumber=ACC1", ["P1"]),
        ("AccessionNumber=%C3%A1cc4", ["P4"]),
        ("AccessionNumber=Acc4", []),
        ("AccessionNumber=acc%253", ["P3"]),
        ("StudyDescription=CHEST", EVERYONE),
        ("PatientID=" + "P" * 100, []),
        ("PatientID=P1%00", ["P1"]),
        ("PatientID=%FF", []),
        # Wildcards.
        ("PatientID=P*", EVERYONE),
        ("PatientID=?3", ["P3"]),
        ("AccessionNumber=*C*", EVERYONE),
        ("AccessionNumber=acc?", ["P1", "P2"]),
        ("AccessionNumber=*%25*", ["P3"]),
        ("StudyDescription=*hes*", EVERYONE),
        ("PatientID=*&PatientName=*", EVERYONE),
        # Names: in any case, with any accents, whole or one component group.
        ("PatientName=DOE^JOHN", ["P1"]),
        ("PatientName=doe^jane", ["P2"]),
        ("PatientName=d%C3%B6e^j%C3%B6hn", ["P1"]),
        ("PatientName=Doe", []),
        ("PatientName=doe*", ["P1", "P2"]),
        ("PatientName=*john*", ["P1", "P3"]),
        ("PatientName=?oe^john", ["P1"]),
        ("PatientName=%E5%B1%B1%E7%94%B0^%E5%A4%AA%E9%83%8E", ["P4"]),
        ("PatientName=%E5%B1%B1*", ["P4"]),
        ("PatientName=yamada^tarou", ["P4"]),
        ("ReferringPhysicianName=ref^b", ["P1", "P3"]),
        ("ReferringPhysicianName=REF*", EVERYONE),
        # Fuzzy matching: words, in any order.
        ("PatientName=joh+do&fuzzymatching=true", ["P1"]),
        ("PatientName=jo&fuzzymatching=true", ["P1", "P3"]),
        ("PatientName=ohn&fuzzymatching=true", []),
        ("PatientName=*ohn&fuzzymatching=true", ["P1", "P3"]),
        ("PatientName=joh+do&fuzzymatching=false", []),
        ("PatientID=P&fuzzymatching=true", []),
        ("PatientID=p?&AccessionNumber=*3&fuzzymatching=true", ["P3"]),
        ("ReferringPhysicianName=b&fuzzymatching=TRUE", ["P1", "P3"]),
        # Dates.
        ("StudyDate=20240131", ["P2"]),
        ("StudyDate=20240131-20240201", ["P2", "P3"]),
        ("StudyDate=20240131-", ["P2", "P3", "P4"]),
        ("StudyDate=-20240131", ["P1", "P2"]),
        ("StudyDate=20250101", []),
        ("PatientBirthDate=19700102-19700103", ["P2", "P3"]),
        # Conditions are combined.
        ("PatientName=doe*&StudyDate=20240131-", ["P2"]),
        ("PatientName=doe*&PatientID=P3", []),
        ("00100010=doe*&00080020=20240130", ["P1"]),
    ],
)
def test_a_query_finds_these_patients(people, patients, query, found):
    assert patients(query) == found


def test_a_name_with_an_empty_alphabetic_group_is_found_by_the_others(store, patients):
    store(PatientID="P1", PatientName="=山田^太郎", SpecificCharacterSet="ISO_IR 192")
    assert patients("PatientName=%E5%B1%B1%E7%94%B0*") == ["P1"]


def test_a_stored_value_with_padding_is_found_without_it(store, patients):
    store(PatientID="P1  ", AccessionNumber="A 1 ")
    assert len(patients("PatientID=P1")) == 1
    assert len(patients("AccessionNumber=A%201%20")) == 1


@pytest.mark.parametrize("version", ["v2"])  # v1 refuses such an instance
def test_a_stored_value_with_trailing_nuls_is_found_without_and_with_them(store, search):
    store(PatientID="P1\0")
    for asked in ("P1", "P1%00", "P1%20", "P1%00%20"):
        assert len(search(f"studies?PatientID={asked}")) == 1


def test_studies_are_found_by_a_list_of_uids(store, search):
    stored = [store().StudyInstanceUID for _ in range(3)]
    for separator in ("\\", "%5C", ","):
        matches = search(f"studies?StudyInstanceUID={separator.join(stored[:2])}")
        assert all_of(matches, "StudyInstanceUID") == stored[1::-1]
    assert search("studies?StudyInstanceUID=1.2.*") == []
    assert search(f"studies?StudyInstanceUID={stored[0]}%20")
    assert len(search(f"studies?StudyInstanceUID={'%5C'.join([*stored, 'x', '1.2'])}")) == 3


def test_series_and_instances_are_found_by_lists_of_uids(store, search):
    stored = [store() for _ in range(3)]
    series = "%5C".join(ds.SeriesInstanceUID for ds in stored[:2])
    instances = ",".join(ds.SOPInstanceUID for ds in stored[:2])
    for query in (
        f"series?SeriesInstanceUID={series}",
        f"instances?SeriesInstanceUID={series}",
        f"instances?SOPInstanceUID={instances}",
    ):
        expected = [ds.SeriesInstanceUID for ds in stored[1::-1]]
        assert all_of(search(query), "SeriesInstanceUID") == expected


def test_attributes_of_series_find_series_and_instances(store, search):
    for modality, model, start in (("CT", "M1", "20240131"), ("MR", "M2", "20240201")):
        store(
            Modality=modality,
            ManufacturerModelName=model,
            PerformedProcedureStepStartDate=start,
            StudyInstanceUID="1.2.3",
        )
    for query in (
        "Modality=mr",
        "Modality=M*",
        "ManufacturerModelName=m2",
        "PerformedProcedureStepStartDate=20240201-",
        "Modality=MR&ManufacturerModelName=*2",
    ):
        for path in ("series", "instances", "studies/1.2.3/series", "studies/1.2.3/instances"):
            matches = search(f"{path}?{query}")
            assert all_of(matches, "Modality") == ["MR"], (path, query)


def test_attributes_of_studies_find_series_and_instances(store, search):
    for number in (1, 2):
        store(PatientID=f"P{number}", StudyDate=f"2024010{number}", PatientName=f"Doe^{number}")
    for query in (
        "PatientID=P2",
        "StudyDate=20240102",
        "StudyDate=20240102-",
        "PatientName=doe^2",
        "PatientName=*2",
        "PatientName=2&fuzzymatching=true",
        "PatientName=doe*&Modality=CT&StudyDate=20240102",
    ):
        for path in ("series", "instances"):
            assert all_of(search(f"{path}?{query}"), "PatientID") == ["P2"], (path, query)


def test_a_modality_in_study_finds_studies_that_have_such_a_series(store, search):
    first = store(Modality="CT")
    store(Modality="MR", StudyInstanceUID=first.StudyInstanceUID)
    second = store(Modality="MR")

    def found(query: str) -> list[str]:
        return all_of(search(query), "StudyInstanceUID")

    one, both = [first.StudyInstanceUID], [second.StudyInstanceUID, first.StudyInstanceUID]
    assert found("studies?ModalitiesInStudy=ct") == one
    assert found("studies?ModalitiesInStudy=MR") == both
    assert found("studies?ModalitiesInStudy=M*") == both
    assert found("studies?ModalitiesInStudy=CT,US") == one
    assert found("studies?ModalitiesInStudy=CT%5CMR") == both
    assert found("studies?ModalitiesInStudy=CT,MR&StudyDate=20240131") == both
    assert found("studies?ModalitiesInStudy=US") == []
    assert found("series?ModalitiesInStudy=CT") == one * 2
    assert found("instances?ModalitiesInStudy=CT&Modality=MR") == one


def test_instances_are_found_by_sop_class(store, search):
    store(SOPClassUID="1.2.840.10008.5.1.4.1.1.4")
    other = store()
    matches = search("instances?SOPClassUID=1.2.840.10008.5.1.4.1.1.2")
    assert all_of(matches, "SOPInstanceUID") == [other.SOPInstanceUID]


def test_a_uid_with_trailing_blanks_is_found_without_them(store, search):
    ds = dataset()
    ds.StudyInstanceUID = "1.2.3 "
    store(ds)
    assert all_of(search("studies?StudyInstanceUID=1.2.3"), "StudyInstanceUID") == ["1.2.3"]
    assert len(search("studies/1.2.3%20/series")) == 1


@pytest.fixture
def settings(request, settings):
    """The settings, changed as a test asks."""
    return settings.model_copy(update=getattr(request, "param", {}))


@pytest.mark.parametrize("settings", [{"qido_wildcards": False}], indirect=True)
def test_wildcards_can_be_switched_off(store, patients):
    store(PatientID="P*", PatientName="D*^J?")
    store(PatientID="P1", PatientName="Doe^Ja")
    assert patients("PatientID=P*") == ["P*"]
    assert patients("PatientID=P?") == []
    assert patients("PatientName=D*^J?") == ["P*"]
    assert patients("PatientName=D*&fuzzymatching=true") == ["P*"]
