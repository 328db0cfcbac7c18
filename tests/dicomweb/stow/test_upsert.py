"""PUT: what is there is replaced; and POST of what is there already, byte for byte."""

import threading

import orjson
import pytest
from flask.testing import FlaskClient

from dicomweb.archive import Archive
from storage.base import BlobStoreFull
from tests.datasets import dataset, encoded, part10, with_pixels
from tests.dicomweb.stow.answers import (
    DICOM,
    RELATED,
    comments,
    failed,
    multipart,
    reasons,
    stored,
)

AS_STORED = {"Accept": 'application/dicom; transfer-syntax="*"'}
OTHER_SPELLING = b"a-different-preamble".ljust(128, b"!")


@pytest.fixture
def put(client, version):
    """Puts a body."""

    def put(body: bytes, content_type: str = DICOM, path: str = "studies", **headers: str):
        return client.put(
            f"/{version}/{path}", data=body, content_type=content_type, headers=headers
        )

    return put


@pytest.fixture
def get(client, version):
    def get(path: str, **headers: str):
        return client.get(f"/{version}{path}", headers=headers)

    return get


@pytest.fixture
def feed(get):
    """Action and state of each entry of the change feed."""

    def feed() -> list[tuple[str, str]]:
        entries = get("/changefeed?limit=100").get_json()
        return [(entry["action"], entry["state"]) for entry in entries]

    return feed


def path(ds, level: int = 3) -> str:
    parts = ("studies", "series", "instances")
    uids = (ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID)
    return "".join(f"/{part}/{uid}" for part, uid in list(zip(parts, uids, strict=True))[:level])


def keys(archive: Archive) -> set[str]:
    return {blob.key for blob in archive.blobs.list()}


def queued(archive: Archive) -> set[str]:
    return {key for (key,) in archive.index.execute("SELECT blob_key FROM deleted_blob")}


def changed(ds, name: str = "New^Name", pixel: bytes = b"\7"):
    """The same instance with other content; its bytes."""
    ds.PatientName = name
    ds.StudyDescription = name
    ds.PixelData = pixel * len(ds.PixelData)
    return encoded(ds)


# --- PUT ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("large", [False, True])
def test_an_instance_that_is_not_there_is_put_as_it_is_posted(put, post, get, archive, large):
    if large:
        settings = archive.settings.model_copy(update={"max_buffered_bytes": 1})
        object.__setattr__(archive, "settings", settings)
    new, other = with_pixels(dataset()), with_pixels(dataset())
    answer, expected = put(encoded(new)), post(encoded(other))
    assert answer.status_code == expected.status_code == 200
    (item,), (like,) = stored(answer), stored(expected)
    assert item.keys() == like.keys()
    assert item["00081155"]["Value"] == [new.SOPInstanceUID]
    assert get(path(new), **AS_STORED).data == encoded(new)


def test_an_instance_that_is_there_is_replaced_whole(put, post, get):
    ds = with_pixels(dataset())
    neighbour = dataset(
        StudyInstanceUID=ds.StudyInstanceUID, SeriesInstanceUID=ds.SeriesInstanceUID
    )
    post(encoded(ds))
    post(encoded(neighbour))
    new = changed(with_pixels(ds, columns=8))
    answer = put(new)

    assert answer.status_code == 200
    (item,) = stored(answer)
    assert item["00081155"]["Value"] == [ds.SOPInstanceUID]
    assert get(path(ds), **AS_STORED).data == new
    frame = get(f"{path(ds)}/frames/1", Accept="application/octet-stream; transfer-syntax=*")
    assert frame.data == ds.PixelData
    (metadata,) = get(f"{path(ds)}/metadata").get_json(force=True)
    assert metadata["00100010"]["Value"] == [{"Alphabetic": "New^Name"}]
    assert metadata["00280011"]["Value"] == [8]
    assert len(get(f"{path(ds, 1)}/metadata").get_json(force=True)) == 2
    assert get("/studies?PatientName=Doe^Jane").status_code == 204
    (found,) = get("/studies?PatientName=New^Name").get_json(force=True)
    assert found["0020000D"]["Value"] == [ds.StudyInstanceUID]


@pytest.mark.parametrize("level", [1, 2, 3])
def test_replacing_changes_the_etags_of_metadata_and_files(put, post, get, level):
    ds = with_pixels(dataset())
    post(encoded(ds))
    paths = (f"{path(ds, level)}/metadata", path(ds, level))
    accept = {"Accept": "application/dicom+json, multipart/related; type=*/*; transfer-syntax=*"}
    before = [get(each, **accept).headers["ETag"] for each in paths]
    put(changed(ds))
    for each, etag in zip(paths, before, strict=True):
        again = get(each, **accept, **{"If-None-Match": etag})
        assert again.status_code == 200
        assert again.headers["ETag"] != etag


def test_the_change_feed_tells_of_the_replacement(put, post, get, feed):
    ds = with_pixels(dataset())
    post(encoded(ds))
    put(changed(ds, "A"))
    put(changed(ds, "B"))
    assert feed() == [("Create", "Replaced"), ("Update", "Replaced"), ("Update", "Current")]
    for entry in get("/changefeed").get_json():
        assert entry["metadata"]["00100010"]["Value"] == [{"Alphabetic": "B"}]


def test_the_replaced_file_is_queued_for_removal_and_ends_no_stream(put, post, get, archive):
    ds = with_pixels(dataset(), 64, 64)
    body = encoded(ds)
    post(body)
    before = keys(archive)
    accept = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax="*"'}
    begun = get(path(ds, 1), **accept)
    put(changed(ds))
    assert body in begun.data
    assert queued(archive) == before
    assert keys(archive) > before


def test_new_and_known_instances_may_come_together(put, post, get, feed):
    sets = [with_pixels(dataset()) for _ in range(4)]
    for ds in sets[::2]:
        post(encoded(ds))
    bodies = [changed(ds) for ds in sets]
    answer = put(multipart(*bodies), RELATED)
    assert answer.status_code == 200
    uids = [item["00081155"]["Value"][0] for item in stored(answer)]
    assert uids == [ds.SOPInstanceUID for ds in sets]
    assert [get(path(ds), **AS_STORED).data for ds in sets] == bodies
    actions = ["Create", "Create", "Update", "Create", "Update", "Create"]
    assert [action for action, _ in feed()] == actions


@pytest.mark.parametrize("known", [False, True])
def test_of_the_same_instance_twice_in_one_request_the_later_part_wins(
    put, post, get, archive, known
):
    ds = with_pixels(dataset())
    if known:
        post(encoded(ds))
    first, second = changed(ds, "A", b"\1"), changed(ds, "B", b"\2")
    answer = put(multipart(first, second), RELATED)
    assert answer.status_code == 200
    assert failed(answer) == []
    assert get(path(ds), **AS_STORED).data == second
    assert len(keys(archive) - queued(archive)) == 1


def test_a_put_into_a_study_takes_only_instances_of_that_study(put, post, get):
    ds, other = with_pixels(dataset()), with_pixels(dataset())
    for each in (ds, other):
        post(encoded(each))
    unchanged = encoded(other)
    study = ds.StudyInstanceUID
    answer = put(multipart(changed(ds), changed(other)), RELATED, f"studies/{study}")
    assert answer.status_code == 202
    assert orjson.loads(answer.data)["00081190"]["Value"][0].endswith(f"/studies/{study}")
    assert reasons(answer) == [43264]
    assert get(path(other), **AS_STORED).data == unchanged


def test_what_is_refused_replaces_nothing(put, post, get, archive, feed):
    ds = with_pixels(dataset())
    body = encoded(ds)
    post(body)
    ds.PatientID = "P" * 65
    answer = put(encoded(ds))
    assert answer.status_code == 409
    assert reasons(answer) == [43264]
    assert get(path(ds), **AS_STORED).data == body
    assert feed() == [("Create", "Current")]
    assert len(keys(archive)) == 1


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ((b"{}", "application/json"), 415),
        ((part10(), DICOM, "studies/1.a"), 400),
        ((multipart(), RELATED), 204),
        ((b"no DICOM",), 409),
    ],
)
def test_a_put_is_refused_for_what_a_post_is_refused_for(put, post, archive, sent, status):
    answer, expected = put(*sent), post(*sent)
    assert answer.status_code == expected.status_code == status
    assert answer.data == expected.data
    assert keys(archive) == set()


def test_a_store_that_is_full_leaves_what_is_there(put, post, get, archive, monkeypatch):
    ds = with_pixels(dataset())
    body = encoded(ds)
    post(body)

    def full(*_):
        raise BlobStoreFull("forced")

    with monkeypatch.context() as patch:
        patch.setattr(archive.blobs, "put", full)
        assert put(changed(ds)).status_code == 503
    assert get(path(ds), **AS_STORED).data == body
    assert queued(archive) == set()


def test_values_of_the_study_are_those_of_what_was_put_last(put, post, get):
    ds = with_pixels(dataset(StudyDescription="Chest"))
    post(encoded(ds))
    put(changed(ds, "Head"))
    assert get("/studies?StudyDescription=Chest").status_code == 204
    assert get("/studies?StudyDescription=Head").status_code == 200


def test_of_many_clients_putting_the_same_instance_at_once_one_order_results(
    app, archive, version, get, feed
):
    ds = with_pixels(dataset())
    bodies = [changed(ds, f"N{number}", bytes([number])) for number in range(6)]
    barrier, statuses = threading.Barrier(6), []

    def work(client: FlaskClient, body: bytes) -> None:
        barrier.wait(60)
        for _ in range(5):
            answer = client.put(f"/{version}/studies", data=body, content_type=DICOM)
            statuses.append(answer.status_code)
        archive.close()

    threads = [threading.Thread(target=work, args=(app.test_client(), body)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert statuses == [200] * 30
    number = bodies.index(get(path(ds), **AS_STORED).data)
    name = {"Alphabetic": f"N{number}"}
    (metadata,) = get(f"{path(ds)}/metadata").get_json(force=True)
    (study,) = get("/studies").get_json(force=True)
    assert [each["00100010"]["Value"] for each in (metadata, study)] == [[name]] * 2
    assert len(keys(archive)) == 30
    assert len(queued(archive)) == 29
    assert [state for _, state in feed()] == ["Replaced"] * 29 + ["Current"]


def test_a_put_makes_a_partition_as_a_post_does(client, version, archive):
    settings = archive.settings.model_copy(update={"partitions": True})
    object.__setattr__(archive, "settings", settings)
    url = f"/{version}/partitions/there/studies"
    ds = dataset()
    for _ in range(2):
        assert client.put(url, data=encoded(ds), content_type=DICOM).status_code == 200
    assert len(client.get(url).get_json(force=True)) == 1
    (key,) = queued(archive)
    assert key.startswith("there/")


# --- the same bytes again -------------------------------------------------------------------------


def test_a_harmless_repeat_is_told_from_a_conflict(post):
    ds = with_pixels(dataset())
    post(encoded(ds))
    answer = post(encoded(ds))
    assert answer.status_code == 409
    assert reasons(answer) == [45070]
    (comment,) = comments(failed(answer)[0])
    assert "identical" in comment

    answer = post(changed(ds))
    assert reasons(answer) == [45070]
    assert "00741048" not in failed(answer)[0]


def test_the_preamble_which_is_not_kept_makes_no_difference(post):
    ds = dataset()
    post(encoded(ds))
    answer = post(encoded(ds, preamble=OTHER_SPELLING))
    assert "identical" in comments(failed(answer)[0])[0]


def test_a_repeat_within_one_request_is_told_too(post):
    ds = with_pixels(dataset())
    first = encoded(ds)
    answer = post(multipart(first, first, changed(ds)), RELATED)
    assert answer.status_code == 202
    assert reasons(answer) == [45070, 45070]
    same, other = failed(answer)
    assert "identical" in comments(same)[0]
    assert "00741048" not in other


def test_what_was_put_is_what_a_repeat_is_compared_with(put, post):
    ds = with_pixels(dataset())
    first = encoded(ds)
    post(first)
    second = changed(ds)
    put(second)
    assert "00741048" not in failed(post(first))[0]
    assert "identical" in comments(failed(post(second))[0])[0]


def test_repeats_cost_one_look_up_for_the_whole_request(post, archive, monkeypatch):
    bodies = [part10() for _ in range(20)]
    counts = []
    execute = archive.index.execute
    monkeypatch.setattr(
        archive.index,
        "execute",
        lambda sql, values=(): counts.append("blob_digest" in sql) or execute(sql, values),
    )
    post(multipart(*bodies), RELATED)
    assert sum(counts) == 1
    good = len(counts)
    counts.clear()
    answer = post(multipart(*bodies), RELATED)
    assert all("identical" in comments(item)[0] for item in failed(answer))
    assert sum(counts) == 2
    assert len(counts) < good
