"""The requests of dcmjs' dicomweb-client (npm, 0.11), and what it makes of the answers."""

import uuid
from io import BytesIO

import pytest
import requests
from pydicom import dcmread

from tests.blackbox.clients.browser import parts
from tests.blackbox.clients.pictures import opened
from tests.blackbox.clients.samples import TIMEOUT_S, sample, store
from tests.datasets import encoded
from tests.dicomweb.wado.exchange import path

JSON = "application/dicom+json"
EXPLICIT = "1.2.840.10008.1.2.1"
DICOM = 'multipart/related; type="application/dicom"'
OCTETS = 'multipart/related; type="application/octet-stream"'


@pytest.fixture(scope="module")
def image(server):
    """An image with two frames of 16 bits."""
    ds = sample("rtdose.dcm")
    ds.file_meta.TransferSyntaxUID = EXPLICIT
    store(f"{server.url}/v2", ds)
    return ds


@pytest.fixture
def get(url):
    """A good answer; ``None`` is the ``*/*`` of an XMLHttpRequest that is told nothing else."""

    def get(resource: str, accept: str | None, **headers: str) -> requests.Response:
        headers = {"Accept": accept or "*/*", **headers}
        target = resource if resource.startswith("http") else f"{url}/{resource}"
        answer = requests.get(target, headers=headers, timeout=TIMEOUT_S)
        assert answer.status_code in {200, 206}, answer.text
        return answer

    return get


@pytest.mark.parametrize("level", [1, 2, 3])
def test_instances_are_retrieved_without_a_transfer_syntax(get, image, level):
    (part,) = parts(get(path(image, level), DICOM))
    assert part == ("application/dicom", EXPLICIT, encoded(image))


def test_what_is_compressed_comes_decoded(get, url):
    """It names no transfer syntax, which means Explicit VR Little Endian."""
    ds = sample("SC_rgb_rle_2frame.dcm")
    store(url, ds)
    frames = [frame.tobytes() for frame in ds.pixel_array]
    found = parts(get(f"{path(ds)}/frames/2,1", OCTETS))
    assert [part.data for part in found] == frames[::-1]
    assert {part.transfer_syntax for part in found} == {EXPLICIT}
    for level in (1, 2, 3):
        (part,) = parts(get(path(ds, level), DICOM))
        assert part.transfer_syntax == EXPLICIT
        assert dcmread(BytesIO(part.data)).PixelData == b"".join(frames)


@pytest.mark.parametrize("numbers", [[1], [3, 1, 2], list(range(1, 16))])
def test_frames_are_retrieved_as_octets(get, image, numbers):
    size = len(image.PixelData) // image.NumberOfFrames
    listed = ",".join(map(str, numbers))
    found = parts(get(f"{path(image)}/frames/{listed}", OCTETS))
    assert [part.data for part in found] == [
        image.PixelData[(number - 1) * size : number * size] for number in numbers
    ]
    assert {part[:2] for part in found} == {("application/octet-stream", EXPLICIT)}


@pytest.mark.parametrize("accept", [OCTETS, f'multipart/related; type="application/pdf", {OCTETS}'])
def test_bulk_values_are_retrieved_whole_and_in_ranges(get, image, accept):
    (metadata,) = get(f"{path(image)}/metadata?bulkdata=uri", JSON).json()
    uri = metadata["7FE00010"]["BulkDataURI"]
    (part,) = parts(get(uri, accept))
    assert part.data == image.PixelData
    for asked, expected in (("0-99", slice(0, 100)), ("500-", slice(500, None))):
        (part,) = parts(get(uri, accept, Range=f"bytes={asked}"))
        assert part.data == image.PixelData[expected]


@pytest.mark.parametrize(
    "rest", ["rendered", "thumbnail", "frames/1/rendered", "frames/1/thumbnail"]
)
def test_pictures_are_retrieved(get, image, rest):
    for accept in (None, "image/jpeg", "image/png", "image/*", "image/jpeg, image/png"):
        answer = get(f"{path(image)}/{rest}", accept)
        expected = "PNG" if accept == "image/png" else "JPEG"
        assert opened(answer.content).format == expected
        assert "multipart" not in answer.headers["Content-Type"]


def test_searches_and_metadata_are_one_array(get, url, image):
    study, series = path(image, 1), path(image, 2)
    for resource in (
        f"studies?PatientID={image.PatientID}",
        f"{study}/series",
        f"{series}/instances",
    ):
        assert len(get(resource, JSON).json()) == 1
    for resource in (study, series, path(image)):
        assert len(get(f"{resource}/metadata", JSON).json()) == 1
    nobody = requests.get(f"{url}/studies?PatientID=n", headers={"Accept": JSON}, timeout=TIMEOUT_S)
    assert (nobody.status_code, nobody.content) == (204, b"")


@pytest.mark.parametrize("to_study", [False, True])
def test_files_are_stored_between_boundaries_that_are_random_and_quoted(url, to_study):
    datasets = [sample("MR_small_RLE.dcm")]
    datasets += [sample("MR_small.dcm", StudyInstanceUID=datasets[0].StudyInstanceUID)]
    boundary = str(uuid.uuid4())
    pieces = [f"\r\n--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()]
    body = b"".join(piece for ds in datasets for piece in (*pieces, encoded(ds)))
    body += f"\r\n--{boundary}--".encode()
    content_type = f'multipart/related; type="application/dicom"; boundary="{boundary}"'
    answer = requests.post(
        f"{url}/{path(datasets[0], 1)}" if to_study else f"{url}/studies",
        data=body,
        headers={"Content-Type": content_type, "Accept": "*/*"},
        timeout=TIMEOUT_S,
    )
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, JSON)
    stored = [item["00081155"]["Value"][0] for item in answer.json()["00081199"]["Value"]]
    assert stored == [ds.SOPInstanceUID for ds in datasets]
