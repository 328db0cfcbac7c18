import threading
from io import BytesIO

import orjson
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    generate_uid,
)

from index.database import IndexUnavailable
from index.instances import Reference, find
from index.partitions import DEFAULT_PARTITION_ID
from storage.base import BlobStoreFull
from tests.datasets import dataset, encoded, part10, with_pixels
from tests.dicomweb.stow.answers import DICOM, JSON, RELATED, failed, multipart, reasons, stored


def blobs(archive) -> list[bytes]:
    contents = []
    for blob in archive.blobs.list():
        with archive.blobs.open(blob.key) as reader:
            contents.append(reader.read())
    return contents


@pytest.fixture(params=["buffered", "streamed"])
def way(request, archive):
    """Lets bodies be taken from memory, or through the way of large ones."""
    if request.param == "streamed":
        settings = archive.settings.model_copy(update={"max_buffered_bytes": 1})
        object.__setattr__(archive, "settings", settings)


# --- what is answered ----------------------------------------------------------------------------


@pytest.mark.usefixtures("way")
def test_a_single_instance_is_stored_and_referenced(post, version):
    ds = dataset()
    answer = post(encoded(ds))
    assert answer.status_code == 200
    (item,) = stored(answer)
    assert item["00081150"] == {"vr": "UI", "Value": [ds.SOPClassUID]}
    assert item["00081155"] == {"vr": "UI", "Value": [ds.SOPInstanceUID]}
    assert item["00081190"]["vr"] == "UR"
    study = f"http://localhost/{version}/studies/{ds.StudyInstanceUID}"
    expected = f"{study}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"
    assert item["00081190"]["Value"] == [expected]
    assert set(orjson.loads(answer.data)) == {"00081199"}


@pytest.mark.usefixtures("way")
def test_all_parts_of_a_multipart_body_are_stored_in_their_order(post):
    sets = [dataset() for _ in range(5)]
    answer = post(multipart(*map(encoded, sets)), RELATED)
    assert answer.status_code == 200
    uids = [item["00081155"]["Value"][0] for item in stored(answer)]
    assert uids == [ds.SOPInstanceUID for ds in sets]


def test_a_store_into_a_study_says_where_the_study_is(post, version):
    ds = dataset()
    answer = post(encoded(ds), path=f"studies/{ds.StudyInstanceUID}")
    assert answer.status_code == 200
    url = orjson.loads(answer.data)["00081190"]
    expected = f"http://localhost/{version}/studies/{ds.StudyInstanceUID}"
    assert url == {"vr": "UR", "Value": [expected]}


def test_urls_of_the_answer_begin_with_the_public_url(app, client, archive, version):
    settings = archive.settings.model_copy(update={"public_url": "https://pacs.example.org/x"})
    object.__setattr__(archive, "settings", settings)
    answer = client.post(f"/{version}/studies", data=part10(), content_type=DICOM)
    (url,) = stored(answer)[0]["00081190"]["Value"]
    assert url.startswith(f"https://pacs.example.org/x/{version}/studies/")


def test_a_stored_instance_lists_failed_attributes_in_v2_only(client):
    for version, expected in (("v1", None), ("v2", {"vr": "SQ"})):
        answer = client.post(f"/{version}/studies", data=part10(), content_type=DICOM)
        assert stored(answer)[0].get("00741048") == expected


def test_implicit_vr_is_stored_with_a_warning(post, version):
    answer = post(encoded(dataset(ImplicitVRLittleEndian)))
    assert answer.status_code == (202 if version == "v2" else 200)
    assert stored(answer)[0]["00081196"] == {"vr": "US", "Value": [45063]}


@pytest.mark.usefixtures("way")
def test_a_multipart_body_without_parts_is_answered_with_nothing(post):
    answer = post(b"--b--\r\n", RELATED)
    assert answer.status_code == 204
    assert answer.data == b""


@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
    ],
)
@pytest.mark.usefixtures("way")
def test_what_is_stored_are_the_bytes_received_with_an_empty_preamble(post, archive, syntax):
    ds = with_pixels(dataset(syntax))
    if syntax == ExplicitVRBigEndian:
        ds.PixelData = ds.PixelData[::-1]
    body = encoded(ds, preamble=b"MZ" + b"x" * 126)
    assert post(body).status_code in {200, 202}
    assert blobs(archive) == [bytes(128) + body[128:]]


# --- duplicates ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("way")
def test_storing_an_instance_twice_is_refused_the_second_time_and_changes_nothing(post, archive):
    ds = dataset()
    assert post(encoded(ds)).status_code == 200
    before = blobs(archive)
    ds.PatientName = "Other^Name"
    answer = post(encoded(ds))
    assert answer.status_code == 409
    assert reasons(answer) == [45070]
    assert failed(answer)[0]["00081155"]["Value"] == [ds.SOPInstanceUID]
    assert failed(answer)[0]["00081150"]["Value"] == [ds.SOPClassUID]
    assert blobs(archive) == before


@pytest.mark.usefixtures("way")
def test_the_same_instance_twice_in_one_request_is_stored_once(post, archive):
    body = part10()
    answer = post(multipart(body, body), RELATED)
    assert answer.status_code == 202
    assert len(stored(answer)) == 1
    assert reasons(answer) == [45070]
    assert len(blobs(archive)) == 1


def test_the_same_sop_instance_uid_in_another_series_is_accepted(post):
    ds = dataset()
    assert post(encoded(ds)).status_code == 200
    ds.SeriesInstanceUID = generate_uid()
    assert post(encoded(ds)).status_code == 200


def test_uids_that_differ_in_trailing_blanks_are_the_same(post):
    ds = dataset(SOPInstanceUID="1.2.3.4 ", StudyInstanceUID="1.2.3 ", SeriesInstanceUID="1.2 ")
    assert post(encoded(ds)).status_code == 200
    ds.SOPInstanceUID, ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.3.4", "1.2.3", "1.2"
    assert reasons(post(encoded(ds))) == [45070]


# --- refused instances ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body", [b"", b"no DICOM", part10()[:200], part10()[:-1], b"\0" * 132], ids=len
)
@pytest.mark.usefixtures("way")
def test_a_body_that_is_not_a_whole_dicom_file_is_refused_without_uids(post, archive, body):
    answer = post(body)
    assert answer.status_code == 409
    assert failed(answer) == [{"00081197": {"vr": "US", "Value": [43264]}}]
    assert blobs(archive) == []


@pytest.mark.usefixtures("way")
def test_an_unreadable_part_does_not_keep_the_others_from_being_stored(post):
    answer = post(multipart(part10(), b"", part10()), RELATED)
    assert answer.status_code == 202
    assert len(stored(answer)) == 2
    assert failed(answer) == [{"00081197": {"vr": "US", "Value": [43264]}}]


# --- refused requests ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "application/dicom; x=y",
        "multipart/form-data; boundary=b",
        'multipart/related; type="application/dicom"',
        "nonsense",
    ],
)
def test_a_content_type_that_cannot_be_stored_is_refused(post, archive, content_type):
    answer = post(part10(), content_type)
    assert answer.status_code == 415
    assert answer.content_type.startswith("text/plain")
    assert blobs(archive) == []


@pytest.mark.usefixtures("way")
def test_a_part_of_another_type_spoils_the_whole_request(post, archive):
    body = multipart(part10())[: -len(b"--b--\r\n")] + multipart(b"{}", content_type=JSON)
    answer = post(body, RELATED)
    assert answer.status_code == 415
    assert "application/dicom+json" in answer.text
    assert blobs(archive) == []


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/related; boundary=b",
        "multipart/related;boundary=b",
        'multipart/related; boundary="b"; type=application/dicom',
    ],
)
@pytest.mark.usefixtures("way")
def test_the_first_part_may_leave_its_type_to_the_whole_but_a_later_one_may_not(post, content_type):
    untyped = b"--b\r\n\r\n" + part10() + b"\r\n"
    assert post(untyped + b"--b--\r\n", content_type).status_code == 200
    answer = post(multipart(part10())[: -len(b"--b--\r\n")] + untyped + b"--b--\r\n", content_type)
    assert answer.status_code == 415


@pytest.mark.usefixtures("way")
def test_a_multipart_body_that_is_cut_short_is_refused_whole(post, archive):
    answer = post(multipart(part10(), part10())[:-300], RELATED)
    assert answer.status_code == 400
    assert "multipart" in answer.text
    assert blobs(archive) == []


def test_the_start_parameter_is_refused(post):
    assert post(multipart(part10()), f"{RELATED}; start=x").status_code == 400


def test_a_malformed_study_uid_in_the_url_is_refused(post, archive):
    answer = post(part10(), path="studies/not-a-uid")
    assert answer.status_code == 400
    assert "StudyInstanceUID" in answer.text
    assert blobs(archive) == []


def test_a_wrong_content_type_is_told_before_a_malformed_uid_and_that_before_a_wrong_accept(post):
    for content_type in ("text/plain", "multipart/related"):
        answer = post(b"", content_type, "studies/x", Accept="text/html")
        assert answer.status_code == 415
        assert "boundary" in answer.text
    assert post(b"", DICOM, "studies/x", Accept="text/html").status_code == 400
    assert post(b"", DICOM, "studies/1.2", Accept="text/html").status_code == 406


def test_a_wrong_content_type_is_told_before_a_wrong_partition_and_makes_none(
    client, archive, version
):
    settings = archive.settings.model_copy(update={"partitions": True})
    object.__setattr__(archive, "settings", settings)
    for path in ("partitions/fresh/studies", "partitions/$/studies", "studies"):
        for content_type in ("text/plain", "multipart/related"):
            answer = client.post(f"/{version}/{path}", data=b"", content_type=content_type)
            assert answer.status_code == 415, path
    assert [partition.name for partition in archive.partitions.list()] == ["Microsoft.Default"]


def test_a_body_over_the_limit_is_refused_with_the_limit(post, archive):
    settings = archive.settings.model_copy(update={"max_request_bytes": 500})
    object.__setattr__(archive, "settings", settings)
    answer = post(part10())
    assert answer.status_code == 413
    assert "500 bytes" in answer.text
    assert blobs(archive) == []


def test_query_parameters_are_ignored(post):
    assert post(part10(), path="studies?anything=1").status_code == 200


def test_the_bulk_update_route_is_no_study(client, version):
    answer = client.post(f"/{version}/studies/$bulkUpdate", data=part10(), content_type=DICOM)
    assert answer.status_code in {404, 405}


# --- nothing is lost, nothing is half there ------------------------------------------------------


@pytest.mark.usefixtures("way")
def test_a_full_store_refuses_the_request_and_keeps_nothing(post, archive, monkeypatch):
    kind = type(archive.blobs)

    def full(*_):
        raise BlobStoreFull("forced")

    monkeypatch.setattr(kind, "put", full)
    monkeypatch.setattr(kind, "adopt", full)
    answer = post(multipart(part10(), part10()), RELATED)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert blobs(archive) == []


def test_a_second_blob_that_fails_takes_the_first_with_it(post, archive, monkeypatch):
    ds = dataset()
    kind = type(archive.blobs)
    put = kind.put

    def full_at_second(store, key, pieces):
        if ds.SOPInstanceUID not in key:
            raise BlobStoreFull("forced")
        put(store, key, pieces)

    monkeypatch.setattr(kind, "put", full_at_second)
    answer = post(multipart(encoded(ds), part10()), RELATED)
    assert answer.status_code == 503
    assert blobs(archive) == []
    monkeypatch.undo()
    assert post(encoded(ds)).status_code == 200


def test_an_index_that_is_away_acknowledges_nothing(post, archive, monkeypatch):
    def away(*_):
        raise IndexUnavailable("forced")

    ds = dataset()
    monkeypatch.setattr(type(archive.committer), "store", away)
    answer = post(encoded(ds))
    assert answer.status_code == 503
    assert find(archive.index, Reference(DEFAULT_PARTITION_ID, ds.StudyInstanceUID)) == []
    monkeypatch.undo()
    assert post(encoded(ds)).status_code == 200


def test_of_many_clients_storing_the_same_instance_at_once_one_wins(app, archive, version):
    body = part10()
    statuses = []
    barrier = threading.Barrier(6)

    def send() -> None:
        barrier.wait()
        answer = app.test_client().post(f"/{version}/studies", data=body, content_type=DICOM)
        statuses.append(answer.status_code)
        archive.close()

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [409] * 5
    assert len(blobs(archive)) == 1


def test_a_body_of_unknown_length_is_streamed(client, version, archive):
    body = part10()
    answer = client.post(
        f"/{version}/studies",
        input_stream=BytesIO(body),
        headers={"Transfer-Encoding": "chunked", "Content-Type": DICOM},
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert answer.status_code == 200
    assert len(blobs(archive)) == 1
    assert not list(archive.blobs.upload_directory.iterdir())
