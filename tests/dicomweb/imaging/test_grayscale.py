"""Hand-computed: every rule of PS3.3 C.11.1 and C.11.2 at its borders."""

import numpy as np
import pytest

from dicomweb.imaging.grayscale import (
    Function,
    Grayscale,
    LookupTable,
    StoredValues,
    Window,
    extremes,
    full_range,
    joined,
    render,
)

BYTE = StoredValues(8, signed=False)
SIGNED = StoredValues(16, signed=True)
FLOAT = StoredValues(32, signed=False)
SAMPLES = [(np.int16, SIGNED), (np.int32, SIGNED), (np.float32, FLOAT), (np.float64, FLOAT)]


def table(first: int, bits: int, *entries: int) -> LookupTable:
    return LookupTable(first, bits, np.array(entries, "<u2").tobytes())


def shades(values, stored, grayscale, dtype) -> list[int]:
    return render(np.array([values], dtype), stored, grayscale)[0].tolist()


@pytest.mark.parametrize(("dtype", "stored"), SAMPLES)
@pytest.mark.parametrize(
    ("window", "values", "expected"),
    [
        # LINEAR: 0 up to c - 0.5 - (w-1)/2, 255 above c - 0.5 + (w-1)/2
        (Window(40, 400), [-1000, -160, -159, 238, 239, 3000], [0, 0, 1, 254, 255, 255]),
        (Window(0, 2), [-2, -1, 0, 1], [0, 0, 255, 255]),
        (Window(10, 1), [8, 9, 10, 11], [0, 0, 255, 255]),  # a threshold
        (Window(2048, 4096), [0, 1, 2047, 2048, 4095], [0, 0, 127, 128, 255]),  # identity
        (Window(0, 1_000_000), [-30_000, 0, 30_000], [120, 128, 135]),
        # LINEAR_EXACT: 0 up to c - w/2, 255 above c + w/2
        (Window(40, 400, Function.LINEAR_EXACT), [-160, 40, 240, 241], [0, 128, 255, 255]),
        (Window(0, 1, Function.LINEAR_EXACT), [-1, 0, 1], [0, 128, 255]),
        (Window(10.5, 0.25, Function.LINEAR_EXACT), [10, 11], [0, 255]),
        # SIGMOID has its steepest place at c
        (Window(0, 4, Function.SIGMOID), [-30_000, -1, 0, 1, 30_000], [0, 69, 128, 186, 255]),
        (Window(0, 1e-9, Function.SIGMOID), [-1, 1], [0, 255]),
    ],
)
def test_windows_spread_values_over_the_shades(dtype, stored, window, values, expected):
    assert shades(values, stored, Grayscale(voi=window), dtype) == expected


def test_a_linear_window_of_floats_has_a_border_at_the_same_place():
    window = Grayscale(voi=Window(10, 1))
    assert shades([9.4, 9.5, 9.51], FLOAT, window, np.float64) == [0, 0, 255]


@pytest.mark.parametrize(("dtype", "stored"), SAMPLES)
def test_slope_and_intercept_come_before_the_window(dtype, stored):
    grayscale = Grayscale(slope=2, intercept=-1024, voi=Window(0, 2049))
    assert shades([0, 256, 512, 1024], stored, grayscale, dtype) == [0, 64, 128, 255]
    falling = Grayscale(slope=-1, intercept=100, voi=Window(50.5, 101))
    assert shades([0, 100, 200], stored, falling, dtype) == [255, 0, 0]


@pytest.mark.parametrize(("dtype", "stored"), SAMPLES)
def test_a_modality_table_takes_the_place_of_the_slope(dtype, stored):
    grayscale = Grayscale(
        slope=9, intercept=9, modality=table(-1, 16, 0, 100, 50), voi=Window(50.5, 101)
    )
    assert shades([-9, -1, 0, 1, 9], stored, grayscale, dtype) == [0, 0, 255, 128, 128]


@pytest.mark.parametrize(("dtype", "stored"), SAMPLES)
@pytest.mark.parametrize(
    ("voi", "expected"),
    [
        (table(10, 8, 0, 128, 255), [0, 0, 128, 255, 255]),
        (table(10, 12, 0, 2048, 4095), [0, 0, 128, 255, 255]),
        (table(10, 16, 65535, 257, 0), [255, 255, 1, 0, 0]),
        (table(11, 8, 77), [77, 77, 77, 77, 77]),
    ],
)
def test_values_outside_a_table_get_its_first_or_last_entry(dtype, stored, voi, expected):
    assert shades([-5, 10, 11, 12, 5000], stored, Grayscale(voi=voi), dtype) == expected


@pytest.mark.parametrize(("dtype", "stored"), SAMPLES)
def test_inverted_images_are_white_where_values_are_low(dtype, stored):
    grayscale = Grayscale(voi=Window(128, 256), inverted=True)
    assert shades([0, 1, 128, 255], stored, grayscale, dtype) == [255, 254, 127, 0]


@pytest.mark.parametrize(("dtype", "stored"), SAMPLES)
@pytest.mark.parametrize(
    ("grayscale", "values", "expected"),
    [
        (Grayscale(), [-100, 0, 100], [0, 128, 255]),
        (Grayscale(slope=-3, intercept=7), [-100, 0, 100], [255, 128, 0]),
        (Grayscale(padding=(-2000, -2000)), [-2000, 0, 100], [0, 0, 255]),
        (Grayscale(padding=(-2000, -1990)), [-2000, -1995, -1990, 0, 100], [0, 0, 0, 0, 255]),
        (Grayscale(padding=(-2000, -2000)), [-2000, -2000], [0, 0]),
        (Grayscale(), [7, 7], [0, 0]),
        (Grayscale(inverted=True), [0, 10], [255, 0]),
        (Grayscale(modality=table(0, 16, 5, 1, 9)), [0, 1, 2], [128, 0, 255]),
    ],
)
def test_without_a_window_values_spread_from_the_least_to_the_greatest(
    dtype, stored, grayscale, values, expected
):
    assert shades(values, stored, grayscale, dtype) == expected


def test_a_mask_of_one_bit_is_white_even_if_all_of_it_is_set():
    one_bit = StoredValues(1, signed=False)
    assert shades([0, 1], one_bit, Grayscale(), np.uint8) == [0, 255]
    assert shades([1, 1], one_bit, Grayscale(), np.uint8) == [255, 255]
    assert shades([0, 0], one_bit, Grayscale(), np.uint8) == [0, 0]


def test_what_is_no_number_does_not_count():
    values = [np.nan, np.inf, -np.inf, 1.0, 3.0]
    assert shades(values, FLOAT, Grayscale(), np.float32) == [0, 255, 0, 0, 255]
    assert shades([np.nan, np.inf], FLOAT, Grayscale(), np.float32) == [0, 255]
    assert shades([1e308, -1e308], FLOAT, Grayscale(), np.float64)[1] == 0


def test_every_byte_is_shown_as_it_is_by_the_identity():
    every = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert (render(every, BYTE, Grayscale(voi=Window(128, 256))) == every).all()


def test_every_signed_word_gets_the_shade_that_the_formula_gives():
    every = np.arange(-32768, 32768).astype(np.int16).reshape(256, 256)
    window = Window(-600, 1500)
    expected = np.clip((every + 600.5) / 1499 + 0.5, 0, 1) * 255
    assert (render(every, SIGNED, Grayscale(voi=window)) == np.rint(expected)).all()


def test_large_images_of_long_integers_are_the_same_in_blocks(monkeypatch):
    monkeypatch.setattr("dicomweb.imaging.grayscale._BLOCK_SAMPLES", 100)
    values = np.arange(-5000, 5000, dtype=np.int32).reshape(40, 250)
    shown = render(values, SIGNED, Grayscale())
    assert shown.shape == (40, 250)
    assert (shown == render(values.astype(np.int16), SIGNED, Grayscale())).all()


def test_the_extremes_of_several_images_are_those_of_all():
    images = [np.array([[low, 5]], np.int16) for low in (3, -4, 0)]
    found = joined(*(extremes(image, Grayscale()) for image in images), None)
    assert found == (-4, 5)
    assert joined(None, None) is None
    window = full_range(None, SIGNED)
    assert (window.center, window.width) == (0.5, 1)
