"""Data sets written anew are read, by pydicom and by this service, as those they were made of."""

import json
import warnings

import pytest
from pydicom.config import disable_value_validation
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from dicomweb.dicomjson import metadata_json
from dicomweb.part10 import NotReadable, inflated_data_set, read_part10
from dicomweb.rewriting import Bulk, Changes, data_set, file_meta, length
from tests.dicomweb.part10.encoded import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    explicit,
    item,
    part10,
    pydicom_files,
    sequence,
    written,
)
from tests.dicomweb.part10.encoded import implicit as implicit_element
from tests.dicomweb.part10.generated import every_vr, file_of, nested, with_lengths
from tests.dicomweb.part10.oracle import dataset_of, metadata_of, shown

EVERYTHING = range(1 << 32)
UID_OF = {True: IMPLICIT, False: EXPLICIT}


def rewritten(file: memoryview, *, implicit: bool, changes: Changes | None = None) -> memoryview:
    """The file in the other encoding, bulk values as they are in the file."""
    header = read_part10(file)
    source = inflated_data_set(file) if header.inflated else file
    pieces = data_set(header, EVERYTHING, implicit=implicit, changes=changes)
    whole = file_meta(header, UID_OF[implicit])
    start = len(whole)
    for piece in pieces:
        if isinstance(piece, Bulk):
            whole += bytes(source[piece.cut.offset : piece.cut.offset + piece.cut.length])
        else:
            whole += piece
    assert len(whole) - start == length(pieces)
    return memoryview(whole)


def stored_files() -> list:
    found = []
    for path in pydicom_files():
        file = memoryview(path.read_bytes())
        try:
            header = read_part10(file)
        except NotReadable:
            continue
        encapsulated = header.frames is not None and header.frames.encapsulated
        if header.transfer_syntax_uid != BIG_ENDIAN and not encapsulated:
            found.append(pytest.param(file, id=path.name))
    return found


def canonical(file: memoryview) -> bytes:
    """The values of a file, as pydicom writes them in Implicit VR, without group lengths."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = with_lengths(dataset_of(file), defined=True)
        for element in list(ds):
            if element.tag.element == 0:
                del ds[element.tag]
        buffer = DicomBytesIO()
        buffer.is_little_endian = buffer.is_implicit_VR = True
        with disable_value_validation():
            write_dataset(buffer, ds)
        return buffer.getvalue()


@pytest.mark.parametrize("implicit", [True, False], ids=["implicit", "explicit"])
@pytest.mark.parametrize("file", stored_files())
def test_pydicoms_files_keep_their_values(file, implicit):
    again = rewritten(file, implicit=implicit)
    assert read_part10(again).implicit is implicit
    assert canonical(again) == canonical(file)


@pytest.mark.parametrize("implicit", [True, False], ids=["implicit", "explicit"])
@pytest.mark.parametrize("source", [IMPLICIT, EXPLICIT, DEFLATED])
@pytest.mark.parametrize("defined", [True, False])
@pytest.mark.parametrize("ds", [every_vr(), nested(4)], ids=["every VR", "nested"])
def test_generated_files_keep_their_values(ds, defined, source, implicit):
    file = file_of(with_lengths(ds, defined=defined), source)
    again = rewritten(file, implicit=implicit)
    assert canonical(again) == canonical(file)
    assert shown(json.loads(metadata_json(read_part10(again)))) == metadata_of(again)


def tags(file: memoryview) -> list[int]:
    return list(read_part10(file).offsets)


def test_elements_are_changed_added_and_left_out():
    file = written(every_vr())
    changes = {0x00080060: ("CS", b"MR"), 0x00280010: None, 0x00282110: ("CS", b"01")}
    again = rewritten(file, implicit=True, changes=changes)
    expected = {**metadata_of(file), "00282110": {"vr": "CS", "Value": ["01"]}}
    expected["00080060"] = {"vr": "CS", "Value": ["MR"]}
    del expected["00280010"]
    found = metadata_of(again)
    assert found == expected


def test_elements_are_written_in_ascending_order_without_group_lengths():
    disorder = explicit(0x00280010, "US", b"\1\0") + explicit(0x00080060, "CS", b"CT")
    file = part10(explicit(0x00080000, "UL", bytes(4)) + disorder)
    for implicit in (True, False):
        assert tags(rewritten(file, implicit=implicit)) == [0x00080060, 0x00280010]


@pytest.mark.parametrize("defined", [True, False])
def test_items_in_implicit_vr_within_explicit_vr_are_written_in_that_of_the_data_set(defined):
    inner = implicit_element(0x00100010, b"Doe^Jane") + implicit_element(0x00420011, bytes(2000))
    unknown = sequence(0x00081111, item(inner, defined=defined), defined=False, vr="UN")
    again = rewritten(part10(unknown), implicit=False)
    (found,) = dataset_of(again).ReferencedPerformedProcedureStepSequence
    assert (found.PatientName, found.EncapsulatedDocument) == ("Doe^Jane", bytes(2000))
    assert found.get_item("PatientName").VR == "PN"


@pytest.mark.parametrize("defined", [True, False])
def test_an_item_may_end_with_an_empty_pixel_representation(defined):
    items = [item(implicit_element(0x00280103, b""), defined=defined)]
    file = part10(implicit_element(0x00880200, b"".join(items)))
    assert dataset_of(rewritten(file, implicit=False)).IconImageSequence[0].PixelRepresentation in (
        None,
        "",
    )


@pytest.mark.parametrize(("representation", "vr"), [(b"\0\0", "US"), (b"\1\0", "SS")])
def test_us_or_ss_follows_pixel_representation_of_the_item_or_of_what_is_around(representation, vr):
    value = implicit_element(0x00280120, b"\1\0")
    told = implicit_element(0x00280103, representation)
    other = implicit_element(0x00280103, b"\1\0" if vr == "US" else b"\0\0")
    outside = part10(told + value + implicit_element(0x00880200, item(value)))
    ds = dataset_of(rewritten(outside, implicit=False))
    assert vr == ds.get_item(0x00280120).VR
    assert vr == ds.IconImageSequence[0].get_item(0x00280120).VR
    within = part10(other + implicit_element(0x00880200, item(told + value)))
    (icon,) = dataset_of(rewritten(within, implicit=False)).IconImageSequence
    assert vr == icon.get_item(0x00280120).VR


def test_a_value_too_long_for_its_vr_is_written_as_unknown():
    file = part10(implicit_element(0x00281201, b"") + implicit_element(0x00280A02, b"1" * 70000))
    again = rewritten(memoryview(file), implicit=False)
    assert dataset_of(again).get_item(0x00280A02).VR == "UN"


def test_file_meta_information_is_complete():
    ds = every_vr()
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3"
    meta = dataset_of(rewritten(written(ds), implicit=True)).file_meta
    assert meta.MediaStorageSOPClassUID == ds.SOPClassUID
    assert meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID
    assert meta.TransferSyntaxUID == IMPLICIT
    assert meta.FileMetaInformationGroupLength == len(meta_bytes(meta))
    assert meta.ImplementationVersionName == "GANTRY"


def meta_bytes(meta) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    del meta[0x00020000:0x00020001]
    write_dataset(buffer, meta)
    return buffer.getvalue()
