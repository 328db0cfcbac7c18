"""Documents and videos: given out as they are stored."""

import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from tests.datasets import dataset, with_pixels
from tests.dicomweb.wado.exchange import path
from tests.dicomweb.wado.rendered.images import ramp

PDF = b"%PDF-1.7\n" + bytes(range(256)) * 40 + b"\n%%EOF"
MP4 = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 40
MPEG_4 = "1.2.840.10008.1.2.4.102"


def document(content: bytes = PDF, transfer_syntax: str = ExplicitVRLittleEndian, **attributes):
    values = {
        "SOPClassUID": EncapsulatedPDFStorage,
        "MIMETypeOfEncapsulatedDocument": "application/pdf",
        "EncapsulatedDocumentLength": len(content),
        "EncapsulatedDocument": content + b"\0" * (len(content) % 2),
    }
    return dataset(transfer_syntax, **(values | attributes))


def video(*fragments: bytes, frames: int = 100, transfer_syntax: str = MPEG_4) -> Dataset:
    ds = with_pixels(dataset(transfer_syntax, Modality="XC"), frames=frames)
    ds.PixelData = encapsulate([b"".join(fragments)], has_bot=False)
    if len(fragments) > 1:
        ds.PixelData = encapsulate(list(fragments), has_bot=False)
    ds["PixelData"].is_undefined_length = True
    return ds


@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize(
    "accept", [None, "*/*", "application/pdf", "application/*", "image/png, */*"]
)
def test_a_document_comes_as_it_is_stored(store, get, level, accept):
    ds = document()
    store(ds)
    answer = get(f"{path(ds, level)}/rendered", accept)
    assert (answer.status_code, answer.data) == (200, PDF)
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Length"] == str(len(PDF))


@pytest.mark.parametrize("content", [b"%PDF-1", b"%PDF-1.7", PDF, PDF + b"\0"])
@pytest.mark.parametrize(
    "syntax",
    [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian],
)
def test_a_document_has_its_length_in_every_transfer_syntax(store, get, content, syntax):
    ds = document(content, syntax)
    store(ds)
    assert get(f"{path(ds)}/rendered").data == content


@pytest.mark.parametrize("stated", [None, 0, 5, 2**32 - 1])
def test_a_length_that_cannot_be_does_not_count(store, get, stated):
    ds = document(PDF + b"\0" * (len(PDF) % 2), EncapsulatedDocumentLength=stated)
    store(ds)
    assert get(f"{path(ds)}/rendered").data.rstrip(b"\0") == PDF


@pytest.mark.parametrize("accept", ["image/jpeg", "image/*", "video/mp4"])
def test_a_document_is_no_image(store, get, accept):
    ds = document()
    store(ds)
    answer = get(f"{path(ds)}/rendered", accept)
    assert (answer.status_code, "On offer: application/pdf" in answer.text) == (406, True)


def test_a_document_has_no_thumbnail_and_no_frames(store, get):
    ds = document()
    store(ds)
    for rest in ("thumbnail", "frames/1/rendered", "frames/1/thumbnail"):
        answer = get(f"{path(ds)}/{rest}")
        assert (answer.status_code, "pixel data" in answer.text) == (404, True)
    answer = get(f"{path(ds)}/frames/1/rendered", "application/pdf")
    assert answer.status_code == 406


def test_another_document_than_a_pdf_is_not_shown(store, get):
    ds = document(MIMETypeOfEncapsulatedDocument="text/xml")
    store(ds)
    answer = get(f"{path(ds)}/rendered", "*/*")
    assert (answer.status_code, "pixel data" in answer.text) == (404, True)


def test_an_image_is_no_document(store, get):
    from tests.dicomweb.wado.rendered.images import image

    ds = image(ramp())
    store(ds)
    for accept in ("application/pdf", "video/mp4"):
        answer = get(f"{path(ds)}/rendered", accept)
        assert (answer.status_code, "On offer: image/jpeg" in answer.text) == (406, True)


@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("accept", [None, "*/*", "video/mp4", "video/*"])
def test_a_video_comes_as_it_is_stored(store, get, level, accept):
    ds = video(MP4)
    store(ds)
    answer = get(f"{path(ds, level)}/rendered", accept)
    assert (answer.status_code, answer.data) == (200, MP4)
    assert answer.headers["Content-Type"] == "video/mp4"


def test_a_video_in_several_fragments_is_put_together(store, get):
    ds = video(MP4[:1000], MP4[1000:3000], MP4[3000:])
    store(ds)
    answer = get(f"{path(ds)}/rendered")
    assert (answer.status_code, answer.data) == (200, MP4)
    ranged = get(f"{path(ds)}/rendered", Range="bytes=990-3009")
    assert (ranged.status_code, ranged.data) == (206, MP4[990:3010])


@pytest.mark.parametrize("ds", [document(), video(MP4), document(b"%PDF-1"), video(MP4[:2])])
def test_ranges_of_bytes_are_given(store, get, ds):
    store(ds)
    url = f"{path(ds)}/rendered"
    whole = get(url)
    answer = get(url, Range="bytes=1-4")
    assert (answer.status_code, answer.data) == (206, whole.data[1:5])
    assert (
        answer.headers["Content-Range"]
        == f"bytes 1-{min(4, len(whole.data) - 1)}/{len(whole.data)}"
    )
    etag = whole.headers["ETag"]
    assert get(url, Range="bytes=-2", If_Range=etag).data == whole.data[-2:]
    assert get(url, Range="bytes=-2", If_Range='"x"').data == whole.data
    assert get(url, Range="bytes=99999-").status_code == 416
    assert get(url, If_None_Match=etag).status_code == 304


def test_a_video_has_no_pictures(store, get):
    ds = video(MP4)
    store(ds)
    answer = get(f"{path(ds)}/rendered", "image/jpeg")
    assert (answer.status_code, "On offer: video/mp4" in answer.text) == (406, True)
    for rest in ("thumbnail", "frames/1/rendered"):
        answer = get(f"{path(ds)}/{rest}")
        assert (answer.status_code, f"{MPEG_4} cannot be decoded" in answer.text) == (406, True)


def test_the_stream_of_a_video_is_its_one_frame(store, get):
    ds = video(MP4, frames=200)
    store(ds)
    accept = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
    answer = get(f"{path(ds)}/frames/1", accept)
    assert (answer.status_code, MP4 in answer.data) == (200, True)
    assert get(f"{path(ds)}/frames/2", accept).status_code == 404


def test_other_parameters_do_no_harm_to_what_is_given_as_stored(store, get):
    ds = document()
    store(ds)
    answer = get(f"{path(ds)}/rendered?iccprofile=srgb&viewport=9,9,9,9,9,9&window=1,1,linear")
    assert (answer.status_code, answer.data) == (200, PDF)
    assert get(f"{path(ds)}/rendered?quality=0").status_code == 400
