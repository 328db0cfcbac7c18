"""Pages: newest first, by limit and offset, and by the link to the next one."""

import re

import pytest

from tests.datasets import dataset, encoded, part10
from tests.dicomweb.qido.reading import all_of

WARNING = re.compile(r'299 localhost: "There are (\d+ )?additional results that can be requested"')


@pytest.fixture
def stored(store):
    """Five instances, each of its own study."""
    return [store() for _ in range(5)]


RESOURCES = [
    ("studies", "StudyInstanceUID"),
    ("series", "SeriesInstanceUID"),
    ("instances", "SOPInstanceUID"),
]


def pages(client, path: str) -> list[list[str]]:
    """The SOP Instance UIDs of a page and of all that follow it."""
    found, announced = [], {}
    while path:
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        found.append(all_of(answer.get_json(force=True), "SOPInstanceUID"))
        link = answer.headers.get("Link")
        path = re.fullmatch(r'<([^<>]+)>; rel="next"', link)[1] if link else ""
        if link:
            announced[len(found)] = WARNING.fullmatch(answer.headers["Warning"])[1]
        else:
            assert "Warning" not in answer.headers
    for number_of_pages, number in announced.items():
        assert number is None or int(number) == sum(map(len, found[number_of_pages:]))
    return found


@pytest.mark.parametrize(("resource", "keyword"), RESOURCES)
def test_matches_come_newest_first(stored, search, resource, keyword):
    expected = [ds[keyword].value for ds in reversed(stored)]
    assert all_of(search(resource), keyword) == expected


@pytest.mark.parametrize(("resource", "keyword"), RESOURCES)
def test_limit_and_offset_cut_a_page(stored, search, resource, keyword):
    newest_first = [ds[keyword].value for ds in reversed(stored)]
    for offset, limit in ((0, 2), (1, 3), (4, 5), (5, 1), (9, 200)):
        found = all_of(search(f"{resource}?limit={limit}&offset={offset}"), keyword)
        assert found == newest_first[offset : offset + limit]


def test_a_page_behind_the_end_is_204(stored, get):
    assert get("studies?offset=5").status_code == 204


def test_without_a_limit_a_page_has_100_matches_and_at_most_200(client, version, search):
    head = b"--b\r\nContent-Type: application/dicom\r\n\r\n"
    files = [encoded(dataset(StudyInstanceUID="1.2")) for _ in range(205)]
    body = b"".join(head + file + b"\r\n" for file in files) + b"--b--"
    content_type = 'multipart/related; type="application/dicom"; boundary=b'
    answer = client.post(f"/{version}/studies", data=body, content_type=content_type)
    assert answer.status_code == 200
    assert len(search("instances")) == 100
    assert len(search("studies/1.2/series?limit=200")) == 200
    assert len(search("instances?offset=200")) == 5
    fields = "NumberOfStudyRelatedInstances,NumberOfSeriesRelatedInstances"
    matches = search(f"instances?limit=200&includefield={fields}")
    assert set(all_of(matches, "NumberOfStudyRelatedInstances")) == {205}
    assert set(all_of(matches, "NumberOfSeriesRelatedInstances")) == {1}


@pytest.mark.parametrize("resource", ["studies", "series", "instances"])
@pytest.mark.parametrize("query", ["", "&PatientName=doe*", "&ModalitiesInStudy=CT"])
def test_following_the_links_gives_every_match_once(stored, client, version, resource, query):
    path = f"/{version}/{resource}?limit=2&includefield=SOPInstanceUID{query}"
    newest_first = [ds.SOPInstanceUID for ds in reversed(stored)]
    assert pages(client, path) == [newest_first[:2], newest_first[2:4], newest_first[4:]]


def test_the_link_goes_on_after_an_offset(stored, client, version):
    path = f"/{version}/instances?limit=2&offset=1&includefield=SOPInstanceUID"
    newest_first = [ds.SOPInstanceUID for ds in reversed(stored)]
    assert pages(client, path) == [newest_first[1:3], newest_first[3:]]


def test_the_last_page_has_no_link_even_if_it_is_full(stored, get):
    for path in ("studies?limit=5", "studies?limit=2&offset=3", "studies?offset=1"):
        answer = get(path)
        assert answer.status_code == 200
        assert "Link" not in answer.headers
        assert "Warning" not in answer.headers


@pytest.fixture
def of_a_series(store):
    """Five instances of a series."""
    first = store()
    uids = {keyword: first[keyword].value for keyword in ("StudyInstanceUID", "SeriesInstanceUID")}
    return [first, *(store(**uids) for _ in range(4))]


def warning(client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.headers["Warning"]


def test_the_warning_says_how_many_more_there_are_in_a_study(of_a_series, client, version):
    study, series = of_a_series[0].StudyInstanceUID, of_a_series[0].SeriesInstanceUID
    for path in (f"studies/{study}/instances", f"studies/{study}/series/{series}/instances"):
        for query, number in (("limit=2", 3), ("limit=2&offset=1", 2), ("limit=4", 1)):
            given = warning(client, f"/{version}/{path}?{query}")
            assert given.split("There are ")[1].startswith(f"{number} additional results")
        given = pages(client, f"/{version}/{path}?limit=2")
        assert list(map(len, given)) == [2, 2, 1]


def test_the_warning_says_how_many_more_there_are_of_few_matches(stored, client, version):
    for resource in ("studies", "series", "instances"):
        given = warning(client, f"/{version}/{resource}?PatientName=doe*&limit=2&offset=1")
        assert "There are 2 additional results" in given


def test_the_warning_has_no_number_where_counting_would_cost(
    stored, of_a_series, client, version, monkeypatch
):
    study = of_a_series[0].StudyInstanceUID
    monkeypatch.setattr("index.search.COUNTED", 2)
    for path in ("studies?limit=2", f"studies/{study}/instances?limit=2"):
        assert "There are additional results" in warning(client, f"/{version}/{path}")


@pytest.mark.parametrize("resource", dict(RESOURCES))
@pytest.mark.parametrize("query", ["", "&PatientName=doe*", "&StudyDate=20240131"])
def test_links_lead_on_even_when_something_is_stored_and_deleted_meanwhile(
    stored, client, version, resource, query
):
    def store(**uids: str) -> None:
        file = part10(**uids)
        answer = client.post(f"/{version}/studies", data=file, content_type="application/dicom")
        assert answer.status_code == 200

    keyword = dict(RESOURCES)[resource]
    first = client.get(f"/{version}/{resource}?limit=2{query}")
    following = first.headers["Link"].split(">")[0][1:]
    store()
    path = f"/{version}/studies/{stored[3].StudyInstanceUID}"  # where the first page ended
    assert client.delete(path).status_code == 204
    store(StudyInstanceUID=stored[4].StudyInstanceUID)
    second = client.get(following)
    assert all_of(second.get_json(force=True), keyword) == [
        stored[2][keyword].value,
        stored[1][keyword].value,
    ]
    path = f"/{version}/studies/{stored[1].StudyInstanceUID}"
    assert client.delete(path).status_code == 204
    last = client.get(second.headers["Link"].split(">")[0][1:])
    assert all_of(last.get_json(force=True), keyword) == [stored[0][keyword].value]
    assert client.get(following.replace("limit=2", "limit=9")).status_code == 200


@pytest.mark.parametrize(("resource", "keyword"), RESOURCES)
def test_a_link_to_what_has_been_deleted_is_204(stored, client, version, resource, keyword):
    first = client.get(f"/{version}/{resource}?limit=4")
    assert client.delete(f"/{version}/studies/{stored[0].StudyInstanceUID}").status_code == 204
    assert client.get(first.headers["Link"].split(">")[0][1:]).status_code == 204


def test_a_link_names_the_resource_as_the_client_sees_it(store, client, version):
    ds = store()
    study, series = ds.StudyInstanceUID, ds.SeriesInstanceUID
    store(StudyInstanceUID=study, SeriesInstanceUID=series)
    store(StudyInstanceUID=study)
    for path in (
        f"studies/{study}/series",
        f"studies/{study}/instances",
        f"studies/{study}/series/{series}/instances",
    ):
        answer = client.get(f"/{version}/{path}?limit=1")
        assert answer.headers["Link"].startswith(
            f"<http://localhost/{version}/{path}?limit=1&cursor="
        )


@pytest.fixture
def settings(request, settings):
    """The settings, changed as a test asks."""
    return settings.model_copy(update=getattr(request, "param", {}))


@pytest.mark.parametrize(
    "settings", [{"public_url": "https://pacs.example.org:8443/dicom"}], indirect=True
)
def test_links_and_warnings_name_the_public_host(stored, client, version):
    answer = client.get(f"/{version}/studies?limit=1")
    link = answer.headers["Link"]
    assert link.startswith(
        f"<https://pacs.example.org:8443/dicom/{version}/studies?limit=1&cursor="
    )
    assert answer.headers["Warning"].startswith("299 pacs.example.org: ")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_spelling_of_the_version_leads_to_itself(store, client, version):
    store()
    store()
    for spelling in ("v1.0-prerelease", "v1", "v1.0", "v2", "v2.0"):
        answer = client.get(f"/{spelling}/instances?limit=1")
        assert answer.headers["Link"].startswith(f"<http://localhost/{spelling}/instances?")
