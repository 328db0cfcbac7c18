"""Images to be rendered, and what comes back."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from werkzeug.test import TestResponse

from dicomweb.media import GIF, PNG
from dicomweb.part10 import read_part10
from dicomweb.wado.drawing import draw
from dicomweb.wado.parameters import parameters
from dicomweb.wado.storedimage import StoredImage
from storage.memory import MemoryStore
from tests.datasets import dataset


def image(pixels: NDArray[Any], *, color: bool = False, **attributes: Any) -> Dataset:
    """An instance of these pixels: (rows, columns), after them 3 colors, before them frames."""
    rows, columns = pixels.shape[-3:-1] if color else pixels.shape[-2:]
    bits = 8 * pixels.itemsize
    values = {
        "Rows": rows,
        "Columns": columns,
        "SamplesPerPixel": 3 if color else 1,
        "PhotometricInterpretation": "RGB" if color else "MONOCHROME2",
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        "NumberOfFrames": len(pixels) if pixels.ndim > 2 + color else None,
    }
    if color:
        values["PlanarConfiguration"] = 0
    ds = dataset(**(values | attributes))
    data = pixels.tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    ds["PixelData"].VR = "OW" if bits > 8 else "OB"
    return ds


def ramp(rows: int = 4, columns: int = 64, dtype: str = "u1") -> NDArray[Any]:
    """Pixels that count from 0."""
    return np.arange(rows * columns).reshape(rows, columns).astype(dtype)


IDENTITY = {"WindowCenter": 128, "WindowWidth": 256}
"""The window that shows bytes as they are."""


def opened(answer: TestResponse, media_type: str = "image/png") -> Image.Image:
    """The picture of an answer."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == media_type
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    picture = Image.open(BytesIO(answer.data))
    picture.load()
    return picture


def shades(answer: TestResponse) -> NDArray[Any]:
    """The pixels of a PNG."""
    return np.asarray(opened(answer))


def drawn(
    file: memoryview, media_type: str = PNG, frame: int | None = 1, **query: str
) -> bytes | None:
    """The picture of a Part 10 file; None if it has no frames.

    :param frame: None for a cine if the media type has any.
    """
    found = read_part10(file)
    if found.frames is None:
        return None
    blobs = MemoryStore(Path("unused"))
    blobs.put("a/b", [file])
    image = StoredImage(
        blobs, "a/b", found.transfer_syntax_uid, found, found.frames, most_bytes=10**8
    )
    number = min(frame or 1, found.frames.count)
    cine = frame is None and media_type == GIF
    numbers = range(1, found.frames.count + 1) if cine else [number]
    asked = parameters(query.items(), thumbnail=frame == 2 and "viewport" not in query)
    return draw(image, numbers, media_type, asked)
