"""Decoding frames: what lies in a file becomes an array of samples.

Every frame may have been made to do harm: what it claims is held against the data set before a
codec sees it, so that none allocates more than the data set announces.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from rle.rle import decode_segment

from dicomweb.imaging import codestream
from dicomweb.imaging.codestream import Codestream, Malformed
from dicomweb.imaging.pixels import ImagePixels
from dicomweb.media import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    HTJ2K,
    HTJ2K_LOSSLESS,
    HTJ2K_LOSSLESS_RPCL,
    IMPLICIT_VR_LITTLE_ENDIAN,
    JPEG_2000,
    JPEG_2000_LOSSLESS,
    JPEG_BASELINE,
    JPEG_EXTENDED,
    JPEG_LOSSLESS,
    JPEG_LOSSLESS_FIRST_ORDER,
    JPEG_LS_LOSSLESS,
    JPEG_LS_NEAR_LOSSLESS,
    RLE_LOSSLESS,
)

Samples = NDArray[Any]

MOST_FRAME_BYTES = 256 * 1024 * 1024
"""Of a decoded frame. Codecs take up to five times as much while they work."""

_BASELINE_JPEG = frozenset({0xC0, 0xC1})
_LOSSLESS_JPEG = frozenset({0xC3})
_JPEG_LS = frozenset({0xF7})
_RLE_HEADER_BYTES = 64
_RLE_MOST_SEGMENTS = 15
_RLE_NOTHING = b"\x80"


class NotDecodable(ValueError):
    """A frame cannot be decoded; says why, in words for the client."""


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """The samples of one frame, and what they mean."""

    samples: Samples
    """(rows, columns), or (rows, columns, samples per pixel) if there are several. Integers of
    Bits Allocated, signed or not, or floating point numbers, in the byte order of this machine."""
    photometric_interpretation: str
    """Chrominance has its full resolution, also under a name that says otherwise."""


def decode_frame(
    frame: bytes | memoryview,
    transfer_syntax_uid: str,
    pixels: ImagePixels,
    most_bytes: int = MOST_FRAME_BYTES,
) -> DecodedFrame:
    """Decode one frame.

    Native frames are taken as :mod:`dicomweb.wado.storedframes` reads them: from the first bit of
    their first byte, Big Endian 8-bit samples in their order.

    :param most_bytes: a decoded frame of more bytes is not decoded.
    :raise NotDecodable: the transfer syntax is not one of :data:`DECODABLE`, or the frame is not
        what it and ``pixels`` say.
    """
    decoder = _DECODERS.get(transfer_syntax_uid)
    if decoder is None:
        raise NotDecodable(f"Transfer syntax {transfer_syntax_uid} cannot be decoded here.")
    if problem := _problem(pixels, most_bytes):
        raise NotDecodable(problem)
    try:
        return decoder(frame, pixels)
    except (Malformed, *_CODEC_ERRORS) as error:
        raise NotDecodable(f"A frame cannot be decoded: {error or 'out of memory'}.") from error


def _problem(pixels: ImagePixels, most_bytes: int) -> str | None:
    """Why frames of such pixels cannot be decoded."""
    bits = pixels.bits_allocated
    if bits not in _DTYPES or pixels.samples_per_pixel not in (1, 3):
        return (
            f"Pixels with {pixels.samples_per_pixel} samples of {bits} bits allocated are not "
            "decoded here."
        )
    if not 0 < pixels.bits_stored <= pixels.high_bit + 1 <= bits:
        return (
            f"{pixels.bits_stored} bits stored with high bit {pixels.high_bit} do not fit "
            f"{bits} bits allocated."
        )
    decoded = pixels.rows * pixels.columns * pixels.samples_per_pixel * max(bits, 8) // 8
    if decoded > most_bytes:
        return f"A decoded frame would have {decoded} bytes; the limit is {most_bytes}."
    return None


_DTYPES = {1: "u1", 8: "u1", 16: "u2", 32: "u4", 64: "u8"}


def _dtype(pixels: ImagePixels, order: str = "=") -> np.dtype[Any]:
    """Of samples in Bits Allocated."""
    name = _DTYPES[pixels.bits_allocated]
    if pixels.floating:
        name = name.replace("u", "f")
    elif pixels.signed and pixels.bits_allocated > 1:
        name = name.replace("u", "i")
    return np.dtype(order + name)


def _native(order: str) -> Callable[[bytes | memoryview, ImagePixels], DecodedFrame]:
    """Native frames in a byte order (PS3.5 8.1)."""

    def decode(frame: bytes | memoryview, pixels: ImagePixels) -> DecodedFrame:
        interpretation = pixels.photometric_interpretation
        halved = interpretation.endswith("_422") and 8 * len(frame) < pixels.frame_bits
        bits = pixels.frame_bits // 3 * 2 if halved else pixels.frame_bits
        if 8 * len(frame) < bits:
            raise Malformed(f"it has {len(frame)} bytes instead of {-(-bits // 8)}")
        if pixels.bits_allocated == 1:
            samples = np.unpackbits(
                np.frombuffer(frame, np.uint8), count=pixels.frame_bits, bitorder="little"
            )
            return DecodedFrame(_shaped(samples, pixels), interpretation)
        count = bits // pixels.bits_allocated
        samples = np.frombuffer(frame, _dtype(pixels, order), count)
        samples = samples.astype(_dtype(pixels), copy=False)
        if halved:
            samples = _full_chrominance(samples, pixels)
        samples = _shaped(samples, pixels, planar=pixels.planar_configuration == 1 and not halved)
        if interpretation == "YBR_FULL_422":
            interpretation = "YBR_FULL"
        return DecodedFrame(_stored_bits(samples, pixels), interpretation)

    return decode


def _shaped(samples: Samples, pixels: ImagePixels, *, planar: bool = False) -> Samples:
    size = pixels.rows, pixels.columns
    if pixels.samples_per_pixel == 1:
        return samples.reshape(size)
    if not planar:
        return samples.reshape(*size, pixels.samples_per_pixel)
    return np.moveaxis(samples.reshape(pixels.samples_per_pixel, *size), 0, -1)


def _full_chrominance(samples: Samples, pixels: ImagePixels) -> Samples:
    """Each pair of pixels, kept as Y1 Y2 Cb Cr, as Y1 Cb Cr Y2 Cb Cr (PS3.3 C.7.6.3.1.2)."""
    if pixels.columns % 2 or pixels.samples_per_pixel != 3:
        raise Malformed("its chrominance is not that of pairs of pixels")
    return samples.reshape(-1, 4)[:, [0, 2, 3, 1, 2, 3]]


def _stored_bits(samples: Samples, pixels: ImagePixels) -> Samples:
    """The samples without what else is in their words, such as overlays (PS3.5 8.1.1)."""
    unused = pixels.bits_allocated - pixels.bits_stored
    if pixels.floating or not unused:
        return samples
    above = pixels.bits_allocated - 1 - pixels.high_bit
    return (samples << above) >> unused  # an arithmetic shift extends the sign


def _rle(frame: bytes | memoryview, pixels: ImagePixels) -> DecodedFrame:
    """RLE Lossless (PS3.5 Annex G): one segment for each byte of a sample, highest first."""
    frame = bytes(frame)
    size = max(pixels.bits_allocated // 8, 1)
    count = pixels.samples_per_pixel * size
    length = pixels.rows * pixels.columns
    planes = np.empty((pixels.samples_per_pixel, length, size), np.uint8)
    for number, segment in enumerate(_rle_segments(frame, count)):
        decoded = np.frombuffer(decode_segment(segment), np.uint8, -1)
        if len(decoded) < length:
            raise Malformed(f"an RLE segment has {len(decoded)} bytes instead of {length}")
        planes[number // size, :, size - 1 - number % size] = decoded[:length]
    samples = planes.view(_dtype(pixels, "<")).astype(_dtype(pixels), copy=False)
    samples = _shaped(samples, pixels, planar=True)
    return DecodedFrame(_stored_bits(samples, pixels), pixels.photometric_interpretation)


def _rle_segments(frame: bytes, count: int) -> Iterator[bytes]:
    starts = np.frombuffer(frame[:_RLE_HEADER_BYTES].ljust(_RLE_HEADER_BYTES, b"\0"), "<u4")
    if count > _RLE_MOST_SEGMENTS or starts[0] != count:
        raise Malformed(f"it has {starts[0]} RLE segments instead of {count}")
    bounds = [*map(int, starts[1 : 1 + count]), len(frame)]
    if bounds[0] != _RLE_HEADER_BYTES or any(a >= b for a, b in pairwise(bounds)):
        raise Malformed("the offsets of its RLE segments are out of order")
    for start, stop in pairwise(bounds):
        segment = frame[start:stop]
        if not segment.strip(_RLE_NOTHING):  # the codec does not expect it
            raise Malformed("an RLE segment is empty")
        yield segment


def _require(found: Codestream, pixels: ImagePixels) -> None:
    """See that a compressed frame is as large as the data set says.

    :raise Malformed: it is not.
    """
    claimed = found.rows, found.columns, found.components
    expected = pixels.rows, pixels.columns, pixels.samples_per_pixel
    if claimed != expected:
        raise Malformed(
            f"it has {claimed[0]} rows, {claimed[1]} columns and {claimed[2]} components, "
            f"the data set says {expected[0]}, {expected[1]} and {expected[2]}"
        )
    if found.precision > pixels.bits_allocated:
        raise Malformed(
            f"its samples have {found.precision} bits, {pixels.bits_allocated} are allocated"
        )


def _jpeg_lossy(frame: bytes | memoryview, pixels: ImagePixels) -> DecodedFrame:
    """JPEG Baseline and Extended (PS3.5 8.2.1). YCbCr becomes RGB: the codec does it best."""
    frame = bytes(frame)
    found = _jpeg_header(frame, pixels, _BASELINE_JPEG)
    interpretation = pixels.photometric_interpretation
    if found.components == 1:
        return DecodedFrame(_jpeg_samples(frame, "GRAYSCALE", found, pixels), interpretation)
    is_ybr = interpretation.startswith("YBR") if not found.color else found.color == "YCbCr"
    samples = _jpeg_samples(frame, "YCBCR" if is_ybr else "RGB", found, pixels)
    return DecodedFrame(samples, "RGB")


def _jpeg_lossless(frame: bytes | memoryview, pixels: ImagePixels) -> DecodedFrame:
    """JPEG Lossless (PS3.5 8.2.1): samples are what the data set says they are."""
    frame = bytes(frame)
    found = _jpeg_header(frame, pixels, _LOSSLESS_JPEG)
    if found.subsampled:
        raise Malformed("its chrominance is not of full resolution")
    color = "GRAYSCALE" if found.components == 1 else "RGB"
    samples = _jpeg_samples(frame, color, found, pixels)
    return DecodedFrame(_stored_bits(samples, pixels), _without_422(pixels))


def _jpeg_header(frame: bytes, pixels: ImagePixels, processes: frozenset[int]) -> Codestream:
    found = codestream.jpeg(frame)
    if found.process not in processes:
        raise Malformed(
            f"its JPEG process (marker FF{found.process:02X}) is not that of its syntax"
        )
    _require(found, pixels)
    return found


def _jpeg_samples(frame: bytes, color: str, found: Codestream, pixels: ImagePixels) -> Samples:
    """Decode with the components taken for that color space, into RGB if there are three."""
    target = "GRAYSCALE" if found.components == 1 else "RGB"
    samples = imagecodecs.jpeg8_decode(frame, colorspace=color, outcolorspace=target)
    return _contained(samples, found, pixels)


def _jpeg_ls(frame: bytes | memoryview, pixels: ImagePixels) -> DecodedFrame:
    """JPEG-LS (PS3.5 8.2.3)."""
    frame = bytes(frame)
    found = _jpeg_header(frame, pixels, _JPEG_LS)
    samples = imagecodecs.jpegls_decode(frame)
    return DecodedFrame(_contained(samples, found, pixels), _without_422(pixels))


def _jpeg_2000(frame: bytes | memoryview, pixels: ImagePixels) -> DecodedFrame:
    """JPEG 2000 and High-Throughput JPEG 2000 (PS3.5 8.2.4)."""
    found, data = codestream.jpeg_2000(bytes(frame))
    _require(found, pixels)
    if found.subsampled:
        raise Malformed("its chrominance is not of full resolution")
    samples = imagecodecs.jpeg2k_decode(data)
    interpretation = _without_422(pixels)
    if interpretation in ("YBR_RCT", "YBR_ICT"):  # the codec undid its own color transformation
        interpretation = "RGB"
    return DecodedFrame(_contained(samples, found, pixels), interpretation)


def _without_422(pixels: ImagePixels) -> str:
    """Photometric Interpretation, without a name for missing chrominance that is there."""
    interpretation = pixels.photometric_interpretation
    return "YBR_FULL" if interpretation == "YBR_FULL_422" else interpretation


def _contained(samples: Samples, found: Codestream, pixels: ImagePixels) -> Samples:
    """What a codec gave, in Bits Allocated.

    JPEG and JPEG-LS know no signs, and some writers of JPEG 2000 forget them: then the bits are
    those of signed numbers all the same. Values that are out of Bits Stored, which a lossy codec
    may give, stay.
    """
    if found.signed != pixels.signed:
        bits = found.precision
        if pixels.signed:
            bits = min(bits, pixels.bits_stored)
        unused = 8 * samples.itemsize - bits
        name = samples.dtype.str[1:]
        other = name.replace("u", "i") if pixels.signed else name.replace("i", "u")
        samples = (samples.view(other) << unused) >> unused
    return samples.astype(_dtype(pixels), copy=False)


_CODEC_ERRORS = (
    imagecodecs.DelayedImportError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)

_DECODERS: dict[str, Callable[[bytes | memoryview, ImagePixels], DecodedFrame]] = {
    IMPLICIT_VR_LITTLE_ENDIAN: _native("<"),
    EXPLICIT_VR_LITTLE_ENDIAN: _native("<"),
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN: _native("<"),
    EXPLICIT_VR_BIG_ENDIAN: _native(">"),
    RLE_LOSSLESS: _rle,
    JPEG_BASELINE: _jpeg_lossy,
    JPEG_EXTENDED: _jpeg_lossy,
    JPEG_LOSSLESS: _jpeg_lossless,
    JPEG_LOSSLESS_FIRST_ORDER: _jpeg_lossless,
    JPEG_LS_LOSSLESS: _jpeg_ls,
    JPEG_LS_NEAR_LOSSLESS: _jpeg_ls,
    JPEG_2000_LOSSLESS: _jpeg_2000,
    JPEG_2000: _jpeg_2000,
    HTJ2K_LOSSLESS: _jpeg_2000,
    HTJ2K_LOSSLESS_RPCL: _jpeg_2000,
    HTJ2K: _jpeg_2000,
}

DECODABLE = frozenset(_DECODERS)
"""Transfer syntaxes whose frames can be decoded."""
