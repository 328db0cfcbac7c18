import numpy as np
import pytest

from dicomweb.imaging.palette import Descriptor, entries, palette, render, segments


def words(*numbers: int) -> bytes:
    return np.array(numbers, "<u2").tobytes()


def channels(*colors: tuple[int, int, int]) -> list:
    return [np.array(channel) for channel in zip(*colors, strict=True)]


def test_each_value_gets_its_color_and_those_outside_the_first_or_last():
    colors = channels((1, 2, 3), (4, 5, 6), (7, 8, 9))
    found = render(np.array([[0, 5, 6, 7, 200]], np.uint8), palette(Descriptor(3, 5, 8), colors))
    assert found.tolist() == [[[1, 2, 3], [1, 2, 3], [4, 5, 6], [7, 8, 9], [7, 8, 9]]]


def test_the_first_value_may_be_negative():
    colors = channels((10, 0, 0), (20, 0, 0), (30, 0, 0))
    samples = np.array([[-300, -2, -1, 0, 9]], np.int16)
    found = render(samples, palette(Descriptor(3, -2, 8), colors))
    assert found[0, :, 0].tolist() == [10, 10, 20, 30, 30]


def test_entries_of_16_bits_are_scaled_unless_they_are_bytes():
    scaled = palette(Descriptor(2, 0, 16), channels((0, 0xFFFF, 0x80FF), (0x1234, 0, 0)))
    assert scaled.colors == bytes([0, 255, 128, 0x12, 0, 0])
    bytes_only = palette(Descriptor(2, 0, 16), channels((0, 255, 128), (18, 0, 0)))
    assert bytes_only.colors == bytes([0, 255, 128, 18, 0, 0])


@pytest.mark.parametrize(
    ("data", "descriptor", "expected"),
    [
        (b"\1\2\3\0", Descriptor(3, 0, 8), [1, 2, 3, 0]),
        (words(1, 2, 3), Descriptor(3, 0, 8), [1, 2, 3]),
        (words(1, 2, 300), Descriptor(3, 0, 16), [1, 2, 300]),
        (words(1, 2) + b"\7", Descriptor(3, 0, 16), [1, 2]),
        (b"", Descriptor(3, 0, 16), []),
    ],
)
def test_entries_are_bytes_or_words(data, descriptor, expected):
    assert entries(data, descriptor).tolist() == expected


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([0, 3, 10, 20, 30], [10, 20, 30]),
        ([0, 1, 0, 1, 4, 100], [0, 25, 50, 75, 100]),
        ([0, 1, 100, 1, 4, 0], [100, 75, 50, 25, 0]),
        ([0, 1, 5, 1, 0, 9, 0, 1, 6], [5, 6]),  # a line of no entries
        ([1, 4, 100], []),  # nothing to begin the line at
        ([0, 2, 5, 6, 9, 9], [5, 6]),  # no such segment
        ([0, 9, 5], [5]),  # cut short
        ([0, 1, 5, 2, 1], [5]),
        ([], []),
    ],
)
@pytest.mark.parametrize("bits", [8, 16])
def test_segments_are_expanded(numbers, expected, bits):
    data = bytes(numbers) if bits == 8 else words(*numbers)
    assert segments(data, Descriptor(100, 0, bits)).tolist() == expected


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([0, 2, 5, 6, 1, 2, 10, 2, 2, 0, 0], [5, 6, 8, 10, 5, 6, 8, 10]),
        ([0, 1, 9, 2, 1, 0, 0, 0, 1, 7], [9, 9, 7]),
        ([2, 1, 0, 0, 0, 1, 7], [7]),  # refers to itself
        ([0, 1, 9, 2, 1, 50, 0], [9]),  # refers to what is not there
    ],
)
def test_segments_are_repeated(numbers, expected):
    assert segments(words(*numbers), Descriptor(100, 0, 16)).tolist() == expected


def test_segments_of_no_entries_are_not_repeated_again_and_again():
    nothing, many_times = [0, 0] * 65536, [2, 65535, 0, 0] * 90_000
    numbers = [*nothing, *many_times, 0, 1, 7]
    assert segments(words(*numbers), Descriptor(100, 0, 16)).tolist() == [7]


def test_segments_repeat_from_a_byte_offset():
    numbers = [0, 1, 3, 0, 2, 8, 9, 2, 1, 6, 0]
    assert segments(words(*numbers), Descriptor(100, 0, 16)).tolist() == [3, 8, 9, 8, 9]
    as_bytes = bytes([0, 1, 3, 0, 2, 8, 9, 2, 1, 3, 0, 0, 0])
    assert segments(as_bytes, Descriptor(100, 0, 8)).tolist() == [3, 8, 9, 8, 9]


def test_segments_that_repeat_for_ever_end_at_the_number_of_entries():
    numbers = [0, 1, 1, 1, 65535, 2, *[2, 65535, 0, 0] * 1000]
    assert len(segments(words(*numbers), Descriptor(65536, 0, 16))) == 65536
