"""DCMTK's ``dcm2json`` makes the same JSON of the same files; what it makes otherwise is listed."""

import io
import json
import subprocess
from math import isclose
from pathlib import Path
from typing import Any

import pydicom
import pytest

from dicomweb.dicomjson import metadata_json
from dicomweb.part10 import NotReadable, read_part10
from tests.dicomweb.part10.encoded import TEST_FILES, pydicom_files
from tests.dicomweb.part10.generated import SYNTAXES, every_vr, file_of, nested, with_lengths

BULK_VRS = {"OB", "OD", "OF", "OL", "OV", "OW"}
PIXEL_DATA = "7FE00010"

# What DCMTK makes of every file otherwise:
#
# 00080005  It writes ISO_IR 192, the character set of the JSON. Specific Character Set tells that
#           of the stored data set (PS3.18 F.2.2, Note 3).
# PN        It cuts off carets at the end, which say nothing (PS3.5 6.2, PN).
# FL        It writes nine digits, we all of the double: the same number in 32 bits.
# FD        Its last digit is off at times, ours is not: the shortest that is read back the same.
# UN        It shows elements of VR UN, we leave them out; or, if the data dictionary knows the
#           attribute, we show its value as that VR, as pydicom does (PS3.5 6.2.2).

UNREADABLE = {
    # glibc has no converter for the name under which DCMTK asks for ISO 2022 IR 87.
    "charset_files/chrH31.dcm": "Cannot open character encoding",
    "charset_files/chrH32.dcm": "Cannot open character encoding",
    "charset_files/chrJapMulti.dcm": "Cannot open character encoding",
    "charset_files/chrJapMultiExplicitIR6.dcm": "Cannot open character encoding",
    "charset_files/chrSQEncoding1.dcm": "Cannot open character encoding",
    "test_files/J2K_pixelrep_mismatch.dcm": "Cannot open character encoding",
    # Says Explicit VR, but is in Implicit VR, which we and pydicom find out.
    "test_files/SC_rgb_jpeg.dcm": "premature end of stream",
}
"""What DCMTK says of files that it cannot read and we can."""

DIFFERENCES = {
    # Its outermost data set is in ASCII: DCMTK takes the character set of an item for the same.
    "charset_files/chrSQEncoding.dcm": {"00321064/1/00100010"},
}
"""Elements that DCMTK gets wrong, by file."""


def by_dcmtk(file: Path) -> dict[str, Any]:
    """The DICOM JSON of a file, by DCMTK.

    It refuses to write Pixel Data in fragments; they and what comes after them are left out.
    """
    done = subprocess.run(["dcm2json", file], capture_output=True, check=False)
    if b"not supported for compressed pixel data" in done.stderr:
        whole = io.BytesIO(file.read_bytes())
        pydicom.dcmread(whole, stop_before_pixels=True)
        before = file.with_name("before-pixel-data.dcm")
        before.write_bytes(whole.getvalue()[: whole.tell()])
        return by_dcmtk(before)
    if done.returncode:
        raise ValueError(done.stderr.decode("utf-8", "replace"))
    return json.loads(done.stdout.decode("utf-8", "replace"))


def differences(ours: dict[str, Any], theirs: dict[str, Any], path: str = "") -> set[str]:
    """Paths of elements that are not the same but for the rules above."""
    different = set()
    for tag in ours.keys() | theirs.keys():
        one, other = ours.get(tag), theirs.get(tag)
        if tag == "00080005" or (other and other["vr"] == "UN"):
            continue
        if other and other["vr"] in BULK_VRS:
            if one:
                different.add(path + tag)
        elif not one or not other or one["vr"] != other["vr"]:
            different.add(path + tag)
        elif one["vr"] == "SQ":
            items, others = one.get("Value", []), other.get("Value", [])
            for number, pair in enumerate(zip(items, others, strict=True), start=1):
                different |= differences(*pair, f"{path}{tag}/{number}/")
        elif not same(one["vr"], one.get("Value", []), other.get("Value", [])):
            different.add(path + tag)
    return different


def same(vr: str, ours: list[Any], theirs: list[Any]) -> bool:
    match vr:
        case "PN":
            return [named(one) for one in ours] == [named(one) for one in theirs] or not (
                theirs or any(map(named, ours))
            )
        case "FL" | "FD":
            precision = 1e-7 if vr == "FL" else 1e-15
            return len(ours) == len(theirs) and all(
                isclose(one, other, rel_tol=precision)
                for one, other in zip(ours, theirs, strict=True)
            )
        case _:
            return ours == theirs


def named(name: dict[str, str] | None) -> dict[str, str]:
    """The groups of a name that say something."""
    return {group: text.rstrip("^") for group, text in (name or {}).items() if text.rstrip("^")}


def readable() -> list[Path]:
    found = []
    for path in pydicom_files():
        try:
            read_part10(memoryview(path.read_bytes()))
        except NotReadable:
            continue
        found.append(path)
    return found


def name_of(path: Path) -> str:
    return str(path.relative_to(TEST_FILES))


@pytest.mark.parametrize("path", readable(), ids=name_of)
def test_the_json_of_pydicoms_files_is_that_of_dcmtk(path, tmp_path):
    file = tmp_path / "file.dcm"
    file.write_bytes(path.read_bytes())
    if reason := UNREADABLE.get(name_of(path)):
        with pytest.raises(ValueError, match=reason):
            by_dcmtk(file)
        return
    ours = json.loads(metadata_json(read_part10(memoryview(file.read_bytes()))))
    theirs = by_dcmtk(file)
    if PIXEL_DATA not in theirs:
        ours = {tag: element for tag, element in ours.items() if tag < PIXEL_DATA}
    assert differences(ours, theirs) == DIFFERENCES.get(name_of(path), set())


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES.keys())
@pytest.mark.parametrize("defined", [True, False], ids=["defined-lengths", "undefined-lengths"])
@pytest.mark.parametrize("what", ["every-vr", "empty", "nested"])
def test_the_json_of_files_made_for_the_purpose_is_that_of_dcmtk(syntax, defined, what, tmp_path):
    ds = nested(6) if what == "nested" else every_vr()
    if what == "every-vr":
        ds.ImagePositionPatient = ["-189.62890625", "+1.5", ".5E-3"]  # DCMTK writes 1. for +1.
    elif what == "empty":
        for element in ds:
            element.value = None
    made = bytes(file_of(with_lengths(ds, defined=defined), syntax))
    file = tmp_path / "file.dcm"
    file.write_bytes(made)
    ours = json.loads(metadata_json(read_part10(memoryview(made))))
    assert differences(ours, by_dcmtk(file)) == set()


def test_a_difference_is_found(tmp_path):
    file = tmp_path / "file.dcm"
    file.write_bytes(file_of(nested(1), SYNTAXES["explicit"]))
    ours = json.loads(metadata_json(read_part10(memoryview(file.read_bytes()))))
    del ours["0040A168"]["Value"][0]["00080100"]
    ours["00080023"]["Value"] = ["20240131"]
    assert differences(ours, by_dcmtk(file)) == {"0040A168/1/00080100", "00080023"}
