"""A study and a series have the values last stored, as far as they were stored."""

import pytest
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset

from tests.datasets import dataset, encoded

STUDY, SERIES = "1.2.3", "1.2.3.4"
ADDRESS = {"StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES}


@pytest.fixture
def store(post):
    """Stores an instance of the one series, with these attributes."""

    def store(**attributes) -> Dataset:
        with disable_value_validation():
            ds = dataset(**ADDRESS | attributes)
            answer = post(encoded(ds))
        assert answer.status_code in {200, 202}, answer.text
        return ds

    return store


@pytest.fixture
def found(client, version):
    """Whether a search finds anything."""

    def found(path: str) -> bool:
        answer = client.get(f"/{version}/{path}")
        assert answer.status_code in {200, 204}, answer.text
        return answer.status_code == 200

    return found


@pytest.fixture
def shown(client, version):
    """The values of an attribute that a search of studies or series answers."""

    def shown(resource: str, tag: str):
        (match,) = client.get(f"/{version}/{resource}?StudyInstanceUID={STUDY}").json
        return match[tag].get("Value") if tag in match else "absent"

    return shown


CHANGES = [
    ("studies", "PatientID", "P1", "P2"),
    ("studies", "StudyDate", "20240101", "20240202"),
    ("studies", "StudyDescription", "Chest", "Head"),
    ("studies", "AccessionNumber", "A1", "A2"),
    ("studies", "PatientName", "Doe^Jane", "Roe^Jane"),
    ("studies", "ReferringPhysicianName", "One^Dr", "Two^Dr"),
    ("studies", "PatientBirthDate", "19700101", "19710202"),
    ("series", "Modality", "CT", "MR"),
    ("series", "ManufacturerModelName", "Model 1", "Model 2"),
    ("series", "PerformedProcedureStepStartDate", "20240101", "20240202"),
]


def test_a_search_matches_the_newest_value_only(store, found):
    store(**{keyword: old for _, keyword, old, _ in CHANGES})
    store(**{keyword: new for _, keyword, _, new in CHANGES})
    for resource, keyword, old, new in CHANGES:
        assert found(f"{resource}?{keyword}={new}"), keyword
        assert not found(f"{resource}?{keyword}={old}"), keyword


@pytest.mark.parametrize("missing", [None, ""], ids=["absent", "empty"])
def test_what_is_absent_or_empty_does_not_replace_a_value(store, found, missing):
    store(**{keyword: old for _, keyword, old, _ in CHANGES})
    # PatientID has to be there, and in v1 to have a value.
    store(**{keyword: missing for _, keyword, _, _ in CHANGES if keyword != "PatientID"})
    for resource, keyword, old, _ in CHANGES:
        if keyword != "PatientID":
            assert found(f"{resource}?{keyword}={old}"), keyword


def test_a_value_comes_to_a_study_that_had_none(store, found):
    store(StudyDescription=None, AccessionNumber="")
    store(StudyDescription="Chest", AccessionNumber="A1")
    assert found("studies?StudyDescription=Chest&AccessionNumber=A1")


def test_the_order_of_storing_counts_not_that_of_dates_or_uids(store, found):
    store(SOPInstanceUID="1.9", StudyDate="20240202", StudyDescription="Newer")
    store(SOPInstanceUID="1.1", StudyDate="20240101", StudyDescription="Older")
    assert found("studies?StudyDescription=Older&StudyDate=20240101")
    assert not found("studies?StudyDescription=Newer")


def test_a_series_keeps_its_values_when_another_one_is_stored(store, found):
    store(Modality="CT")
    store(Modality="MR", SeriesInstanceUID="1.2.3.5")
    assert found("series?Modality=CT")
    assert found("series?Modality=MR")


@pytest.mark.parametrize("version", ["v2"])
def test_an_empty_patient_id_does_not_replace_one(store, found, shown):
    store(PatientID="P1")
    store(PatientID="")
    assert found("studies?PatientID=P1")
    assert shown("studies", "00100020") == ["P1"]
    store(PatientID="P2")
    assert shown("studies", "00100020") == ["P2"]
    assert not found("studies?PatientID=P1")


@pytest.mark.parametrize("version", ["v2"])
def test_what_was_dropped_as_invalid_does_not_replace_a_value(store, found, shown):
    store(StudyDescription="Chest", Modality="CT", StudyDate="20240101")
    store(StudyDescription="x" * 65, Modality=["MR", "CT"], StudyDate="20241301")
    assert found("studies?StudyDescription=Chest&StudyDate=20240101")
    assert found("series?Modality=CT")
    assert not found("series?Modality=MR")
    assert shown("studies", "00081030") == ["Chest"]
    assert shown("studies", "00080020") == ["20240101"]
    assert shown("series", "00080060") == ["CT"]


@pytest.mark.parametrize("version", ["v2"])
def test_what_was_first_dropped_as_invalid_comes_with_the_next_instance(store, found, shown):
    store(StudyDescription="x" * 65)
    assert shown("studies", "00081030") == "absent"
    store(StudyDescription="Chest")
    assert found("studies?StudyDescription=Chest")
    assert shown("studies", "00081030") == ["Chest"]
