"""Frame tables: where each frame is, and how many there really are."""

from itertools import pairwise
from struct import pack

import pytest

from dicomweb.part10 import FrameTable, Limits, NotReadable, read_part10
from tests.dicomweb.part10.encoded import (
    DEFLATED,
    EXPLICIT,
    ITEM,
    JPEG,
    SEQUENCE_END,
    UNDEFINED,
    encapsulated,
    explicit,
    implicit,
    part10,
)
from tests.dicomweb.part10.oracle import frames_of

EOI = b"\xff\xd9"


def pixel_module(
    *, rows=2, columns=2, samples=1, bits=8, photometric="MONOCHROME2", frames: bytes | None = None
) -> bytes:
    return (
        explicit(0x00280002, "US", pack("<H", samples))
        + explicit(0x00280004, "CS", photometric.encode() + b" " * (len(photometric) % 2))
        + (explicit(0x00280008, "IS", frames) if frames is not None else b"")
        + explicit(0x00280010, "US", pack("<H", rows))
        + explicit(0x00280011, "US", pack("<H", columns))
        + explicit(0x00280100, "US", pack("<H", bits))
    )


def table_of(file: memoryview) -> FrameTable:
    table = read_part10(file).frames
    assert table is not None
    assert FrameTable.decode(table.encode()) == table
    return table


def frames_in(file: memoryview) -> list[bytes]:
    """The bytes of all frames that the table of the file lists."""
    table = table_of(file)
    return [
        b"".join(file[start : start + length] for start, length in table.ranges(number))
        for number in range(1, table.count + 1)
    ]


def native(value: bytes, tag=0x7FE00010, vr="OB", **module) -> memoryview:
    return part10(pixel_module(**module) + explicit(tag, vr, value))


def compressed(*fragments: bytes, table=b"", frames=b"1 ", before=b"") -> memoryview:
    data_set = pixel_module(frames=frames) + before + encapsulated(*fragments, table=table)
    return part10(data_set, JPEG)


def extended(*offsets: int) -> bytes:
    return explicit(0x7FE00001, "OV", pack(f"<{len(offsets)}Q", *offsets))


def basic(*offsets: int) -> bytes:
    return pack(f"<{len(offsets)}I", *offsets)


# Native pixel data


def test_native_frames_lie_one_after_the_other():
    file = native(bytes(range(12)), frames=b"3 ")
    assert frames_in(file) == [bytes(range(4)), bytes(range(4, 8)), bytes(range(8, 12))]


def test_without_number_of_frames_there_is_one():
    assert frames_in(native(bytes(range(8)))) == [bytes(range(4))]


@pytest.mark.parametrize("frames", [b"", b"0 ", b"-3", b"1A", b"9" * 12, b"9" * 40])
def test_a_wrong_number_of_frames_lists_no_frame_that_is_not_there(frames):
    table = table_of(native(bytes(8), frames=frames))
    assert table.count == (2 if frames == b"9" * 12 else 1)


def test_no_more_frames_are_listed_than_there_are_whole_ones():
    assert len(frames_in(native(bytes(11), frames=b"5 "))) == 2


def test_padding_after_the_last_frame_is_no_frame():
    assert frames_in(native(b"abc\0", rows=1, columns=3)) == [b"abc"]


@pytest.mark.parametrize("missing", [{"rows": 0}, {"columns": 0}, {"bits": 0}, {"rows": 100}])
def test_without_one_whole_frame_there_is_no_table(missing):
    assert read_part10(native(bytes(8), **missing)).frames is None


def test_without_an_image_pixel_module_there_is_no_table():
    assert read_part10(part10(explicit(0x7FE00010, "OW", bytes(8)))).frames is None


def test_rows_of_the_wrong_length_are_no_rows():
    data_set = explicit(0x00280010, "US", b"\2\0\2\0") + explicit(0x7FE00010, "OW", bytes(8))
    assert read_part10(part10(data_set)).frames is None


def test_one_bit_frames_share_bytes():
    file = native(bytes(range(3)), bits=1, rows=1, columns=5, frames=b"4 ")
    table = table_of(file)
    start = table.start
    assert [table.first_bit(number) for number in range(1, 5)] == [0, 5, 2, 7]
    assert [table.ranges(number) for number in range(1, 5)] == [
        [(start, 1)],
        [(start, 2)],
        [(start + 1, 1)],
        [(start + 1, 2)],
    ]
    assert table.frame_bits == 5


def test_float_pixel_data_has_32_bits_and_double_float_64():
    assert len(frames_in(native(bytes(16), tag=0x7FE00008, vr="OF", bits=0))[0]) == 16
    assert len(frames_in(native(bytes(32), tag=0x7FE00009, vr="OD", bits=0))[0]) == 32


@pytest.mark.parametrize("photometric", ["YBR_FULL_422", "YBR_PARTIAL_422"])
def test_subsampled_frames_lack_every_other_chrominance_sample(photometric):
    frames = frames_in(native(bytes(range(16)), samples=3, photometric=photometric, frames=b"2 "))
    assert frames == [bytes(range(8)), bytes(range(8, 16))]


def test_frames_that_only_claim_to_be_subsampled_are_whole():
    file = native(bytes(range(24)), samples=3, photometric="YBR_FULL_422", frames=b"2 ")
    assert frames_in(file) == [bytes(range(12)), bytes(range(12, 24))]


def test_frames_of_a_deflated_file_are_placed_in_the_inflated_data_set():
    import zlib

    data_set = pixel_module() + explicit(0x7FE00010, "OB", b"abcd")
    deflater = zlib.compressobj(wbits=-15)
    file = part10(deflater.compress(data_set) + deflater.flush(), DEFLATED)
    table = table_of(file)
    assert table.inflated
    [(start, length)] = table.ranges(1)
    assert data_set[start : start + length] == b"abcd"


def test_pixel_data_of_an_icon_is_not_that_of_the_instance():
    icon = pixel_module() + explicit(0x7FE00010, "OB", b"icon")
    data_set = explicit(0x00880200, "SQ", implicit(ITEM, icon)) + pixel_module()
    file = part10(data_set + explicit(0x7FE00010, "OB", b"abcd"))
    assert frames_in(file) == [b"abcd"]
    assert read_part10(part10(explicit(0x00880200, "SQ", implicit(ITEM, icon)))).frames is None


def test_an_icon_may_be_encapsulated():
    icon = pixel_module() + encapsulated(b"icon")
    data_set = explicit(0x00880200, "SQ", implicit(ITEM, icon)) + pixel_module()
    file = part10(data_set + encapsulated(b"abcd"), JPEG)
    assert frames_in(file) == [b"abcd"]


# Encapsulated pixel data


def test_one_fragment_per_frame_needs_no_table():
    file = compressed(b"ab", b"cdef", b"", frames=b"3 ")
    assert frames_in(file) == [b"ab", b"cdef", b""] == frames_of(file)


def test_all_fragments_are_the_one_frame():
    file = compressed(b"ab", b"cdef")
    assert frames_in(file) == [b"abcdef"] == frames_of(file)


def test_a_basic_offset_table_tells_frames_apart():
    file = compressed(b"ab", b"cd", b"ef", table=basic(0, 20), frames=b"2 ")
    assert frames_in(file) == [b"abcd", b"ef"] == frames_of(file)


def test_an_extended_offset_table_tells_frames_apart():
    file = compressed(b"ab", b"cd", b"ef", before=extended(0, 10), frames=b"2 ")
    assert frames_in(file) == [b"ab", b"cdef"]


def test_an_extended_offset_table_too_long_for_the_header_is_read_too():
    offsets = [10 * number for number in range(200)]
    fragments = [b"%02d" % (number % 100) for number in range(200)]
    file = compressed(*fragments, b"99", before=extended(*offsets), frames=b"200 ")
    assert len(read_part10(file).cuts) == 2
    assert frames_in(file) == [*fragments[:-1], fragments[-1] + b"99"]


def test_fragments_of_a_frame_are_apart_by_an_item_header():
    file = compressed(b"ab", b"cd", b"efgh")
    ranges = table_of(file).ranges(1)
    assert all(sum(one) + 8 == other[0] for one, other in pairwise(ranges))


@pytest.mark.parametrize(
    "table",
    [
        basic(0, 1),  # not where a fragment starts
        basic(10, 20),  # not at the first
        basic(0, 20, 10),  # not ascending
        basic(0, 0, 0),
        basic(0, 10, 2**32 - 1),
        basic(0),  # of one frame
        basic(*range(0, 50, 10)),  # more than there are
        basic(0, 10) + b"\1\2",
        b"\0\0",
    ],
)
def test_a_table_that_contradicts_the_fragments_is_not_believed(table):
    file = compressed(b"ab", b"cd", b"ef", table=table, frames=b"3 ")
    assert frames_in(file) == [b"ab", b"cd", b"ef"]


def test_a_table_that_fits_the_fragments_wins_over_number_of_frames():
    file = compressed(b"ab", b"cd", b"ef", table=basic(0, 20), frames=b"7 ")
    assert frames_in(file) == [b"abcd", b"ef"]


def test_a_basic_table_that_fits_wins_over_an_extended_one_that_does_not():
    before = extended(0, 7)
    file = compressed(b"ab", b"cd", b"ef", table=basic(0, 20), before=before, frames=b"2 ")
    assert frames_in(file) == [b"abcd", b"ef"]


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.106.1"])
def test_a_video_is_one_frame_however_many_it_has(syntax):
    data_set = pixel_module(frames=b"1000") + encapsulated(b"a stream", b"goes on.")
    assert frames_in(part10(data_set, syntax)) == [b"a streamgoes on."]


def test_without_tables_frames_end_with_the_end_of_an_image():
    fragments = (b"ab" + EOI, b"cd", b"ef" + EOI + bytes(6), EOI)
    file = compressed(*fragments, frames=b"3 ")
    expected = [fragments[0], fragments[1] + fragments[2], EOI]
    assert frames_in(file) == expected == frames_of(file)


@pytest.mark.parametrize(
    "fragments",
    [
        (b"ab", b"cd", b"ef"),  # no end at all
        (b"ab" + EOI, b"cd", b"ef"),  # no end of the last
        (b"a" + EOI, b"c" + EOI, b"e" + EOI),  # more than there should be
        (EOI + bytes(10), b"cd", EOI),  # only within the image
    ],
)
def test_frames_that_cannot_be_told_apart_make_no_table(fragments):
    assert read_part10(compressed(*fragments, frames=b"2 ")).frames is None


def test_fewer_fragments_than_frames_make_no_table():
    assert read_part10(compressed(b"ab", b"cd", frames=b"3 ")).frames is None


def test_no_fragments_make_no_table():
    assert read_part10(compressed()).frames is None


def test_an_end_of_image_is_not_looked_for_in_an_item_header():
    # The length of the second fragment is FF D9 in bytes.
    file = compressed(b"ab", bytes(0xD9FF), b"cd" + EOI, b"ef" + EOI, frames=b"2 ")
    assert [len(frame) for frame in frames_in(file)] == [2 + 0xD9FF + 4, 4]


@pytest.mark.parametrize("frame", [0, -1, 4, 2**40])
@pytest.mark.parametrize(
    "file", [native(bytes(12), frames=b"3 "), compressed(*[b"ab"] * 3, frames=b"3 ")]
)
def test_a_frame_that_is_not_there_is_an_index_error(file, frame):
    with pytest.raises(IndexError):
        table_of(file).ranges(frame)


def test_encapsulated_pixel_data_needs_its_delimiter():
    for data_set in (
        encapsulated(b"ab", end=False),
        encapsulated(b"ab", end=False) + implicit(SEQUENCE_END, b"")[:7],
        explicit(0x7FE00010, "OB", b"", UNDEFINED),
    ):
        with pytest.raises(NotReadable, match="cut short"):
            read_part10(part10(data_set, JPEG))


@pytest.mark.parametrize(
    "wrong",
    [
        implicit(ITEM, b"ab", UNDEFINED),
        implicit(0xFFFEE00D, b""),
        explicit(0x00100010, "PN", b"A^B "),
    ],
)
def test_what_is_no_fragment_among_fragments_is_refused(wrong):
    items = implicit(ITEM, b"") + wrong + implicit(SEQUENCE_END, b"")
    with pytest.raises(NotReadable, match="no fragment"):
        read_part10(part10(explicit(0x7FE00010, "OB", items, UNDEFINED), JPEG))


def test_a_fragment_that_runs_past_the_end_is_refused():
    items = implicit(ITEM, b"") + implicit(ITEM, b"ab", 2**31) + implicit(SEQUENCE_END, b"")
    with pytest.raises(NotReadable, match="cut short"):
        read_part10(part10(explicit(0x7FE00010, "OB", items, UNDEFINED), JPEG))


def test_what_follows_encapsulated_pixel_data_is_read():
    padding = explicit(0xFFFCFFFC, "OB", bytes(20))
    data_set = pixel_module() + encapsulated(b"ab") + padding
    assert 0xFFFCFFFC in read_part10(part10(data_set, JPEG)).offsets


def test_no_more_fragments_are_walked_than_the_limit():
    file = compressed(*[b""] * 50)
    with pytest.raises(NotReadable, match="more than 30 fragments"):
        read_part10(file, Limits(elements=30))


def test_offsets_beyond_four_gigabytes_are_kept_whole():
    from array import array

    from dicomweb.frames import encapsulated_frames

    items = array("Q", [100, 108, 2**33, 2**33 + 100])
    head = memoryview(bytes(200))
    table = encapsulated_frames(head, items, frames=2, extended=(), inflated=False)
    assert table.ranges(1) == [(116, 2**33 - 116)]
    assert table.ranges(2) == [(2**33 + 8, 92)]
    assert FrameTable.decode(table.encode()) == table


@pytest.mark.parametrize("frames", [1, 1000])
def test_a_table_takes_four_bytes_per_fragment(frames):
    file = compressed(*[b"ab"] * frames, frames=b"%d" % frames)
    assert len(table_of(file).encode()) == 21 + 4 * (frames + 1)


def test_the_transfer_syntax_does_not_decide_what_is_encapsulated():
    file = part10(pixel_module() + encapsulated(b"ab"), EXPLICIT)
    assert frames_in(file) == [b"ab"]
