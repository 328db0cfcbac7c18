"""Make the three sample files beside this script: a study of two series, with nobody's data in it.

``python docs/samples/make.py`` writes the same bytes each time.
"""

from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, SecondaryCaptureImageStorage

SIZE = 64
"""Rows and columns."""
ROW, COLUMN = np.mgrid[0:SIZE, 0:SIZE] - (SIZE - 1) / 2
SHAPES = {
    "blue-circle": (1, 1, (40, 90, 220), np.hypot(ROW, COLUMN) < 24),
    "red-triangle": (1, 2, (220, 50, 40), (np.abs(COLUMN) < (ROW + 24) / 2) & (ROW < 24)),
    "green-square": (2, 1, (30, 160, 70), np.maximum(np.abs(ROW), np.abs(COLUMN)) < 22),
}
"""Number of the series, number in it, colour, and where the shape is."""

COMMON = {
    "SOPClassUID": SecondaryCaptureImageStorage,
    "StudyDate": "20240131",
    "StudyTime": "101112",
    "StudyID": "1",
    "StudyDescription": "Shapes",
    "AccessionNumber": "SHAPES-1",
    "ReferringPhysicianName": "",
    "PatientName": "Sample^Shapes",
    "PatientID": "SAMPLE-1",
    "PatientBirthDate": "",
    "PatientSex": "",
    "Modality": "OT",
    "ConversionType": "SYN",
    "PatientOrientation": "",
    "Rows": SIZE,
    "Columns": SIZE,
    "SamplesPerPixel": 3,
    "PhotometricInterpretation": "RGB",
    "PlanarConfiguration": 0,
    "BitsAllocated": 8,
    "BitsStored": 8,
    "HighBit": 7,
    "PixelRepresentation": 0,
}


def uid(name: str) -> UID:
    """A UID derived from a name (PS3.5 B.2)."""
    return UID(f"2.25.{uuid5(NAMESPACE_URL, f'gantry/samples/{name}').int}")


def sample(name: str) -> Dataset:
    """A Secondary Capture image of a shape."""
    series, number, colour, inside = SHAPES[name]
    ds = Dataset()
    for keyword, value in COMMON.items():
        setattr(ds, keyword, value)
    ds.StudyInstanceUID = uid("study")
    ds.SeriesInstanceUID, ds.SeriesNumber = uid(f"series {series}"), series
    ds.SOPInstanceUID, ds.InstanceNumber = uid(name), number
    ds.PixelData = np.where(inside[..., None], colour, 255).astype(np.uint8).tobytes()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.ImplementationClassUID = uid("make.py")
    ds.file_meta.ImplementationVersionName = "GANTRY_SAMPLES"
    return ds


if __name__ == "__main__":
    for shape in SHAPES:
        sample(shape).save_as(Path(__file__).with_name(f"{shape}.dcm"), enforce_file_format=True)
