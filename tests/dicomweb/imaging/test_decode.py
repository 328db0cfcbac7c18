"""Decoding against other codecs than those it is done with, and against frames that lie."""

import warnings
from dataclasses import replace
from io import BytesIO

import imagecodecs
import jpeg_ls
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openjpeg.utils import encode_array as encode_jpeg_2000
from pydicom.pixels.encoders.native import _encode_frame as encode_rle  # public only by dataset

from dicomweb import media
from dicomweb.imaging.decode import DECODABLE, NotDecodable, decode_frame
from dicomweb.imaging.pixels import ImagePixels, NotAnImage, image_pixels
from dicomweb.part10 import NotReadable, read_part10
from dicomweb.wado.storedframes import read_frames
from storage.memory import MemoryStore
from tests.datasets import encoded
from tests.dicomweb.imaging.images import color, mono, samples_of, smooth
from tests.dicomweb.imaging.made import (
    COMPRESSED,
    NATIVE,
    assert_same,
    dcmtk,
    kinds,
    native,
    stored,
)
from tests.dicomweb.part10.encoded import pydicom_files

EXPLICIT = media.EXPLICIT_VR_LITTLE_ENDIAN
BIG_ENDIAN = media.EXPLICIT_VR_BIG_ENDIAN


def refused(frame: bytes, uid: str, pixels: ImagePixels, **options) -> str:
    with pytest.raises(NotDecodable) as refusal:
        decode_frame(frame, uid, pixels, **options)
    return str(refusal.value)


@kinds(NATIVE)
@pytest.mark.parametrize("uid", [*sorted(media.NATIVE_LITTLE_ENDIAN), BIG_ENDIAN])
def test_native_samples_are_read(pixels, uid):
    samples = samples_of(pixels)
    frame = native(samples, pixels, ">" if uid == BIG_ENDIAN else "<")
    for given_frame in (frame, memoryview(frame), frame + b"\0"):
        decoded = decode_frame(given_frame, uid, pixels)
        assert decoded.photometric_interpretation == pixels.photometric_interpretation
        assert_same(decoded.samples, samples)


@pytest.mark.parametrize("signed", [False, True])
def test_what_else_is_in_the_words_of_native_samples_is_left_out(signed):
    pixels = mono(16, 12, signed=signed)
    samples = samples_of(pixels)
    overlay = (np.arange(samples.size).reshape(samples.shape) % 16).astype(np.uint16) << 12
    frame = ((samples.view(np.uint16) & 0xFFF) | overlay).astype("<u2").tobytes()
    assert_same(decode_frame(frame, EXPLICIT, pixels).samples, samples)


@pytest.mark.parametrize(("bits", "kind"), [(32, "<f4"), (64, "<f8")])
def test_floating_point_samples_are_read(bits, kind):
    samples = np.linspace(-1e30, 1e-30, 35 * 34).reshape(35, 34).astype(kind)
    decoded = decode_frame(samples.tobytes(), EXPLICIT, replace(mono(bits, bits), floating=True))
    assert_same(decoded.samples, samples)


def test_chrominance_of_pairs_of_pixels_gets_its_full_resolution():
    pixels = color("YBR_FULL_422", rows=1, columns=4)
    decoded = decode_frame(bytes([1, 2, 100, 200, 3, 4, 101, 201]), EXPLICIT, pixels)
    assert decoded.photometric_interpretation == "YBR_FULL"
    expected = [[[1, 100, 200], [2, 100, 200], [3, 101, 201], [4, 101, 201]]]
    assert_same(decoded.samples, np.array(expected, np.uint8))


def encoded_jpeg_2000(samples: np.ndarray, pixels: ImagePixels) -> bytes:
    color = {"RGB": 1, "YBR_FULL": 3}.get(pixels.photometric_interpretation, 2)
    return encode_jpeg_2000(
        samples, bits_stored=pixels.bits_stored, photometric_interpretation=color
    )


def encoded_jpeg_ls(samples: np.ndarray, pixels: ImagePixels) -> bytes:
    unsigned = samples.view(samples.dtype.str.replace("i", "u")) & (2**pixels.bits_stored - 1)
    return bytes(jpeg_ls.encode_array(unsigned))


def encoded_rle(samples: np.ndarray, pixels: ImagePixels) -> bytes:
    class Runner:
        rows, columns, number_of_frames = pixels.rows, pixels.columns, 1
        samples_per_pixel, bits_allocated = pixels.samples_per_pixel, pixels.bits_allocated
        photometric_interpretation = "RGB" if pixels.samples_per_pixel == 3 else "MONOCHROME2"

        def get_option(self, _name, default=None):
            return default

    return bytes(encode_rle(samples.tobytes(), Runner()))


ENCODERS = {
    media.JPEG_2000_LOSSLESS: encoded_jpeg_2000,
    media.JPEG_LS_LOSSLESS: encoded_jpeg_ls,
    media.RLE_LOSSLESS: encoded_rle,
    media.HTJ2K_LOSSLESS: lambda samples, _: imagecodecs.htj2k_encode(samples, reversible=True),
}


@kinds(COMPRESSED)
@pytest.mark.parametrize("uid", ENCODERS)
def test_what_other_codecs_encode_losslessly_is_decoded(uid, pixels):
    samples = samples_of(pixels)
    decoded = decode_frame(ENCODERS[uid](samples, pixels), uid, pixels)
    assert decoded.photometric_interpretation == pixels.photometric_interpretation
    assert_same(decoded.samples, samples)


@kinds(COMPRESSED)
@pytest.mark.parametrize("predictor", range(1, 8))
def test_lossless_jpeg_of_every_predictor_is_decoded(predictor, pixels, tmp_path, frames_of):
    samples = samples_of(pixels)
    command = ("dcmcjpeg", "+el", "+sv", str(predictor))
    pixels, uid, frames = frames_of(dcmtk(tmp_path, *command, file=stored(samples, pixels)))
    (decoded,) = (decode_frame(frame, uid, pixels) for frame in frames)
    assert uid == media.JPEG_LOSSLESS
    assert_same(decoded.samples, samples)


@pytest.mark.parametrize(
    ("pixels", "process", "options"),
    [
        (mono(8, 8), "+eb", []),
        (mono(8, 8), "+ee", []),
        (mono(16, 12), "+ee", []),
        (color(), "+eb", ["+s4"]),
        (color(), "+eb", ["+s2"]),
        (color(), "+eb", ["+cr"]),
        (color(), "+eb", ["+n1"]),
    ],
)
def test_lossy_jpeg_is_decoded_nearly_as_dcmtk_does(pixels, process, options, tmp_path, frames_of):
    samples = smooth(pixels)
    compress = ("dcmcjpeg", process, "+q", "100", *options)
    file = dcmtk(tmp_path, *compress, file=stored(samples, pixels))
    pixels, uid, frames = frames_of(file)
    (decoded,) = (decode_frame(frame, uid, pixels) for frame in frames)
    _, uid, frames = frames_of(dcmtk(tmp_path, "dcmdjpeg", "+px", file=file))
    (expected,) = (decode_frame(frame, uid, pixels) for frame in frames)
    assert decoded.photometric_interpretation == ("RGB" if samples.ndim == 3 else "MONOCHROME2")
    difference = decoded.samples.astype(int) - expected.samples.astype(int)
    assert np.abs(difference).max() <= 2


@pytest.fixture
def frames_of(tmp_path):
    """Image Pixel Module, transfer syntax and all frames of a file, read from a blob store."""

    def frames_of(file: bytes, **change):
        store = MemoryStore(tmp_path)
        store.put("file", [file])
        header = read_part10(memoryview(file))
        pixels = replace(image_pixels(header), **change)
        words = header.transfer_syntax_uid == BIG_ENDIAN and pixels.words
        numbers = range(1, header.frames.count + 1)
        frames = read_frames(store, "file", header.frames, numbers, swapped_words=words)
        return pixels, header.transfer_syntax_uid, frames

    return frames_of


PYDICOM_FILES = {
    path.name: path
    for path in pydicom_files()
    if path.name not in {
        "JPEG2000-embedded-sequence-delimiter.dcm",  # its size was written over
        "badVR.dcm",  # pydicom takes no Number of Frames of 1A
    }
}  # fmt: skip
BY_NONE_OF_PYDICOMS_PLUGINS = {
    "JPEG-lossy.dcm", "JPGExtended.dcm", "SC_rgb_jpeg_gdcm.dcm", "GDCMJ2K_TextGBR.dcm",
}  # fmt: skip


def images() -> list[str]:
    """Names of pydicom's files that are images."""
    found = []
    for name, path in PYDICOM_FILES.items():
        try:
            image_pixels(read_part10(memoryview(path.read_bytes())))
        except (NotReadable, NotAnImage):
            continue
        found.append(name)
    return found


@pytest.mark.parametrize("name", images())
def test_pydicoms_files_have_the_pixels_that_pydicom_decodes(name, frames_of):
    pixels, uid, frames = frames_of(PYDICOM_FILES[name].read_bytes())
    decoded = [decode_frame(frame, uid, pixels) for frame in frames]
    assert len(decoded) == pixels.number_of_frames
    if name in BY_NONE_OF_PYDICOMS_PLUGINS:
        return
    to_rgb = decoded[0].photometric_interpretation == "RGB" != pixels.photometric_interpretation
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = pydicom.dcmread(PYDICOM_FILES[name])
        expected.pixel_array_options(raw=not to_rgb)
        arrays = expected.pixel_array.reshape(len(decoded), *decoded[0].samples.shape)
    for frame, array in zip(decoded, arrays, strict=True):
        difference = frame.samples.astype(np.int64) - array.astype(np.int64)
        assert np.abs(difference).max() <= (1 if to_rgb else 0)


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("pixels", [mono(1, 1, rows=3, columns=3), color(rows=3, columns=3)])
def test_frames_of_odd_length_are_read_out_of_swapped_words(pixels, words, frames_of):
    frames = [samples_of(pixels, seed) for seed in range(5)]
    bits = np.concatenate([frame.ravel() for frame in frames])
    value = np.packbits(bits, bitorder="little") if pixels.bits_allocated == 1 else bits
    value = value.tobytes() + b"\0" * (value.size % 2)
    if words:
        value = np.frombuffer(value, "<u2").astype(">u2").tobytes()
    file = stored(frames[0], pixels, value, "OW" if words else "OB", BIG_ENDIAN, NumberOfFrames=5)
    pixels, uid, read = frames_of(file)
    for frame, expected in zip(read, frames, strict=True):
        assert_same(decode_frame(frame, uid, pixels).samples, expected)


@pytest.mark.parametrize("signed", [False, True])
def test_jpeg_2000_of_the_wrong_sign_has_the_bits_of_the_right_one(signed):
    pixels = mono(16, 13, signed=signed)
    samples = samples_of(pixels)
    unused = 16 - pixels.bits_stored
    wrong = (samples.view("u2" if signed else "i2") << unused) >> unused
    frame = encode_jpeg_2000(wrong, bits_stored=13, photometric_interpretation=2)
    assert_same(decode_frame(frame, media.JPEG_2000_LOSSLESS, pixels).samples, samples)


def test_a_codestream_in_a_jp2_file_is_decoded():
    samples = samples_of(color())
    frame = imagecodecs.jpeg2k_encode(samples, codecformat="jp2", reversible=True)
    assert_same(decode_frame(frame, media.JPEG_2000_LOSSLESS, color()).samples, samples)


@pytest.mark.parametrize("interpretation", ["YBR_RCT", "YBR_ICT", "RGB"])
def test_jpeg_2000_undoes_its_color_transformation(interpretation):
    samples = samples_of(color())
    frame = imagecodecs.jpeg2k_encode(samples, codecformat="j2k", reversible=True, mct=True)
    decoded = decode_frame(frame, media.JPEG_2000, color(interpretation))
    assert decoded.photometric_interpretation == "RGB"
    assert_same(decoded.samples, samples)


COMPRESSED_FRAMES = {
    media.JPEG_BASELINE: imagecodecs.jpeg8_encode(smooth(color()), level=90),
    media.JPEG_EXTENDED: imagecodecs.jpeg8_encode(smooth(color()), level=90),
    media.JPEG_LOSSLESS: imagecodecs.jpeg8_encode(smooth(color()), lossless=True, predictor=1),
    media.JPEG_LS_LOSSLESS: imagecodecs.jpegls_encode(smooth(color())),
    media.JPEG_2000_LOSSLESS: imagecodecs.jpeg2k_encode(smooth(color()), codecformat="j2k"),
    media.HTJ2K_LOSSLESS: imagecodecs.htj2k_encode(smooth(color())),
    media.RLE_LOSSLESS: encoded_rle(smooth(color()), color()),
    EXPLICIT: smooth(color()).tobytes(),
}


@pytest.mark.parametrize("uid", COMPRESSED_FRAMES)
def test_a_frame_of_another_size_than_the_data_set_says_is_not_decoded(uid):
    frame = COMPRESSED_FRAMES[uid]
    assert decode_frame(frame, uid, color()).samples.shape == (35, 34, 3)
    text = refused(frame, uid, color(rows=36))
    assert "35" in text or "instead of" in text


@pytest.mark.parametrize("uid", COMPRESSED_FRAMES)
@pytest.mark.parametrize("end", [0, 1, 60, -40])
def test_a_frame_that_is_cut_short_is_not_decoded(uid, end):
    assert "A frame cannot be decoded" in refused(COMPRESSED_FRAMES[uid][:end], uid, color())


@pytest.mark.parametrize("uid", COMPRESSED_FRAMES)
@settings(max_examples=150, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=8))
def test_whatever_a_frame_holds_it_is_decoded_to_its_size_or_refused(uid, changes):
    frame = bytearray(COMPRESSED_FRAMES[uid])
    for at, byte in changes:
        frame[at % len(frame)] = byte
    try:
        decoded = decode_frame(bytes(frame), uid, color())
    except NotDecodable:
        return
    assert decoded.samples.shape == (35, 34, 3)


@pytest.mark.parametrize(
    ("pixels", "problem"),
    [
        (mono(12, 12), "12 bits allocated"),
        (color(samples_per_pixel=4), "4 samples"),
        (mono(8, 12), "12 bits stored"),
        (replace(mono(16, 12), high_bit=3), "high bit 3"),
    ],
)
def test_pixels_that_are_not_of_this_world_are_not_decoded(pixels, problem):
    assert problem in refused(bytes(10_000), EXPLICIT, pixels)


def test_a_frame_that_would_be_too_large_is_not_decoded():
    pixels = mono(16, 16, rows=65535, columns=65535)
    assert "8589672450 bytes; the limit is 1000" in refused(b"", EXPLICIT, pixels, most_bytes=1000)


def test_video_is_not_decoded():
    uid = "1.2.840.10008.1.2.4.100"
    assert uid not in DECODABLE
    assert uid in refused(b"", uid, color())


@pytest.mark.parametrize("without", ["PixelData", "Rows", "BitsAllocated"])
def test_a_header_without_pixels_describes_no_image(without):
    file = pydicom.dcmread(BytesIO(stored(samples_of(color()), color())))
    del file[without]
    with pytest.raises(NotAnImage):
        image_pixels(read_part10(memoryview(encoded(file))))


def test_what_a_header_leaves_out_is_filled_in():
    file = pydicom.dcmread(BytesIO(stored(samples_of(mono(16, 12)), mono(16, 12))))
    for keyword in ("BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel"):
        del file[keyword]
    pixels = image_pixels(read_part10(memoryview(encoded(file))))
    assert (pixels.bits_stored, pixels.high_bit) == (16, 15)
    assert (pixels.signed, pixels.samples_per_pixel) == (False, 1)
