"""Every file that pydicom tests itself with is stored and given back, or refused for a reason."""

import warnings
from functools import cache
from io import BytesIO
from pathlib import Path

import orjson
import pydicom.data
import pytest
import requests
from pydicom import dcmread
from pydicom.errors import InvalidDicomError

FOLDER = Path(pydicom.data.__file__).parent
FILES = sorted(
    path
    for folder in ("test_files", "charset_files")
    for path in (FOLDER / folder).rglob("*")
    if path.is_file() and path.suffix not in {".py", ".json", ".md", ".txt", ".zip", ".tar", ".sr"}
)
REQUIRED = (
    "SOPClassUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
)


@cache
def bytes_of(path: Path) -> bytes:
    return path.read_bytes()


def post(url: str, body: bytes) -> requests.Response:
    headers = {"Content-Type": "application/dicom"}
    return requests.post(f"{url}/studies", data=body, headers=headers, timeout=60)


def item(answer: requests.Response, tag: str) -> dict:
    (only,) = orjson.loads(answer.content)[tag]["Value"]
    return only


def why_refused(body: bytes) -> str | None:
    """What is wrong with a file in the eyes of pydicom; None if nothing is."""
    try:
        with warnings.catch_warnings(action="ignore"):
            ds = dcmread(BytesIO(body))
    except InvalidDicomError:
        return "no DICOM"
    if "TransferSyntaxUID" not in ds.file_meta:
        return "no transfer syntax"
    missing = [keyword for keyword in REQUIRED if not ds.get(keyword)]
    return f"no {missing[0]}" if missing else None


def test_there_are_files_to_try():
    assert len(FILES) > 80


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_is_stored_and_returned_identically_or_refused_with_the_right_code(url, path):
    body = bytes_of(path)
    answer = post(url, body)
    if answer.status_code == 409:
        refused = item(answer, "00081198")
        assert refused["00081197"]["Value"] == [43264]
        comments = refused.get("00741048", {}).get("Value", [])
        assert why_refused(body) or comments or path.name in KNOWN_UNREADABLE
        return
    assert answer.status_code in {200, 202}
    location = item(answer, "00081199")["00081190"]["Value"][0]
    back = requests.get(
        location, headers={"Accept": "application/dicom; transfer-syntax=*"}, timeout=60
    )
    assert back.status_code == 200
    assert back.content == bytes(128) + body[128:]
    metadata = requests.get(f"{location}/metadata", timeout=60)
    assert metadata.status_code == 200
    assert len(metadata.json()) == 1
    study = location.partition("/series/")[0]
    assert requests.delete(study, timeout=60).status_code == 204


KNOWN_UNREADABLE = {
    "MR_truncated.dcm": "its Pixel Data ends before its length says",
    "rtplan_truncated.dcm": "its last sequence is cut off",
}
"""Files that pydicom reads and this service refuses, with the reason."""
