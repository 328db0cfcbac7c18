"""The request around a query: paths, Accept, partitions, and in which order they are looked at."""

import pytest

from tests.datasets import part10
from tests.dicomweb.qido.reading import all_of

RESOURCES = [
    "studies",
    "series",
    "instances",
    "studies/1.2/series",
    "studies/1.2/instances",
    "studies/1.2/series/1.3/instances",
]


@pytest.mark.parametrize("path", RESOURCES)
def test_where_nothing_is_stored_a_search_is_answered_204_without_a_body(get, path):
    answer = get(path)
    assert answer.status_code == 204
    assert answer.data == b""
    assert "Content-Type" not in answer.headers
    assert answer.headers["api-supported-versions"]


@pytest.mark.parametrize(
    "accept",
    [
        "application/dicom+json",
        "application/json",
        "application/*",
        "*/*",
        "APPLICATION/DICOM+JSON",
        "application/dicom+json, application/json",
        "text/html, application/json;q=0.5",
        'application/dicom+json; transfer-syntax="*"',
    ],
)
def test_whoever_takes_json_gets_dicom_json(store, get, accept):
    store()
    answer = get("studies", Accept=accept)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/dicom+json"


def test_whoever_says_nothing_gets_dicom_json(store, client, version):
    store()
    answer = client.get(f"/{version}/studies")
    assert "Accept" not in answer.request.headers
    assert answer.headers["Content-Type"] == "application/dicom+json"


@pytest.mark.parametrize(
    "accept",
    ["application/dicom", "application/data", "application/dicom+json+something", "text/html"],
)
@pytest.mark.parametrize("path", RESOURCES)
def test_whoever_takes_something_else_is_told_what_there_is(get, path, accept):
    answer = get(path, Accept=accept)
    assert answer.status_code == 406
    assert "application/dicom+json" in answer.text


def test_the_query_overrides_the_accept_header(store, get):
    store()
    assert get("studies?accept=application/dicom%2Bjson", Accept="text/html").status_code == 200
    assert get("studies?ACCEPT=text/html", Accept="application/dicom+json").status_code == 406


@pytest.mark.parametrize("path", ["studies?limit=0", "studies?Unknown=1", "studies/abc/series"])
def test_accept_is_looked_at_before_identifiers_and_parameters(get, path):
    assert get(path).status_code == 400
    assert get(path, Accept="text/html").status_code == 406


@pytest.mark.parametrize(
    ("path", "keyword"),
    [
        ("studies/abc/series", "StudyInstanceUID"),
        ("studies/1.2./instances", "StudyInstanceUID"),
        (f"studies/{'1' * 65}/series", "StudyInstanceUID"),
        ("studies/1.2/series/1.a/instances", "SeriesInstanceUID"),
        ("studies/1.2/series/1,2/instances", "SeriesInstanceUID"),
    ],
)
def test_a_malformed_uid_in_the_path_is_refused_by_name(refused, path, keyword):
    assert f"'{keyword}'" in refused(path)


def test_trailing_blanks_of_a_uid_in_the_path_do_not_count(store, search):
    ds = store()
    study, series = ds.StudyInstanceUID, ds.SeriesInstanceUID
    path = f"studies/{study}%20/series/{series}%20%20/instances"
    assert all_of(search(path), "StudyInstanceUID") == [study]


def test_a_search_in_a_series_of_another_study_finds_nothing(store, search):
    one, other = store(), store()
    assert (
        search(f"studies/{one.StudyInstanceUID}/series/{other.SeriesInstanceUID}/instances") == []
    )


def test_literals_of_the_path_are_taken_in_any_case(store, search):
    ds = store()
    assert len(search("Studies")) == 1
    assert len(search(f"STUDIES/{ds.StudyInstanceUID}/Series")) == 1


@pytest.mark.parametrize(
    "query", ["limit=0", "PatientID=", "StudyDate=x", "Unknown=1", "includefield=x", "00100040=O"]
)
def test_a_query_that_is_wrong_is_refused_in_plain_text(refused, query):
    for path in RESOURCES[:3]:
        assert "invalid" in refused(f"{path}?{query}").lower()


def test_angle_brackets_in_a_query_are_refused(refused):
    assert "invalid characters" in refused("studies?PatientID=%3Cb")


@pytest.mark.parametrize("path", RESOURCES)
def test_a_search_is_a_get(client, version, path):
    assert client.patch(f"/{version}/{path}").status_code == 405
    head = client.head(f"/{version}/{path}")
    assert (head.status_code, head.data) == (204, b"")


# Partitions


@pytest.fixture
def partitioned(settings):
    """Settings with partitions."""
    return settings.model_copy(update={"partitions": True})


@pytest.fixture
def partitions(partitioned, version):
    """A client of a service with two partitions that hold the same UIDs."""
    from app import create_app

    app = create_app(partitioned)
    client = app.test_client()
    for partition in ("one", "two"):
        store_in(client, f"/{version}/partitions/{partition}", "1.4", partition)
    yield client
    app.extensions["gantry"].close()


def store_in(client, base: str, uid: str, patient: str) -> None:
    file = part10(
        StudyInstanceUID="1.2", SeriesInstanceUID="1.3", SOPInstanceUID=uid, PatientID=patient
    )
    answer = client.post(f"{base}/studies", data=file, content_type="application/dicom")
    assert answer.status_code == 200, answer.text


@pytest.fixture
def in_partitions(partitions, version):
    """Gets a path of it."""
    return lambda path, **headers: partitions.get(f"/{version}/{path}", headers=headers)


@pytest.mark.parametrize("path", RESOURCES)
def test_each_partition_sees_its_own(in_partitions, path):
    for partition in ("one", "two"):
        url = f"partitions/{partition}/{path}?includefield=PatientID,00201208"
        (match,) = in_partitions(url).get_json(force=True)
        assert match["00100020"]["Value"] == [partition]
        assert match["00201208"]["Value"] == [1]


def test_links_stay_in_the_partition(partitions, in_partitions, version):
    base = f"/{version}/partitions/one"
    store_in(partitions, base, "1.5", "one")
    for path in ("instances", "studies/1.2/instances", "studies/1.2/series/1.3/instances"):
        link = in_partitions(f"partitions/one/{path}?limit=1").headers["Link"]
        assert link.startswith(f"<http://localhost{base}/{path}?limit=1&cursor=")
        assert "Link" not in in_partitions(f"partitions/two/{path}?limit=1").headers
        following = partitions.get(link.split(">")[0][1:])
        assert all_of(following.get_json(force=True), "SOPInstanceUID") == ["1.4"]


@pytest.mark.parametrize("accept", ["application/dicom+json", "text/html"])
def test_an_unknown_partition_is_refused_before_anything_else(in_partitions, accept):
    for path in ("studies", "partitions/three/studies?limit=0", "partitions/a%20b/studies"):
        answer = in_partitions(path, Accept=accept)
        assert answer.status_code == 400
        assert "PartitionName" in answer.text
