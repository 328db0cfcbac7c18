"""What is asked for, what comes back, and in which order things are refused."""

import hashlib
import threading

import numpy as np
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit

from dicomweb.wado.drawing import draw
from tests.datasets import dataset, encoded, with_pixels
from tests.dicomweb.wado.exchange import path
from tests.dicomweb.wado.rendered.images import IDENTITY, image, opened, ramp, shades

OHIF = 'multipart/related; type="application/octet-stream"'
FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF", "image/jp2": "JPEG2000"}
PATHS = [(1, ""), (2, ""), (3, ""), (3, "/frames/1")]
FORMS = ["rendered", "thumbnail"]


def stored_image(store, **attributes):
    ds = image(ramp(), **IDENTITY, **attributes)
    store(ds)
    return ds


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("level", "frame"), PATHS)
def test_every_level_is_rendered_in_every_media_type(store, get, level, frame, form):
    ds = stored_image(store)
    for media_type, name in FORMATS.items():
        answer = get(f"{path(ds, level)}{frame}/{form}", media_type)
        picture = opened(answer, media_type)
        assert (picture.format, picture.size) == (name, (64, 4))
        assert np.abs(np.asarray(picture.convert("L"), int) - ramp()).max() <= 8
        assert answer.headers["Vary"] == "Accept"


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, "image/jpeg"),
        ("", "image/jpeg"),
        ("*/*", "image/jpeg"),
        ("image/*", "image/jpeg"),
        ("IMAGE/PNG", "image/png"),
        ("image/png, image/jpeg", "image/png"),
        ("image/jpeg;q=0.5, image/png", "image/png"),
        ("image/tiff, image/gif;q=0.1", "image/gif"),
        ("image/*;q=0.5, image/jp2", "image/jp2"),
        ("*/*, image/jpeg;q=0.1", "image/png"),
        ("image/*, image/jpeg;q=0", "image/png"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "image/jpeg"),
        ("application/pdf, image/png", "image/png"),
    ],
)
def test_the_most_welcome_media_type_is_answered(store, get, accept, media_type):
    ds = stored_image(store)
    opened(get(f"{path(ds)}/rendered", accept), media_type)


@pytest.mark.parametrize("form", FORMS)
def test_the_accept_parameter_overrides_the_header(store, get, form):
    ds = stored_image(store)
    opened(get(f"{path(ds, 2)}/{form}?accept=image/jpeg", OHIF), "image/jpeg")
    opened(get(f"{path(ds)}/{form}?accept=image%2Fpng", "image/jpeg"), "image/png")
    answer = get(f"{path(ds)}/{form}?accept=text/plain", "image/jpeg")
    assert answer.status_code == 406
    assert "On offer: image/jpeg, image/png" in answer.text


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "accept", [OHIF, "image/tiff", "application/dicom", "text/*", "image/png;q=0"]
)
def test_what_is_not_on_offer_is_told_before_what_is_not_stored(get, form, accept):
    answer = get(f"{path(dataset())}/{form}", accept)
    assert answer.status_code == 406
    assert "On offer: image/jpeg, image/png, image/gif, image/jp2" in answer.text


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("level", "frame"), PATHS)
def test_what_is_refused_is_refused_in_its_order(get, level, frame, form):
    ds = dataset()
    wrong_uid = path(ds, level)[:-1] + "x" + frame
    steps = [
        (f"{wrong_uid}/{form}?quality=0", "image/tiff", 400, "is not a UID"),
        (f"{path(ds, level)}{frame}/{form}?quality=0", "image/tiff", 400, "quality"),
        (f"{path(ds, level)}{frame}/{form}", "image/tiff", 406, "On offer"),
        (f"{path(ds, level)}{frame}/{form}", "image/png", 404, "cannot be found"),
    ]
    for url, accept, status, text in steps:
        answer = get(url, accept)
        assert (answer.status_code, text in answer.text) == (status, True), answer.text


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("frame", ["0", "-1", "x", "1,2", "1.5", "1,"])
def test_what_is_no_frame_number_is_refused_before_parameters(get, frame, form):
    answer = get(f"{path(dataset())}/frames/{frame}/{form}?quality=0")
    assert (answer.status_code, "frame" in answer.text) == (400, True)


@pytest.mark.parametrize("query", ["quality=101", "viewport=0,0", "window=1,2", "iccprofile=x",
                                   "annotation=patient", "quality=1&quality=2"])  # fmt: skip
@pytest.mark.parametrize("form", FORMS)
def test_parameters_that_make_no_sense_are_refused(store, get, query, form):
    ds = stored_image(store)
    answer = get(f"{path(ds)}/{form}?{query}")
    assert (answer.status_code, query.partition("=")[0] in answer.text.lower()) == (400, True)


def test_parameters_that_a_media_type_has_no_use_for_do_no_harm(store, get):
    ds = stored_image(store)
    query = "quality=1&other=1&charset=utf-8&iccprofile=no"
    for media_type in FORMATS:
        opened(get(f"{path(ds)}/rendered?{query}", media_type), media_type)


def test_a_frame_that_is_not_there_is_not_found(store, get):
    ds = stored_image(store)
    for form in FORMS:
        answer = get(f"{path(ds)}/frames/2/{form}")
        assert (answer.status_code, "has 1 frames" in answer.text) == (404, True)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("level", [1, 2, 3])
def test_what_has_no_pixels_is_not_found(store, get, level, form):
    ds = dataset()
    store(ds)
    answer = get(f"{path(ds, level)}/{form}")
    assert (answer.status_code, "pixel data" in answer.text) == (404, True)


def test_the_first_frame_stands_for_an_instance_and_each_for_itself(store, get):
    pixels = np.array([ramp(), 255 - ramp(), ramp() // 2])
    ds = image(pixels, **IDENTITY)
    store(ds)
    assert (shades(get(f"{path(ds)}/rendered", "image/png")) == pixels[0]).all()
    for number, expected in enumerate(pixels, start=1):
        for form in FORMS:
            answer = get(f"{path(ds)}/frames/{number}/{form}", "image/png")
            assert (shades(answer) == expected).all()


def test_all_frames_are_a_cine_and_one_frame_is_a_picture(store, get):
    pixels = np.array([ramp(), 255 - ramp(), ramp() // 2])
    ds = image(pixels, **IDENTITY, FrameTime=40)
    store(ds)
    cine = opened(get(f"{path(ds)}/rendered", "image/gif"), "image/gif")
    assert (cine.n_frames, cine.info["loop"], cine.info["duration"]) == (3, 0, 40)
    for number, expected in enumerate(pixels):
        cine.seek(number)
        assert (np.asarray(cine.convert("L")) == expected).all()
    for single in ("frames/2/rendered", "thumbnail", "frames/3/thumbnail"):
        assert opened(get(f"{path(ds)}/{single}", "image/gif"), "image/gif").n_frames == 1


def test_the_frames_of_a_cine_have_one_range_of_shades(store, get):
    ds = image(np.array([[[0, 50]], [[50, 100]]], np.int16))
    store(ds)
    cine = opened(get(f"{path(ds)}/rendered", "image/gif"), "image/gif")
    for number, expected in enumerate(([0, 128], [128, 255])):
        cine.seek(number)
        assert np.asarray(cine.convert("L")).tolist() == [expected]


def test_a_cine_of_colors_has_a_palette(store, get):
    frames = np.zeros((2, 4, 4, 3), np.uint8)
    frames[0, :, :, 0] = frames[1, :, :, 2] = 200
    ds = image(frames, color=True, RecommendedDisplayFrameRate=20)
    store(ds)
    cine = opened(get(f"{path(ds)}/rendered", "image/gif"), "image/gif")
    assert (cine.n_frames, cine.info["duration"]) == (2, 50)
    assert cine.convert("RGB").getpixel((1, 1)) == (200, 0, 0)
    cine.seek(1)
    assert cine.convert("RGB").getpixel((1, 1)) == (0, 0, 200)


def test_a_lower_quality_makes_a_smaller_jpeg(store, get):
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    ds = image(noise, color=True)
    store(ds)
    sizes = [len(get(f"{path(ds)}/rendered?quality={q}").data) for q in (1, 30, 89, 90, 100)]
    assert sizes == sorted(sizes)
    best = opened(get(f"{path(ds)}/rendered"), "image/jpeg")
    assert np.abs(np.asarray(best, int) - noise).mean() < 1.5
    assert get(f"{path(ds)}/rendered").data == get(f"{path(ds)}/rendered?quality=100").data


def test_who_has_the_image_is_told_so_before_it_is_read(store, get, archive, monkeypatch):
    ds = stored_image(store)
    url = f"{path(ds, 1)}/rendered?quality=50"
    etag = get(url, "image/png").headers["ETag"]
    assert etag.startswith('W/"')
    monkeypatch.setattr(archive.blobs, "open", None)
    for known in (etag, etag.removeprefix("W/"), "*", f'"x", {etag}'):
        answer = get(url, "image/png", If_None_Match=known)
        assert (answer.status_code, answer.data) == (304, b"")
    monkeypatch.undo()
    assert get(url, "image/jpeg", If_None_Match=etag).status_code == 200
    assert get(url, "image/png", If_None_Match='"1"').status_code == 200


def test_what_keeps_a_core_busy_is_done_by_codec_threads(store, get, monkeypatch):
    busy = []

    def noting(*arguments):
        busy.append(threading.current_thread().name)
        return draw(*arguments)

    monkeypatch.setattr("dicomweb.wado.rendered.draw", noting)
    ds = stored_image(store)
    for form in FORMS:
        assert get(f"{path(ds)}/{form}").status_code == 200
    assert [name.partition("_")[0] for name in busy] == ["codec", "codec"]


def test_head_says_what_get_does(store, client, version):
    ds = stored_image(store)
    url = f"/{version}/{path(ds)}/rendered"
    got, head = client.get(url), client.head(url)
    assert head.data == b""
    for name in ("Content-Type", "Content-Length", "ETag", "Vary"):
        assert got.headers[name] == head.headers[name]


def test_transfer_syntaxes_that_cannot_be_decoded_are_not_acceptable(store, get):
    ds = with_pixels(dataset("1.2.840.10008.1.2.4.100"))
    ds.PixelData = encapsulate([b"an MPEG-2 stream"])
    ds["PixelData"].is_undefined_length = True
    store(ds)
    for form in FORMS:
        answer = get(f"{path(ds)}/{form}")
        assert answer.status_code == 406
        assert "1.2.840.10008.1.2.4.100 cannot be decoded" in answer.text


@pytest.mark.parametrize("uid", [JPEGBaseline8Bit, JPEG2000Lossless])
def test_frames_that_are_damaged_are_not_acceptable(store, get, uid):
    ds = with_pixels(dataset(uid))
    ds.PixelData = encapsulate([hashlib.sha512(b"no frame").digest()])
    ds["PixelData"].is_undefined_length = True
    store(ds)
    for form in FORMS:
        answer = get(f"{path(ds)}/{form}")
        assert (answer.status_code, "cannot be rendered" in answer.text) == (406, True)


def test_what_is_larger_than_the_limit_is_not_decoded(app, archive, store, get):
    ds = image(np.array([ramp()] * 4), **IDENTITY)
    store(ds)
    settings = archive.settings.model_copy(update={"max_transcode_bytes": 4 * 64 + 1})
    object.__setattr__(archive, "settings", settings)
    opened(get(f"{path(ds)}/rendered", "image/png"), "image/png")
    opened(get(f"{path(ds)}/frames/4/rendered", "image/png"), "image/png")
    answer = get(f"{path(ds)}/rendered", "image/gif")
    assert (answer.status_code, "the limit is 257" in answer.text) == (406, True)


def test_a_picture_larger_than_its_format_allows_is_not_acceptable(store, get):
    ds = image(np.zeros((1, 65532), np.uint8))
    store(ds)
    answer = get(f"{path(ds)}/rendered", "image/jpeg")
    assert (answer.status_code, "too large for image/jpeg" in answer.text) == (406, True)
    assert opened(get(f"{path(ds)}/rendered", "image/png")).size == (65532, 1)
    assert opened(get(f"{path(ds)}/thumbnail"), "image/jpeg").size == (512, 1)


def test_partitions_have_renderings_of_their_own(app, archive, client, version):
    settings = archive.settings.model_copy(update={"partitions": True})
    object.__setattr__(archive, "settings", settings)
    ds = image(ramp(), **IDENTITY)
    base = f"/{version}/partitions/here"
    client.post(f"{base}/studies", data=encoded(ds), content_type="application/dicom")
    for form in FORMS:
        answer = client.get(f"{base}/{path(ds, 1)}/{form}", headers={"Accept": "image/png"})
        assert opened(answer).size == (64, 4)
    client.post(
        f"/{version}/partitions/there/studies",
        data=encoded(dataset()),
        content_type="application/dicom",
    )
    elsewhere = client.get(f"/{version}/partitions/there/{path(ds)}/rendered")
    assert elsewhere.status_code == 404


def test_words_of_the_path_are_recognised_in_any_case(store, client, version):
    ds = stored_image(store)
    for form in FORMS:
        answer = client.get(f"/{version}/{path(ds)}/{form.upper()}")
        assert opened(answer, "image/jpeg").size == (64, 4)


def test_icc_profiles_are_given_as_they_are_asked_for(store, get):
    from dicomweb.imaging.icc import ColorSpace, profile

    red = np.zeros((2, 2, 3), np.uint8)
    red[:, :, 0] = 255
    plain, with_profile, gray = image(red, color=True), image(red, color=True), image(ramp())
    with_profile.ICCProfile = profile(ColorSpace.ADOBE_RGB)
    store(plain, with_profile, gray)

    def picture(ds, query: str, media_type: str = "image/png") -> Image.Image:
        return opened(get(f"{path(ds)}/rendered?{query}", media_type), media_type)

    for query in ("", "iccprofile=no"):
        assert "icc_profile" not in picture(with_profile, query).info
    kept = picture(with_profile, "iccprofile=yes")
    assert kept.info["icc_profile"] == profile(ColorSpace.ADOBE_RGB)
    assert kept.getpixel((0, 0)) == (255, 0, 0)
    assert picture(plain, "iccprofile=yes").info["icc_profile"] == profile(ColorSpace.SRGB)
    for space, expected in (("srgb", (255, 0, 0)), ("adobergb", (219, 0, 0)),
                            ("rommrgb", (179, 70, 26)), ("displayp3", (234, 51, 35))):  # fmt: skip
        converted = picture(plain, f"iccprofile={space}")
        assert converted.info["icc_profile"] == profile(ColorSpace(space))
        assert converted.getpixel((0, 0)) == pytest.approx(expected, abs=1)
    same = picture(with_profile, "iccprofile=adobergb")
    assert same.getpixel((0, 0)) == (255, 0, 0)
    jpeg = picture(gray, "iccprofile=srgb", "image/jpeg")
    assert (jpeg.mode, jpeg.info["icc_profile"]) == ("RGB", profile(ColorSpace.SRGB))


@pytest.mark.parametrize("media_type", ["image/gif", "image/jp2"])
def test_a_media_type_without_icc_profiles_cannot_have_one(store, get, media_type):
    ds = stored_image(store)
    for value in ("yes", "srgb"):
        answer = get(f"{path(ds)}/rendered?iccprofile={value}", media_type)
        assert (answer.status_code, "image/jpeg or image/png" in answer.text) == (400, True)


@pytest.mark.parametrize("value", ["yes", "srgb"])
def test_an_icc_profile_that_is_none_is_not_acceptable(store, get, value):
    ds = image(np.zeros((2, 2, 3), np.uint8), color=True, ICCProfile=bytes(2000))
    store(ds)
    answer = get(f"{path(ds)}/rendered?iccprofile={value}")
    assert (answer.status_code, "ICC Profile" in answer.text) == (406, True)
