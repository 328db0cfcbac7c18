"""From samples of three colors to red, green and blue of 8 bits each (PS3.3 C.7.6.3.1.2)."""

import numpy as np
from PIL import Image

from dicomweb.imaging import grayscale
from dicomweb.imaging.grayscale import (
    WHITE,
    Function,
    Grayscale,
    Samples,
    Shades,
    StoredValues,
    Window,
)

YBR_FULL = frozenset({"YBR_FULL", "YBR_FULL_422"})
"""Luminance and chrominance over the full range of values, as JFIF has them."""
YBR_PARTIAL = frozenset({"YBR_PARTIAL_422", "YBR_PARTIAL_420"})
"""Luminance from 16 to 235, chrominance from 16 to 240."""
RGB = frozenset({"RGB"})
PHOTOMETRIC_INTERPRETATIONS = RGB | YBR_FULL | YBR_PARTIAL
"""Those that :func:`render` knows."""

_FROM_YBR_PARTIAL = np.array(
    [[1.1644, 0, 1.5960], [1.1644, -0.3917, -0.8130], [1.1644, 2.0173, 0]], np.float32
)


def render(samples: Samples, stored: StoredValues, photometric_interpretation: str) -> Shades:
    """Red, green and blue of each pixel.

    :param samples: of shape (rows, columns, 3), chrominance at full resolution.
    """
    if samples.dtype != np.uint8 or stored.bits != 8:
        center, width = (stored.least + stored.greatest) / 2, stored.greatest - stored.least
        whole = Window(center, width, Function.LINEAR_EXACT)
        samples = grayscale.render(samples, stored, Grayscale(voi=whole))
    if photometric_interpretation in YBR_FULL:
        rows, columns, _ = samples.shape
        data = np.ascontiguousarray(samples)
        image = Image.frombuffer("YCbCr", (columns, rows), data, "raw", "YCbCr", 0, 1)
        return np.asarray(image.convert("RGB"))
    if photometric_interpretation in YBR_PARTIAL:
        offset = samples.astype(np.float32) - np.array([16, 128, 128], np.float32)
        converted: Shades = np.clip(offset @ _FROM_YBR_PARTIAL.T, 0, WHITE).round().astype(np.uint8)
        return converted
    return samples
