"""Whatever the bytes: NotReadable, or a header of which everything can be made.

Nothing here measures time; that work and memory are bounded shows in what comes out: it is never
larger than a small multiple of what went in, and no element is looked at beyond the limits.
"""

import json
import zlib
from itertools import product
from pathlib import Path
from struct import pack

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dicomweb.dicomjson import members, metadata_json, values
from dicomweb.header import Header, next_element
from dicomweb.part10 import (
    FrameTable,
    Limits,
    NotReadable,
    Part10File,
    decode_header,
    encode_header,
    read_part10,
)
from dicomweb.stow.check import check
from dicomweb.stow.comments import MOST_COMMENTS
from dicomweb.stow.walk import invalid_attributes
from dicomweb.versions import VERSIONS
from tests.dicomweb.part10.encoded import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    ITEM,
    ITEM_END,
    JPEG,
    LONG_VRS,
    SEQUENCE_END,
    SHORT_VRS,
    TEST_FILES,
    UNDEFINED,
    encapsulated,
    explicit,
    file_meta,
    implicit,
    item,
    part10,
    pydicom_files,
    sequence,
)

BOUNDED = settings(derandomize=True, deadline=None, database=None, max_examples=150)
LIMITS = Limits(depth=6, elements=2_000, header_bytes=100_000, inflated_bytes=200_000)
SYNTAXES = (EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED, JPEG)
SMALL_FILES = [path for path in pydicom_files() if path.stat().st_size < 8_000]
CORE = dict.fromkeys((0x00080016, 0x00080018, 0x0020000D, 0x0020000E), "UI") | {0x00100020: "LO"}
EXPLICIT_CORE = b"".join(explicit(tag, vr, b"1.23") for tag, vr in CORE.items())
IMPLICIT_CORE = b"".join(implicit(tag, b"1.23") for tag in CORE)
JSON_BYTES_PER_BYTE = 40
"""An element of 8 bytes is some 25 bytes of JSON, an item 3; a control character is 6."""


def assert_checked(header: Part10File) -> None:
    """Whatever is in the header, both versions of the API can tell whether it may be stored."""
    core = IMPLICIT_CORE if header.implicit else EXPLICIT_CORE
    cuts = tuple(cut._replace(position=cut.position + len(core)) for cut in header.cuts)
    complete = Header(header.implicit, core + header.data, cuts, False, character_sets=b"GBK")
    for one, api, full in product((header, complete), VERSIONS, (False, True)):
        verdict = check(one, api, None, full=full)
        said = verdict.failures + verdict.warnings
        assert verdict.dropped <= one.offsets.keys()
        assert verdict.dropped <= verdict.unsearchable
        assert len(said) <= MOST_COMMENTS
        assert all(comment.startswith("DICOM100: (") for comment in said)
        assert sum(map(len, said)) <= MOST_COMMENTS * 500


def read(file: bytes, limits: Limits = LIMITS) -> Part10File | None:
    """Everything that is ever made of a file; None if it is refused."""
    view = memoryview(file)
    try:
        header = read_part10(view, limits)
    except NotReadable:
        return None
    assert len(header.data) <= limits.header_bytes
    assert len(header.cuts) <= limits.elements
    stored = limits.inflated_bytes if header.inflated else len(file)
    assert all(0 <= cut.offset <= cut.offset + cut.length <= stored for cut in header.cuts)
    document = metadata_json(header)
    assert len(document) <= 2 + JSON_BYTES_PER_BYTE * len(header.data)
    assert isinstance(orjson.loads(document), dict)
    assert list(json.loads(document)) == sorted(json.loads(document))
    if top_level_elements(header) == len(header.offsets):  # each tag is there only once
        assert b"{%b}" % members(header, header.offsets.keys()) == document
    for tag in header.offsets:
        assert isinstance(values(header, tag), tuple)
        assert header.element(tag) is not None
    again = decode_header(encode_header(header))
    assert metadata_json(again) == document
    assert invalid_attributes(header) == invalid_attributes(again)
    assert_checked(header)
    assert again.offsets == header.offsets
    assert_frames_are_within(header.frames, stored)
    return header


def top_level_elements(header: Part10File) -> int:
    count = at = 0
    while at < len(header.data):
        at = next_element(header.data, at, header.headers)
        count += 1
    return count


def assert_frames_are_within(table: FrameTable | None, stored: int) -> None:
    if table is None:
        return
    assert table.count >= 1
    assert FrameTable.decode(table.encode()) == table
    for number in {1, 2, table.count - 1, table.count} & {*range(1, table.count + 1)}:
        ranges = table.ranges(number)
        assert ranges
        assert 0 <= table.first_bit(number) < 8
        assert all(0 < start <= start + length <= stored for start, length in ranges)


# Bytes without any sense


@BOUNDED
@given(st.sampled_from(SYNTAXES), st.binary(max_size=200))
def test_random_data_sets(syntax, data_set):
    read(bytes(part10(data_set, syntax)))


@BOUNDED
@given(st.binary(max_size=300))
def test_random_files(file):
    read(file)
    read(bytes(128) + b"DICM" + file)


# Real files with something wrong


def edits(most: int):
    """Places and what is done there: bytes written over, put in, or taken out."""
    length = st.sampled_from([0, 1, 2, 8, 0xFFFE, 0xFFFF, 2**31, UNDEFINED - 1, UNDEFINED])
    piece = st.one_of(
        st.binary(min_size=1, max_size=8),
        length.map(lambda number: pack("<I", number)),
        st.sampled_from([ITEM, ITEM_END, SEQUENCE_END]).map(lambda tag: implicit(tag, b"")),
        st.sampled_from([ITEM, 0x7FE00010]).map(lambda tag: implicit(tag, b"", UNDEFINED)),
        st.sampled_from([b"UN", b"SQ", b"OB", b"IS", b"zz", b"\\", b"\x1b$)C", b"\xff"]),
    )
    kind = st.sampled_from(["over", "in", "out"])
    return st.lists(st.tuples(kind, st.floats(0, 1), piece), min_size=1, max_size=most)


@BOUNDED
@given(st.sampled_from(SMALL_FILES), edits(5))
def test_real_files_with_a_few_wrong_bytes(path, changes):
    file = bytearray(path.read_bytes())
    for kind, where, piece in changes:
        at = 132 + int(where * (len(file) - 132))
        file[at : at + (0 if kind == "in" else len(piece))] = b"" if kind == "out" else piece
    read(bytes(file))


@BOUNDED
@given(st.sampled_from(SMALL_FILES), st.sampled_from(SMALL_FILES), st.floats(0, 1), st.floats(0, 1))
def test_the_beginning_of_a_file_with_the_end_of_another(path, other, start, stop):
    head, tail = path.read_bytes(), other.read_bytes()
    read(head[: int(start * len(head))] + tail[int(stop * len(tail)) :])


# Files that are well-formed, with values that are not

TAGS = st.sampled_from(
    [
        *(0x00020010, 0x00080000, 0x00080005, 0x00080008, 0x00080018, 0x00080020, 0x00081140),
        *(0x00090010, 0x00091001, 0x00091002, 0x00100010, 0x00100020, 0x00189810, 0x00190010),
        *(0x0019100C, 0x0019100E, 0x00200032, 0x00280002, 0x00280004, 0x00280008, 0x00280009),
        *(0x00280010, 0x00280011, 0x00280100, 0x00280103, 0x00280106, 0x00283002, 0x00283006),
        *(0x00420011, 0x54001010, 0x60003000, 0x7FE00001, 0x7FE00008, 0x7FE00010, 0xFFFCFFFC),
    ]
)
VRS = st.sampled_from([*LONG_VRS, *SHORT_VRS])
TERMS = st.sampled_from(
    [
        *(b"ISO_IR 192", b"\\ISO 2022 IR 87", b"\\ISO 2022 IR 149\\ISO 2022 IR 58", b"GB18030"),
        *(b"ISO 2022 IR 13\\ISO 2022 IR 159", b"ISO-IR 100", b"utf_16", b"unicode_escape"),
    ]
)
VALUES = st.one_of(
    st.binary(max_size=24),
    st.text("0123456789+-.eE\\ =^\0", max_size=20).map(str.encode),
    st.lists(st.sampled_from([b"\x1b$)C", b"\x1b$B", b"\x1b(J", b"\xb1\xe8", b"^", b"=", b"\\"]))
    .map(b"".join),
    TERMS,
    st.sampled_from([b"SIEMENS MR HEADER", b"GEMS_IDEN_01 ", bytes(1026), bytes(8) * 200]),
    st.sampled_from([pack("<d", float("nan")), pack("<f", float("-inf")), b"\xff" * 8]),
)  # fmt: skip


def elements(syntax: str):
    order = ">" if syntax == BIG_ENDIAN else "<"
    if syntax == IMPLICIT:
        plain = st.builds(implicit, TAGS, VALUES)
    else:
        plain = st.builds(lambda *parts: explicit(*parts, None, order), TAGS, VRS, VALUES)
    mixed = st.one_of(plain, st.builds(implicit, TAGS, VALUES)) if order == "<" else plain
    charset = TERMS.map(lambda term: explicit(0x00080005, "CS", term, None, order))
    return st.recursive(st.one_of(plain, plain, mixed, charset), sequences, max_leaves=12)


def sequences(inner):
    defined = st.booleans()
    items = st.lists(st.lists(inner, max_size=4).map(b"".join), max_size=3)
    return st.builds(
        lambda tag, vr, contents, whole, each: sequence(
            tag, *(item(content, defined=each) for content in contents), defined=whole, vr=vr
        ),
        TAGS,
        st.sampled_from(["SQ", "SQ", "UN"]),
        items,
        defined,
        defined,
    )


@pytest.mark.parametrize("syntax", SYNTAXES)
@BOUNDED
@given(st.data())
def test_well_formed_files_with_any_values(syntax, data):
    data_set = b"".join(data.draw(st.lists(elements(syntax), max_size=10)))
    if syntax == DEFLATED:
        deflater = zlib.compressobj(wbits=-15)
        data_set = deflater.compress(data_set) + deflater.flush()
    read(bytes(part10(data_set, syntax)))


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@BOUNDED
@given(st.data())
def test_plain_elements_with_any_values_are_never_refused(syntax, data):
    parts = data.draw(st.lists(st.tuples(TAGS, VRS, VALUES), max_size=10))
    data_set = b"".join(
        explicit(tag, vr, value) if syntax == EXPLICIT else implicit(tag, value)
        for tag, vr, value in parts
        if tag not in (0x00081140, 0x00020010) and vr not in ("SQ", "UN")
    )
    assert read(bytes(part10(data_set, syntax))) is not None


# Pixel data


@BOUNDED
@given(
    st.lists(st.binary(max_size=12), max_size=6),
    st.one_of(
        st.binary(max_size=24),
        st.lists(st.integers(0, 80), max_size=6).map(lambda table: pack(f"<{len(table)}I", *table)),
    ),
    st.lists(st.integers(0, 80), max_size=6),
    st.sampled_from([b"", b"1 ", b"2 ", b"3 ", b"6 ", b"99", b"x ", b"9" * 12]),
)  # fmt: skip
@example([b"ab", b"cd"], pack("<2I", 0, 0), [0, 0], b"2 ")  # overlapping
@example([b"ab", b"cd"], pack("<2I", 10, 0), [10, 0], b"2 ")  # backwards
@example([b"ab"], pack("<I", UNDEFINED), [2**64 - 1], b"1 ")
def test_any_offset_tables_lead_to_frames_within_the_file(fragments, table, extended, frames):
    offsets = pack(f"<{len(extended)}Q", *extended)
    data_set = explicit(0x00280008, "IS", frames) + explicit(0x7FE00001, "OV", offsets)
    header = read(bytes(part10(data_set + encapsulated(*fragments, table=table), JPEG)))
    assert header is not None
    if header.frames:
        assert header.frames.count <= len(fragments)


NUMBERS = st.sampled_from([0, 1, 2, 3, 7, 8, 16, 255, 65535])


@BOUNDED
@given(
    st.lists(NUMBERS, min_size=4, max_size=4),
    st.sampled_from([b"MONOCHROME2 ", b"YBR_FULL_422", b"YBR_PARTIAL_422\0", b"\xff"]),
    st.sampled_from([b"", b"1 ", b"3 ", b"-1", b"9" * 12, b"2147483648", b"\xb2 "]),
    st.integers(0, 300),
)
def test_any_image_pixel_module_leads_to_frames_within_the_file(numbers, photometric, frames, size):
    tags = (0x00280002, 0x00280010, 0x00280011, 0x00280100)
    data_set = b"".join(
        explicit(tag, "US", pack("<H", number)) for tag, number in zip(tags, numbers, strict=True)
    )
    data_set += explicit(0x00280004, "CS", photometric) + explicit(0x00280008, "IS", frames)
    assert read(bytes(part10(data_set + explicit(0x7FE00010, "OW", bytes(size))))) is not None


# Bombs


def test_an_element_that_claims_four_gigabytes_is_refused():
    for length in (2**31, UNDEFINED - 1):
        for element in (
            explicit(0x7FE00010, "OW", b"", length),
            explicit(0x00102000, "UT", b"", length),
            explicit(0x00081140, "SQ", b"", length),
        ):
            assert read(bytes(part10(element))) is None


def test_a_bomb_of_elements_is_refused():
    assert read(bytes(part10(explicit(0x00100020, "LO", b"") * 100_000))) is None
    assert read(bytes(part10(sequence(0x00081140, item(b"") * 100_000)))) is None


def test_a_deflate_bomb_is_refused():
    deflater = zlib.compressobj(wbits=-15)
    bomb = deflater.compress(bytes(100_000_000)) + deflater.flush()
    assert len(bomb) < 200_000
    assert read(bytes(part10(bomb, DEFLATED))) is None


def test_a_bomb_of_offsets_is_not_unpacked():
    table = bytes(4_000_000)
    header = read(bytes(part10(encapsulated(b"ab", table=table), JPEG)))
    assert header is not None
    assert header.frames is not None
    assert header.frames.count == 1
    extended = explicit(0x7FE00001, "OV", bytes(4_000_000))
    header = read(bytes(part10(extended + encapsulated(b"ab"), JPEG)))
    assert header is not None
    assert header.frames is not None
    assert header.frames.count == 1


@pytest.mark.parametrize(
    "value",
    [
        b"\\" * 60_000,
        b"\x1b" * 60_000,
        b"\x1b$)C" * 15_000,
        b"=" * 60_000,
        b"\0" * 60_000,
        b"\xff" * 60_000,
        b"9" * 60_000,
        b"1\\" * 30_000,
    ],
)
@pytest.mark.parametrize("vr", ["CS", "DS", "IS", "LO", "LT", "PN", "UI", "AT", "FD", "US"])
def test_a_bomb_of_separators_becomes_no_more_json_than_its_size_explains(vr, value):
    charset = explicit(0x00080005, "CS", b"\\ISO 2022 IR 149")
    assert read(bytes(part10(charset + explicit(0x00091010, vr, value)))) is not None


def test_a_bomb_of_character_sets_is_no_bomb():
    terms = explicit(0x00080005, "CS", b"ISO 2022 IR 87\\" * 4_000)
    names = explicit(0x00100010, "PN", b"\xff\x1b$B") * 1_000
    header = read(bytes(part10(terms + names)))
    assert header is not None
    assert len(header.encodings) < 30


def test_every_end_of_a_small_file():
    file = Path(TEST_FILES, "test_files", "nested_priv_SQ.dcm").read_bytes()
    readable = [length for length in range(len(file) + 1) if read(file[:length])]
    assert readable[-1] == len(file)
    assert len(readable) < 10  # between elements of the data set


def test_every_byte_of_a_small_file_changed():
    file = bytes(file_meta()) + sequence(
        0x00081140, item(explicit(0x00100020, "LO", b"P1"), defined=False), defined=False
    )
    file += explicit(0x00280010, "US", b"\1\0") + explicit(0x7FE00010, "OW", b"ab")
    for at in range(128, len(file)):
        for byte in (0, 1, 0x20, 0x7F, 0x80, 0xFE, 0xFF, file[at] ^ 1):
            read(file[:at] + bytes((byte,)) + file[at + 1 :])
