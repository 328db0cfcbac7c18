"""Metadata of some attributes only, and with bulk values."""

from base64 import b64encode

import orjson
import pytest
from pydicom.uid import generate_uid

from tests.datasets import dataset, with_pixels
from tests.dicomweb.wado.exchange import path

UIDS = {"00080018", "0020000D", "0020000E"}
SHORT, LONG = b"\1\2" * 512, b"\1\2" * 513


@pytest.fixture
def database_url(tmp_path) -> str:
    """The index matters little here: one database is enough."""
    return f"sqlite://{tmp_path}/index.sqlite"


@pytest.fixture
def stored(store) -> list:
    """Two instances of a series, with private elements and bulk values."""
    study, series = generate_uid(), generate_uid()
    datasets = [
        with_pixels(dataset(StudyInstanceUID=study, SeriesInstanceUID=series)) for _ in range(2)
    ]
    for ds in datasets:
        block = ds.private_block(0x0009, "GANTRY", create=True)
        block.add_new(0x01, "LO", "private")
        block.add_new(0x02, "OB", SHORT)
        ds.ICCProfile = LONG
    store(*datasets)
    return datasets


@pytest.fixture
def shown(get, stored):
    """Gets metadata with a query; gives one object for each instance."""

    def shown(query: str, level: int = 2) -> list[dict]:
        answer = get(f"{path(stored[0], level)}/metadata?{query}")
        assert answer.status_code == 200, answer.text
        assert answer.headers["ETag"]
        return orjson.loads(answer.data)

    return shown


@pytest.mark.parametrize("level", [1, 2, 3])
def test_only_the_attributes_asked_for_and_the_uids_are_shown(shown, level):
    for query in (
        "includefield=PatientID,00080060",
        "includefield=PatientID&includefield=Modality",
        "IncludeField=00100020,%2000080060",
    ):
        instances = shown(query, level)
        assert len(instances) == (1 if level == 3 else 2)
        for instance in instances:
            assert instance.keys() == UIDS | {"00100020", "00080060"}
            assert list(instance) == sorted(instance)
            assert instance["00100020"] == {"vr": "LO", "Value": ["P1"]}


def test_a_private_attribute_comes_with_its_creator(shown):
    for instance in shown("includefield=00091001"):
        assert instance.keys() == UIDS | {"00090010", "00091001"}


def test_what_is_not_there_or_a_bulk_value_is_left_out(shown):
    for instance in shown("includefield=EchoTime,PixelData,00282000,ModalitiesInStudy"):
        assert instance.keys() == UIDS


def test_all_is_what_is_shown_without_asking(shown):
    everything = shown("")
    assert len(everything[0]) > 20
    for query in ("includefield=all", "includefield=ALL,PatientID", "unknown=1"):
        assert shown(query) == everything


@pytest.mark.parametrize(
    ("asked", "unknown"),
    [
        *((name, name) for name in ("", "Patient", "patientid", "0010", "00080003", "*")),
        ("00100020,", ""),
        ("PatientID,RequestAttributesSequence.ScheduledProcedureStepID", "RequestAttributesSeq"),
    ],
)
def test_an_attribute_that_is_not_known_is_refused_by_name(get, stored, asked, unknown):
    answer = get(f"{path(stored[0])}/metadata?includefield={asked}")
    assert answer.status_code == 400
    assert f"includefield has the unknown attribute '{unknown}" in answer.text


def test_bulk_values_are_shown_to_who_asks(shown, stored, version):
    plain = shown("")
    for query in ("bulkdata=uri", "BulkData=URI", "bulkdata=uri&includefield=all"):
        for instance, before in zip(shown(query), plain, strict=True):
            sop = instance["00080018"]["Value"][0]
            uids = f"studies/{stored[0].StudyInstanceUID}/series/{stored[0].SeriesInstanceUID}"
            base = f"http://localhost/{version}/{uids}/instances/{sop}/bulkdata"
            bulk = {
                "00091002": {"vr": "OB", "InlineBinary": b64encode(SHORT).decode()},
                "00282000": {"vr": "OB", "BulkDataURI": f"{base}/00282000"},
                "7FE00010": {"vr": "OW", "BulkDataURI": f"{base}/7FE00010"},
            }
            assert instance == before | bulk
            assert list(instance) == sorted(instance)


def test_a_choice_of_attributes_can_have_bulk_values(shown):
    for instance in shown("bulkdata=uri&includefield=PixelData,PatientID,PatientName"):
        assert instance.keys() == UIDS | {"00100010", "00100020", "7FE00010"}


@pytest.mark.parametrize("value", ["", "none", "inline", "urn", "uri,uri", "uri&bulkdata=no"])
def test_other_ways_to_show_bulk_values_are_refused(get, stored, value):
    answer = get(f"{path(stored[0])}/metadata?bulkdata={value}")
    assert answer.status_code == 400
    assert "bulkdata=uri" in answer.text


def test_accept_and_identifiers_come_before_the_query(get):
    assert get("studies/x/metadata?bulkdata=x", "text/html").status_code == 406
    assert "StudyInstanceUID" in get("studies/x/metadata?bulkdata=x").text
    assert get("studies/1.2/metadata?bulkdata=x").status_code == 400
    assert get("studies/1.2/metadata?bulkdata=uri").status_code == 404


def test_urls_are_those_of_the_public_address_and_of_the_request(archive, get, stored, version):
    where = f"{path(stored[0])}/metadata?bulkdata=uri"

    def base(**headers: str) -> str:
        (instance,) = orjson.loads(get(where, **headers).data)
        return instance["7FE00010"]["BulkDataURI"].partition("/studies/")[0]

    known = get(where, Host="localhost").headers["ETag"]
    for host in ("localhost", "pacs.example:8443", "localhost"):
        assert base(Host=host) == f"http://{host}/{version}"
        status = get(where, Host=host, If_None_Match=known).status_code
        assert status == (304 if host == "localhost" else 200)
    public = archive.settings.model_copy(update={"public_url": "https://pacs.example/dicom"})
    object.__setattr__(archive, "settings", public)
    assert base(Host="inside") == f"https://pacs.example/dicom/{version}"


def test_a_setting_shows_bulk_values_without_being_asked(archive, get, shown, stored):
    asked = shown("bulkdata=uri")
    known = get(f"{path(stored[0])}/metadata").headers["ETag"]
    on = archive.settings.model_copy(update={"metadata_bulkdata_uri": True})
    object.__setattr__(archive, "settings", on)
    assert shown("") == shown("bulkdata=uri") == asked
    assert get(f"{path(stored[0])}/metadata", If_None_Match=known).status_code == 200
    assert get(f"{path(stored[0])}/metadata?bulkdata=no").status_code == 400


def test_views_are_compressed_and_conditional_as_all_metadata_are(get, stored):
    for query in ("bulkdata=uri", "includefield=PatientID"):
        where = f"{path(stored[0], 2)}/metadata?{query}"
        plain = get(where)
        for _ in range(2):
            packed = get(where, Accept_Encoding="gzip")
            assert packed.headers["Content-Encoding"] == "gzip"
            assert packed.headers["ETag"] == plain.headers["ETag"]
        assert get(where, If_None_Match=plain.headers["ETag"]).status_code == 304


def test_finished_answers_of_one_view_are_not_given_for_another(shown):
    views = ["", "bulkdata=uri", "includefield=PatientID", "bulkdata=uri&includefield=PixelData"]
    first = [shown(view) for view in views]
    assert [shown(view) for view in views] == first
    assert len({orjson.dumps(answer) for answer in first}) == len(views)


def test_only_answers_with_all_attributes_are_kept(archive, shown):
    shown("includefield=PatientID")
    assert len(archive.answers._entries) == 0
    shown("bulkdata=uri")
    shown("")
    assert len(archive.answers._entries) == 2
