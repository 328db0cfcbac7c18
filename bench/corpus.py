"""The images that the benchmark stores: made once, by pydicom, the same on every machine.

Each is a template, a complete Part 10 file whose UIDs have a fixed length and known places, so that
any number of different instances come from overwriting digits. Headers carry what a scanner writes:
some 130 elements with sequences and private ones, valid for their VRs, so that nothing is refused
or warned about.

``python -m bench.corpus FOLDER`` writes one instance of each, to look at with other tools.
"""

import random
import sys
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom import Dataset, config, dcmread, dcmwrite
from pydicom.data import get_testdata_file
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames
from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    MRImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    RLELossless,
    VLWholeSlideMicroscopyImageStorage,
)

from bench.headers import CT, EQUIPMENT, MR, PRIVATE, STUDY, TRUE_COLOR

DIGITS = 18
INSTANCES_PER_STUDY = 100
INSTANCES_PER_SERIES = 25
PREAMBLE_BYTES = 128

# UIDs end in an arc for their kind and a component of a 9 (no leading zero) and 18 digits.
_ROOT = "1.2.826.0.1.3680043.8.498"
_ARCS = {"study": 1, "series": 2, "instance": 3, "frame of reference": 4}
_PLACEHOLDERS = {kind: str(arc) * DIGITS for kind, arc in _ARCS.items()}


def uid(kind: str, number: int) -> str:
    """Return the UID of that study, series or instance: always 47 characters."""
    return f"{_ROOT}.{_ARCS[kind]}.9{number:0{DIGITS}}"


@dataclass(frozen=True)
class Patch:
    """Where digits stand in a template, and how they follow from an instance's serial number."""

    offset: int
    divisor: int


@dataclass(frozen=True)
class Template:
    """A Part 10 file with places for UIDs (and PatientID, which has the study's number)."""

    part10: bytes
    patches: tuple[Patch, ...]
    per_series: int
    first_frame: bytes

    def instance(self, serial: int) -> bytes:
        """Return the file of the instance with that serial number."""
        part10 = bytearray(self.part10)
        for patch in self.patches:
            digits = b"%018d" % (serial // patch.divisor)
            part10[patch.offset : patch.offset + DIGITS] = digits
        return bytes(part10)

    def study_uid(self, serial: int) -> str:
        """Return the Study Instance UID of that instance."""
        return uid("study", serial // INSTANCES_PER_STUDY)

    def series_uid(self, serial: int) -> str:
        """Return the Series Instance UID of that instance."""
        return uid("series", serial // self.per_series)

    def patient_id(self, serial: int) -> str:
        """Return the PatientID of that instance."""
        return f"{serial // INSTANCES_PER_STUDY:0{DIGITS}}"

    def path(self, serial: int) -> str:
        """Return the path of that instance below the service's version."""
        study, series = self.study_uid(serial), self.series_uid(serial)
        return f"studies/{study}/series/{series}/instances/{uid('instance', serial)}"


def _dataset(values: Mapping[str, Any]) -> Dataset:
    """Make a data set of keywords and values; a list of mappings is a sequence."""
    ds = Dataset()
    for keyword, value in values.items():
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            setattr(ds, keyword, [_dataset(item) for item in value])
        else:
            setattr(ds, keyword, value)
    return ds


def _add_private(ds: Dataset) -> None:
    for (group, creator), elements in PRIVATE.items():
        block = ds.private_block(group, creator, create=True)
        for offset, (vr, value) in elements.items():
            block.add_new(offset, vr, value)


def _add_uids(ds: Dataset) -> None:
    ds.StudyInstanceUID = uid("study", int(_PLACEHOLDERS["study"]))
    ds.SeriesInstanceUID = uid("series", int(_PLACEHOLDERS["series"]))
    ds.SOPInstanceUID = uid("instance", int(_PLACEHOLDERS["instance"]))
    ds.FrameOfReferenceUID = uid("frame of reference", int(_PLACEHOLDERS["frame of reference"]))
    ds.PatientID = _PLACEHOLDERS["study"]


def _template(ds: Dataset, syntax: str, first_frame: bytes, per_series: int) -> Template:
    _add_uids(ds)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    file = BytesIO()
    dcmwrite(file, ds, enforce_file_format=True)
    part10 = file.getvalue()
    divisors = {
        "study": INSTANCES_PER_STUDY,
        "series": per_series,
        "instance": 1,
        "frame of reference": per_series,
    }
    patches = tuple(
        Patch(offset, divisors[kind])
        for kind, digits in _PLACEHOLDERS.items()
        for offset in _places(part10[: len(part10) - len(ds.PixelData)], digits.encode())
    )
    return Template(part10, patches, per_series, first_frame)


def _places(haystack: bytes, needle: bytes) -> Iterator[int]:
    at = haystack.find(needle)
    while at >= 0:
        yield at
        at = haystack.find(needle, at + 1)


def _image(rows: int, columns: int, frames: int = 1) -> bytes:
    """Return 12-bit samples in 16: a round body with noise, in air."""
    noise = random.Random(rows * columns + frames)  # deterministic on purpose
    pixels = array("H", bytes(2 * rows * columns * frames))
    for frame in range(frames):
        for row in range(rows):
            half_width = columns * (0.25 - (row / rows - 0.5) ** 2) ** 0.5 * 0.9
            left, right = int(columns / 2 - half_width), int(columns / 2 + half_width)
            start = (frame * rows + row) * columns
            grains = noise.randbytes(right - left)
            pixels[start + left : start + right] = array("H", [1024 + frame + g for g in grains])
    if sys.byteorder == "big":
        pixels.byteswap()
    return pixels.tobytes()


def _single(
    sop_class: str, values: Mapping[str, Any], rows: int, date: str, per_series: int
) -> Template:
    ds = _dataset({**STUDY, **EQUIPMENT, **values, "SOPClassUID": sop_class})
    for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"):
        setattr(ds, keyword, date)
    _add_private(ds)
    ds.Rows = ds.Columns = rows
    ds.PixelData = pixels = _image(rows, rows)
    return _template(ds, ExplicitVRLittleEndian, pixels, per_series)


def _multi_frame(
    sop_class: str, values: Mapping[str, Any], frames: int, rows: int, columns: int
) -> Dataset:
    ds = _dataset({**STUDY, **EQUIPMENT, **values, "SOPClassUID": sop_class})
    _add_private(ds)
    ds.NumberOfFrames, ds.Rows, ds.Columns = frames, rows, columns
    return ds


def _enhanced_ct() -> Template:
    frames, rows = 50, 128
    ds = _multi_frame(EnhancedCTImageStorage, CT, frames, rows, rows)
    ds.PerFrameFunctionalGroupsSequence = [
        _dataset(
            {
                "FrameContentSequence": [{"StackID": "1", "InStackPositionNumber": i + 1}],
                "PlanePositionSequence": [{"ImagePositionPatient": [-250.0, -250.0, 2.0 * i]}],
                "FrameVOILUTSequence": [{"WindowCenter": "40", "WindowWidth": "400"}],
            }
        )
        for i in range(frames)
    ]
    ds.PixelData = pixels = _image(rows, rows, frames)
    return _template(ds, ExplicitVRLittleEndian, pixels[: rows * rows * 2], INSTANCES_PER_SERIES)


def _stored_frame(name: str) -> tuple[Dataset, bytes]:
    """Return one of pydicom's test files and its first encapsulated frame."""
    path = get_testdata_file(name, download=False)
    if not isinstance(path, str):
        raise FileNotFoundError(name)
    ds = dcmread(path)
    return ds, next(generate_frames(ds.PixelData, number_of_frames=1))


def _rle() -> Template:
    source, frame = _stored_frame("MR_small_RLE.dcm")
    sop_class = MultiFrameGrayscaleWordSecondaryCaptureImageStorage
    ds = _multi_frame(sop_class, MR, 50, source.Rows, source.Columns)
    ds.PixelData = encapsulate([frame] * 50)
    return _template(ds, RLELossless, frame, INSTANCES_PER_SERIES)


def _jpeg(sop_class: str, frames: int, table: str) -> Template:
    """Make a colour multi-frame image whose frames are found by the table of that name."""
    source, frame = _stored_frame("SC_rgb_jpeg_dcmtk.dcm")
    ds = _multi_frame(sop_class, TRUE_COLOR, frames, source.Rows, source.Columns)
    if table == "extended":
        ds.PixelData, offsets, lengths = encapsulate_extended([frame] * frames)
        ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = offsets, lengths
    else:
        ds.PixelData = encapsulate([frame] * frames, has_bot=table == "basic")
    return _template(ds, JPEGBaseline8Bit, frame, INSTANCES_PER_SERIES)


def ct(date: str = "20240115", per_series: int = INSTANCES_PER_SERIES) -> Template:
    """Make a CT of 512 x 512 x 16 bit: 529 KB."""
    return _single(CTImageStorage, CT, 512, date, per_series)


def small(per_series: int = INSTANCES_PER_SERIES) -> Template:
    """Make the same CT with 128 x 128 pixels: 37 KB, and a header as large."""
    return _single(CTImageStorage, CT, 128, "20240115", per_series)


def mr() -> Template:
    """Make an MR of 256 x 256 x 16 bit: 135 KB."""
    return _single(MRImageStorage, MR, 256, "20240115", INSTANCES_PER_SERIES)


_slide = partial(_jpeg, VLWholeSlideMicroscopyImageStorage, 1000)
# By name, what makes each: the images of many frames, and the whole corpus.
MULTI_FRAME: Mapping[str, Callable[[], Template]] = {
    "native-frames": _enhanced_ct,
    "rle-frames": _rle,
    "jpeg-frames": partial(_jpeg, MultiFrameTrueColorSecondaryCaptureImageStorage, 50, "basic"),
    "slide-extended-offsets": partial(_slide, "extended"),
    "slide-no-offsets": partial(_slide, "none"),
}
TEMPLATES: Mapping[str, Callable[[], Template]] = {
    "ct": ct,
    "mr": mr,
    "small": small,
    **MULTI_FRAME,
}


def main(folder: Path) -> None:
    """Write one instance of each template into the folder."""
    config.settings.writing_validation_mode = config.RAISE
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in TEMPLATES.items():
        part10 = make().instance(10**17)
        elements = sum(1 for _ in dcmread(BytesIO(part10)).iterall())
        (folder / f"{name}.dcm").write_bytes(part10)
        print(f"{name}.dcm: {len(part10):,} bytes, {elements} elements")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
