"""ICC profiles: of which color space the pixels of a rendered image are (PS3.3 C.11.15)."""

from enum import StrEnum
from functools import cache
from io import BytesIO

import imagecodecs
import numpy as np
from PIL import Image, ImageCms


class NoProfile(ValueError):
    """The bytes are no ICC profile of a color image."""


class ColorSpace(StrEnum):
    """Well-known color spaces, as ``iccprofile`` names them (PS3.18 8.3.5.1.5)."""

    SRGB = "srgb"
    ADOBE_RGB = "adobergb"
    ROMM_RGB = "rommrgb"
    DISPLAY_P3 = "displayp3"


_DISPLAY_P3_PRIMARIES = (0.680, 0.320, 1, 0.265, 0.690, 1, 0.150, 0.060, 1)
_ROMM_RGB_PRIMARIES = (0.7347, 0.2653, 1, 0.1596, 0.8404, 1, 0.0366, 0.0001, 1)
_D65 = (0.3127, 0.3290, 1)
_D50 = (0.3457, 0.3585, 1)
_ROMM_RGB_GAMMA = 1.8
_CURVE_POINTS = 512


@cache
def profile(color_space: ColorSpace) -> bytes:
    """The profile of a well-known color space."""
    made: bytes
    if color_space is ColorSpace.ROMM_RGB:
        made = imagecodecs.cms_profile(
            "rgb", whitepoint=_D50, primaries=_ROMM_RGB_PRIMARIES, gamma=_ROMM_RGB_GAMMA
        )
    elif color_space is ColorSpace.DISPLAY_P3:
        made = imagecodecs.cms_profile(
            "rgb", whitepoint=_D65, primaries=_DISPLAY_P3_PRIMARIES, transferfunction=_srgb_curve()
        )
    else:
        made = imagecodecs.cms_profile(color_space.value)
    return made


def require_color(source: bytes) -> None:
    """Let pass what is the profile of images of red, green and blue.

    :raise NoProfile: it is not.
    """
    try:
        space = ImageCms.ImageCmsProfile(BytesIO(source)).profile.xcolor_space
    except (ImageCms.PyCMSError, OSError) as error:
        raise NoProfile("The ICC Profile of the image cannot be used.") from error
    if space.strip() != "RGB":
        raise NoProfile("The ICC Profile of the image is not one of red, green and blue.")


def converted(image: Image.Image, source: bytes, target: bytes) -> Image.Image:
    """An image of red, green and blue, from one color space to another.

    :raise NoProfile: the source is none for such an image.
    """
    if source == target:
        return image
    try:
        found = ImageCms.profileToProfile(image, BytesIO(source), BytesIO(target), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError) as error:
        raise NoProfile("The ICC Profile of the image cannot be used.") from error
    return found or image


def _srgb_curve() -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    """The tone curve of sRGB (IEC 61966-2-1), which Display P3 has too."""
    encoded = np.linspace(0, 1, _CURVE_POINTS)
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return linear.astype(np.float32)
