"""What lets a client keep an answer: entity tags, 304, Vary and Cache-Control."""

import pytest
from pydicom.uid import generate_uid

from index.instances import Reference, find
from tests.datasets import dataset, with_pixels
from tests.dicomweb.wado.exchange import path

SINGLE = "application/dicom; transfer-syntax=*"
PARTS = 'multipart/related; type="application/dicom"; transfer-syntax=*'
FRAME = "application/octet-stream; transfer-syntax=*"
FRAMES = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'


@pytest.fixture
def database_url(tmp_path) -> str:
    """The index matters little here: one database is enough."""
    return f"sqlite://{tmp_path}/index.sqlite"


@pytest.fixture
def series(store) -> list:
    """Two instances of a series."""
    study, uid = generate_uid(), generate_uid()
    datasets = [
        with_pixels(dataset(StudyInstanceUID=study, SeriesInstanceUID=uid), frames=2)
        for _ in range(2)
    ]
    store(*datasets)
    return datasets


@pytest.fixture
def resources(series) -> dict[str, str]:
    """Paths of all kinds of resources that clients may keep, and what they accept there."""
    one = path(series[0])
    return {
        path(series[0], 1): PARTS,
        path(series[0], 2): PARTS,
        one: SINGLE,
        f"{one}/frames/1": FRAME,
        f"{one}/frames/1,2": FRAMES,
    }


def watermarks(archive, ds) -> list[int]:
    return [found.watermark for found in find(archive.index, Reference(1, ds.StudyInstanceUID))]


def test_the_tag_of_one_part_as_stored_is_the_watermark_in_quotes(archive, series, get):
    first, _ = watermarks(archive, series[0])
    for where, accept in ((path(series[0]), SINGLE), (f"{path(series[0])}/frames/2", FRAME)):
        answer = get(where, accept)
        assert answer.status_code == 200
        assert answer.headers["ETag"] == f'"{first}"'


def test_the_tag_of_several_parts_is_weak_because_their_boundary_differs(archive, series, get):
    marks = watermarks(archive, series[0])
    for level, version in ((1, f"{max(marks)}-2"), (2, f"{max(marks)}-2"), (3, f"{min(marks)}")):
        first, second = (get(path(series[0], level), PARTS) for _ in range(2))
        assert first.data != second.data
        assert first.headers["ETag"] == second.headers["ETag"]
        assert first.headers["ETag"] == f'W/"{version};application/dicom;*;parts"'


def test_different_representations_have_different_tags(series, get):
    one = path(series[0])
    explicit = 'multipart/related; type="application/dicom"'
    tags = {
        get(one, SINGLE).headers["ETag"],
        get(one, PARTS).headers["ETag"],
        get(f"{one}/frames/1", FRAME).headers["ETag"],
        get(f"{one}/frames/1", FRAMES).headers["ETag"],
    }
    assert len(tags) == 3  # paths tell a frame from its instance
    assert get(one, explicit).headers["ETag"] == get(one, PARTS).headers["ETag"]  # stored so


def test_who_has_an_answer_is_told_so_before_a_blob_is_opened(resources, get, ranges):
    for where, accept in resources.items():
        etag = get(where, accept).headers["ETag"]
        bare = etag.removeprefix("W/").strip('"')
        del ranges[:]
        for known in (etag, bare, f'"{bare}"', f'W/"{bare}"', f'"1", {etag}', f"1, {bare}", "*"):
            answer = get(where, accept, If_None_Match=known)
            assert (answer.status_code, answer.data) == (304, b"")
            assert answer.headers["ETag"] == etag
            assert answer.headers["Vary"] == "Accept"
            assert answer.headers["Cache-Control"] == "private, no-cache"
            assert "Content-Type" not in answer.headers
        assert ranges == []


def test_who_has_something_else_gets_the_answer(resources, get):
    for where, accept in resources.items():
        for known in ('"1"', "1", '"1-2", W/"3"', ""):
            answer = get(where, accept, If_None_Match=known)
            assert answer.status_code == 200
            assert answer.data


def test_what_is_not_there_or_not_acceptable_is_not_unchanged(series, get):
    absent = dataset()
    assert get(path(absent), SINGLE, If_None_Match="*").status_code == 404
    assert get(f"{path(absent)}/frames/1", FRAME, If_None_Match="*").status_code == 404
    assert get(f"{path(series[0])}/frames/3", FRAME, If_None_Match="*").status_code == 404
    assert get(path(series[0]), "image/png", If_None_Match="*").status_code == 406


@pytest.mark.parametrize("level", [1, 2])
def test_the_tag_changes_when_an_instance_is_added(series, store, get, level):
    before = get(path(series[0], level), PARTS).headers["ETag"]
    uids = {name: series[0][name].value for name in ("StudyInstanceUID", "SeriesInstanceUID")}
    store(dataset(**uids))
    answer = get(path(series[0], level), PARTS, If_None_Match=before)
    assert answer.status_code == 200
    assert answer.headers["ETag"] != before


def test_answers_about_patients_are_for_the_asking_client_alone(resources, series, get):
    for where, accept in resources.items():
        answer = get(where, accept)
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert answer.headers["Vary"] == "Accept"
    for where in (path(series[0]), path(series[0], 1)):
        assert get(f"{where}/metadata").headers["Cache-Control"] == "private, no-cache"
        known = get(f"{where}/metadata", If_None_Match="*")
        assert known.headers["Cache-Control"] == "private, no-cache"
    for where in ("studies", "changefeed", "studies/x", f"{path(dataset())}/metadata"):
        assert get(where).headers["Cache-Control"] == "no-store"


def test_head_of_what_the_client_has_is_answered_alike(client, version, resources, get):
    for where, accept in resources.items():
        etag = get(where, accept).headers["ETag"]
        headers = {"Accept": accept, "If-None-Match": etag}
        answer = client.head(f"/{version}/{where}", headers=headers)
        assert (answer.status_code, answer.headers["ETag"]) == (304, etag)
