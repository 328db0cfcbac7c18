"""Files and frames made of samples by other programs than this one, and kinds of pixels."""

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dicomweb.imaging.pixels import ImagePixels
from dicomweb.media import EXPLICIT_VR_LITTLE_ENDIAN
from tests.datasets import dataset, encoded
from tests.dicomweb.imaging.images import color, mono

NATIVE = {
    "1 bit": mono(1, 1),
    "8 bits": mono(8, 8),
    "8 bits signed": mono(8, 8, signed=True),
    "7 of 8 bits signed": mono(8, 7, signed=True),
    "12 of 16 bits": mono(16, 12),
    "12 of 16 bits signed": mono(16, 12, signed=True),
    "12 of 16 bits above 4": replace(mono(16, 12, signed=True), high_bit=15),
    "16 bits": mono(16, 16),
    "16 bits signed": mono(16, 16, signed=True),
    "32 bits": mono(32, 32),
    "24 of 32 bits signed": mono(32, 24, signed=True),
    "64 bits": mono(64, 64),
    "inverted": mono(8, 8, photometric_interpretation="MONOCHROME1"),
    "palette": mono(8, 8, photometric_interpretation="PALETTE COLOR"),
    "RGB": color(),
    "RGB of 16 bits": color(bits=16),
    "RGB by plane": color(planar_configuration=1),
    "YBR_FULL": color("YBR_FULL"),
}
COMPRESSED = {name: NATIVE[name] for name in (
    "8 bits", "8 bits signed", "12 of 16 bits", "12 of 16 bits signed", "16 bits",
    "16 bits signed", "RGB", "RGB of 16 bits", "YBR_FULL",
)}  # fmt: skip


def kinds(table: dict[str, ImagePixels]):
    return pytest.mark.parametrize("pixels", table.values(), ids=table.keys())


def assert_same(found: np.ndarray, expected: np.ndarray) -> None:
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_array_equal(found, expected)


def dcmtk(tmp_path: Path, *command: str, file: bytes) -> bytes:
    """What one of DCMTK's tools makes of a file."""
    given, made = tmp_path / "given.dcm", tmp_path / "made.dcm"
    given.write_bytes(file)
    run = subprocess.run([*command, given, made], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return made.read_bytes()


def stored(
    samples: np.ndarray,
    pixels: ImagePixels,
    value: bytes = b"",
    vr: str = "",
    uid: str = EXPLICIT_VR_LITTLE_ENDIAN,
    **attributes,
) -> bytes:
    """A file with these pixels."""
    planes = pixels.samples_per_pixel
    ds = dataset(
        uid,
        Rows=pixels.rows,
        Columns=pixels.columns,
        SamplesPerPixel=planes,
        PhotometricInterpretation=pixels.photometric_interpretation,
        BitsAllocated=pixels.bits_allocated,
        BitsStored=pixels.bits_stored,
        HighBit=pixels.high_bit,
        PixelRepresentation=int(pixels.signed),
        PlanarConfiguration=pixels.planar_configuration if planes > 1 else None,
        **attributes,
    )
    vr = vr or ("OB" if pixels.bits_allocated <= 8 else "OW")
    ds.add_new(0x7FE00010, vr, value or samples.tobytes())
    return encoded(ds)


def native(samples: np.ndarray, pixels: ImagePixels, order: str = "<") -> bytes:
    """A native frame."""
    if pixels.bits_allocated == 1:
        return np.packbits(samples, bitorder="little").tobytes()
    if pixels.planar_configuration:
        samples = np.moveaxis(samples, -1, 0)
    samples = samples << (pixels.high_bit + 1 - pixels.bits_stored)
    return samples.astype(samples.dtype.newbyteorder(order)).tobytes()
