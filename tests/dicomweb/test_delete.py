import pytest

from tests.dicomweb.storing import store

STUDY = "studies/1.1"
SERIES = f"{STUDY}/series/1.1.1"
INSTANCE = f"{SERIES}/instances/1.1.1.1"
PATHS = [STUDY, SERIES, INSTANCE]


@pytest.fixture
def three_instances(client, version):
    """Series 1.1.1 with instances .1 and .2, series 1.1.2 with instance .1."""
    for uids in (("1.1.1", "1.1.1.1"), ("1.1.1", "1.1.1.2"), ("1.1.2", "1.1.2.1")):
        store(client, version, "1.1", *uids)


def present(client, version) -> list[str]:
    """UIDs of the instances of the study by its metadata."""
    answer = client.get(f"/{version}/{STUDY}/metadata")
    if answer.status_code == 404:
        return []
    return sorted(instance["00080018"]["Value"][0] for instance in answer.get_json(force=True))


@pytest.mark.parametrize(
    ("path", "left"),
    [(STUDY, []), (SERIES, ["1.1.2.1"]), (INSTANCE, ["1.1.1.2", "1.1.2.1"])],
)
def test_deleting_answers_204_and_what_is_deleted_is_gone_at_once(
    client, version, three_instances, path, left
):
    answer = client.delete(f"/{version}/{path}")

    assert answer.status_code == 204
    assert answer.data == b""
    assert "Content-Type" not in answer.headers
    assert present(client, version) == left
    assert client.get(f"/{version}/{path}").status_code == 404
    assert client.get(f"/{version}/{path}/metadata").status_code == 404


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("studies/9", "The specified study cannot be found."),
        (f"{STUDY}/series/9", "The specified series cannot be found."),
        (f"{SERIES}/instances/9", "The specified instance cannot be found."),
        ("studies/9/series/1.1.1/instances/1.1.1.1", "The specified instance cannot be found."),
    ],
)
def test_deleting_what_is_not_there_is_404_and_deletes_nothing(
    client, version, three_instances, path, words
):
    answer = client.delete(f"/{version}/{path}")

    assert (answer.status_code, answer.text) == (404, words)
    assert answer.content_type == "text/plain; charset=utf-8"
    assert len(present(client, version)) == 3


@pytest.mark.parametrize("path", PATHS)
def test_deleting_twice_is_404_the_second_time(client, version, three_instances, path):
    assert client.delete(f"/{version}/{path}").status_code == 204
    assert client.delete(f"/{version}/{path}").status_code == 404


@pytest.mark.parametrize(
    ("path", "keyword"),
    [
        ("studies/1.x", "StudyInstanceUID"),
        ("studies/1.1/series/abc", "SeriesInstanceUID"),
        ("studies/1.1/series/1/instances/1.", "SOPInstanceUID"),
        (f"studies/{'1' * 65}", "StudyInstanceUID"),
    ],
)
def test_a_malformed_uid_is_400_and_named(client, version, path, keyword):
    answer = client.delete(f"/{version}/{path}")

    assert answer.status_code == 400
    assert f"Dicom element '{keyword}' failed validation for VR 'UI'" in answer.text


def test_no_header_is_needed_and_none_that_is_sent_is_minded(client, version, three_instances):
    answer = client.delete(f"/{version}/{STUDY}", headers={"Accept": "text/nonsense"})
    assert answer.status_code == 204


def test_trailing_blanks_of_a_uid_are_passed_over(client, version, three_instances):
    assert client.delete(f"/{version}/studies/1.1%20").status_code == 204


def test_a_deleted_instance_can_be_stored_again_at_once(client, version):
    store(client, version, "1.1", "1.1.1", "1.1.1.1", PatientID="before")
    client.delete(f"/{version}/{STUDY}")
    store(client, version, "1.1", "1.1.1", "1.1.1.1", PatientID="after")

    (instance,) = client.get(f"/{version}/{STUDY}/metadata").get_json(force=True)
    assert instance["00100020"]["Value"] == ["after"]


def test_a_study_deleted_and_stored_again_has_another_etag(client, version):
    store(client, version, "1.1", "1.1.1", "1.1.1.1")
    before = client.get(f"/{version}/{STUDY}/metadata").headers["ETag"]
    client.delete(f"/{version}/{STUDY}")
    store(client, version, "1.1", "1.1.1", "1.1.1.1")

    assert client.get(f"/{version}/{STUDY}/metadata").headers["ETag"] != before


def test_the_blobs_stay_for_the_grace_period_and_are_queued_under_their_keys(
    client, version, three_instances, archive
):
    stored = {blob.key for blob in archive.blobs.list()}
    client.delete(f"/{version}/{SERIES}")

    queued = {key for (key,) in archive.index.execute("SELECT blob_key FROM deleted_blob")}
    assert {blob.key for blob in archive.blobs.list()} == stored
    assert queued < stored
    assert len(queued) == 2


def test_a_deletion_says_so_in_the_change_feed(client, version, three_instances):
    client.delete(f"/{version}/{SERIES}")

    entries = client.get(f"/{version}/changefeed").get_json()
    assert [(entry["action"], entry["sopInstanceUid"], entry["state"]) for entry in entries] == [
        ("Create", "1.1.1.1", "Deleted"),
        ("Create", "1.1.1.2", "Deleted"),
        ("Create", "1.1.2.1", "Current"),
        ("Delete", "1.1.1.1", "Deleted"),
        ("Delete", "1.1.1.2", "Deleted"),
    ]


def test_a_delete_ends_a_stream_for_nobody_who_has_begun_it(client, version, three_instances):
    whole = client.get(f"/{version}/{STUDY}").data
    begun = client.get(f"/{version}/{STUDY}", buffered=False)
    client.delete(f"/{version}/{STUDY}")

    boundary = begun.content_type.rpartition("=")[2].strip('"').encode()
    assert begun.data.count(b"--" + boundary + b"\r\n") == 3
    assert len(begun.data) == len(whole)
