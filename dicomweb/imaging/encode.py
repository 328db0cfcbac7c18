"""Encoding frames without loss: an array of samples becomes what lies in a file.

What a transfer syntax can hold is data: the tables of PS3.5 8.2, as far as the codecs go.
"""

from collections.abc import Callable
from dataclasses import dataclass
from struct import pack

import imagecodecs
import numpy as np

from dicomweb.imaging.decode import CODEC_ERRORS, DecodedFrame, Samples
from dicomweb.imaging.pixels import ImagePixels
from dicomweb.media import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    HTJ2K_LOSSLESS,
    IMPLICIT_VR_LITTLE_ENDIAN,
    JPEG_2000_LOSSLESS,
    JPEG_LS_LOSSLESS,
    RLE_LOSSLESS,
)

_ONE_SAMPLE = frozenset({"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"})
_THREE_SAMPLES = frozenset({"RGB", "YBR_FULL"})
_WITH_LESS_CHROMINANCE = ("_420", "_422")  # that of decoded frames has its full resolution
_RLE_HEADER = 16  # numbers of four bytes
_JLS_MOST_TIMES = 4  # noise becomes a little longer than it is, for which the codec has no room
_JLS_HEADER_BYTES = 1024
_J2K_DEPTHS_AT = 42  # Ssiz of the first component, each of which takes three bytes
_SIGNED_DEPTH = 0x80
_J2K_MOST_BITS = 24  # OpenJPEG counts in 32 bits, of which the transformations take some


class NotEncodable(ValueError):
    """Pixels do not fit a transfer syntax; says why, in words for the client."""


@dataclass(frozen=True, slots=True)
class _Encoder:
    """How frames of a transfer syntax are made, and of what."""

    encode: Callable[[DecodedFrame, ImagePixels], bytes]
    bits_allocated: frozenset[int] = frozenset({8, 16})
    bits_stored: int = 16
    """At most."""
    interpretations: frozenset[str] | None = _ONE_SAMPLE | _THREE_SAMPLES
    """None: any."""
    rgb_becomes: str = "RGB"
    """Photometric Interpretation of RGB samples, which the codec may transform."""


def encode_frame(frame: DecodedFrame, transfer_syntax_uid: str, pixels: ImagePixels) -> bytes:
    """Encode one frame, padded to an even number of bytes unless it is native.

    :param pixels: of the instance; they say how many bits of the samples count.
    :raise NotEncodable: see :func:`encoded_interpretation`; or the codec failed.
    """
    encoder = _encoder(transfer_syntax_uid, pixels, frame.photometric_interpretation)
    try:
        encoded = encoder.encode(frame, pixels)
    except NotEncodable:
        raise
    except CODEC_ERRORS as error:
        raise NotEncodable(f"A frame cannot be encoded: {error or 'out of memory'}.") from error
    return encoded + b"\0" * (len(encoded) % 2 and encoder.interpretations is not None)


def encoded_interpretation(
    transfer_syntax_uid: str, pixels: ImagePixels, photometric_interpretation: str
) -> str:
    """Photometric Interpretation of samples in that one after they are encoded.

    :raise NotEncodable: the transfer syntax is not one of :data:`ENCODABLE`, or cannot hold such
        pixels.
    """
    encoder = _encoder(transfer_syntax_uid, pixels, photometric_interpretation)
    if photometric_interpretation == "RGB":
        return encoder.rgb_becomes
    return photometric_interpretation


def _encoder(uid: str, pixels: ImagePixels, interpretation: str) -> _Encoder:
    encoder = _ENCODERS.get(uid)
    if encoder is None:
        raise NotEncodable(f"Transfer syntax {uid} is not made here.")
    if interpretation.endswith(_WITH_LESS_CHROMINANCE):
        raise NotEncodable(f"Decoded pixels cannot be in {interpretation!a}.")
    if encoder.interpretations is None:
        return encoder
    if pixels.floating:
        raise NotEncodable(f"Floating point pixels do not fit transfer syntax {uid}.")
    if (
        pixels.bits_allocated not in encoder.bits_allocated
        or pixels.bits_stored > encoder.bits_stored
    ):
        raise NotEncodable(
            f"Pixels with {pixels.bits_stored} bits stored in {pixels.bits_allocated} do not fit "
            f"transfer syntax {uid}."
        )
    expected = _ONE_SAMPLE if pixels.samples_per_pixel == 1 else _THREE_SAMPLES
    if interpretation not in expected & encoder.interpretations:
        raise NotEncodable(
            f"Pixels in photometric interpretation {interpretation!a} with "
            f"{pixels.samples_per_pixel} samples do not fit transfer syntax {uid}."
        )
    return encoder


def _native(frame: DecodedFrame, pixels: ImagePixels) -> bytes:
    """Native, in Little Endian (PS3.5 8.1)."""
    samples = frame.samples
    if pixels.bits_allocated == 1:
        return np.packbits(samples, bitorder="little").tobytes()
    if pixels.planar_configuration == 1 and pixels.samples_per_pixel > 1:
        samples = np.moveaxis(samples, -1, 0)
    if below := pixels.high_bit + 1 - pixels.bits_stored:
        samples = samples << below
    return samples.astype(samples.dtype.newbyteorder("<"), copy=False).tobytes()


def _rle(frame: DecodedFrame, pixels: ImagePixels) -> bytes:
    """One segment for each byte of a sample, highest first (PS3.5 Annex G)."""
    planes = np.moveaxis(frame.samples.reshape(pixels.rows, pixels.columns, -1), -1, 0)
    segments = []
    for plane in np.ascontiguousarray(planes, planes.dtype.newbyteorder(">")):
        of_bytes = plane.view(np.uint8).reshape(pixels.rows, pixels.columns, -1)
        for byte in range(of_bytes.shape[2]):
            rows = np.ascontiguousarray(of_bytes[:, :, byte])
            segment = bytes(imagecodecs.packbits_encode(rows, axis=-1))
            segments.append(segment + b"\0" * (len(segment) % 2))
    offsets = np.cumsum([4 * _RLE_HEADER, *map(len, segments)])[:-1].tolist()
    unused = [0] * (_RLE_HEADER - 1 - len(segments))
    header = pack(f"<{_RLE_HEADER}I", len(segments), *offsets, *unused)
    return b"".join((header, *segments))


def _jpeg_ls(frame: DecodedFrame, _pixels: ImagePixels) -> bytes:
    """JPEG-LS, of whole words: it knows no signs."""
    unsigned = frame.samples.view(f"u{frame.samples.itemsize}")
    most = _JLS_MOST_TIMES * unsigned.nbytes + _JLS_HEADER_BYTES
    return bytes(imagecodecs.jpegls_encode(np.ascontiguousarray(unsigned), out=most))


def _jpeg_2000(frame: DecodedFrame, pixels: ImagePixels) -> bytes:
    """JPEG 2000, reversible, RGB by way of its component transformation."""
    precision, container = _precision(frame.samples, pixels)
    encoded = imagecodecs.jpeg2k_encode(
        np.ascontiguousarray(frame.samples, f"{'i' if pixels.signed else 'u'}{container}"),
        level=0,
        codecformat="J2K",
        bitspersample=precision,
        reversible=True,
        mct=frame.photometric_interpretation == "RGB",
        planar=False,
        numthreads=1,
    )
    return bytes(encoded)


def _htj2k(frame: DecodedFrame, pixels: ImagePixels) -> bytes:
    """High-Throughput JPEG 2000, reversible, RGB by way of its component transformation.

    The binding of the codec knows only whole bytes of precision. So unsigned samples are shifted as
    the codec would (ITU-T T.800 Annex G.1), given to it as signed ones, which it does not shift,
    and what the codestream says of them is put right.
    """
    precision, container = _precision(frame.samples, pixels)
    words = frame.samples.astype(np.int32)
    if not pixels.signed:
        words -= 1 << (precision - 1)
    encoded = bytearray(
        imagecodecs.htj2k_encode(
            np.ascontiguousarray(words, f"i{container}"),
            reversible=True,
            rgb=frame.photometric_interpretation == "RGB",
            planar=False,
        )
    )
    depth = precision - 1 | (_SIGNED_DEPTH if pixels.signed else 0)
    for component in range(pixels.samples_per_pixel):
        encoded[_J2K_DEPTHS_AT + 3 * component] = depth
    return bytes(encoded)


def _precision(samples: Samples, pixels: ImagePixels) -> tuple[int, int]:
    """Bits that are to be encoded, and bytes of the words that a codec takes them in.

    Those of Bits Stored, unless a sample does not fit them: lossy codecs give such.
    """
    bits = pixels.bits_stored
    lowest, highest = (-(1 << bits - 1), (1 << bits - 1) - 1) if pixels.signed else (0, 2**bits - 1)
    if samples.min() < lowest or samples.max() > highest:
        bits = pixels.bits_allocated
    if bits > _J2K_MOST_BITS:
        raise NotEncodable(f"A sample does not fit {pixels.bits_stored} bits stored.")
    return bits, next(size for size in (1, 2, 4) if bits <= 8 * size)


_NATIVE = _Encoder(_native, interpretations=None)
_ENCODERS = {
    IMPLICIT_VR_LITTLE_ENDIAN: _NATIVE,
    EXPLICIT_VR_LITTLE_ENDIAN: _NATIVE,
    RLE_LOSSLESS: _Encoder(_rle, frozenset({8, 16, 32}), 32),
    JPEG_LS_LOSSLESS: _Encoder(_jpeg_ls),
    JPEG_2000_LOSSLESS: _Encoder(
        _jpeg_2000, frozenset({8, 16, 32}), _J2K_MOST_BITS, rgb_becomes="YBR_RCT"
    ),
    HTJ2K_LOSSLESS: _Encoder(_htj2k, rgb_becomes="YBR_RCT"),
}

ENCODABLE = frozenset(_ENCODERS)
"""Transfer syntaxes in which frames can be encoded."""
