"""Pictures that a client gets."""

from io import BytesIO

from PIL import Image


def opened(content: bytes) -> Image.Image:
    """The picture, decoded."""
    picture = Image.open(BytesIO(content))
    picture.load()
    return picture
