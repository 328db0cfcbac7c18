"""Rendered by DCMTK too: shades differ by rounding alone (DCMTK cuts off where we round).

Tolerances are mean and greatest absolute difference of shades out of 255. Where DCMTK has no
decoder (JPEG 2000, JPEG-LS), pydicom decompresses the file for it.
"""

import subprocess
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import (
    CTImageStorage,
    XRayAngiographicImageStorage,
    XRayRadiofluoroscopicImageStorage,
)

from dicomweb.header import Header
from dicomweb.imaging.pixels import ImagePixels
from dicomweb.items import Item
from dicomweb.part10 import NotReadable, read_part10
from tests.datasets import encoded
from tests.dicomweb.imaging.images import color, mono, samples_of
from tests.dicomweb.imaging.made import native, stored
from tests.dicomweb.part10.encoded import TEST_FILES
from tests.dicomweb.wado.rendered.images import drawn, image

TOLERANCES = {
    # Chrominance is filled in by another filter.
    "SC_ybr_full_422_uncompressed.dcm": (1.0, 2),
}
NOT_COMPARED = {
    "GDCMJ2K_TextGBR.dcm": "pydicom cannot decompress it",
    "JPEG2000-embedded-sequence-delimiter.dcm": "its frame is damaged: NotDecodable",
    "J2K_pixelrep_mismatch.dcm": "pydicom cannot decompress it",
    "SC_rgb_jpeg.dcm": "DCMTK cannot read it",
    "rtdose_expb.dcm": "DCMTK swaps 16-bit words of 32-bit pixels",
    "rtdose_expb_1frame.dcm": "DCMTK swaps 16-bit words of 32-bit pixels",
}
WINDOWED, WITH_LUT = 0x00281050, 0x00283010


def files() -> list[Path]:
    """pydicom's files that have pixels, without the many alike."""
    found = []
    for path in sorted((TEST_FILES / "test_files").glob("*.dcm")):
        try:
            file = read_part10(memoryview(path.read_bytes()))
        except NotReadable:
            continue
        if file.frames and path.name not in NOT_COMPARED:
            found.append(path)
    return found


def voi_option(header: Header) -> list[str]:
    """What makes DCMTK take the same VOI transformation."""
    top = Item.top(header)
    if top.item(WITH_LUT):
        return ["+Wl", "1"]
    return ["+Wi", "1"] if top.numbers(WINDOWED, 1) else ["+Wm"]


def reference(file: Path, scratch: Path, *options: str) -> NDArray[np.uint8]:
    """The picture that DCMTK makes of the first frame."""
    picture = scratch / "reference.png"
    command = ["dcmj2pnm", "+on", "-O", *options, file, picture]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if not picture.exists():
        ds = pydicom.dcmread(file)
        ds.decompress(as_rgb=True)
        ds.save_as(scratch / "decompressed.dcm")
        command[-2] = scratch / "decompressed.dcm"
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert picture.exists(), run.stderr
    with Image.open(picture) as found:
        return np.asarray(found)


def assert_alike(
    file: bytes, expected: NDArray[np.uint8], mean: float, greatest: int, **query: str
) -> None:
    content = drawn(memoryview(file), **query)
    assert content is not None
    with Image.open(BytesIO(content)) as picture:
        shown = np.asarray(picture.convert("L" if expected.ndim == 2 else "RGB"), int)
    assert shown.shape == expected.shape
    difference = np.abs(shown - expected)
    assert difference.mean() <= mean
    assert difference.max() <= greatest


@pytest.mark.parametrize("file", files(), ids=lambda file: file.name)
def test_pydicoms_files_look_as_dcmtk_shows_them(file, tmp_path):
    content = file.read_bytes()
    options = voi_option(read_part10(memoryview(content)))
    mean, greatest = TOLERANCES.get(file.name, (1.0, 1))
    assert_alike(content, reference(file, tmp_path, *options), mean, greatest)


KINDS = {
    "8 bits": mono(8, 8),
    "8 bits signed": mono(8, 8, signed=True),
    "10 bits": mono(16, 10),
    "12 bits": mono(16, 12),
    "12 bits signed": mono(16, 12, signed=True),
    "12 of 16 bits above 4": replace(mono(16, 12), high_bit=15),
    "16 bits": mono(16, 16),
    "16 bits signed": mono(16, 16, signed=True),
    "MONOCHROME1": mono(16, 12, photometric_interpretation="MONOCHROME1"),
}
VOI = {
    "narrow window": {"WindowCenter": 100, "WindowWidth": 50},
    "wide window": {"WindowCenter": 40, "WindowWidth": 70000},
    "window of 1": {"WindowCenter": 100, "WindowWidth": 1},
    "sigmoid": {"WindowCenter": 100, "WindowWidth": 400, "VOILUTFunction": "SIGMOID"},
    "nothing": {},
}
# DCMTK cuts off fractions of what the rescale gives; so there are none.
MODALITY = {
    "no rescale": {},
    "rescale": {"RescaleSlope": "2", "RescaleIntercept": "-1024"},
    "falling": {"RescaleSlope": "-1", "RescaleIntercept": "900"},
}


def file_of(pixels: ImagePixels, **attributes) -> bytes:
    """A file with all values that fit into these pixels."""
    return stored(samples_of(pixels), pixels, native(samples_of(pixels), pixels), **attributes)


@pytest.mark.parametrize("modality", MODALITY.values(), ids=MODALITY)
@pytest.mark.parametrize("voi", VOI.values(), ids=VOI)
@pytest.mark.parametrize("pixels", KINDS.values(), ids=KINDS)
def test_monochrome_pixels_look_as_dcmtk_shows_them(pixels, voi, modality, tmp_path):
    content = file_of(pixels, **voi, **modality)
    file = tmp_path / "file.dcm"
    file.write_bytes(content)
    options = voi_option(read_part10(memoryview(content)))
    assert_alike(content, reference(file, tmp_path, *options), 1.0, 1)


@pytest.mark.parametrize("voi", VOI.values(), ids=VOI)
def test_pixels_of_32_bits_look_as_dcmtk_shows_them(voi, tmp_path):
    """Without a rescale: DCMTK's overflows."""
    test_monochrome_pixels_look_as_dcmtk_shows_them(mono(32, 32), voi, {}, tmp_path)


@pytest.mark.parametrize("function", ["linear", "sigmoid"])
@pytest.mark.parametrize(("center", "width"), [(0, 100), (-500.5, 1500), (1000, 1), (10, 3)])
def test_windows_asked_for_look_as_dcmtk_shows_them(function, center, width, tmp_path):
    content = file_of(mono(16, 16, signed=True))
    file = tmp_path / "file.dcm"
    file.write_bytes(content)
    options = ["+Ww", str(center), str(width), f"+Wf{function[0]}"]
    expected = reference(file, tmp_path, *options)
    assert_alike(content, expected, 1.0, 1, window=f"{center},{width},{function}")


@pytest.mark.parametrize("interpretation", ["RGB", "YBR_FULL"])
@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("dtype", ["u1", "<u2"])
def test_colors_look_as_dcmtk_shows_them(interpretation, planar, dtype, tmp_path):
    samples = samples_of(color(bits=8 * np.dtype(dtype).itemsize)).astype(dtype)
    ds = image(
        samples, color=True, PhotometricInterpretation=interpretation, PlanarConfiguration=planar
    )
    if planar:
        ds.PixelData = np.moveaxis(samples, -1, 0).tobytes()
    file = tmp_path / "file.dcm"
    file.write_bytes(encoded(ds))
    greatest = 2 if dtype == "u1" else 3  # chrominance of 8 bits is enough for us
    assert_alike(file.read_bytes(), reference(file, tmp_path), 1.0, greatest)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("entries", [256, 100])
def test_palettes_look_as_dcmtk_shows_them(bits, entries, tmp_path):
    pixels = mono(8, 8, photometric_interpretation="PALETTE COLOR")
    random = np.random.default_rng(1)
    attributes = {}
    for name in ("Red", "Green", "Blue"):
        keyword = f"{name}PaletteColorLookupTable"
        attributes[f"{keyword}Descriptor"] = [entries, 20, bits]
        data = random.integers(0, 2**bits, entries, f"<u{bits // 8}")
        attributes[f"{keyword}Data"] = data.tobytes()
    content = file_of(pixels, **attributes)
    file = tmp_path / "file.dcm"
    file.write_bytes(content)
    assert_alike(content, reference(file, tmp_path), 1.0, 1)


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("sequence", ["ModalityLUTSequence", "VOILUTSequence"])
@pytest.mark.parametrize(
    "sop_class", [CTImageStorage, XRayAngiographicImageStorage, XRayRadiofluoroscopicImageStorage]
)
def test_lookup_tables_look_as_dcmtk_shows_them(bits, sequence, sop_class, tmp_path):
    table = Dataset()
    table.LUTDescriptor = [3000, 500, bits]
    data = np.minimum(np.arange(3000) ** 2 // 2000, 2**bits - 1)
    table.add_new("LUTData", "OW", data.astype("<u2").tobytes())
    if sequence == "ModalityLUTSequence":
        table.ModalityLUTType = "US"
    content = file_of(mono(16, 12), SOPClassUID=sop_class, **{sequence: [table]})
    file = tmp_path / "file.dcm"
    file.write_bytes(content)
    options = voi_option(read_part10(memoryview(content)))
    assert_alike(content, reference(file, tmp_path, *options), 1.0, 1)
