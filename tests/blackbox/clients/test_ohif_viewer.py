"""OHIF shows what is in a study, request by request (3.13)."""

from io import BytesIO

import pytest
from PIL import Image
from pydicom import dcmread

from tests.blackbox.clients.browser import DOCUMENT, IMAGE, VIDEO, parts
from tests.blackbox.clients.ohif import MP4, PDF
from tests.blackbox.clients.pictures import opened
from tests.blackbox.clients.samples import sample
from tests.datasets import encoded
from tests.dicomweb.wado.exchange import path

JSON = "application/dicom+json"
PIXELS = [
    "multipart/related; type=application/octet-stream; transfer-syntax=*",
    'multipart/related; type="application/octet-stream"; transfer-syntax="*"',
    'multipart/related; type="application/octet-stream"; transfer-syntax=*',
]
DICOM = 'multipart/related; type="application/dicom"'
EXPLICIT = "1.2.840.10008.1.2.1"
OCTETS = 'multipart/related; type="application/octet-stream"'
MICROSCOPY = ", ".join(
    f'multipart/related; type="{media_type}"; transfer-syntax={syntax}'
    for media_type, syntax in (
        ("image/jls", "1.2.840.10008.1.2.4.80"),
        ("image/jls", "1.2.840.10008.1.2.4.81"),
        ("image/jp2", "1.2.840.10008.1.2.4.90"),
        ("image/jp2", "1.2.840.10008.1.2.4.91"),
        ("image/jpx", "1.2.840.10008.1.2.4.92"),
        ("image/jpx", "1.2.840.10008.1.2.4.93"),
        ("application/octet-stream", "*"),
        ("image/jpeg", "1.2.840.10008.1.2.4.50"),
    )
)
"""What the microscopy viewer takes tiles in."""


@pytest.fixture
def bulk(browser):
    """URL of a bulk value in the metadata of an instance; ``tags`` lead into sequences."""

    def bulk(ds, *tags: str) -> str:
        (element,) = browser.get(f"{path(ds)}/metadata", JSON).json()
        *sequences, last = tags
        for tag in sequences:
            element = element[tag]["Value"][0]
        return element[last]["BulkDataURI"]

    return bulk


@pytest.mark.parametrize("accept", PIXELS)
def test_the_first_frame_of_every_image_comes_as_it_is_stored(browser, archive, accept):
    for name, ds in archive.images.items():
        answer = browser.get(f"{path(ds)}/frames/1", accept)
        part, *more = parts(answer)
        assert more == [], name
        stored = ds.file_meta.TransferSyntaxUID
        assert (part.content_type, part.transfer_syntax) == ("application/octet-stream", stored)
        assert part.data in (ds.PixelData if name == "deflated" else encoded(ds))
        assert len(part.data) > 500
        assert 'type="application/octet-stream"' in answer.headers["Content-Type"]


def test_the_frames_of_an_image_are_asked_for_one_by_one(browser, archive):
    ds = archive.images["RLE of two frames"]
    first, second = (parts(browser.get(f"{path(ds)}/frames/{n}", PIXELS[0])) for n in (1, 2))
    assert first != second


def test_the_microscopy_viewer_gets_tiles_as_they_are_stored(browser, archive):
    for name in ("JPEG Baseline", "JPEG-LS", "JPEG 2000", "RLE"):
        ds = archive.images[name]
        (part,) = parts(browser.get(f"{path(ds)}/frames/1", MICROSCOPY))
        assert part.transfer_syntax == ds.file_meta.TransferSyntaxUID
        assert part.data in encoded(ds)


@pytest.mark.parametrize(
    ("query", "accept", "kind"),
    [
        ("accept=image%2Fjpeg", OCTETS, {}),
        ("accept=image/jpeg", OCTETS, {}),
        ("accept=image/jpeg", PIXELS[0], {}),
        ("accept=image/jpeg", "*/*", {}),
        ("accept=image/jpeg", None, IMAGE),
        ("viewport=256%2C256", "image/jpeg", {}),
    ],
)
def test_a_small_picture_of_an_instance_is_one_jpeg(browser, archive, query, accept, kind):
    for ds in (*archive.images.values(), archive.segmentation, archive.palette):
        for resource in ("thumbnail", "rendered"):
            answer = browser.get(f"{path(ds)}/{resource}?{query}", accept, **kind)
            assert answer.headers["Content-Type"] == "image/jpeg"
            assert opened(answer.content).format == "JPEG"


@pytest.mark.parametrize("level", [1, 2])
def test_a_small_picture_of_a_series_is_one_jpeg(browser, archive, level):
    ds = archive.images["RLE"]
    for query in ("viewport=256%2C256", "accept=image/jpeg"):
        answer = browser.get(f"{path(ds, level)}/thumbnail?{query}", "image/jpeg")
        picture = opened(answer.content)
        assert isinstance(picture, Image.Image)
        assert max(picture.size) <= 512


@pytest.mark.parametrize(
    "accept",
    [
        OCTETS,
        'multipart/related; type="application/pdf", ' + OCTETS,
        'multipart/related; type="application/pdf"',
    ],
)
def test_a_document_comes_from_its_bulk_value(browser, archive, bulk, accept):
    (part,) = parts(browser.get(bulk(archive.document, "00420011"), accept))
    assert part.data.rstrip(b"\0") == PDF
    assert part.content_type in {"application/pdf", "application/octet-stream"}


def test_a_document_comes_in_one_part_where_that_is_configured(browser, archive, bulk):
    uri = bulk(archive.document, "00420011")
    for url in (uri, f"{uri}?accept=application/pdf"):
        answer = browser.get(url, "*/*")
        assert answer.headers["Content-Type"] == "application/pdf"
        assert answer.content.rstrip(b"\0") == PDF


def test_a_document_is_shown_by_the_browser_itself(browser, archive):
    answer = browser.get(f"{path(archive.document)}/rendered", **DOCUMENT)
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.content == PDF


def test_a_video_is_played_by_the_browser_itself(browser, archive):
    url = f"{path(archive.video)}/rendered"
    answer = browser.get(url, **VIDEO)
    assert (answer.status_code, answer.content) == (206, MP4)
    assert answer.headers["Content-Type"] == "video/mp4"
    assert answer.headers["Content-Range"] == f"bytes 0-{len(MP4) - 1}/{len(MP4)}"
    assert "Content-Encoding" not in answer.headers
    later = browser.get(
        url, **VIDEO | {"Range": "bytes=50000-", "If-Range": answer.headers["ETag"]}
    )
    assert (later.status_code, later.content) == (206, MP4[50000:])


def test_a_video_comes_from_its_bulk_value(browser, archive, bulk):
    uri = bulk(archive.video, "7FE00010")
    (part,) = parts(browser.get(uri, OCTETS))
    assert part.data == MP4
    for url, accept in ((uri, "*/*"), (f"{uri}?accept=video/mp4", OCTETS)):
        answer = browser.get(url, accept)
        assert answer.headers["Content-Type"].partition(";")[0] == "video/mp4"
        assert answer.content == MP4


def test_an_image_with_many_frames_comes_whole_and_decoded(browser, archive):
    """Instead of asking for its frames one by one, as is done for segmentations."""
    for ds in archive.images.values():
        (part,) = parts(browser.get(path(ds), DICOM))
        assert (part.content_type, part.transfer_syntax) == ("application/dicom", EXPLICIT)
        found = dcmread(BytesIO(part.data))
        assert found.SOPInstanceUID == ds.SOPInstanceUID
        samples = ds.Rows * ds.Columns * ds.SamplesPerPixel * ds.get("NumberOfFrames", 1)
        assert len(found.PixelData) == samples * ds.BitsAllocated // 8


def test_a_segmentation_comes_whole_and_its_frame_as_bulk_value(browser, archive, bulk):
    ds = archive.segmentation
    (part,) = parts(browser.get(path(ds), DICOM))
    assert part.content_type == "application/dicom"
    assert part.data == encoded(ds)
    (frame,) = parts(browser.get(bulk(ds, "7FE00010"), OCTETS))
    assert frame.data == ds.PixelData


def test_a_report_is_all_in_its_metadata(browser, archive):
    (metadata,) = browser.get(f"{path(archive.report)}/metadata", JSON).json()
    assert len(metadata["0040A730"]["Value"]) == len(archive.report.ContentSequence)
    assert "BulkDataURI" not in str(metadata)


def test_a_waveform_comes_from_a_bulk_value_within_a_sequence(browser, archive, bulk):
    uri = bulk(archive.waveform, "54000100", "54001010")
    answer = browser.get(uri, "application/octet-stream")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.content == archive.waveform.WaveformSequence[0].WaveformData


def test_palettes_are_there_inline_or_as_bulk_values(browser, archive):
    (metadata,) = browser.get(f"{path(archive.palette)}/metadata", JSON).json()
    for tag in ("00281201", "00281202", "00281203"):
        element = metadata[tag]
        if "BulkDataURI" in element:
            (part,) = parts(browser.get(element["BulkDataURI"], OCTETS))
            assert part.data == archive.palette[int(tag, 16)].value
        else:
            assert element["InlineBinary"]


def test_a_preflight_grants_what_the_viewer_asks(browser, archive):
    frames = f"{path(archive.images['RLE'])}/frames/1"
    assert browser.may(frames, "GET", "accept")
    assert browser.may(frames, "GET", "accept", "authorization")
    assert browser.may("studies", "POST", "content-type", "authorization")
    assert browser.may(f"{path(archive.video)}/rendered", "GET", "range", "if-range")
    exposed = browser.get("studies?limit=1", JSON).headers["Access-Control-Expose-Headers"]
    visible = {name.strip() for name in exposed.split(",")}
    assert visible >= {"Warning", "ETag", "Location", "Content-Location", "Link"}


def test_a_report_made_in_the_viewer_is_stored(browser):
    """One file, as one part, between boundaries that are a random number in quotes."""
    report = sample("test-SR.dcm")
    boundary = "b9ab6ab5-1b59-4bd4-8f2c-6c3c3e6f0a11"
    body = b"".join(
        (
            f"\r\n--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode(),
            encoded(report),
            f"\r\n--{boundary}--".encode(),
        )
    )
    content_type = f'multipart/related; type="application/dicom"; boundary="{boundary}"'
    answer = browser.post("studies", body, content_type)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, JSON)
    (stored,) = answer.json()["00081199"]["Value"]
    assert stored["00081155"]["Value"] == [report.SOPInstanceUID]
    found = browser.get(f"instances?SOPInstanceUID={report.SOPInstanceUID}", JSON)
    assert len(found.json()) == 1
