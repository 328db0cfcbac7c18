"""Where the values of answers come from: computed, of the newest instance, or last stored."""

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tests.datasets import dataset
from tests.dicomweb.qido.reading import all_of, value, values

COMPUTED = (
    "ModalitiesInStudy,NumberOfStudyRelatedSeries,NumberOfStudyRelatedInstances,"
    "NumberOfSeriesRelatedInstances,AvailableTransferSyntaxUID"
)

# Computed attributes


@pytest.fixture
def several(store) -> list[Dataset]:
    """A study of three instances in two series, and one of a single instance."""
    first = store(Modality="CT")
    study = first.StudyInstanceUID
    second = store(StudyInstanceUID=study, Modality="MR")
    third = store(StudyInstanceUID=study, SeriesInstanceUID=second.SeriesInstanceUID, Modality="MR")
    return [first, second, third, store(Modality="US")]


def test_computed_attributes_of_studies(search, several):
    alone, shared = search(f"studies?includefield={COMPUTED}")
    assert values(alone, "ModalitiesInStudy") == ["US"]
    assert value(alone, "NumberOfStudyRelatedSeries") == 1
    assert value(alone, "NumberOfStudyRelatedInstances") == 1
    assert values(shared, "ModalitiesInStudy") == ["CT", "MR"]
    assert value(shared, "NumberOfStudyRelatedSeries") == 2
    assert value(shared, "NumberOfStudyRelatedInstances") == 3
    assert values(shared, "NumberOfSeriesRelatedInstances") is None
    assert values(shared, "AvailableTransferSyntaxUID") is None


def test_computed_attributes_of_series(search, several):
    matches = search(f"series?includefield={COMPUTED}")
    assert all_of(matches, "NumberOfSeriesRelatedInstances") == [1, 2, 1]
    assert all_of(matches, "NumberOfStudyRelatedInstances") == [1, 3, 3]
    assert all_of(matches, "NumberOfStudyRelatedSeries") == [1, 2, 2]
    assert [values(match, "ModalitiesInStudy") for match in matches] == [
        ["US"],
        ["CT", "MR"],
        ["CT", "MR"],
    ]
    of_study = f"studies/{several[0].StudyInstanceUID}/series"
    matches = search(f"{of_study}?includefield=NumberOfSeriesRelatedInstances")
    assert all_of(matches, "NumberOfSeriesRelatedInstances") == [2, 1]


def test_computed_attributes_of_instances(search, several):
    matches = search(f"instances?includefield={COMPUTED}")
    assert all_of(matches, "NumberOfSeriesRelatedInstances") == [1, 2, 2, 1]
    assert all_of(matches, "NumberOfStudyRelatedInstances") == [1, 3, 3, 3]
    assert all_of(matches, "AvailableTransferSyntaxUID") == [ExplicitVRLittleEndian] * 4


def test_numbers_have_the_vr_of_the_dictionary(search, several):
    match = search(f"instances?includefield={COMPUTED}")[0]
    for tag in ("00201206", "00201208", "00201209"):
        assert match[tag]["vr"] == "IS"
    assert match["00080061"]["vr"] == "CS"
    assert match["00083002"]["vr"] == "UI"


def test_the_transfer_syntax_is_that_of_the_stored_instance(search, store):
    store(dataset(ImplicitVRLittleEndian))
    (match,) = search("instances?includefield=AvailableTransferSyntaxUID")
    assert value(match, "AvailableTransferSyntaxUID") == ImplicitVRLittleEndian


def test_computed_attributes_are_answered_only_when_asked_for(search, several):
    for path in ("studies", "series", "instances"):
        for query in ("", "?includefield=all"):
            for match in search(path + query):
                computed = {"00080061", "00201206", "00201208", "00201209", "00083002"}
                assert computed & set(match) == set()


def test_modalities_in_study_are_answered_when_they_are_the_filter(search, several):
    for path, count in (("studies", 1), ("series", 2), ("instances", 3)):
        matches = search(f"{path}?ModalitiesInStudy=CT")
        assert [values(match, "ModalitiesInStudy") for match in matches] == [["CT", "MR"]] * count


def test_a_study_without_modality_answers_none(search, store):
    store(Modality=None)
    (match,) = search("studies?includefield=ModalitiesInStudy,NumberOfStudyRelatedSeries")
    assert values(match, "ModalitiesInStudy") is None
    assert value(match, "NumberOfStudyRelatedSeries") == 1


def test_a_stored_number_of_instances_is_never_believed(search, store):
    store(NumberOfStudyRelatedInstances=99, NumberOfSeriesRelatedInstances=99)
    (match,) = search(f"studies?includefield={COMPUTED}")
    assert value(match, "NumberOfStudyRelatedInstances") == 1
    assert values(match, "NumberOfSeriesRelatedInstances") is None


def test_numbers_follow_what_is_stored_and_deleted(search, several, client, version):
    second = several[1]
    path = f"studies/{second.StudyInstanceUID}/series/{second.SeriesInstanceUID}"
    assert client.delete(f"/{version}/{path}").status_code == 204
    _, shared = search(f"studies?includefield={COMPUTED}")
    assert values(shared, "ModalitiesInStudy") == ["CT"]
    assert value(shared, "NumberOfStudyRelatedSeries") == 1
    assert value(shared, "NumberOfStudyRelatedInstances") == 1


# The newest instance, and the values last stored


@pytest.fixture
def changed(store) -> Dataset:
    """The newest of two instances of a series; it lacks what the first one had."""
    first = store(
        StudyDescription="First",
        AccessionNumber="A1",
        PatientSex="F",
        ManufacturerModelName="M1",
        SeriesDescription="First",
        PatientAge="001Y",
    )
    return store(
        StudyInstanceUID=first.StudyInstanceUID,
        SeriesInstanceUID=first.SeriesInstanceUID,
        StudyDescription=None,
        AccessionNumber="A2",
        PatientSex=None,
        Modality="MR",
        PatientAge="002Y",
    )


def test_studies_and_series_answer_the_values_of_the_newest_instance(search, changed):
    (study,) = search("studies?includefield=PatientAge,PatientSex,Modality")
    assert value(study, "AccessionNumber") == "A2"
    assert value(study, "PatientAge") == "002Y"
    assert value(study, "Modality") == "MR"
    assert values(study, "PatientSex") is None
    (series,) = search("series?includefield=PatientAge,SeriesDescription")
    assert value(series, "Modality") == "MR"
    assert value(series, "PatientAge") == "002Y"
    assert values(series, "SeriesDescription") is None


def test_v2_answers_the_retained_value_of_a_default_attribute_and_v1_does_not(
    search, changed, version
):
    retained = version == "v2"
    (study,) = search("studies?includefield=StudyDescription")
    assert values(study, "StudyDescription") == (["First"] if retained else None)
    (series,) = search("series?includefield=ManufacturerModelName,StudyDescription")
    assert values(series, "ManufacturerModelName") == (["M1"] if retained else None)
    assert values(series, "StudyDescription") == (["First"] if retained else None)


def test_instances_answer_their_own_values(search, changed):
    second, first = search("instances?includefield=StudyDescription,PatientAge")
    assert value(first, "AccessionNumber") == "A1"
    assert value(first, "StudyDescription") == "First"
    assert value(first, "PatientAge") == "001Y"
    assert value(first, "Modality") == "CT"
    assert value(second, "AccessionNumber") == "A2"
    assert values(second, "StudyDescription") is None
    assert value(second, "Modality") == "MR"


def test_a_filter_finds_only_the_value_last_stored(search, changed):
    assert search("studies?AccessionNumber=A1") == []
    assert len(search("studies?AccessionNumber=A2")) == 1
    assert search("series?Modality=CT") == []
    assert len(search("series?Modality=MR")) == 1
    assert len(search("instances?AccessionNumber=A2")) == 2


def test_a_value_that_the_newest_instance_lacks_is_still_found(search, changed):
    assert len(search("studies?StudyDescription=First")) == 1
    assert len(search("series?ManufacturerModelName=M1")) == 1


@pytest.mark.parametrize("version", ["v2"])  # v1 refuses such an instance
def test_an_attribute_dropped_by_validation_does_not_show(search, store):
    store(Modality="X" * 20, StudyDescription="Y" * 80)
    for path in ("studies", "series", "instances"):
        for query in ("", "?includefield=Modality,StudyDescription", "?includefield=all"):
            (match,) = search(path + query)
            assert {"00080060", "00081030"} & set(match) == set()
    assert search(f"series?Modality={'X' * 20}") == []
