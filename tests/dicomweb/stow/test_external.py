"""External metadata that come with a store."""

import pytest
from pydicom.uid import generate_uid

from tests.datasets import dataset, encoded, part10
from tests.dicomweb.external import ASKED, meta, store_with
from tests.dicomweb.stow.answers import DICOM, RELATED, multipart

TAG = "00191201"


@pytest.fixture
def shown(client):
    """Values of what a study has beside its files."""

    def shown(ds, base: str = "v2") -> dict[str, list]:
        url = f"/{base}/studies/{ds.StudyInstanceUID}/metadata"
        instance, *_ = client.get(url, headers=ASKED).get_json(force=True)
        return {
            tag: element.get("Value", [])
            for tag, element in instance.items()
            if int(tag[3], 16) % 2 and int(tag[4:], 16) >= 0x1000
        }

    return shown


@pytest.fixture
def refused(client, archive):
    """The message that refuses a store with these headers, of which nothing stays."""

    def refused(headers: dict[str, str], body: bytes = b"", method: str = "POST") -> str:
        before = {blob.key for blob in archive.blobs.list()}
        answer = client.open(
            "/v2/studies",
            method=method,
            data=body or part10(),
            content_type=DICOM,
            headers=headers,
        )
        assert answer.status_code == 400
        assert {blob.key for blob in archive.blobs.list()} == before
        return answer.text

    return refused


VALUES = {
    "AE": "STORE",
    "AS": "045Y",
    "CS": "ROUTINE",
    "DA": "20240131",
    "DT": "20240131101112.5+0100",
    "FD": 1.25,
    "FL": -0.5,
    "IS": 42,
    "LO": "Station 7, left",
    "PN": {"Alphabetic": "Doe^Jane", "Ideographic": "山田^太郎"},
    "SH": "short",
    "SL": -(2**31),
    "SS": -32768,
    "TM": "1011",
    "UI": "1.2.3",
    "UL": 2**32 - 1,
    "US": 65535,
}


@pytest.mark.parametrize("vr", VALUES)
def test_a_value_of_every_vr_comes_back_as_dicom_json(client, shown, vr):
    value = VALUES[vr]
    text = "=".join(value.values()) if isinstance(value, dict) else str(value)
    ds = store_with(client, meta(**{f"{vr}_{TAG}": text.encode().decode("latin-1")}))
    assert shown(ds) == {TAG: [value]}


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_each_study_of_the_request_gets_them(client, shown, method):
    sets = [dataset(), dataset()]
    answer = client.open(
        "/v2/studies",
        method=method,
        data=multipart(*map(encoded, sets)),
        content_type=RELATED,
        headers=meta(LO_00191201="a", LO_001912ff="b"),
    )
    assert answer.status_code == 200
    for ds in sets:
        assert shown(ds) == {TAG: ["a"], "001912FF": ["b"]}


def test_names_are_taken_in_any_case(client, shown):
    ds = store_with(client, {"MSDICOM-Meta-lo-0019abCD": "a"})
    assert shown(ds) == {"0019ABCD": ["a"]}


def test_an_existing_value_is_replaced_also_by_an_empty_one(client, shown):
    ds = store_with(client, meta(LO_00191201="a", SH_00191202="x"))
    study = ds.StudyInstanceUID
    store_with(client, meta(LO_00191201="b"), StudyInstanceUID=study)
    assert shown(ds) == {TAG: ["b"], "00191202": ["x"]}
    ds.PatientID = "other"
    store_with(client, meta(LO_00191201=""), ds, method="PUT")
    assert shown(ds) == {TAG: [], "00191202": ["x"]}


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_another_vr_than_stored_refuses_the_whole_request(client, shown, refused, method):
    ds = store_with(client, meta(LO_00191201="a", LO_00191202="x"))
    uids = {"StudyInstanceUID": ds.StudyInstanceUID, "SOPInstanceUID": ds.SOPInstanceUID}
    other = dataset(**uids, SeriesInstanceUID=ds.SeriesInstanceUID, PatientName="New^Name")
    if method == "POST":
        other.SOPInstanceUID = generate_uid()
    headers = meta(IS_00191201="5", LO_00191202="y")
    assert "msdicom-meta-IS-00191201" in refused(headers, encoded(other), method)
    assert shown(ds) == {TAG: ["a"], "00191202": ["x"]}
    (instance,) = client.get(f"/v2/studies/{ds.StudyInstanceUID}/metadata").get_json(force=True)
    assert instance["00100010"]["Value"] == [{"Alphabetic": "Doe^Jane"}]
    assert len(client.get("/v1/changefeed").get_json()) == 1


def test_what_is_not_stored_brings_none(client, shown):
    ds = store_with(client, {})
    headers = meta(LO_00191201="a")
    answer = client.post("/v2/studies", data=encoded(ds), content_type=DICOM, headers=headers)
    assert answer.status_code == 409
    assert shown(ds) == {}


def test_they_go_with_the_last_instance_of_their_study(client, shown):
    ds = store_with(client, meta(LO_00191201="a"))
    path = f"/v2/studies/{ds.StudyInstanceUID}"
    series = f"{path}/series/{ds.SeriesInstanceUID}"
    assert client.delete(f"{series}/instances/{ds.SOPInstanceUID}").status_code == 204
    store_with(client, {}, ds)
    assert shown(ds) == {}


def test_v1_ignores_them(client, shown):
    headers = meta(LO_00191201="a", XX_1="?")
    ds = store_with(client, headers, base="v1")
    assert shown(ds) == {}


def test_partitions_share_none(client, shown, archive):
    settings = archive.settings.model_copy(update={"partitions": True})
    object.__setattr__(archive, "settings", settings)
    bases = [f"v2/partitions/{name}" for name in ("one", "two")]
    ds = store_with(client, meta(LO_00191201="a"), base=bases[0])
    store_with(client, meta(IS_00191201="5"), ds, base=bases[1])
    assert [shown(ds, base) for base in bases] == [{TAG: ["a"]}, {TAG: [5]}]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LO-0019120", "a"),
        ("LO-001912011", "a"),
        ("LO-0019120G", "a"),
        ("LO", "a"),
        ("L-00191201", "a"),
        ("LO-PatientName", "a"),
        ("XX-00191201", "a"),
        ("SQ-00191201", "a"),
        ("DS-00191201", "1"),
        ("UT-00191201", "a"),
        ("LO-00100010", "a"),
        ("LO-00011001", "a"),
        ("LO-FFFF1001", "a"),
        ("LO-00190001", "a"),
        ("LO-00190100", "a"),
        ("LO-00191201", "a\\b"),
        ("LO-00191201", "a" * 65),
        ("LO-00191201", "\xff"),
        ("LO-00191201", "\xc3"),
        ("SH-00191201", "a" * 17),
        ("AE-00191201", "a" * 17),
        ("AS-00191201", "45Y"),
        ("CS-00191201", "lower"),
        ("PN-00191201", "a=b=c=d"),
        ("UI-00191201", "1.02"),
        ("UI-00191201", "a"),
        ("DA-00191201", "20240231"),
        ("DA-00191201", "20240101-20240102"),
        ("DT-00191201", "202413"),
        ("TM-00191201", "25"),
        ("TM-00191201", "10-11"),
        ("IS-00191201", "1.5"),
        ("IS-00191201", "2147483648"),
        ("IS-00191201", "0" * 3000),
        ("SL-00191201", "2147483648"),
        ("SS-00191201", "-32769"),
        ("UL-00191201", "-1"),
        ("US-00191201", "65536"),
        ("US-00191201", "one"),
        ("FL-00191201", "1e39"),
        ("FD-00191201", "1e309"),
        ("FD-00191201", "NaN"),
        ("FD-00191201", "1,5"),
        ("FD-00191201", "1" * 3000),
    ],
)
def test_a_malformed_header_is_refused_by_its_name(refused, name, value):
    assert f"msdicom-meta-{name}".lower() in refused({f"msdicom-meta-{name}": value}).lower()


def test_the_same_attribute_with_two_vrs_is_refused(refused):
    message = refused(meta(LO_00191201="a", SH_00191201="a"))
    assert "msdicom-meta-LO-00191201" in message
    assert "msdicom-meta-SH-00191201" in message


def test_their_number_is_bounded(client, refused):
    most = {f"msdicom-meta-LO-0019{n:04X}": "a" for n in range(0x1000, 0x1040)}
    store_with(client, most)
    assert "64" in refused(most | meta(LO_00191201="a"))


def test_a_study_that_would_have_too_many_refuses_the_request(client, refused):
    ds = dataset()
    for group in (0x19, 0x21, 0x23, 0x25):
        headers = {f"msdicom-meta-LO-{group:04X}{n:04X}": "a" for n in range(0x1000, 0x1040)}
        store_with(client, headers, StudyInstanceUID=ds.StudyInstanceUID)
    assert "256" in refused(meta(LO_00271001="a"), encoded(ds))


def test_a_wrong_header_is_told_after_a_wrong_content_type_uid_or_accept(client):
    headers = meta(LO_1="a")
    body = part10()
    for url, content_type, accept, status in (
        ("/v2/studies/x", "text/plain", "text/html", 415),
        ("/v2/studies/x", DICOM, "text/html", 400),
        ("/v2/studies", DICOM, "text/html", 406),
        ("/v2/studies", DICOM, "*/*", 400),
    ):
        answer = client.post(
            url, data=body, content_type=content_type, headers=headers | {"Accept": accept}
        )
        assert answer.status_code == status
    assert "msdicom-meta-lo-1" in answer.text.lower()


def test_a_store_without_them_runs_no_statement_for_them(client, archive, monkeypatch):
    statements = []
    execute = archive.index.execute
    monkeypatch.setattr(
        archive.index,
        "execute",
        lambda sql, values=(): statements.append(sql) or execute(sql, values),
    )
    store_with(client, {})
    assert not [sql for sql in statements if "external_attribute" in sql]
