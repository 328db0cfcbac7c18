"""Images made for a test: every kind of pixels that the Image Pixel Module describes."""

from dataclasses import replace

import numpy as np

from dicomweb.imaging.pixels import ImagePixels

MONOCHROME = ImagePixels(
    rows=35,
    columns=34,
    samples_per_pixel=1,
    bits_allocated=16,
    photometric_interpretation="MONOCHROME2",
    bits_stored=12,
    high_bit=11,
    signed=False,
    planar_configuration=0,
    number_of_frames=1,
)
COLOR = replace(
    MONOCHROME,
    samples_per_pixel=3,
    bits_allocated=8,
    photometric_interpretation="RGB",
    bits_stored=8,
    high_bit=7,
)


def mono(bits_allocated: int, bits_stored: int, *, signed: bool = False, **other) -> ImagePixels:
    return replace(
        MONOCHROME,
        bits_allocated=bits_allocated,
        bits_stored=bits_stored,
        high_bit=bits_stored - 1,
        signed=signed,
        **other,
    )


def color(photometric_interpretation: str = "RGB", bits: int = 8, **other) -> ImagePixels:
    return replace(
        COLOR,
        photometric_interpretation=photometric_interpretation,
        bits_allocated=bits,
        bits_stored=bits,
        high_bit=bits - 1,
        **other,
    )


def samples_of(pixels: ImagePixels, seed: int = 1) -> np.ndarray:
    """Samples with all values that fit, the lowest and the highest among them."""
    shape = (pixels.rows, pixels.columns, pixels.samples_per_pixel)
    kind = np.dtype(f"{'i' if pixels.signed else 'u'}{max(pixels.bits_allocated, 8) // 8}")
    lowest = -(2 ** (pixels.bits_stored - 1)) if pixels.signed else 0
    highest = lowest + 2**pixels.bits_stored - 1
    random = np.random.default_rng(seed)
    samples = random.integers(lowest, highest, shape, kind, endpoint=True)
    samples.flat[:2] = lowest, highest
    return samples if pixels.samples_per_pixel > 1 else samples[:, :, 0]


def smooth(pixels: ImagePixels) -> np.ndarray:
    """Samples that lossy codecs change little."""
    rows, columns = np.mgrid[: pixels.rows, : pixels.columns]
    planes = [rows * (1 + n) + columns * (3 - n) for n in range(pixels.samples_per_pixel)]
    samples = np.stack(planes, -1).astype(f"u{pixels.bits_allocated // 8}")
    return samples if pixels.samples_per_pixel > 1 else samples[:, :, 0]
