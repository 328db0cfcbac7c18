"""Query parameters of rendered resources (PS3.18 8.3.5.1) and of thumbnails (PS3.18 8.3.5.2).

They are checked before anything is looked up. What depends on the image, such as whether a region
lies within it, is checked when it is known.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from dicomweb.errors import BadRequest
from dicomweb.imaging.grayscale import Function, Window

MOST_VIEWPORT_PIXELS = 2**25
"""Columns times rows of a viewport: that of an 8K screen. It bounds what scaling up takes."""
THUMBNAIL_PIXELS = 512
"""The longer side of a thumbnail, at most."""
BEST_QUALITY = 100
THUMBNAIL_QUALITY = 80

_INTEGER = re.compile(r"[0-9]{1,9}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_MOST_DIGITS = 64
_LARGEST = 1e30
_NAMES = frozenset({"quality", "viewport", "window", "annotation", "iccprofile"})


class IccProfile(StrEnum):
    """Values of ``iccprofile``: whether there is to be a profile, or which."""

    NO = "no"
    YES = "yes"
    SRGB = "srgb"
    ADOBE_RGB = "adobergb"
    ROMM_RGB = "rommrgb"
    DISPLAY_P3 = "displayp3"


@dataclass(frozen=True, slots=True)
class Viewport:
    """The size of the answer, and which region of the image fills it."""

    width: int
    height: int
    left: float = 0
    top: float = 0
    region_width: float | None = None
    """Columns of the image; None: up to its right edge."""
    region_height: float | None = None
    flips_columns: bool = False
    flips_rows: bool = False

    def box(self, columns: int, rows: int) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the region of an image of that size.

        :raise BadRequest: it is not within the image, or narrower than a pixel.
        """
        width = columns - self.left if self.region_width is None else self.region_width
        height = rows - self.top if self.region_height is None else self.region_height
        right, bottom = self.left + width, self.top + height
        if not (self.left + 1 <= right <= columns and self.top + 1 <= bottom <= rows):
            raise BadRequest(
                "The region of viewport is not within the image or less than a pixel; the image "
                f"has {columns} columns and {rows} rows."
            )
        return self.left, self.top, right, bottom


@dataclass(frozen=True, slots=True)
class Parameters:
    """How an image is to be rendered."""

    quality: int = BEST_QUALITY
    """1 to 100; of lossy media types only."""
    viewport: Viewport | None = None
    window: Window | None = None
    icc_profile: IccProfile | None = None
    is_thumbnail: bool = field(default=False, kw_only=True)


def parameters(query: Iterable[tuple[str, str]], *, thumbnail: bool = False) -> Parameters:
    """What a query asks for; parameters of other names are of no concern.

    :raise BadRequest: a parameter is malformed, out of bounds, given twice, or cannot be honoured.
    """
    given: dict[str, str] = {}
    for name, value in query:
        if name in _NAMES and name in given:
            raise BadRequest(f"The parameter {name} is given twice.")
        given[name] = value
    if "annotation" in given:
        raise BadRequest(
            "Annotations are not burned into images here: ask without the parameter annotation "
            "and take what is to be shown with the image from the metadata."
        )
    quality, viewport = given.get("quality"), given.get("viewport")
    window, icc_profile = given.get("window"), given.get("iccprofile")
    default = THUMBNAIL_QUALITY if thumbnail else BEST_QUALITY
    return Parameters(
        default if quality is None else _quality(quality),
        None if viewport is None else _viewport(viewport, size_only=thumbnail),
        None if window is None else _window(window),
        None if icc_profile is None else _icc_profile(icc_profile),
        is_thumbnail=thumbnail,
    )


def _quality(value: str) -> int:
    quality = _positive(value)
    if not 1 <= quality <= BEST_QUALITY:
        raise BadRequest("Image quality must be between 1 and 100 inclusive, as in quality=90.")
    return quality


def _viewport(value: str, *, size_only: bool) -> Viewport:
    texts = value.split(",")
    if size_only and len(texts) > 2:
        raise BadRequest(
            "The viewport of a thumbnail is its width and height only, as in viewport=128,128."
        )
    width, height = (_positive(text) for text in [*texts, ""][:2])
    region = [_decimal(text) if text else None for text in texts[2:]]
    region += [None] * (4 - len(region))
    malformed = any(number is not None and math.isnan(number) for number in region)
    if not (width and height) or malformed or len(region) > 4 or 0 in region[2:]:
        raise BadRequest(
            "viewport is vw,vh or vw,vh,sx,sy,sw,sh: width and height of the answer, then left, "
            "top, width and height of the region of the image, in pixels. vw and vh are integers "
            "from 1 up; of the others, each may be empty, and sw and sh are not 0."
        )
    if width * height > MOST_VIEWPORT_PIXELS:
        raise BadRequest(
            f"A viewport has at most {MOST_VIEWPORT_PIXELS} pixels; {width} x {height} are more."
        )
    left, top, region_width, region_height = region
    return Viewport(
        width,
        height,
        abs(left or 0),
        abs(top or 0),
        None if region_width is None else abs(region_width),
        None if region_height is None else abs(region_height),
        flips_columns=(region_width or 0) < 0,
        flips_rows=(region_height or 0) < 0,
    )


def _window(value: str) -> Window:
    texts = value.split(",")
    name = texts[-1].lower().replace("_", "-")  # clients write it as the element's value, too
    if len(texts) != 3 or name not in set(Function):
        raise BadRequest(
            "window is center,width,function, and the function one of linear, linear-exact and "
            "sigmoid, as in window=40,400,linear."
        )
    window = Window(_decimal(texts[0]), _decimal(texts[1]), Function(name))
    if math.isnan(window.center) or math.isnan(window.width):
        raise BadRequest("Center and width of window are decimal numbers, as in 40,400,linear.")
    if window.function is Function.LINEAR and window.width < 1:
        raise BadRequest("The width of a linear window is 1 or more; a linear-exact one is over 0.")
    if window.width <= 0:
        raise BadRequest(f"The width of a {window.function} window is more than 0.")
    return window


def _icc_profile(value: str) -> IccProfile:
    try:
        return IccProfile(value)
    except ValueError:
        known = ", ".join(IccProfile)
        raise BadRequest(f"iccprofile is one of {known}.") from None


def _positive(text: str) -> int:
    """An integer of at most nine digits; 0 for everything else."""
    return int(text) if _INTEGER.fullmatch(text) else 0


def _decimal(text: str) -> float:
    """A number that is neither too large nor too long; NaN for everything else."""
    number = float(text) if _DECIMAL.fullmatch(text) and len(text) <= _MOST_DIGITS else math.nan
    return number if abs(number) <= _LARGEST else math.nan
