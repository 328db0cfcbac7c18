"""Pictures of 8 bits: cut to a region, scaled to a size, and written in a format of the web."""

from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO

import imagecodecs
import numpy as np
from PIL import Image

from dicomweb.media import GIF, JP2, JPEG, PNG

HOLD_PROFILES = frozenset({JPEG, PNG})
"""Media types in which an ICC profile is written."""

_LONGEST_SIDE = {JPEG: 65500, GIF: 65535}
_FULL_CHROMINANCE_FROM = 90
"""JPEG quality from which on chrominance keeps its resolution."""
_PNG_LEVEL = 1
"""Of compression. A CT image takes 3 ms and 44 KB at level 1, 13 ms and 35 KB at level 6."""
_REDUCING_GAP = 3.0
"""A picture more than so many times too large is first reduced by averaging, which is faster."""


@dataclass(frozen=True, slots=True)
class Detail:
    """Which region of a picture is wanted, in which size."""

    box: tuple[float, float, float, float]
    """Left, top, right and bottom, in pixels."""
    size: tuple[int, int]
    """Width and height."""
    flips_columns: bool = False
    flips_rows: bool = False

    def of(self, picture: Image.Image) -> Image.Image:
        """The region of a picture in its size."""
        whole = (0, 0, *picture.size)
        if self.box != whole or self.size != picture.size:
            picture = picture.resize(
                self.size, Image.Resampling.BICUBIC, self.box, reducing_gap=_REDUCING_GAP
            )
        if self.flips_columns:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if self.flips_rows:
            picture = picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        return picture


def fitted(
    width: float, height: float, aspect: float, most_width: float, most_height: float
) -> tuple[int, int]:
    """The largest size within bounds that shows a region undistorted.

    :param aspect: height of a pixel of the region, in terms of its width.
    """
    shown_height = height * aspect
    scale = min(most_width / width, most_height / shown_height)
    return max(1, round(width * scale)), max(1, round(shown_height * scale))


def unscaled(width: float, height: float, aspect: float) -> tuple[float, float]:
    """The largest size that shows a region undistorted without enlarging it in any direction."""
    return (width / aspect, height) if aspect > 1 else (width, height * aspect)


def fits(media_type: str, size: tuple[int, int]) -> bool:
    """Whether the format can hold a picture of that size."""
    return max(size) <= _LONGEST_SIDE.get(media_type, max(size))


def encoded(picture: Image.Image, media_type: str, quality: int, profile: bytes = b"") -> bytes:
    """A picture as a file.

    :param quality: 1 to 100, of JPEG only.
    :param profile: an ICC profile, of those media types that hold one.
    """
    if media_type == JP2:
        pixels = np.asarray(picture)
        return bytes(imagecodecs.jpeg2k_encode(pixels, codecformat="jp2", reversible=True))
    file = BytesIO()
    if media_type == JPEG:
        subsampling = "4:4:4" if quality >= _FULL_CHROMINANCE_FROM else "4:2:0"
        picture.save(
            file, "JPEG", quality=quality, subsampling=subsampling, icc_profile=profile or None
        )
    elif media_type == PNG:
        picture.save(file, "PNG", compress_level=_PNG_LEVEL, icc_profile=profile or None)
    else:
        picture.save(file, "GIF")
    return file.getvalue()


def cine(pictures: Iterable[Image.Image], frame_ms: float) -> bytes:
    """Pictures as a GIF that shows one after the other, for ever.

    :param pictures: at least one; all are in memory at the end, a byte for each pixel.
    :param frame_ms: how long each is shown, in milliseconds.
    """
    shown = (picture if picture.mode == "L" else picture.quantize() for picture in pictures)
    file = BytesIO()
    next(shown).save(
        file, "GIF", save_all=True, append_images=shown, duration=frame_ms, loop=0, disposal=1
    )
    return file.getvalue()
