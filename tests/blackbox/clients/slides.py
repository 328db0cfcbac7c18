"""Whole-slide images as a scanner writes them: tiles in JPEG, and what viewers need to know."""

from io import BytesIO

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    VLWholeSlideMicroscopyImageStorage,
    generate_uid,
)

from tests.datasets import dataset

TILE = 64
"""Rows and columns of a tile."""


def slide(columns: int = 4, rows: int = 3, *, compressed: bool = True, **attributes) -> Dataset:
    """A level of a slide with so many columns and rows of tiles (PS3.3 C.8.12.4)."""
    syntax = JPEGBaseline8Bit if compressed else ExplicitVRLittleEndian
    ds = dataset(
        syntax,
        **{
            "SOPClassUID": VLWholeSlideMicroscopyImageStorage,
            "Modality": "SM",
            "ImageType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"],
            "FrameOfReferenceUID": generate_uid(),
            "ContainerIdentifier": "S1",
            "DimensionOrganizationType": "TILED_FULL",
            "NumberOfFrames": columns * rows,
            "Rows": TILE,
            "Columns": TILE,
            "TotalPixelMatrixColumns": columns * TILE,
            "TotalPixelMatrixRows": rows * TILE,
            "TotalPixelMatrixFocalPlanes": 1,
            "NumberOfOpticalPaths": 1,
            "SamplesPerPixel": 3,
            "PhotometricInterpretation": "YBR_FULL_422" if compressed else "RGB",
            "PlanarConfiguration": 0,
            "BitsAllocated": 8,
            "BitsStored": 8,
            "HighBit": 7,
            "PixelRepresentation": 0,
            "BurnedInAnnotation": "NO",
            "LossyImageCompression": "01" if compressed else "00",
            "ImagedVolumeWidth": columns * TILE * 0.0005,
            "ImagedVolumeHeight": rows * TILE * 0.0005,
            "ImagedVolumeDepth": 0.001,
            "ImageOrientationSlide": [0, -1, 0, -1, 0, 0],
        }
        | attributes,
    )
    ds.TotalPixelMatrixOriginSequence = [
        _item(XOffsetInSlideCoordinateSystem=20, YOffsetInSlideCoordinateSystem=40)
    ]
    ds.OpticalPathSequence = [_item(OpticalPathIdentifier="1", ICCProfile=bytes(2000))]
    ds.SharedFunctionalGroupsSequence = [
        _item(PixelMeasuresSequence=[_item(PixelSpacing=[0.0005, 0.0005], SliceThickness=0.001)])
    ]
    tiles = [tile(number, compressed=compressed) for number in range(1, columns * rows + 1)]
    ds.PixelData = encapsulate(tiles) if compressed else b"".join(tiles)
    ds["PixelData"].VR = "OB"
    return ds


def tile(number: int, *, compressed: bool = True) -> bytes:
    """The frame of that number; tiles differ from one another."""
    down, across = np.mgrid[:TILE, :TILE]
    pixels = np.stack([down * 3, across * 3, np.full_like(down, number % 256)], -1).astype("u1")
    if not compressed:
        return pixels.tobytes()
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90, subsampling="4:2:2")
    return buffer.getvalue()


def _item(**attributes) -> Dataset:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item
