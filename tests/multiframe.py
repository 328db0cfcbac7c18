"""Files of very many frames, put together from bytes: pydicom would take seconds for each."""

from struct import pack

from pydicom.dataset import Dataset

from tests.datasets import dataset, encoded
from tests.dicomweb.part10.encoded import encapsulated, explicit, item, sequence

JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
WHOLE_SLIDE_IMAGE = "1.2.840.10008.5.1.4.1.1.77.1.6"
ENHANCED_CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2.1"


def text(tag: int, vr: str, value: str) -> bytes:
    """An element of text, padded to an even length."""
    padded = value.encode() + (b"\0" if vr == "UI" else b" ") * (len(value) % 2)
    return explicit(tag, vr, padded)


def image(ds: Dataset, frames: int, groups: bytes, pixel_data: bytes) -> bytes:
    """The data set as a file, with these functional groups and pixels."""
    ds.NumberOfFrames = frames
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 0
    return encoded(ds) + groups + pixel_data


def slide(frames: int, *, sparse: bool, frame_bytes: int = 64) -> tuple[Dataset, bytes]:
    """A whole-slide image in JPEG; a sparse one says of each tile where it is (PS3.3 C.7.6.17)."""
    ds = dataset(JPEG_BASELINE, SOPClassUID=WHOLE_SLIDE_IMAGE, Modality="SM")
    ds.DimensionOrganizationType = "TILED_SPARSE" if sparse else "TILED_FULL"
    ds.Rows = ds.Columns = 256
    ds.TotalPixelMatrixColumns = ds.TotalPixelMatrixRows = 256 * 100
    groups = sequence(0x52009230, *map(_tile, range(frames))) if sparse else b""
    return ds, image(ds, frames, groups, encapsulated(*_contents(frames, frame_bytes)))


def enhanced_ct(frames: int, rows: int = 16) -> tuple[Dataset, bytes]:
    """An enhanced CT image with functional groups for each frame (PS3.3 A.38)."""
    ds = dataset(SOPClassUID=ENHANCED_CT_IMAGE)
    ds.Rows = ds.Columns = rows
    contents = _contents(frames, 2 * rows * rows)
    pixels = explicit(0x7FE00010, "OW", b"".join(contents))
    return ds, image(ds, frames, sequence(0x52009230, *map(_slice, range(frames))), pixels)


def frame_content(number: int, length: int) -> bytes:
    """What a frame consists of; frames differ from one another.

    :param number: 1 and up.
    """
    return (pack("<I", number) * (length // 4 + 1))[:length]


def _contents(frames: int, length: int) -> list[bytes]:
    return [frame_content(number, length) for number in range(1, frames + 1)]


def _tile(index: int) -> bytes:
    column, row = 1 + index % 100 * 256, 1 + index // 100 * 256
    return item(
        sequence(
            0x00209111,
            item(explicit(0x00209157, "UL", pack("<II", 1 + index % 100, 1 + index // 100))),
        )
        + sequence(
            0x0048021A,
            item(
                text(0x0040072A, "DS", f"{20.5 - column * 0.000253:.6f}")
                + text(0x0040073A, "DS", f"{40.25 - row * 0.000253:.6f}")
                + text(0x0040074A, "DS", "0.0")
                + explicit(0x0048021E, "SL", pack("<i", column))
                + explicit(0x0048021F, "SL", pack("<i", row))
            ),
        )
    )


def _slice(index: int) -> bytes:
    """Planes are 625 um apart; times, doses and positions differ from frame to frame."""
    groups = {
        0x00209111: text(0x00189151, "DT", f"20240131101112.{index:06d}")
        + explicit(0x00189220, "FD", pack("<d", index * 0.5))
        + explicit(0x00209157, "UL", pack("<II", 1, index + 1)),
        0x00209113: text(0x00200032, "DS", f"-125.5\\-130.25\\{-500 + index * 0.625:.4f}"),
        0x00209116: text(0x00200037, "DS", "1\\0\\0\\0\\1\\0"),
        0x00289110: text(0x00180050, "DS", "0.625") + text(0x00280030, "DS", "0.4882\\0.4882"),
        0x00289132: text(0x00281050, "DS", "40") + text(0x00281051, "DS", "400"),
        0x00289145: text(0x00281052, "DS", "-1024")
        + text(0x00281053, "DS", "1")
        + text(0x00281054, "LO", "HU"),
        0x00189321: explicit(0x00189328, "FD", pack("<d", 2.5 + index)),
        0x00189325: explicit(0x00189330, "FD", pack("<d", 120.0))
        + explicit(0x00189332, "FD", pack("<d", 300.0 + index % 37)),
    }
    return item(b"".join(sequence(tag, item(group)) for tag, group in sorted(groups.items())))
