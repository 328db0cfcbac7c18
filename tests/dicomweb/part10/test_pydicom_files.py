"""All files that come with pydicom: read as pydicom reads them, or refused for a reason."""

import json
import zlib

import pytest

from dicomweb.dicomjson import element_json, metadata_json
from dicomweb.part10 import Cut, NotReadable, Part10File, decode_header, encode_header, read_part10
from tests.dicomweb.part10.encoded import SEQUENCE_END, TEST_FILES, implicit, pydicom_files
from tests.dicomweb.part10.oracle import bulk_values_of, frames_of, metadata_of, shown

REFUSED = {
    "ExplVR_BigEndNoMeta.dcm": "no DICOM prefix",
    "ExplVR_LitEndNoMeta.dcm": "no DICOM prefix",
    "README": "no DICOM prefix",
    "crayons.icc": "no DICOM prefix",
    "no_meta.dcm": "no DICOM prefix",
    "rtstruct.dcm": "no DICOM prefix",
    "zipMR.gz": "no DICOM prefix",
    # Transfer Syntax UID is of Type 1 in File Meta Information (PS3.10 7.1).
    "meta_missing_tsyntax.dcm": "no valid Transfer Syntax UID",
    # Cut short; the last one was edited so that its lengths are too great.
    "MR_truncated.dcm": "runs past the end",
    "rtplan_truncated.dcm": "runs past the end",
    "DICOMDIR-nooffset": "runs past the end",
}

# Elements of VR UN that pydicom shows because it knows their private creator. In Explicit VR a
# private element keeps the VR it has, and UN is not shown.
KNOWN_PRIVATE = frozenset(
    {"00191010", "00191013", "00191015", "00191060", "00191062", "00191065", "00191070"}
    | {"00191082", "00191093"}
)
DIFFERENCES = {
    "chrJapMulti.dcm": KNOWN_PRIVATE,
    "chrJapMultiExplicitIR6.dcm": KNOWN_PRIVATE,
    "chrKoreanMulti.dcm": KNOWN_PRIVATE,
}
# Numbers that are none ("1A" as IS): pydicom raises, we write a string; see below.
NOT_FOR_PYDICOM = "badVR.dcm"

END_OF_FRAGMENTS = implicit(SEQUENCE_END, b"")

READABLE = [path for path in pydicom_files() if path.name not in REFUSED]


def name_of(path) -> str:
    return str(path.relative_to(TEST_FILES))


@pytest.fixture(params=READABLE, ids=name_of)
def path(request):
    return request.param


@pytest.fixture
def view(path) -> memoryview:
    return memoryview(path.read_bytes())


@pytest.fixture
def file(view) -> Part10File:
    return read_part10(view)


def test_there_are_files_to_test_with():
    assert len(READABLE) > 150


@pytest.mark.parametrize(
    "path", [path for path in pydicom_files() if path.name in REFUSED], ids=name_of
)
def test_what_is_no_whole_part_10_file_is_refused_with_its_reason(path):
    with pytest.raises(NotReadable, match=REFUSED[path.name]):
        read_part10(memoryview(path.read_bytes()))


def test_the_json_is_that_of_pydicom(path, view, file):
    if path.name == NOT_FOR_PYDICOM:
        pytest.skip("pydicom raises")
    expected = metadata_of(view)
    for tag in DIFFERENCES.get(path.name, ()):
        del expected[tag]
    assert shown(json.loads(metadata_json(file))) == expected


def test_the_json_has_its_members_in_ascending_order(file):
    tags = list(json.loads(metadata_json(file)))
    assert tags == sorted(tags)


def test_the_json_of_all_elements_one_by_one_is_that_of_the_whole(file):
    assert element_json(file, file.offsets.keys()) == metadata_json(file)


def test_what_was_encoded_is_what_is_decoded(file):
    header = decode_header(encode_header(file))
    assert header.data == file.data
    assert header.cuts == file.cuts
    assert header.offsets == file.offsets
    assert (header.implicit, header.inflated) == (file.implicit, file.inflated)
    assert metadata_json(header) == metadata_json(file)


def test_a_file_read_through_small_windows_is_the_same(view, file, monkeypatch):
    monkeypatch.setattr("dicomweb.dataset._FIRST_WINDOW", 32)
    monkeypatch.setattr("dicomweb.dataset._LARGEST_WINDOW", 64)
    assert read_part10(view) == file


def test_nothing_but_bulk_values_is_missing_from_the_header(view, file):
    stored = view[file.dataset_start :]
    size = len(zlib.decompress(stored, -15)) if file.inflated else len(stored)
    assert len(file.data) + sum(cut.length for cut in file.cuts) == size


def test_the_frames_are_those_of_pydicom(path, view, file):
    if path.name == NOT_FOR_PYDICOM:
        pytest.skip("pydicom raises")
    expected = frames_of(view)
    stored = view
    if file.inflated:
        stored = memoryview(zlib.decompress(view[file.dataset_start :], -15))
    assert (file.frames.count if file.frames else 0) == len(expected)
    for number, frame in enumerate(expected, start=1):
        ranges = file.frames.ranges(number)
        assert b"".join(stored[start : start + length] for start, length in ranges) == frame


def test_the_bulk_values_are_those_of_pydicom(path, view, file):
    if path.name == NOT_FOR_PYDICOM:
        pytest.skip("pydicom raises")
    stored = view
    if file.inflated:
        stored = memoryview(zlib.decompress(view[file.dataset_start :], -15))
    found = {}

    def note(at: str, _vr: str, value: bytes | Cut) -> bytes:
        if isinstance(value, Cut):
            value = bytes(stored[value.offset : value.offset + value.length])
        if value:
            found[at] = value
        return b""

    metadata_json(file, note)
    for tag in DIFFERENCES.get(path.name, ()):
        del found[tag]
    if file.frames and file.frames.encapsulated:
        found["7FE00010"] = found["7FE00010"].removesuffix(END_OF_FRAGMENTS)
    assert found == bulk_values_of(view)
