"""Small frames that ask for much memory or work are refused before a codec sees them."""

import resource
from io import BytesIO
from struct import pack

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from dicomweb import media
from dicomweb.imaging.decode import DecodedFrame, NotDecodable, decode_frame
from dicomweb.imaging.encode import encode_frame
from tests.dicomweb.imaging.images import mono, samples_of, smooth

MIB = 1024 * 1024
LARGE = mono(8, 8, rows=2000, columns=2000)


def refused(frame: bytes, uid: str, pixels) -> str:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(NotDecodable) as refusal:
        decode_frame(frame, uid, pixels)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024  # KiB
    return str(refusal.value)


def segment(marker: int, content: bytes) -> bytes:
    return pack(">HH", marker, 2 + len(content)) + content


def jpeg_2000(
    pixels, *, precincts: bytes = b"", layers: int = 1, levels: int = 5, tile: int = 0, in_tile=b""
) -> bytes:
    """A codestream of empty packets, as far as there are any."""
    side = tile or max(pixels.rows, pixels.columns)
    size = pack(">H8IH", 0, pixels.columns, pixels.rows, 0, 0, side, side, 0, 0, 1) + b"\7\1\1"
    style = pack(">BBHBBBBBB", bool(precincts), 0, layers, 0, levels, 4, 4, 0, 1) + precincts
    steps = b"\x40" + bytes([0x48] * (3 * levels + 1))
    data = in_tile + b"\xff\x93" + bytes(200)
    return b"".join(
        (
            b"\xff\x4f",
            segment(0xFF51, size),
            segment(0xFF52, style),
            segment(0xFF5C, steps),
            segment(0xFF90, pack(">HIBB", 0, 12 + len(data), 0, 1)),
            data,
            b"\xff\xd9",
        )
    )


def test_the_codestream_that_the_others_are_made_of_is_decoded():
    frame = jpeg_2000(LARGE)
    assert (decode_frame(frame, media.JPEG_2000, LARGE).samples == 128).all()


@pytest.mark.parametrize("size", [0x11, 0x22, 0x33])
def test_precincts_of_a_few_pixels_are_refused(size):
    frame = jpeg_2000(LARGE, precincts=bytes([size] * 6))
    assert "precincts" in refused(frame, media.JPEG_2000, LARGE)


def test_precincts_of_a_few_pixels_are_refused_in_headers_of_tiles_and_components():
    style = pack(">BBHBBBBBB", 1, 0, 1, 0, 5, 4, 4, 0, 1) + b"\x11" * 6
    in_tile = segment(0xFF52, style)
    assert "precincts" in refused(jpeg_2000(LARGE, in_tile=in_tile), media.JPEG_2000, LARGE)
    of_component = segment(0xFF53, b"\0\1" + bytes([5, 4, 4, 0, 1]) + b"\x11" * 6)
    frame = jpeg_2000(LARGE, in_tile=of_component)
    assert "precincts" in refused(frame, media.JPEG_2000, LARGE)


@pytest.mark.parametrize("options", [{"layers": 65535}, {"precincts": b"\x1f" * 6}, {"tile": 64}])
def test_more_packets_than_there_are_bytes_are_refused(options):
    frame = jpeg_2000(LARGE, **options)
    assert "is cut short" in refused(frame, media.JPEG_2000, LARGE)


@pytest.mark.parametrize("described", [True, False])
def test_tiles_of_a_few_pixels_are_refused(described):
    pixels = mono(8, 8, rows=255, columns=255)
    frame = jpeg_2000(pixels, tile=1, levels=0, in_tile=segment(0xFF64, bytes(65533)))
    style, steps = frame.index(b"\xff\x52"), frame.index(b"\xff\x5c")
    frame = frame if described else frame[:style] + frame[steps:]
    assert "tiles" in refused(frame, media.JPEG_2000, pixels)


def test_a_picture_of_less_than_a_tile_is_decoded_in_tiles():
    pixels = mono(8, 8, rows=64, columns=48)
    file = BytesIO()
    Image.fromarray(smooth(pixels)).save(file, "JPEG2000", no_jp2=True, tile_size=(16, 16))
    samples = decode_frame(file.getvalue(), media.JPEG_2000, pixels).samples
    assert (samples == smooth(pixels)).all()


def test_a_tile_part_that_ends_within_its_header_is_refused():
    frame = jpeg_2000(LARGE)
    frame = frame[: frame.index(b"\xff\x90")] + bytes.fromhex("ff900002ff930000")
    assert "cut short" in refused(frame, media.JPEG_2000, LARGE)


@pytest.mark.parametrize("options", [{"levels": 40}, {"precincts": b"\x88"}])
def test_resolutions_that_are_not_described_are_refused(options):
    frame = jpeg_2000(LARGE, **options)
    assert "resolutions" in refused(frame, media.JPEG_2000, LARGE)


def test_a_codestream_with_precincts_as_encoders_make_them_is_decoded():
    pixels = mono(8, 8, rows=700, columns=900)
    frame = imagecodecs.jpeg2k_encode(smooth(pixels), level=60, codecformat="J2K")
    assert decode_frame(frame, media.JPEG_2000, pixels).samples.shape == (700, 900)


@pytest.mark.parametrize("lossless", [False, True])
def test_a_jpeg_with_more_scans_than_components_is_refused(lossless):
    pixels = mono(8, 8)
    options = {"lossless": True, "predictor": 1} if lossless else {"level": 90}
    frame = imagecodecs.jpeg8_encode(smooth(pixels), **options)
    uid = media.JPEG_LOSSLESS if lossless else media.JPEG_BASELINE
    decode_frame(frame, uid, pixels)
    scan = frame[frame.index(b"\xff\xda") : -2]
    again = frame[:-2] + scan * 50 + frame[-2:]
    assert "more scans" in refused(again, uid, pixels)


def test_a_segment_that_unfolds_to_more_than_the_frame_is_refused():
    pixels = mono(8, 8)
    bomb = b"\x81\x00" * (8 * MIB)  # 1 GiB
    frame = pack("<16I", 1, 64, *[0] * 14) + bomb
    assert "A frame cannot be decoded" in refused(frame, media.RLE_LOSSLESS, pixels)


def test_a_segment_with_a_few_bytes_too_many_is_decoded():
    pixels = mono(8, 8)
    samples = samples_of(pixels)
    rows = np.append(samples.ravel(), np.zeros(3, np.uint8))
    frame = pack("<16I", 1, 64, *[0] * 14) + imagecodecs.packbits_encode(rows)
    assert (decode_frame(frame, media.RLE_LOSSLESS, pixels).samples == samples).all()


@pytest.mark.parametrize("offsets", [[64, 2**31], [64, 64], [2**32 - 1, 70], [0, 64], [64, 60]])
def test_segments_are_not_looked_for_outside_of_the_frame(offsets):
    pixels = mono(16, 16)
    frame = encode_frame(
        DecodedFrame(samples_of(pixels), "MONOCHROME2"), media.RLE_LOSSLESS, pixels
    )
    moved = pack("<16I", 2, *offsets, *[0] * 13) + frame[64:]
    assert "out of order" in refused(moved, media.RLE_LOSSLESS, pixels)
