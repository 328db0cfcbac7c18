"""What is encoded is decoded, to the same samples, by other codecs than those it was made with."""

from dataclasses import replace
from io import BytesIO

import imagecodecs
import jpeg_ls
import numpy as np
import openjpeg
import pydicom
import pytest
from openjpeg.utils import get_parameters
from pydicom.encaps import encapsulate

from dicomweb import media
from dicomweb.imaging.decode import DecodedFrame, NotDecodable, decode_frame, decoded_interpretation
from dicomweb.imaging.encode import (
    ENCODABLE,
    NotEncodable,
    encode_frame,
    encoded_interpretation,
)
from dicomweb.imaging.pixels import ImagePixels
from tests.dicomweb.imaging.images import color, mono, samples_of
from tests.dicomweb.imaging.made import NATIVE, assert_same, kinds, native, stored

IMPLICIT = media.IMPLICIT_VR_LITTLE_ENDIAN
COMPRESSING = sorted(ENCODABLE - {IMPLICIT, media.EXPLICIT_VR_LITTLE_ENDIAN})
TINY = {
    "a row": mono(16, 12, rows=1, columns=5),
    "a column": mono(16, 12, signed=True, rows=5, columns=1),
    "a pixel": color(rows=1, columns=1),
    "wide": mono(8, 8, rows=3, columns=301),
    "planes that look like pixels": color(rows=3, columns=3),
}


def as_decoded(samples: np.ndarray, pixels: ImagePixels) -> DecodedFrame:
    return DecodedFrame(samples, pixels.photometric_interpretation)


def decoded_pixels(pixels: ImagePixels) -> ImagePixels:
    """What has to be said of pixels that were decoded."""
    return replace(pixels, planar_configuration=0, high_bit=pixels.bits_stored - 1)


def fits(uid: str, pixels: ImagePixels) -> bool:
    try:
        encoded_interpretation(uid, pixels, pixels.photometric_interpretation)
    except NotEncodable:
        return False
    return True


def pydicom_decodes(frame: bytes, uid: str, pixels: ImagePixels) -> np.ndarray:
    ds = pydicom.dcmread(BytesIO(stored(samples_of(pixels), pixels)))
    ds.file_meta.TransferSyntaxUID = uid
    ds.PixelData = encapsulate([frame])
    ds["PixelData"].VR = "OB"
    ds.pixel_array_options(raw=True)
    return ds.pixel_array


def openjpeg_decodes(frame: bytes, _uid: str, pixels: ImagePixels) -> np.ndarray:
    samples = openjpeg.decode(frame)
    return samples.astype(samples_of(pixels).dtype)


DECODED_BY = {
    media.RLE_LOSSLESS: pydicom_decodes,
    media.JPEG_LS_LOSSLESS: pydicom_decodes,
    media.JPEG_2000_LOSSLESS: openjpeg_decodes,
    media.HTJ2K_LOSSLESS: openjpeg_decodes,
}


FITTING = {
    f"{name} in {uid}": (uid, pixels)
    for name, pixels in (NATIVE | TINY).items()
    for uid in COMPRESSING
    if fits(uid, pixels)
}


@pytest.mark.parametrize(("uid", "pixels"), FITTING.values(), ids=FITTING)
def test_encoded_samples_are_decoded_to_the_same(uid, pixels):
    samples = samples_of(pixels)
    frame = encode_frame(as_decoded(samples, pixels), uid, pixels)
    pixels = decoded_pixels(pixels)
    assert len(frame) % 2 == 0
    assert_same(decode_frame(frame, uid, pixels).samples, samples)
    assert_same(DECODED_BY[uid](frame, uid, pixels), samples)


@kinds(NATIVE)
@pytest.mark.parametrize("uid", [IMPLICIT, media.EXPLICIT_VR_LITTLE_ENDIAN])
def test_native_frames_are_the_samples(uid, pixels):
    samples = samples_of(pixels)
    frame = encode_frame(as_decoded(samples, pixels), uid, pixels)
    assert frame == native(samples, pixels)
    assert_same(decode_frame(frame, uid, pixels).samples, samples)


def test_floating_point_samples_are_native_alone():
    samples = np.linspace(-1, 1, 35 * 34, dtype=np.float32).reshape(35, 34)
    pixels = replace(mono(32, 32), floating=True)
    frame = encode_frame(as_decoded(samples, pixels), IMPLICIT, pixels)
    assert_same(decode_frame(frame, IMPLICIT, pixels).samples, samples)
    for uid in COMPRESSING:
        assert not fits(uid, pixels)


@pytest.mark.parametrize("uid", [media.JPEG_2000_LOSSLESS, media.HTJ2K_LOSSLESS])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", range(2, 17))
def test_jpeg_2000_has_the_precision_and_the_sign_of_the_data_set(uid, bits, signed):
    pixels = mono(16, bits, signed=signed)
    samples = samples_of(pixels)
    frame = encode_frame(as_decoded(samples, pixels), uid, pixels)
    described = get_parameters(frame)
    assert (described["precision"], described["is_signed"]) == (bits, signed)
    assert_same(decode_frame(frame, uid, pixels).samples, samples)
    if uid == media.HTJ2K_LOSSLESS:
        assert (imagecodecs.htj2k_decode(frame) == samples).all()


@pytest.mark.parametrize("uid", [media.JPEG_2000_LOSSLESS, media.HTJ2K_LOSSLESS])
def test_samples_that_do_not_fit_bits_stored_are_kept_all_the_same(uid):
    pixels = mono(16, 12, signed=True)
    samples = samples_of(mono(16, 13, signed=True))
    frame = encode_frame(as_decoded(samples, pixels), uid, pixels)
    assert_same(decode_frame(frame, uid, pixels).samples, samples)


def test_samples_that_do_not_fit_any_precision_are_refused():
    pixels = mono(32, 24)
    with pytest.raises(NotEncodable, match="does not fit 24 bits stored"):
        encode_frame(as_decoded(samples_of(mono(32, 25)), pixels), media.JPEG_2000_LOSSLESS, pixels)


@pytest.mark.parametrize("bits", [17, 20, 24])
@pytest.mark.parametrize("signed", [False, True])
def test_jpeg_2000_holds_up_to_24_bits(bits, signed):
    pixels = mono(32, bits, signed=signed)
    samples = samples_of(pixels)
    frame = encode_frame(as_decoded(samples, pixels), media.JPEG_2000_LOSSLESS, pixels)
    assert_same(decode_frame(frame, media.JPEG_2000_LOSSLESS, pixels).samples, samples)


def test_jpeg_ls_has_color_by_pixel_and_no_loss():
    pixels = color()
    frame = encode_frame(as_decoded(samples_of(pixels), pixels), media.JPEG_LS_LOSSLESS, pixels)
    _, described = jpeg_ls.decode_pixel_data(frame)
    assert (described["interleave_mode"], described["allowed_lossy_error"]) == (2, 0)


@pytest.mark.parametrize(
    ("uid", "interpretation", "becomes"),
    [
        (media.JPEG_2000_LOSSLESS, "RGB", "YBR_RCT"),
        (media.JPEG_2000_LOSSLESS, "YBR_FULL", "YBR_FULL"),
        (media.HTJ2K_LOSSLESS, "RGB", "YBR_RCT"),
        (media.JPEG_LS_LOSSLESS, "RGB", "RGB"),
        (media.RLE_LOSSLESS, "YBR_FULL", "YBR_FULL"),
        (IMPLICIT, "RGB", "RGB"),
    ],
)
def test_colors_are_named_for_what_the_codec_makes_of_them(uid, interpretation, becomes):
    assert encoded_interpretation(uid, color(interpretation), interpretation) == becomes


@pytest.mark.parametrize(
    ("uid", "pixels", "problem"),
    [
        (media.JPEG_2000_LOSSLESS, mono(1, 1), "1 bits stored in 1"),
        (media.JPEG_LS_LOSSLESS, mono(32, 16), "16 bits stored in 32"),
        (media.JPEG_2000_LOSSLESS, mono(32, 32), "32 bits stored in 32"),
        (media.RLE_LOSSLESS, color("HSV"), "HSV"),
        (IMPLICIT, color("YBR_PARTIAL_422"), "YBR_PARTIAL_422"),
        (media.RLE_LOSSLESS, color("MONOCHROME2"), "3 samples"),
        (media.RLE_LOSSLESS, mono(8, 8, photometric_interpretation=""), "interpretation '' with"),
        (media.JPEG_BASELINE, color(), "not made here"),
    ],
)
def test_what_does_not_fit_a_transfer_syntax_is_refused(uid, pixels, problem):
    samples = samples_of(pixels)
    with pytest.raises(NotEncodable, match=problem):
        encode_frame(as_decoded(samples, pixels), uid, pixels)


def test_what_is_offered_is_what_can_be_made():
    assert ENCODABLE == media.MADE


@pytest.mark.parametrize(
    ("uid", "interpretation", "decoded"),
    [
        (media.JPEG_BASELINE, "YBR_FULL_422", "RGB"),
        (media.JPEG_LOSSLESS, "YBR_FULL_422", "YBR_FULL"),
        (media.JPEG_2000, "YBR_ICT", "RGB"),
        (media.JPEG_LS_LOSSLESS, "YBR_FULL", "YBR_FULL"),
        (IMPLICIT, "YBR_FULL_422", "YBR_FULL"),
        (IMPLICIT, "YBR_PARTIAL_422", "YBR_PARTIAL_422"),
    ],
)
def test_what_colors_become_by_decoding_is_known_without_doing_it(uid, interpretation, decoded):
    assert decoded_interpretation(uid, color(interpretation)) == decoded
    with pytest.raises(NotDecodable, match="the limit is 5"):
        decoded_interpretation(uid, color(interpretation), 5)


@pytest.mark.parametrize("uid", COMPRESSING)
@pytest.mark.parametrize("kind", ["8 bits", "16 bits signed", "RGB", "RGB of 16 bits"])
def test_noise_is_encoded_although_it_becomes_no_shorter(uid, kind):
    pixels = replace(NATIVE[kind], rows=300, columns=400)
    samples = samples_of(pixels)
    frame = encode_frame(as_decoded(samples, pixels), uid, pixels)
    assert_same(decode_frame(frame, uid, pixels).samples, samples)


def test_what_a_codec_does_not_encode_is_refused(monkeypatch):
    def fail(*_args, **_options):
        raise imagecodecs.JpeglsError("some", "failure")

    monkeypatch.setattr(imagecodecs, "jpegls_encode", fail)
    pixels = mono(8, 8)
    with pytest.raises(NotEncodable, match="cannot be encoded"):
        encode_frame(as_decoded(samples_of(pixels), pixels), media.JPEG_LS_LOSSLESS, pixels)
