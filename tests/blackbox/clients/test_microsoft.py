"""The requests of Microsoft's tutorials: Python, curl and Postman."""

import json
import subprocess

import pytest
import requests
from pydicom.uid import generate_uid
from urllib3.filepost import choose_boundary, encode_multipart_formdata

from dicomweb.media import parse_media_type
from dicomweb.multipart import split
from tests.blackbox.clients.samples import TIMEOUT_S, sample
from tests.datasets import encoded
from tests.dicomweb.wado.exchange import path

JSON = "application/dicom+json"
BEARER = {"Authorization": "Bearer nobody-looks-at-it"}
"""The tutorials send a token also to a service that asks for none."""


@pytest.fixture
def session() -> requests.Session:
    session = requests.Session()
    session.headers.update(BEARER)
    return session


@pytest.fixture
def datasets():
    """Two series of a study."""
    study = {"StudyInstanceUID": generate_uid()}
    return [sample("MR_small.dcm", **study), sample("MR_small_RLE.dcm", **study)]


def stored(answer: requests.Response) -> list[str]:
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, JSON), answer.text
    return [item["00081155"]["Value"][0] for item in answer.json()["00081199"]["Value"]]


def uids(datasets) -> list[str]:
    return [ds.SOPInstanceUID for ds in datasets]


@pytest.mark.parametrize("to_study", [False, True])
def test_the_python_tutorial_stores_form_fields_as_parts(session, url, datasets, to_study):
    """Without a type parameter, each part with Content-Disposition."""
    fields = {
        f"file{number}": ("dicomfile", encoded(ds), "application/dicom")
        for number, ds in enumerate(datasets)
    }
    boundary = choose_boundary()
    body, _ = encode_multipart_formdata(fields, boundary)
    assert b'Content-Disposition: form-data; name="file0"; filename="dicomfile"\r\n' in body
    answer = session.post(
        f"{url}/{path(datasets[0], 1)}" if to_study else f"{url}/studies",
        body,
        headers={"Accept": JSON, "Content-Type": f"multipart/related; boundary={boundary}"},
        timeout=TIMEOUT_S,
    )
    assert stored(answer) == uids(datasets)


@pytest.mark.parametrize(
    "content_type",
    [
        'multipart/related; type="application/dicom"; boundary=ABCD1234',
        "multipart/related; boundary=ABCD1234",
        "multipart/related;boundary=ABCD1234",
    ],
)
def test_a_boundary_of_ones_own_is_taken(session, url, datasets, content_type):
    body = b"".join(
        b"--ABCD1234\r\nContent-Type: application/dicom\r\n\r\n" + encoded(ds) + b"\r\n"
        for ds in datasets
    )
    body += b"--ABCD1234--"
    headers = {"Accept": JSON, "Content-Type": content_type}
    answer = session.post(f"{url}/studies", body, headers=headers, timeout=TIMEOUT_S)
    assert stored(answer) == uids(datasets)


def test_a_single_file_is_stored_and_refused_the_second_time(session, url, datasets):
    headers = {"Accept": JSON, "Content-Type": "application/dicom"}
    ds = datasets[0]
    answers = [
        session.post(f"{url}/studies", encoded(ds), headers=headers, timeout=TIMEOUT_S)
        for _ in range(2)
    ]
    assert stored(answers[0]) == uids([ds])
    assert answers[1].status_code == 409
    (failed,) = answers[1].json()["00081198"]["Value"]
    assert failed["00081197"]["Value"] == [45070]


def test_the_curl_tutorial_stores_forms_and_files(server, url, datasets, tmp_path):
    """With --form, curl adds the boundary to the Content-Type that it is given."""
    files = []
    for number, ds in enumerate(datasets):
        files.append(tmp_path / f"{number}.dcm")
        files[-1].write_bytes(encoded(ds))

    def curl(target: str, content_type: str, *body: str) -> list[str]:
        command = ["curl", "--silent", "--show-error", "--fail-with-body", "--location"]
        command += ["--request", "POST", f"{url}/{target}", "--header", f"Accept: {JSON}"]
        command += ["--header", "Authorization: Bearer x"]
        command += ["--header", f"Content-Type: {content_type}", *body]
        done = subprocess.run(command, capture_output=True, check=False, timeout=TIMEOUT_S)
        assert done.returncode == 0, done
        items = json.loads(done.stdout)["00081199"]["Value"]
        return [item["00081155"]["Value"][0] for item in items]

    related = 'multipart/related; type="application/dicom"'
    form = ("--form", f"file1=@{files[0]};type=application/dicom")
    assert curl("studies", related, *form) == uids(datasets[:1])
    to_study = path(datasets[1], 1)
    form = ("--form", f"file1=@{files[1]};type=application/dicom")
    assert curl(to_study, related, *form) == uids(datasets[1:])
    deleted = requests.delete(f"{url}/{to_study}", headers=BEARER, timeout=TIMEOUT_S)
    assert deleted.status_code == 204
    binary = ("--data-binary", f"@{files[0]}")
    assert curl("studies", "application/dicom", *binary) == uids(datasets[:1])


def test_the_tutorials_retrieve_search_and_delete(session, url, datasets):
    for ds in datasets:
        headers = {"Content-Type": "application/dicom"}
        session.post(f"{url}/studies", encoded(ds), headers=headers, timeout=TIMEOUT_S)
    first = datasets[0]

    def get(resource: str, accept: str) -> requests.Response:
        answer = session.get(f"{url}/{resource}", headers={"Accept": accept}, timeout=TIMEOUT_S)
        assert answer.status_code == 200, answer.text
        return answer

    def parts(answer: requests.Response) -> list[bytes]:
        boundary = parse_media_type(answer.headers["Content-Type"]).require_boundary()
        return [bytes(part.data) for part in split(answer.content, boundary)]

    whole = 'multipart/related; type="application/dicom"; transfer-syntax=*'
    files = [encoded(ds) for ds in datasets]
    assert sorted(parts(get(path(first, 1), whole))) == sorted(files)
    assert parts(get(path(first, 2), whole)) == files[:1]
    assert get(path(first), "application/dicom; transfer-syntax=*").content == files[0]
    octets = 'multipart/related; type="application/octet-stream"'
    for accept in (f"{octets}; transfer-syntax=1.2.840.10008.1.2.1", f"{octets};",
                   f"{octets}; transfer-syntax=*"):  # fmt: skip
        assert parts(get(f"{path(first)}/frames/1", accept)) == [first.PixelData]
    frame = get(f"{path(first)}/frames/1", "application/octet-stream; transfer-syntax=*")
    assert frame.content == first.PixelData
    for level, count in ((1, 2), (2, 1), (3, 1)):
        assert len(get(f"{path(first, level)}/metadata", JSON).json()) == count
    study, series = path(first, 1), path(first, 2)
    for resource, count in (
        (f"studies?StudyInstanceUID={first.StudyInstanceUID}", 1),
        (f"series?SeriesInstanceUID={first.SeriesInstanceUID}", 1),
        (f"{study}/series?SeriesInstanceUID={first.SeriesInstanceUID}", 1),
        (f"instances?SOPInstanceUID={first.SOPInstanceUID}", 1),
        (f"{study}/instances?SOPInstanceUID={first.SOPInstanceUID}", 1),
        (f"{series}/instances?SOPInstanceUID={first.SOPInstanceUID}", 1),
        (f"{study}/instances", 2),
    ):
        assert len(get(resource, JSON).json()) == count
    for resource in (path(first), series, study):
        answer = session.delete(f"{url}/{resource}", timeout=TIMEOUT_S)
        expected = 404 if resource == series else 204
        assert (answer.status_code, resource) == (expected, resource)
