"""What pydicom makes of a file, in the form in which this service shows it.

Every rule here is a difference to ``Dataset.to_json_dict`` that holds for all files; differences of
single files stand beside the test that meets them.
"""

import io
import warnings
from collections.abc import Iterator
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

BULK_VRS = ("OB", "OD", "OF", "OL", "OV", "OW", "UN")


def dataset_of(file: memoryview) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of what it has to guess
        return pydicom.dcmread(io.BytesIO(file))


def metadata_of(file: memoryview) -> dict[str, Any]:
    """The DICOM JSON of a file, by pydicom."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return shown(dataset_of(file).to_json_dict())


def shown(members: dict[str, Any]) -> dict[str, Any]:
    """Without group lengths, bulk VRs, and VRs that stayed ambiguous, which are of words: bulk."""
    return {
        tag: element(str(member["vr"]), member.get("Value"))
        for tag, member in members.items()
        if member["vr"] not in BULK_VRS and len(member["vr"]) == 2 and not tag.endswith("0000")
    }


def element(vr: str, values: list[Any] | None) -> dict[str, Any]:
    """Empty values are null, empty name groups and an empty ``Value`` are not there (PS3.18 F.2.2,
    F.2.5); every value loses trailing blanks, where pydicom strips no value but the last of some
    VRs; trailing NULs, which pydicom strips and we keep, are tested by themselves."""
    if vr == "SQ":
        converted = [shown(item) for item in values or ()]
    elif vr == "PN":
        converted = [name(value) for value in values or ()]
    else:
        converted = [text(value) for value in values or ()]
    return {"vr": vr, "Value": converted} if converted else {"vr": vr}


def name(groups: dict[str, str] | None) -> dict[str, str] | None:
    return {group: text(value) for group, value in (groups or {}).items() if value} or None


def text(value: Any) -> Any:
    return value.rstrip("\0 ") or None if isinstance(value, str) else value


def frames_of(file: memoryview) -> list[bytes]:
    """The frames of a file as stored, by pydicom."""
    dataset = dataset_of(file)
    if "PixelData" not in dataset or "Rows" not in dataset:
        return []
    number = int(dataset.get("NumberOfFrames") or 1)
    pixels = dataset.PixelData
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return list(generate_frames(pixels, number_of_frames=number))
    samples = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel
    if dataset.PhotometricInterpretation == "YBR_FULL_422":
        samples = samples // 3 * 2
    size = -(-samples * dataset.BitsAllocated // 8)
    return [pixels[start : start + size] for start in range(0, number * size, size)]


def bulk_values_of(file: memoryview) -> dict[str, bytes]:
    """Values of bulk VRs that are not empty, as they are stored, by path, by pydicom."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dict(_bulk_values(dataset_of(file)))


def _bulk_values(dataset: Dataset, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    for data_element in dataset[0x00040000:]:  # lower groups are not shown
        path = f"{prefix}{data_element.tag:08X}"
        if data_element.VR == "SQ":
            for number, item in enumerate(data_element.value, start=1):
                yield from _bulk_values(item, f"{path}/{number}/")
        elif data_element.VR in BULK_VRS and data_element.value and not path.endswith("0000"):
            yield path, data_element.value
