"""DICOM instances made for a test: each asks for what it is about, the rest is filled in."""

from io import BytesIO
from typing import Any

from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

IMPLEMENTATION_CLASS_UID = "1.2.826.0.1.3680043.8.498.1"


def dataset(transfer_syntax_uid: str = ExplicitVRLittleEndian, **attributes: Any) -> Dataset:
    """A small CT instance with fresh UIDs; ``None`` as a value leaves the attribute out."""
    ds = Dataset()
    values: dict[str, Any] = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": generate_uid(),
        "StudyDate": "20240131",
        "StudyTime": "101112",
        "AccessionNumber": "A1",
        "Modality": "CT",
        "ReferringPhysicianName": "Ref^Erring",
        "StudyDescription": "Chest",
        "PatientName": "Doe^Jane",
        "PatientID": "P1",
        "PatientBirthDate": "19700101",
        "PatientSex": "O",
        "StudyInstanceUID": generate_uid(),
        "SeriesInstanceUID": generate_uid(),
        "StudyID": "1",
        "SeriesNumber": 1,
        "InstanceNumber": 1,
    }
    with disable_value_validation():
        for keyword, value in (values | attributes).items():
            if value is not None:
                setattr(ds, keyword, value)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = transfer_syntax_uid
    return ds


def with_pixels(ds: Dataset, rows: int = 4, columns: int = 6, frames: int = 1) -> Dataset:
    """The data set with 16-bit pixels that differ from frame to frame."""
    ds.Rows, ds.Columns, ds.SamplesPerPixel = rows, columns, 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    if frames > 1:
        ds.NumberOfFrames = frames
    size = rows * columns * 2
    ds.PixelData = b"".join(bytes([number]) * size for number in range(1, frames + 1))
    return ds


def encoded(ds: Dataset, preamble: bytes = bytes(128)) -> bytes:
    """The data set as a Part 10 file."""
    ds.file_meta.MediaStorageSOPClassUID = ds.get("SOPClassUID") or CTImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.get("SOPInstanceUID") or "1.2.3"
    ds.file_meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    ds.preamble = preamble
    buffer = BytesIO()
    with disable_value_validation():
        dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def part10(**attributes: Any) -> bytes:
    """A small instance with these attributes as a Part 10 file."""
    return encoded(dataset(**attributes))
