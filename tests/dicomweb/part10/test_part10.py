"""What is read as a Part 10 file, and what is refused and why."""

import json
import mmap
import zlib
from struct import pack

import pytest

from dicomweb.dicomjson import metadata_json, values
from dicomweb.part10 import (
    Cut,
    Limits,
    NotReadable,
    decode_header,
    encode_header,
    read_part10,
)
from tests.dicomweb.part10.encoded import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    ITEM,
    ITEM_END,
    JPEG,
    SEQUENCE_END,
    TEST_FILES,
    UNDEFINED,
    encapsulated,
    explicit,
    file_meta,
    implicit,
    item,
    part10,
    sequence,
    tag_bytes,
)

PATIENT_ID = explicit(0x00100020, "LO", b"P1")


def metadata(data_set: bytes, syntax: str = EXPLICIT) -> dict:
    return json.loads(metadata_json(read_part10(part10(data_set, syntax))))


def deflated(data_set: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-15)
    return deflater.compress(data_set) + deflater.flush()


def refuses(file: memoryview | bytes, why: str | None = None, limits: Limits | None = None) -> None:
    with pytest.raises(NotReadable, match=why):
        read_part10(memoryview(file), limits or Limits())


# File Meta Information


def test_the_transfer_syntax_and_the_start_of_the_data_set_are_told():
    file = read_part10(part10(PATIENT_ID, JPEG))
    assert file.transfer_syntax_uid == JPEG
    assert file.dataset_start == len(file_meta(JPEG))


@pytest.mark.parametrize("length", [0, 1, 128, 131])
def test_less_than_a_preamble_and_prefix_is_refused(length):
    refuses(bytes(128)[:length], "no DICOM prefix")


def test_a_data_set_without_a_preamble_is_refused():
    refuses(PATIENT_ID * 20, "no DICOM prefix")


def test_any_preamble_will_do():
    file = b"II*\0" + bytes(124) + bytes(part10(PATIENT_ID))[128:]
    assert values(read_part10(memoryview(file)), 0x00100020) == ("P1",)


@pytest.mark.parametrize(
    "uid", ["", "1.2\r\nSet-Cookie: x", "1.2.x", "1..2", "1.", ".1", "1" * 65, "1.2\xe9", "1.2 3"]
)
def test_a_transfer_syntax_that_is_no_uid_is_refused(uid):
    meta = bytes(128) + b"DICM" + explicit(0x00020010, "UI", uid.encode("latin-1"))
    refuses(meta + PATIENT_ID, "no valid Transfer Syntax UID")


def test_file_meta_in_implicit_vr_is_refused():
    refuses(bytes(128) + b"DICM" + implicit(0x00020010, b"1.2"), "not in Explicit VR")


def test_file_meta_that_runs_past_the_end_is_refused():
    refuses(bytes(128) + b"DICM" + explicit(0x00020010, "UI", b"1.2", 100), "cut short")
    refuses(bytes(128) + b"DICM" + explicit(0x00020000, "UL", b"\xff\0\0\0"), "cut short")
    refuses(bytes(128) + b"DICM" + explicit(0x00020102, "OB", b"1.2", 2**31), "cut short")
    refuses(bytes(128) + b"DICM" + explicit(0x00020102, "OB", b"")[:10], "not in Explicit VR")


def test_endless_file_meta_is_refused():
    refuses(file_meta() + explicit(0x00020016, "AE", b"") * 140_000, "cut short or too long")


def test_private_information_in_file_meta_is_passed_over():
    meta = bytes(file_meta()) + explicit(0x00020102, "OB", bytes(70_000))
    file = read_part10(memoryview(meta + PATIENT_ID))
    assert values(file, 0x00100020) == ("P1",)


def test_a_file_without_a_data_set_has_an_empty_header():
    assert metadata(b"") == {}


# Encodings


def test_the_first_element_tells_explicit_from_implicit_vr_whatever_the_transfer_syntax_says():
    expected = {"00100020": {"vr": "LO", "Value": ["P1"]}}
    assert metadata(PATIENT_ID, IMPLICIT) == expected
    assert metadata(implicit(0x00100020, b"P1"), EXPLICIT) == expected
    assert metadata(implicit(0x00100020, b"P1"), JPEG) == expected


@pytest.mark.parametrize("length", [0x41, 0x44, 0x5A, 0x4100, 0x6161])
def test_a_length_of_which_one_byte_is_a_letter_is_no_vr(length):
    first = implicit(0x00080008, b"A" * length)
    assert metadata(first, IMPLICIT)["00080008"] == {"vr": "CS", "Value": ["A" * length]}
    within = sequence(0x00081140, item(first))
    assert metadata(within)["00081140"]["Value"][0]["00080008"]["vr"] == "CS"


def test_an_element_in_implicit_vr_among_explicit_ones_is_read():
    data_set = PATIENT_ID + implicit(0x00280010, b"\0\2") + implicit(0x00280106, b"\1\0")
    assert metadata(data_set + explicit(0x00280103, "US", b"\0\0")) == {
        "00100020": {"vr": "LO", "Value": ["P1"]},
        "00280010": {"vr": "US", "Value": [512]},
        "00280103": {"vr": "US", "Value": [0]},
        "00280106": {"vr": "US", "Value": [1]},
    }


@pytest.mark.parametrize("defined", [True, False])
def test_items_in_implicit_vr_within_explicit_vr_are_read(defined):
    inner = item(implicit(0x00081150, b"1.2\0"), defined=defined)
    again = item(explicit(0x00081150, "UI", b"1.3\0"), defined=defined)
    data_set = sequence(0x00081140, inner, again, defined=defined) + PATIENT_ID
    assert metadata(data_set)["00081140"]["Value"] == [
        {"00081150": {"vr": "UI", "Value": ["1.2"]}},
        {"00081150": {"vr": "UI", "Value": ["1.3"]}},
    ]


def test_an_unknown_vr_of_undefined_length_is_a_sequence_in_implicit_vr():
    inner = implicit(0x00091010, item(implicit(0x00100020, b"P2")), UNDEFINED)
    inner += implicit(SEQUENCE_END, b"")
    data_set = sequence(0x00091001, item(inner, defined=False), defined=False, vr="UN")
    assert metadata(data_set + PATIENT_ID) == {
        "00091001": {
            "vr": "SQ",
            "Value": [
                {
                    "00091010": {
                        "vr": "SQ",
                        "Value": [{"00100020": {"vr": "LO", "Value": ["P2"]}}],
                    }
                }
            ],
        },
        "00100020": {"vr": "LO", "Value": ["P1"]},
    }


@pytest.mark.parametrize("vr", ["ZZ", "QQ"])
def test_a_vr_that_does_not_exist_is_refused(vr):
    refuses(part10(PATIENT_ID + explicit(0x00100030, vr, b"ab")), r"\(0010,0030\) at byte \d+ is")


def test_the_header_is_the_same_in_both_byte_orders():
    values = [
        (0x00080018, "UI", b"1.2.3\0", 1),
        (0x00181063, "DS", b"1.5 ", 1),
        (0x00189087, "FD", b"\1\2\3\4\5\6\7\x08" * 2, 8),
        (0x0018605A, "FL", b"\1\2\3\4", 4),
        (0x00280009, "AT", b"\1\2\3\4" * 2, 2),
        (0x00280010, "US", b"\1\2" * 3, 2),
        (0x00282000, "OB", b"\1\2\3\4", 1),
        (0x00281201, "OW", b"\1\2\3\4", 2),
        (0x00660129, "OL", b"\1\2\3\4", 4),
        (0x00720082, "SV", b"\1\2\3\4\5\6\7\x08", 8),
        (0x00720067, "OF", b"", 4),
        (0x00720083, "US", b"\1\2\3", 2),  # a byte too many
    ]

    def swapped(value: bytes, size: int) -> bytes:
        whole = len(value) // size * size
        numbers = (value[at : at + size][::-1] for at in range(0, whole, size))
        return b"".join(numbers) + value[whole:]

    little = b"".join(explicit(tag, vr, value) for tag, vr, value, _ in values)
    big = b"".join(
        explicit(tag, vr, swapped(value, size), order=">") for tag, vr, value, size in values
    )
    nested = explicit(0x00081140, "SQ", item(little)) + sequence(0x00081115, item(little))
    head = tag_bytes(ITEM, ">") + pack(">I", len(big))
    big_item = head + big
    big_nested = explicit(0x00081140, "SQ", big_item, order=">")
    big_nested += explicit(0x00081115, "SQ", big_item, order=">")
    read = read_part10(part10(big_nested + big, BIG_ENDIAN))
    assert read.data == nested + little
    assert not read.implicit


def test_a_sequence_of_unknown_vr_in_big_endian_is_refused():
    for length in (None, UNDEFINED):
        element = explicit(0x00081140, "UN", item(b""), length, order=">")
        refuses(part10(element, BIG_ENDIAN), "out of place")


def test_little_endian_that_claims_to_be_big_is_refused():
    refuses(part10(PATIENT_ID, BIG_ENDIAN), "NotReadable|past the end|out of place")


# Whole or cut short


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("defined", [True, False])
def test_a_file_cut_short_anywhere_but_between_elements_is_refused(syntax, defined):
    plain = PATIENT_ID if syntax == EXPLICIT else implicit(0x00100020, b"P1")
    if syntax == EXPLICIT:
        nested = sequence(0x00081140, item(plain, defined=defined), defined=defined)
        elements = [nested, plain, explicit(0x00420011, "OB", bytes(1026))]
        elements += [explicit(0x7FE00010, "OB", bytes(8))]
    else:
        content = item(plain, defined=defined)
        tail = b"" if defined else implicit(SEQUENCE_END, b"")
        nested = implicit(0x00081140, content + tail, None if defined else UNDEFINED)
        elements = [nested, plain, implicit(0x00420011, bytes(1026))]
        elements += [implicit(0x7FE00010, bytes(8))]
    start = len(file_meta(syntax))
    file = bytes(part10(b"".join(elements), syntax))
    whole = {start + sum(map(len, elements[:count])) for count in range(len(elements) + 1)}
    for length in range(132, len(file) + 1):
        if length in whole:
            read_part10(memoryview(file[:length]))
        else:
            refuses(file[:length])


@pytest.mark.parametrize("name", ["rtdose_rle_1frame.dcm", "image_dfl.dcm", "DICOMDIR-empty.dcm"])
def test_real_files_cut_short_are_refused_or_end_with_an_element(name):
    (path,) = TEST_FILES.rglob(name)
    content = path.read_bytes()
    header = read_part10(memoryview(content))
    if header.inflated:
        inflater = zlib.decompressobj(wbits=-15)
        inflater.decompress(content[header.dataset_start :])
        ends = {len(content) - count - 1 for count in range(len(inflater.unused_data))}
    else:
        ends = {header.dataset_start + at for at in header.offsets.values()}
    for length in range(len(content)):
        if length in ends:
            read_part10(memoryview(content[:length]))
        else:
            refuses(content[:length])


def test_values_cut_out_of_defined_lengths_leave_correct_lengths():
    bulk = explicit(0x00420011, "OB", bytes(2000))
    inner = sequence(0x00081140, item(bulk + PATIENT_ID), item(bulk))
    data_set = sequence(0x00081115, item(inner + bulk, defined=False)) + PATIENT_ID
    header = read_part10(part10(data_set))
    empty = explicit(0x00420011, "OB", b"")
    without = sequence(0x00081140, item(empty + PATIENT_ID), item(empty))
    assert header.data == sequence(0x00081115, item(without + empty, defined=False)) + PATIENT_ID
    file = bytes(part10(data_set))
    starts = [at + 12 for at in range(len(file)) if file.startswith(bulk[:12], at)]
    assert [(cut.offset, cut.length) for cut in header.cuts] == [(at, 2000) for at in starts]
    places = [at + 12 for at in range(len(header.data)) if header.data.startswith(empty, at)]
    assert [cut.position for cut in header.cuts] == places


@pytest.mark.parametrize("vr", ["OB", "OD", "OF", "OL", "OV", "OW", "UN"])
def test_bulk_values_of_up_to_1024_bytes_stay_in_the_header(vr):
    kept = explicit(0x00091010, vr, bytes(1024))
    assert read_part10(part10(kept)).data == kept
    cut = read_part10(part10(explicit(0x00091010, vr, bytes(1026))))
    assert cut.data == explicit(0x00091010, vr, b"")
    assert cut.cuts == (Cut(12, len(file_meta()) + 12, 1026),)


@pytest.mark.parametrize("tag", [0x7FE00008, 0x7FE00009, 0x7FE00010])
def test_pixel_data_is_cut_out_however_short_it_is(tag):
    file = read_part10(part10(explicit(tag, "OW", b"ab")))
    assert file.data == explicit(tag, "OW", b"")
    assert file.cuts == (Cut(12, len(file_meta()) + 12, 2),)


def test_encapsulated_pixel_data_is_cut_out_with_its_delimiter():
    pixels = encapsulated(b"ab", b"cd")
    file = read_part10(part10(PATIENT_ID + pixels, JPEG))
    assert file.data == PATIENT_ID + explicit(0x7FE00010, "OB", b"")
    start = len(file_meta(JPEG)) + len(PATIENT_ID) + 12
    assert file.cuts == (Cut(len(PATIENT_ID) + 12, start, len(pixels) - 12),)


def test_an_element_tells_its_vr_and_undecoded_value():
    long = explicit(0x00102000, "UN", bytes(0xFFFF + 1))
    data_set = (
        PATIENT_ID + long + sequence(0x00081140, item(b"")) + explicit(0x00280010, "UN", b"\1\0")
    )
    header = read_part10(part10(data_set + explicit(0x7FE00010, "OW", bytes(2000))))
    assert header.element(0x00100020) == ("LO", b"P1")
    assert header.element(0x00100010) is None
    assert header.element(0x00102000) == ("UN", b"")
    assert header.element(0x00081140) == ("SQ", b"")
    assert header.element(0x00280010) == ("US", b"\1\0")
    assert header.element(0x7FE00010) == ("OW", b"")


def test_a_file_far_larger_than_memory_is_read_through_a_map(tmp_path):
    gigabytes = 3 * 1024**3
    path = tmp_path / "large.dcm"
    with path.open("wb") as file:
        head = part10(PATIENT_ID + explicit(0x7FE00010, "OW", b"", gigabytes))
        file.write(head)
        file.truncate(len(head) + gigabytes)  # a hole: takes no space
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as view,
    ):
        assert read_part10(view).cuts == (Cut(len(PATIENT_ID) + 12, len(head), gigabytes),)


# Structure


@pytest.mark.parametrize(
    "data_set",
    [
        implicit(ITEM_END, b""),
        implicit(SEQUENCE_END, b""),
        implicit(ITEM, b""),
        implicit(0xFFFE0001, b""),
        PATIENT_ID + implicit(ITEM_END, b""),
        sequence(0x00081140, item(implicit(ITEM_END, b""))),
        sequence(0x00081140, item(implicit(SEQUENCE_END, b""))),
        sequence(0x00081140, PATIENT_ID),
        sequence(0x00081140, implicit(SEQUENCE_END, b"")),
        sequence(0x00081140, implicit(ITEM_END, b""), defined=False),
        sequence(0x00081140, item(b""), b"\0\0"),
        sequence(0x00081140, implicit(ITEM, b"", 8)),  # larger than its sequence
        sequence(0x00081140, item(explicit(0x00100020, "LO", b"P1", 4))),
        sequence(0x00081140, item(explicit(0x00420011, "OB", bytes(4), 2000))),
        sequence(0x00081140, item(sequence(0x00081140)[:-4] + b"\xff\0\0\0")),
        explicit(0x00081140, "SQ", item(b""), UNDEFINED),
        explicit(0x00081140, "SQ", implicit(ITEM, b"", UNDEFINED), UNDEFINED),
        explicit(0x00100020, "UT", b"", UNDEFINED),
        explicit(0x00100020, "UC", b"P1", UNDEFINED),
        explicit(0x00091010, "OB", b"ab", UNDEFINED),
        PATIENT_ID[:-1],
        PATIENT_ID + bytes(1),
        PATIENT_ID + bytes(7),
    ],
)
def test_what_does_not_fit_together_is_refused(data_set):
    refuses(part10(data_set))


def test_a_refusal_names_tag_and_byte_but_no_value():
    name = explicit(0x00100010, "PN", b"Doe^Jane", 2000)
    with pytest.raises(NotReadable) as caught:
        read_part10(part10(name))
    assert "(0010,0010)" in str(caught.value)
    assert str(len(file_meta())) not in str(caught.value) or "byte" in str(caught.value)
    assert "Doe" not in str(caught.value)


# Limits


def nested(depth: int, *, defined: bool) -> bytes:
    inner = b""
    for _ in range(depth):
        inner = sequence(0x00081140, item(inner, defined=defined), defined=defined)
    return inner


@pytest.mark.parametrize("defined", [True, False])
def test_sequences_nest_as_deep_as_the_limit_and_no_deeper(defined):
    limits = Limits(depth=5)
    header = read_part10(part10(nested(5, defined=defined)), limits)
    assert metadata_json(header).count(b'"SQ"') == 5
    refuses(part10(nested(6, defined=defined)), "deeper than 5 levels", limits)


def test_a_bomb_of_nested_sequences_is_refused_before_python_recurses_too_deep():
    opening = explicit(0x00081140, "SQ", implicit(ITEM, b"", UNDEFINED), UNDEFINED)
    refuses(part10(opening * 100_000), "deeper than 32 levels")


def test_the_deepest_sequences_that_are_read_become_json():
    header = read_part10(part10(nested(Limits().depth, defined=False)))
    assert metadata_json(decode_header(encode_header(header))).count(b'"SQ"') == Limits().depth


def test_no_more_elements_are_walked_than_the_limit():
    limits = Limits(elements=100)
    assert len(read_part10(part10(PATIENT_ID * 90), limits).data) == 90 * len(PATIENT_ID)
    refuses(part10(PATIENT_ID * 110), "more than 100 elements", limits)
    items = sequence(0x00081140, *[item(b"")] * 110)
    refuses(part10(items), "more than 100 elements", limits)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_a_header_larger_than_the_limit_is_refused(syntax):
    limits = Limits(header_bytes=50_000)
    text = bytes(60_000)
    element = explicit(0x00102000, "LT", text)
    if syntax == IMPLICIT:
        element = implicit(0x00102000, text)
    refuses(part10(element, syntax), "larger than 50000 bytes", limits)
    refuses(part10(PATIENT_ID * 6_000), "larger than 50000 bytes", limits)
    bulk = explicit(0x00420011, "OB", text)
    assert read_part10(part10(bulk * 10), limits).data == explicit(0x00420011, "OB", b"") * 10


def test_a_deflated_data_set_is_inflated_up_to_the_limit():
    data_set = PATIENT_ID + explicit(0x7FE00010, "OW", bytes(100_000))
    file = part10(deflated(data_set), DEFLATED)
    header = read_part10(file, Limits(inflated_bytes=len(data_set)))
    assert header.cuts == (Cut(len(PATIENT_ID) + 12, len(PATIENT_ID) + 12, 100_000),)
    assert header.inflated
    assert header.dataset_start == len(file_meta(DEFLATED))
    refuses(file, "inflates to more than", Limits(inflated_bytes=len(data_set) - 1))


@pytest.mark.parametrize("data_set", [b"", b"\xff\xff\xff", deflated(PATIENT_ID)[:-1]])
def test_what_cannot_be_inflated_is_refused(data_set):
    refuses(part10(data_set, DEFLATED), "inflated|cut short")


# The encoded header


def test_another_format_of_the_encoded_header_is_not_guessed_at():
    encoded = encode_header(read_part10(part10(PATIENT_ID)))
    with pytest.raises(ValueError, match="format 2"):
        decode_header(b"\2" + encoded[1:])


def test_the_encoded_header_is_compressed_and_keeps_everything():
    data_set = PATIENT_ID * 50 + explicit(0x7FE00010, "OW", bytes(100_000))
    file = read_part10(part10(data_set))
    encoded = encode_header(file, {0x00100020, 0x00080060})
    assert len(encoded) < 150
    header = decode_header(encoded)
    assert header.data == file.data
    assert header.cuts == file.cuts
    assert header.dropped == {0x00100020, 0x00080060}
    assert header.offsets == file.offsets
