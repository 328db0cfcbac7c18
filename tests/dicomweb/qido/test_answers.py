"""Which attributes a search answers."""

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tests.datasets import dataset, with_pixels
from tests.dicomweb.qido.reading import value

# The default return sets, written out once more as a client reads them.
STUDY = {
    "v1": "00080005 00080020 00080030 00080050 00080056 00080090 00080201 00100010 00100020 "
    "00100030 00100040 0020000D 00200010",
    "v2": "00080020 00080050 00080090 00081030 00100010 00100020 00100030 0020000D",
}
SERIES = {
    "v1": "00080005 00080060 00080201 0008103E 0020000E 00400244 00400245 00400275",
    "v2": "00080060 00081090 0020000E 00400244",
}
INSTANCE = {
    "v1": "00080005 00080016 00080018 00080056 00080201 00200013 00280008 00280010 00280011 "
    "00280100",
    "v2": "00080018",
}
ADDED_BY_ALL_TO_STUDIES = (
    "00080063 00081030 00081032 00081060 00081080 00081110 00101010 00101020 00101030 00102180 "
    "001021B0"
)
ADDED_BY_ALL_TO_SERIES = "00080021 00080031 00200011 00200060"


def item(**attributes) -> Dataset:
    ds = Dataset()
    for keyword, given in attributes.items():
        setattr(ds, keyword, given)
    return ds


def full(**attributes) -> Dataset:
    """An instance that has every attribute that any default or 'all' set names."""
    code = item(CodeValue="1", CodingSchemeDesignator="X", CodeMeaning="m")
    given = {
        "SpecificCharacterSet": "ISO_IR 192",
        "InstanceAvailability": "ONLINE",
        "TimezoneOffsetFromUTC": "+0100",
        "SeriesDescription": "Thorax",
        "PerformedProcedureStepStartDate": "20240131",
        "PerformedProcedureStepStartTime": "101010",
        "RequestAttributesSequence": [item(ScheduledProcedureStepID="S1", StudyInstanceUID="9")],
        "ManufacturerModelName": "M1",
        "NumberOfFrames": "2",
        "AnatomicRegionsInStudyCodeSequence": [code],
        "ProcedureCodeSequence": [code],
        "NameOfPhysiciansReadingStudy": "Read^Er",
        "AdmittingDiagnosesDescription": "d",
        "ReferencedStudySequence": [item(ReferencedSOPInstanceUID="1.2")],
        "PatientAge": "050Y",
        "PatientSize": "1.8",
        "PatientWeight": "80",
        "Occupation": "o",
        "AdditionalPatientHistory": "h",
        "SeriesDate": "20240131",
        "SeriesTime": "101010",
        "Laterality": "L",
    }
    return with_pixels(dataset(**(given | attributes)), frames=2)


@pytest.fixture
def whole(store) -> Dataset:
    """A stored instance with every attribute of the sets."""
    return store(full())


def tags(*sets: str) -> set[str]:
    return {tag for given in sets for tag in given.split()}


def test_studies_answer_the_study_set(search, whole, version):
    (match,) = search("studies")
    assert set(match) == tags(STUDY[version])


def test_series_answer_the_study_and_series_sets(search, whole, version):
    (match,) = search("series")
    assert set(match) == tags(STUDY[version], SERIES[version])


def test_series_of_a_study_answer_the_series_set_and_the_uid_of_the_path(search, whole, version):
    (match,) = search(f"studies/{whole.StudyInstanceUID}/series")
    assert set(match) == tags(SERIES[version], "0020000D")
    assert value(match, "StudyInstanceUID") == whole.StudyInstanceUID


def test_instances_answer_all_three_sets(search, whole, version):
    (match,) = search("instances")
    assert set(match) == tags(STUDY[version], SERIES[version], INSTANCE[version])


def test_instances_of_a_study_answer_two_sets_and_the_uid_of_the_path(search, whole, version):
    (match,) = search(f"studies/{whole.StudyInstanceUID}/instances")
    assert set(match) == tags(SERIES[version], INSTANCE[version], "0020000D")
    assert value(match, "StudyInstanceUID") == whole.StudyInstanceUID


def test_instances_of_a_series_answer_their_set_and_the_uids_of_the_path(search, whole, version):
    path = f"studies/{whole.StudyInstanceUID}/series/{whole.SeriesInstanceUID}/instances"
    (match,) = search(path)
    assert set(match) == tags(INSTANCE[version], "0020000D", "0020000E")
    assert value(match, "StudyInstanceUID") == whole.StudyInstanceUID
    assert value(match, "SeriesInstanceUID") == whole.SeriesInstanceUID
    assert value(match, "SOPInstanceUID") == whole.SOPInstanceUID


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("resource", ["studies", "series", "instances"])
def test_what_is_answered_is_what_the_metadata_says(search, get, store, resource, syntax):
    ds = full()
    ds.file_meta.TransferSyntaxUID = syntax
    store(ds)
    path = f"studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}"
    (metadata,) = get(f"{path}/instances/{ds.SOPInstanceUID}/metadata").get_json(force=True)
    for query in (
        "",
        "?includefield=all",
        "?includefield=Rows,SeriesDate,RequestAttributesSequence",
    ):
        (match,) = search(resource + query)
        assert match == {tag: metadata[tag] for tag in match}


def test_an_attribute_that_the_instance_lacks_is_missing_in_the_answer(search, store):
    store(AccessionNumber=None, ReferringPhysicianName=None)
    (match,) = search("studies?includefield=Manufacturer,NumberOfFrames")
    assert {"00080050", "00080090", "00080070", "00280008"} & set(match) == set()


def test_an_attribute_without_a_value_is_answered_without_one(search, store):
    store(AccessionNumber="")
    (match,) = search("studies")
    assert match["00080050"] == {"vr": "SH"}


# includefield


@pytest.mark.parametrize("field", ["PatientSex", "00100040", "00100040,PatientSex"])
def test_a_field_is_answered_beside_the_default_ones(search, whole, version, field):
    (match,) = search(f"studies?includefield={field}")
    assert set(match) == tags(STUDY[version], "00100040")
    assert value(match, "PatientSex") == "O"


@pytest.mark.parametrize("resource", ["studies", "series", "instances"])
def test_any_known_attribute_may_be_asked_of_any_resource(search, whole, resource):
    fields = "Modality,Rows,SOPInstanceUID,SeriesDate,PatientAge,RequestAttributesSequence"
    (match,) = search(f"{resource}?includefield={fields}")
    assert value(match, "Modality") == "CT"
    assert value(match, "Rows") == 4
    assert value(match, "SOPInstanceUID") == whole.SOPInstanceUID
    assert value(match, "SeriesDate") == "20240131"
    assert value(match, "PatientAge") == "050Y"
    assert value(match, "RequestAttributesSequence")["00400009"]["Value"] == ["S1"]


def test_attributes_of_the_levels_above_may_be_asked_of_instances_of_a_series(search, whole):
    path = f"studies/{whole.StudyInstanceUID}/series/{whole.SeriesInstanceUID}/instances"
    (match,) = search(f"{path}?includefield=PatientName,Modality,SeriesDescription,PatientAge")
    assert value(match, "PatientName") == {"Alphabetic": "Doe^Jane"}
    assert value(match, "Modality") == "CT"
    assert value(match, "SeriesDescription") == "Thorax"
    assert value(match, "PatientAge") == "050Y"


def test_what_is_not_shown_as_metadata_is_not_answered_either(search, whole):
    (match,) = search("studies?includefield=PixelData,TransferSyntaxUID")
    assert {"7FE00010", "00020010"} & set(match) == set()


def test_all_adds_to_the_sets_of_the_resource(search, whole, version):
    study = tags(STUDY["v1"], STUDY[version], ADDED_BY_ALL_TO_STUDIES)
    series = tags(SERIES["v1"], SERIES[version], ADDED_BY_ALL_TO_SERIES)
    instance = tags(INSTANCE["v1"])
    of_study = f"studies/{whole.StudyInstanceUID}"
    of_series = f"{of_study}/series/{whole.SeriesInstanceUID}"
    for path, expected in {
        "studies": study,
        "series": study | series,
        "instances": study | series | instance,
        f"{of_study}/series": series | {"0020000D"},
        f"{of_study}/instances": series | instance | {"0020000D"},
        f"{of_series}/instances": instance | {"0020000D", "0020000E"},
    }.items():
        (match,) = search(f"{path}?includefield=all")
        assert set(match) == expected, path


@pytest.mark.parametrize("query", ["all,Rows,00201208", "Rows&includefield=All"])
def test_beside_all_other_fields_are_ignored(search, whole, query):
    assert search(f"studies?includefield={query}") == search("studies?includefield=all")


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_a_private_attribute_is_answered_with_its_creator(search, store, syntax):
    ds = dataset(syntax)
    block = ds.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    block.add_new(0x08, "CS", "IMAGE NUM 4")
    store(ds)
    (match,) = search("studies?includefield=00291008")
    assert match["00290010"]["Value"] == ["SIEMENS CSA HEADER"]
    assert match["00291008"] == {"vr": "CS", "Value": ["IMAGE NUM 4"]}


# Attributes used as filters


@pytest.mark.parametrize(
    ("path", "query", "tag"),
    [
        ("studies", "StudyDescription=Chest", "00081030"),
        ("studies", "00100030=19700101", "00100030"),
        ("series", "ManufacturerModelName=M1", "00081090"),
        ("studies/{s}/series", "ManufacturerModelName=M1", "00081090"),
        ("studies/{s}/series", "PerformedProcedureStepStartDate=20240131", "00400244"),
        ("studies/{s}/instances", "Modality=CT", "00080060"),
        ("studies/{s}/instances", "SOPClassUID=1.2.840.10008.5.1.4.1.1.2", "00080016"),
        ("instances", "StudyDescription=Chest", "00081030"),
        ("studies/{s}/series/{e}/instances", "SOPInstanceUID={i}", "00080018"),
    ],
)
def test_an_attribute_used_as_a_filter_is_answered(search, whole, path, query, tag):
    uids = {"s": whole.StudyInstanceUID, "e": whole.SeriesInstanceUID, "i": whole.SOPInstanceUID}
    path = path.format(**uids)
    (plain,) = search(path)
    (match,) = search(f"{path}?{query.format(**uids)}")
    assert set(match) == set(plain) | {tag}


def test_filters_are_answered_even_where_they_match_everything(search, whole):
    (match,) = search("studies?StudyDescription=*")
    assert value(match, "StudyDescription") == "Chest"
