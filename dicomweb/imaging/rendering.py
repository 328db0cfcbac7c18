"""From the samples of a decoded frame to a picture of 8 bits (PS3.4 N.2)."""

from collections.abc import Iterable
from dataclasses import replace

from PIL import Image

from dicomweb.imaging import color, grayscale, palette
from dicomweb.imaging.decode import DecodedFrame
from dicomweb.imaging.display import Display
from dicomweb.imaging.grayscale import Shades, StoredValues, Window, has_table
from dicomweb.imaging.pixels import ImagePixels

MONOCHROME = frozenset({"MONOCHROME1", "MONOCHROME2"})
PALETTE_COLOR = "PALETTE COLOR"
_UNNAMED = {2: "MONOCHROME2", 3: "RGB"}
"""What pixels are taken for that have no Photometric Interpretation, by dimensions of the array."""


class NotRenderable(ValueError):
    """An image cannot be shown; says why, in words for the client."""


def picture(
    frame: DecodedFrame, pixels: ImagePixels, display: Display, window: Window | None = None
) -> Image.Image:
    """A frame as a picture of mode L or RGB.

    :param window: takes the place of what the header says, in monochrome images.
    :raise NotRenderable: its Photometric Interpretation is not known or does not fit its samples,
        or its palette is missing.
    """
    return Image.fromarray(_shades(frame, pixels, display, window))


def common_window(
    frames: Iterable[DecodedFrame], pixels: ImagePixels, display: Display
) -> Window | None:
    """The window that shows all frames alike; None if the header has one or they have color."""
    stored = StoredValues(pixels.bits_stored, pixels.signed)
    if pixels.photometric_interpretation not in MONOCHROME:
        return None
    shown = display.grayscale(stored, pixels.photometric_interpretation)
    if shown.voi:
        return None
    found = (grayscale.extremes(frame.samples, shown) for frame in frames)
    return grayscale.full_range(grayscale.joined(*found), stored)


def _shades(
    frame: DecodedFrame, pixels: ImagePixels, display: Display, window: Window | None
) -> Shades:
    samples = frame.samples
    stored = StoredValues(pixels.bits_stored, pixels.signed)
    interpretation = frame.photometric_interpretation or _UNNAMED[samples.ndim]
    if samples.ndim == 2 and interpretation in MONOCHROME:
        shown = display.grayscale(stored, interpretation)
        return grayscale.render(samples, stored, replace(shown, voi=window or shown.voi))
    if samples.ndim == 2 and interpretation == PALETTE_COLOR and has_table(samples):
        colors = display.palette(stored)
        if colors is None:
            raise NotRenderable("Its palette is missing or malformed.")
        return palette.render(samples, colors)
    if samples.ndim == 3 and interpretation in color.PHOTOMETRIC_INTERPRETATIONS:
        return color.render(samples, stored, interpretation)
    raise NotRenderable(
        f"Pixels of Photometric Interpretation '{interpretation[:16]}' with "
        f"{pixels.samples_per_pixel} samples of {pixels.bits_allocated} bits are not rendered here."
    )
