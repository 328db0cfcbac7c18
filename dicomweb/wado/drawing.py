"""Drawing a stored image as a request asks for it. All of it keeps a core busy."""

from collections.abc import Iterator, Sequence

from PIL import Image

from dicomweb.imaging import icc
from dicomweb.imaging.display import Display
from dicomweb.imaging.icc import ColorSpace
from dicomweb.imaging.picture import Detail, cine, encoded, fits, fitted, unscaled
from dicomweb.imaging.rendering import NotRenderable, common_window, picture
from dicomweb.wado.parameters import THUMBNAIL_PIXELS, IccProfile, Parameters
from dicomweb.wado.storedimage import StoredImage

MOST_PIXELS = 2**27
"""Of all pictures of a cine."""


def draw(image: StoredImage, numbers: Sequence[int], media_type: str, asked: Parameters) -> bytes:
    """Frames as one file of a media type; several as a cine.

    :param numbers: at least one, each 1 and up.
    :raise BadRequest: the region of the viewport is not within the image.
    :raise NotAnImage: the header does not say how large the image is.
    :raise NotDecodable: a frame cannot be decoded, or they are too large.
    :raise NotRenderable: they cannot be shown, or not in this format.
    :raise NoProfile: the ICC profile is none.
    """
    image.require_size(numbers)
    display = _display(image, numbers[0])
    detail = _detail(image, asked, display)
    width, height = detail.size
    if not fits(media_type, detail.size) or len(numbers) * width * height > MOST_PIXELS:
        raise NotRenderable(f"It is too large for {media_type}: ask for a smaller viewport.")
    if len(numbers) > 1:
        return cine(_pictures(image, numbers, detail, asked), display.frame_ms)
    (shown,) = _pictures(image, numbers, detail, asked)
    profile = b""
    if asked.icc_profile not in (None, IccProfile.NO):
        shown, profile = _in_color_space(shown, display, IccProfile(asked.icc_profile))
    return encoded(shown, media_type, asked.quality, profile)


def _pictures(
    image: StoredImage, numbers: Sequence[int], detail: Detail, asked: Parameters
) -> Iterator[Image.Image]:
    window = asked.window
    if len(numbers) > 1 and window is None:
        window = common_window(image.decoded(numbers), image.pixels, _display(image, numbers[0]))
    for number, frame in zip(numbers, image.decoded(numbers), strict=True):
        yield detail.of(picture(frame, image.pixels, _display(image, number), window))


def _display(image: StoredImage, number: int) -> Display:
    return Display(image.header, number, image.read_cut, big_endian=image.is_big_endian)


def _detail(image: StoredImage, asked: Parameters, display: Display) -> Detail:
    """Which region is to be shown, and in which size.

    Without a viewport all stored pixels are, as they are (PS3.18 8.3.5.1.3). Where an image is
    scaled, pixels become square.
    """
    columns, rows = image.pixels.columns, image.pixels.rows
    whole = 0.0, 0.0, float(columns), float(rows)
    viewport = asked.viewport
    if asked.is_thumbnail:
        aspect = display.pixel_aspect()
        width, height = unscaled(columns, rows, aspect)
        width, height = min(width, THUMBNAIL_PIXELS), min(height, THUMBNAIL_PIXELS)
        if viewport:
            width, height = min(width, viewport.width), min(height, viewport.height)
        return Detail(whole, fitted(columns, rows, aspect, width, height))
    if viewport is None:
        return Detail(whole, (columns, rows))
    box = left, top, right, bottom = viewport.box(columns, rows)
    width, height = right - left, bottom - top
    size = fitted(width, height, display.pixel_aspect(), viewport.width, viewport.height)
    return Detail(box, size, viewport.flips_columns, viewport.flips_rows)


def _in_color_space(
    shown: Image.Image, display: Display, asked: IccProfile
) -> tuple[Image.Image, bytes]:
    """The picture in the color space asked for, and its profile.

    Shades of gray, and colors of an image without a profile, are taken for those of sRGB.
    """
    srgb = icc.profile(ColorSpace.SRGB)
    source = srgb if shown.mode == "L" else display.icc_profile() or srgb
    shown = shown.convert("RGB")
    if asked is IccProfile.YES:
        icc.require_color(source)
        return shown, source
    target = icc.profile(ColorSpace(asked))
    return icc.converted(shown, source, target), target
