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

from dicomweb.imaging import codestream, jpeg2000
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
_RLE_SURPLUS = 128  # bytes that a segment may have more than there are pixels


class NotDecodable(ValueError):
    """A frame cannot be decoded; says why, in words for the client."""


@dataclass(frozen=True, slots=True)
class _Decoder:
    """How frames of a transfer syntax are decoded."""

    decode: Callable[[bytes | memoryview, ImagePixels], Samples]
    interpretation: Callable[[ImagePixels], str]
    """Photometric Interpretation of what it gives."""


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
    interpretation = decoded_interpretation(transfer_syntax_uid, pixels, most_bytes)
    try:
        samples = _DECODERS[transfer_syntax_uid].decode(frame, pixels)
    except (Malformed, *CODEC_ERRORS) as error:
        raise NotDecodable(f"A frame cannot be decoded: {error or 'out of memory'}.") from error
    return DecodedFrame(samples, interpretation)


def decoded_interpretation(
    transfer_syntax_uid: str, pixels: ImagePixels, most_bytes: int = MOST_FRAME_BYTES
) -> str:
    """Photometric Interpretation of decoded frames.

    :raise NotDecodable: frames of such pixels are not decoded, whatever they hold.
    """
    decoder = _DECODERS.get(transfer_syntax_uid)
    if decoder is None:
        raise NotDecodable(f"Transfer syntax {transfer_syntax_uid} cannot be decoded here.")
    bits = pixels.bits_allocated
    if bits not in _DTYPES or pixels.samples_per_pixel not in (1, 3):
        raise NotDecodable(
            f"Pixels with {pixels.samples_per_pixel} samples of {bits} bits allocated are not "
            "decoded here."
        )
    if not 0 < pixels.bits_stored <= pixels.high_bit + 1 <= bits:
        raise NotDecodable(
            f"{pixels.bits_stored} bits stored with high bit {pixels.high_bit} do not fit "
            f"{bits} bits allocated."
        )
    if pixels.decoded_bytes > most_bytes:
        raise NotDecodable(
            f"A decoded frame would have {pixels.decoded_bytes} bytes; the limit is {most_bytes}."
        )
    return decoder.interpretation(pixels)


_DTYPES = {1: "u1", 8: "u1", 16: "u2", 32: "u4", 64: "u8"}


def _dtype(pixels: ImagePixels, order: str = "=") -> np.dtype[Any]:
    """Of samples in Bits Allocated."""
    name = _DTYPES[pixels.bits_allocated]
    if pixels.floating:
        name = name.replace("u", "f")
    elif pixels.signed and pixels.bits_allocated > 1:
        name = name.replace("u", "i")
    return np.dtype(order + name)


def _native(order: str) -> Callable[[bytes | memoryview, ImagePixels], Samples]:
    """Native frames in a byte order (PS3.5 8.1)."""

    def decode(frame: bytes | memoryview, pixels: ImagePixels) -> Samples:
        named_422 = pixels.photometric_interpretation.endswith("_422")
        halved = named_422 and 8 * len(frame) < pixels.frame_bits
        bits = pixels.frame_bits // 3 * 2 if halved else pixels.frame_bits
        if 8 * len(frame) < bits:
            raise Malformed(f"it has {len(frame)} bytes instead of {-(-bits // 8)}")
        if pixels.bits_allocated == 1:
            octets = np.frombuffer(frame, np.uint8)
            return _shaped(np.unpackbits(octets, count=bits, bitorder="little"), pixels)
        samples = np.frombuffer(frame, _dtype(pixels, order), bits // pixels.bits_allocated)
        samples = samples.astype(_dtype(pixels), copy=False)
        if halved:
            samples = _full_chrominance(samples, pixels)
        samples = _shaped(samples, pixels, planar=pixels.planar_configuration == 1 and not halved)
        return _stored_bits(samples, pixels)

    return decode


def in_little_endian(frame: bytes, pixels: ImagePixels) -> bytes:
    """A native frame of Big Endian, read as for :func:`decode_frame`, in Little Endian.

    :raise NotDecodable: it does not consist of samples of whole words.
    """
    size = max(pixels.bits_allocated // 8, 1)
    if pixels.bits_allocated not in _DTYPES or len(frame) % size:
        raise NotDecodable(
            f"{len(frame)} bytes of samples with {pixels.bits_allocated} bits allocated cannot be "
            "put into Little Endian."
        )
    return np.frombuffer(frame, f">u{size}").astype(f"<u{size}").tobytes()


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


def _rle(frame: bytes | memoryview, pixels: ImagePixels) -> Samples:
    """RLE Lossless (PS3.5 Annex G): one segment for each byte of a sample, highest first."""
    frame = bytes(frame)
    size = max(pixels.bits_allocated // 8, 1)
    count = pixels.samples_per_pixel * size
    length = pixels.rows * pixels.columns
    planes = np.empty((pixels.samples_per_pixel, length, size), np.uint8)
    for number, segment in enumerate(_rle_segments(frame, count)):
        decoded = imagecodecs.packbits_decode(segment, out=length + _RLE_SURPLUS)
        if len(decoded) < length:
            raise Malformed(f"an RLE segment has {len(decoded)} bytes instead of {length}")
        plane = np.frombuffer(decoded, np.uint8, length)
        planes[number // size, :, size - 1 - number % size] = plane
    samples = planes.view(_dtype(pixels, "<")).astype(_dtype(pixels), copy=False)
    samples = _shaped(samples, pixels, planar=True)
    return _stored_bits(samples, pixels)


def _rle_segments(frame: bytes, count: int) -> Iterator[bytes]:
    starts = np.frombuffer(frame[:_RLE_HEADER_BYTES].ljust(_RLE_HEADER_BYTES, b"\0"), "<u4")
    if count > _RLE_MOST_SEGMENTS or starts[0] != count:
        raise Malformed(f"it has {starts[0]} RLE segments instead of {count}")
    bounds = [*map(int, starts[1 : 1 + count]), len(frame)]
    if bounds[0] != _RLE_HEADER_BYTES or any(a >= b for a, b in pairwise(bounds)):
        raise Malformed("the offsets of its RLE segments are out of order")
    for start, stop in pairwise(bounds):
        yield frame[start:stop]


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


def _jpeg_lossy(frame: bytes | memoryview, pixels: ImagePixels) -> Samples:
    """JPEG Baseline and Extended (PS3.5 8.2.1). YCbCr becomes RGB: the codec does it best."""
    frame = bytes(frame)
    found = _jpeg_header(frame, pixels, _BASELINE_JPEG)
    if found.components == 1:
        return _jpeg_samples(frame, "GRAYSCALE", found, pixels)
    named_ybr = pixels.photometric_interpretation.startswith("YBR")
    is_ybr = found.color == "YCbCr" if found.color else named_ybr
    return _jpeg_samples(frame, "YCBCR" if is_ybr else "RGB", found, pixels)


def _jpeg_lossless(frame: bytes | memoryview, pixels: ImagePixels) -> Samples:
    """JPEG Lossless (PS3.5 8.2.1): samples are what the data set says they are."""
    frame = bytes(frame)
    found = _jpeg_header(frame, pixels, _LOSSLESS_JPEG)
    if found.subsampled:
        raise Malformed("its chrominance is not of full resolution")
    color = "GRAYSCALE" if found.components == 1 else "RGB"
    return _stored_bits(_jpeg_samples(frame, color, found, pixels), pixels)


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


def _jpeg_ls(frame: bytes | memoryview, pixels: ImagePixels) -> Samples:
    """JPEG-LS (PS3.5 8.2.3)."""
    frame = bytes(frame)
    found = _jpeg_header(frame, pixels, _JPEG_LS)
    return _contained(imagecodecs.jpegls_decode(frame), found, pixels)


def _jpeg_2000(frame: bytes | memoryview, pixels: ImagePixels) -> Samples:
    """JPEG 2000 and High-Throughput JPEG 2000 (PS3.5 8.2.4)."""
    found, data = jpeg2000.codestream_of(bytes(frame))
    _require(found, pixels)
    jpeg2000.require_moderate(data)
    if found.subsampled:
        raise Malformed("its chrominance is not of full resolution")
    return _contained(imagecodecs.jpeg2k_decode(data, numthreads=1), found, pixels)


def _as_named(pixels: ImagePixels) -> str:
    """As the header says, but for a name of missing chrominance that has been filled in."""
    interpretation = pixels.photometric_interpretation
    return "YBR_FULL" if interpretation == "YBR_FULL_422" else interpretation


def _color_as_rgb(pixels: ImagePixels) -> str:
    return "RGB" if pixels.samples_per_pixel == 3 else pixels.photometric_interpretation


def _transformation_undone(pixels: ImagePixels) -> str:
    """Codecs of JPEG 2000 undo their own color transformation."""
    interpretation = _as_named(pixels)
    return "RGB" if interpretation in ("YBR_RCT", "YBR_ICT") else interpretation


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


CODEC_ERRORS = (
    imagecodecs.DelayedImportError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
"""What codecs raise, whether they decode or encode."""

_NATIVE = _Decoder(_native("<"), _as_named)
_JPEG_LOSSY = _Decoder(_jpeg_lossy, _color_as_rgb)
_JPEG_LOSSLESS = _Decoder(_jpeg_lossless, _as_named)
_LS = _Decoder(_jpeg_ls, _as_named)
_2000 = _Decoder(_jpeg_2000, _transformation_undone)
_DECODERS = {
    IMPLICIT_VR_LITTLE_ENDIAN: _NATIVE,
    EXPLICIT_VR_LITTLE_ENDIAN: _NATIVE,
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN: _NATIVE,
    EXPLICIT_VR_BIG_ENDIAN: _Decoder(_native(">"), _as_named),
    RLE_LOSSLESS: _Decoder(_rle, _as_named),
    JPEG_BASELINE: _JPEG_LOSSY,
    JPEG_EXTENDED: _JPEG_LOSSY,
    JPEG_LOSSLESS: _JPEG_LOSSLESS,
    JPEG_LOSSLESS_FIRST_ORDER: _JPEG_LOSSLESS,
    JPEG_LS_LOSSLESS: _LS,
    JPEG_LS_NEAR_LOSSLESS: _LS,
    JPEG_2000_LOSSLESS: _2000,
    JPEG_2000: _2000,
    HTJ2K_LOSSLESS: _2000,
    HTJ2K_LOSSLESS_RPCL: _2000,
    HTJ2K: _2000,
}

DECODABLE = frozenset(_DECODERS)
"""Transfer syntaxes whose frames can be decoded."""
