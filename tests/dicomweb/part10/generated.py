"""Data sets made for the purpose, in every encoding."""

import zlib

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.dicomweb.part10.encoded import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    file_meta,
    part10,
    written,
)

SYNTAXES = {
    "implicit": IMPLICIT,
    "explicit": EXPLICIT,
    "big-endian": BIG_ENDIAN,
    "deflated": DEFLATED,
}


def every_vr() -> Dataset:  # noqa: PLR0915 - a list of values
    """At least one element of each VR, with one and with several values."""
    ds = Dataset()
    ds.RetrieveAETitle = ["ONE", "TWO"]  # AE
    ds.PatientAge = "074Y"  # AS
    ds.DimensionIndexPointer = 0x00181063  # AT
    ds.FrameIncrementPointer = [0x00100010, 0x7FE00010]
    ds.Modality = "CT"  # CS
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.StudyDate = "20240131"  # DA
    ds.DateOfSecondaryCapture = "20240131"
    ds.SliceThickness = "0.625"  # DS
    ds.ImagePositionPatient = ["-189.62890625", "+1.", ".5E-3"]
    ds.AcquisitionDateTime = "20240131101112.123456+0100"  # DT
    ds.SpiralPitchFactor = 0.984375  # FD
    ds.DiffusionGradientOrientation = [0.1, -1e300, 5e-324]
    ds.RecommendedDisplayFrameRateInFloat = 0.1  # FL
    ds.TableOfParameterValues = [1.5, -2.5, 3.4e38]
    ds.InstanceNumber = "-7"  # IS
    ds.ReferencedFrameNumber = ["1", "+2", "003"]
    ds.Manufacturer = "A maker"  # LO
    ds.PatientComments = "no \\ value ends here\r\nsecond line  "  # LT
    ds.PatientName = "Doe^Jane^^Dr="  # PN
    ds.OtherPatientNames = ["A^B", "=C"]
    ds.AccessionNumber = "A 1"  # SH
    ds.ReferencePixelX0 = -2147483648  # SL
    ds.add_new(0x60000050, "SS", [1, -32768])
    ds.InstitutionAddress = "1 \\ Street"  # ST
    ds.add_new(0x00720083, "UV", [1, 2**53 - 1])  # UV
    ds.add_new(0x00720082, "SV", [-1, 1 - 2**53])  # SV
    ds.StudyTime = "101112.5"  # TM
    ds.LongCodeValue = "an unlimited value"  # UC
    ds.SOPInstanceUID = "1.2.3"  # UI
    ds.SOPClassesSupported = ["1.2.3.4", "1.2.3"]
    ds.SimpleFrameList = [1, 2**32 - 1]  # UL
    ds.RetrieveURL = "http://example.org/a\\b"  # UR
    ds.Rows = 65535  # US
    ds.LabelText = "text " * 300  # UT
    ds.ICCProfile = bytes(300)  # OB
    ds.add_new(0x00720073, "OD", bytes(16))
    ds.add_new(0x00720067, "OF", bytes(2000))
    ds.TrackPointIndexList = bytes(8)  # OL
    ds.add_new(0x00720081, "OV", bytes(8))
    ds.RedPaletteColorLookupTableData = bytes(512)  # OW
    ds.add_new(0x00090010, "LO", "NOBODY KNOWS")
    ds.add_new(0x00091001, "UN", b"\1\2")
    return ds


def nested(depth: int) -> Dataset:
    ds = Dataset()
    ds.ContentDate = f"202401{depth:02}"
    ds.ConceptCodeSequence = Sequence([Dataset(), Dataset()])
    ds.ConceptCodeSequence[0].CodeValue = "first"
    if depth:
        ds.ContentSequence = Sequence([nested(depth - 1), Dataset(), nested(0)])
        ds.add_new(0x00420011, "OB", bytes(1026))  # cut out, at every depth
        ds.ReferencedSOPSequence = Sequence([])
    return ds


def with_lengths(ds: Dataset, *, defined: bool) -> Dataset:
    for element in ds.iterall():
        if element.VR == "SQ":
            element.is_undefined_length = not defined
            for item in element.value:
                item.is_undefined_length_sequence_item = not defined
    return ds


def file_of(ds: Dataset, syntax: str) -> memoryview:
    if syntax != DEFLATED:
        return written(ds, syntax)
    data_set = bytes(written(ds))[len(file_meta()) :]
    deflater = zlib.compressobj(wbits=-15)
    return part10(deflater.compress(data_set) + deflater.flush(), DEFLATED)
