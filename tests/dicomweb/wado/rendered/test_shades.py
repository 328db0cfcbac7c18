"""What shades and colors come back for what is stored: hand-computed, pixel by pixel."""

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from tests.dicomweb.wado.exchange import path
from tests.dicomweb.wado.rendered.images import IDENTITY, image, ramp, shades

SYNTAXES = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
]


@pytest.fixture
def version() -> str:
    """One is enough: what is shown is the same in both."""
    return "v2"


@pytest.fixture
def shown(store, get):
    """Stores an instance and returns its pixels as they are shown."""

    def shown(ds: Dataset, query: str = "", frame: int | None = None):
        store(ds)
        frames = "" if frame is None else f"/frames/{frame}"
        return shades(get(f"{path(ds)}{frames}/rendered?{query}", "image/png"))

    return shown


def item(**values) -> Dataset:
    found = Dataset()
    for keyword, value in values.items():
        setattr(found, keyword, value)
    return found


def lut(first: int, bits: int, entries: list[int], vr: str = "US") -> Dataset:
    found = Dataset()
    found.add_new("LUTDescriptor", "SS" if first < 0 else "US", [len(entries), first, bits])
    data = np.array(entries, "<u2").tobytes() if vr == "OW" else entries
    found.add_new("LUTData", vr, data)
    return found


def test_bytes_are_shown_as_they_are_by_the_identity(shown):
    assert (shown(image(ramp(), **IDENTITY)) == ramp()).all()


def test_the_windows_of_the_header_are_applied_first_of_several_first(shown):
    pixels = np.array([[0, 50, 100, 150, 200]], np.uint8)
    ds = image(pixels, WindowCenter=[100.5, 0], WindowWidth=[101, 1])
    assert shown(ds).tolist() == [[0, 0, 128, 255, 255]]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (None, [0, 1, 128, 254, 255]),
        ("LINEAR", [0, 1, 128, 254, 255]),
        ("LINEAR_EXACT", [0, 1, 127, 254, 255]),
        ("SIGMOID", [30, 31, 127, 223, 224]),
        ("WHATEVER", [0, 1, 128, 254, 255]),
    ],
)
def test_the_function_of_a_window_is_that_of_the_header(shown, function, expected):
    pixels = np.array([[0, 1, 128, 254, 255]], np.uint8)
    ds = image(pixels, WindowCenter=128, WindowWidth=256, VOILUTFunction=function)
    found = shown(ds)[0].tolist()
    assert found == pytest.approx(expected, abs=1)


def test_the_window_of_the_request_takes_the_place_of_that_of_the_header(shown, get):
    pixels = np.array([[0, 1000, 2000]], np.int16)
    ds = image(pixels, WindowCenter=0, WindowWidth=1)
    assert shown(ds, "window=1000.5,2001,linear").tolist() == [[0, 128, 255]]
    exact = shades(get(f"{path(ds)}/rendered?window=1000,2000,linear-exact", "image/png"))
    assert exact.tolist() == [[0, 128, 255]]
    sigmoid = shades(get(f"{path(ds)}/rendered?window=1000,1000,sigmoid", "image/png"))
    assert sigmoid.tolist() == [[5, 128, 250]]


def test_without_a_window_the_values_there_are_fill_the_range(shown):
    pixels = np.array([[-1000, 0, 1000]], np.int16)
    assert shown(image(pixels)).tolist() == [[0, 128, 255]]


def test_slope_and_intercept_come_before_the_window(shown):
    pixels = np.array([[0, 1024, 2048]], np.int16)
    ds = image(pixels, RescaleSlope=2, RescaleIntercept=-2048, WindowCenter=0.5, WindowWidth=4097)
    assert shown(ds).tolist() == [[0, 128, 255]]


@pytest.mark.parametrize("bits", [10, 12, 16])
@pytest.mark.parametrize("signed", [True, False])
def test_values_of_fewer_bits_are_shown_over_the_full_range(shown, bits, signed):
    low = -(2 ** (bits - 1)) if signed else 0
    high = low + 2**bits - 1
    pixels = np.array([[low, (low + high) // 2, high]], np.int16 if signed else np.uint16)
    ds = image(pixels, BitsStored=bits, HighBit=bits - 1)
    assert shown(ds).tolist() == [[0, 127, 255]]


@pytest.mark.parametrize(
    "attributes",
    [{"PhotometricInterpretation": "MONOCHROME1"}, {"PresentationLUTShape": "INVERSE"},
     {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"}],
)  # fmt: skip
def test_monochrome1_and_inverse_show_low_values_white(shown, attributes):
    ds = image(ramp(), **IDENTITY, **attributes)
    assert (shown(ds) == 255 - ramp()).all()


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("vr", ["US", "OW"])
def test_a_voi_lut_comes_before_a_window(shown, syntax, vr):
    pixels = np.array([[-5, 10, 11, 12, 500]], np.int16)
    table = lut(10, 16, [0, 32896, 65535], vr)
    ds = image(pixels, VOILUTSequence=[table], WindowCenter=0, WindowWidth=1)
    ds.file_meta.TransferSyntaxUID = syntax
    if syntax == ExplicitVRBigEndian:
        ds.PixelData = pixels.astype(">i2").tobytes()
        if vr == "OW":
            ds.VOILUTSequence[0].LUTData = np.array([0, 32896, 65535], ">u2").tobytes()
    assert shown(ds).tolist() == [[0, 0, 128, 255, 255]]


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_table_too_long_for_the_header_is_read_from_the_file(shown, syntax):
    pixels = np.array([[0, 2047, 4095, 9000]], np.uint16)
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    table = lut(0, 16, [0], "OW")
    table.LUTDescriptor = [4096, 0, 16]
    table.LUTData = np.linspace(65535, 0, 4096).astype(order + "u2").tobytes()
    ds = image(pixels, VOILUTSequence=[table])
    ds.PixelData = pixels.astype(order + "u2").tobytes()
    ds.file_meta.TransferSyntaxUID = syntax
    assert shown(ds).tolist() == [[255, 128, 0, 0]]


def test_a_modality_lut_takes_the_place_of_slope_and_intercept(shown):
    pixels = np.array([[0, 1, 2, 3]], np.uint8)
    table = lut(1, 16, [0, 1000, 2000])
    ds = image(pixels, ModalityLUTSequence=[table], WindowCenter=1000.5, WindowWidth=2001)
    assert shown(ds).tolist() == [[0, 0, 128, 255]]


def test_the_first_value_of_a_voi_lut_is_signed_where_its_input_may_be(shown):
    pixels = np.array([[0, 23, 24, 25, 26]], np.uint8)
    table = lut(0, 16, [0, 32768, 65535])
    table.LUTDescriptor = [3, 65536 - 1000, 16]
    ds = image(pixels, RescaleSlope=1, RescaleIntercept=-1024, VOILUTSequence=[table])
    assert shown(ds).tolist() == [[0, 0, 0, 128, 255]]


def test_padding_does_not_count_where_there_is_no_window(shown):
    pixels = np.array([[-2000, -1990, 0, 100]], np.int16)
    ds = image(pixels)
    ds.add_new("PixelPaddingValue", "SS", -2000)
    ds.add_new("PixelPaddingRangeLimit", "SS", -1990)
    assert shown(ds).tolist() == [[0, 0, 0, 255]]


def test_one_bit_pixels_are_black_and_white(shown):
    ds = image(np.zeros((3, 3), np.uint8), BitsAllocated=1, BitsStored=1, HighBit=0)
    ds.NumberOfFrames = 2
    ds.PixelData = (0b101_010_101 | 0b111_111_111 << 9).to_bytes(4, "little")
    assert (shown(ds) // 255).tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 1]]


@pytest.mark.parametrize(
    ("keyword", "dtype", "bits"),
    [("FloatPixelData", "<f4", 32), ("DoubleFloatPixelData", "<f8", 64)],
)
def test_floating_point_pixels_are_shown(shown, keyword, dtype, bits):
    ds = image(np.zeros((1, 4), np.uint8), BitsAllocated=bits)
    del ds.PixelData, ds.BitsStored, ds.HighBit, ds.PixelRepresentation
    setattr(ds, keyword, np.array([0.25, 0.5, 0.75, np.nan], dtype).tobytes())
    assert shown(ds)[0, :3].tolist() == [0, 128, 255]


@pytest.mark.parametrize("dtype", ["<u4", "<i4"])
def test_pixels_of_32_bits_are_shown(shown, dtype):
    pixels = np.array([[0, 10**9, 2 * 10**9]], dtype)
    assert shown(image(pixels)).tolist() == [[0, 128, 255]]


def test_colors_are_shown_as_they_are(shown):
    pixels = ramp(4, 24).reshape(4, 8, 3)
    ds = image(pixels, color=True, WindowCenter=1, WindowWidth=1)
    assert (shown(ds, "window=1,1,linear") == pixels).all()


def test_colors_in_planes_and_of_16_bits_are_shown(shown):
    pixels = ramp(4, 24).reshape(4, 8, 3)
    ds = image(pixels, color=True, PlanarConfiguration=1)
    ds.PixelData = np.moveaxis(pixels, -1, 0).tobytes()
    assert (shown(ds) == pixels).all()
    assert (shown(image(pixels.astype(np.uint16) * 257, color=True)) == pixels).all()


@pytest.mark.parametrize("name", ["YBR_FULL", "YBR_FULL_422"])
def test_luminance_and_chrominance_become_colors(shown, name):
    #                   white           black         gray             red
    ybr = [[255, 128, 128], [0, 128, 128], [100, 128, 128], [76, 85, 255]]
    pixels = np.array([[color, color] for color in ybr], np.uint8)
    ds = image(pixels, color=True, PhotometricInterpretation=name)
    if name == "YBR_FULL_422":
        ds.PixelData = bytes(value for y, b, r in ybr for value in (y, y, b, r))
    expected = [[255] * 3, [0] * 3, [100] * 3, [254, 0, 0]]
    assert shown(ds)[:, 0].tolist() == [pytest.approx(color, abs=1) for color in expected]


def with_palette(ds: Dataset, first: int, bits: int, *channels: list[int]) -> Dataset:
    ds.PhotometricInterpretation = "PALETTE COLOR"
    vr = "SS" if ds.PixelRepresentation else "US"
    order = ">" if ds.file_meta.TransferSyntaxUID == ExplicitVRBigEndian else "<"
    for name, entries in zip(("Red", "Green", "Blue"), channels, strict=True):
        keyword = f"{name}PaletteColorLookupTable"
        ds.add_new(f"{keyword}Descriptor", vr, [len(entries) % 65536, first, bits])
        data = np.array(entries, "u1" if bits == 8 else order + "u2").tobytes()
        if bits == 8 and order == ">":
            data = np.frombuffer(data, ">u2").astype("<u2").tobytes()
        ds.add_new(f"{keyword}Data", "OW", data)
    return ds


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("entries", [4, 2000])
def test_palettes_give_pixels_their_colors(shown, syntax, bits, entries):
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    pixels = np.array([[-3, -2, -1, 0, 1, 9000]], np.int16)
    ds = image(pixels, transfer_syntax_uid=syntax)
    ds.PixelData = pixels.astype(order + "i2").tobytes()
    scale = 257 if bits == 16 else 1
    red = [(number * 7 + 1) % 256 * scale for number in range(entries)]
    blue = [255 * scale - entry for entry in red]
    found = shown(with_palette(ds, -2, bits, red, [0] * entries, blue))
    expected = [red[number] // scale for number in (0, 0, 1, 2, 3, entries - 1)]
    assert found[0, :, 0].tolist() == expected
    assert found[0, :, 2].tolist() == [255 - entry for entry in expected]
    assert not found[:, :, 1].any()


def test_segmented_palettes_are_expanded(shown):
    pixels = np.array([[0, 1, 2, 3, 255]], np.uint8)
    ds = with_palette(image(pixels), 0, 16, [0] * 256, [0] * 256, [0] * 256)
    for name, numbers in (
        ("Red", [0, 1, 0, 1, 255, 65535]),
        ("Green", [0, 2, 65535, 0, 1, 254, 0]),
        ("Blue", [0, 1, 257, 1, 255, 257]),
    ):
        delattr(ds, f"{name}PaletteColorLookupTableData")
        data = np.array(numbers, "<u2").tobytes()
        ds.add_new(f"Segmented{name}PaletteColorLookupTableData", "OW", data)
    found = shown(ds)[0]
    assert found[:, 0].tolist() == [0, 1, 2, 3, 255]
    assert found[:, 1].tolist() == [255, 0, 0, 0, 0]
    assert found[:, 2].tolist() == [1] * 5


def test_frames_of_enhanced_instances_have_their_own_windows(shown, get):
    pixels = np.array([[[0, 100, 200]]] * 3, np.uint16)
    ds = image(pixels, WindowCenter=0, WindowWidth=1)
    ds.SharedFunctionalGroupsSequence = [
        item(
            FrameVOILUTSequence=[item(WindowCenter=100.5, WindowWidth=201)],
            PixelValueTransformationSequence=[item(RescaleSlope=1, RescaleIntercept=0)],
        )
    ]
    ds.PerFrameFunctionalGroupsSequence = [
        item(),
        item(FrameVOILUTSequence=[item(WindowCenter=50.5, WindowWidth=101)]),
        item(PixelValueTransformationSequence=[item(RescaleSlope=2, RescaleIntercept=-100)]),
    ]
    assert shown(ds, frame=1).tolist() == [[0, 128, 255]]
    for frame, expected in ((2, [0, 255, 255]), (3, [0, 128, 255])):
        found = shades(get(f"{path(ds)}/frames/{frame}/rendered", "image/png"))
        assert found.tolist() == [expected]


def test_compressed_frames_are_decoded(shown):
    ds = image(np.array([ramp(), 255 - ramp()]), **IDENTITY)
    ds.compress(RLELossless)
    assert (shown(ds, frame=2) == 255 - ramp()).all()
