"""What the header of an instance says of how a frame is to be shown.

Attributes of enhanced instances are looked for where functional groups have them: those of the
frame, then those of all frames (PS3.3 C.7.6.16). Whatever is malformed counts as if it were not
there: an image that is shown in another way than it was meant is better than none.
"""

from collections.abc import Callable
from struct import unpack_from

import numpy as np

from dicomweb.header import Cut, Header
from dicomweb.imaging import palette
from dicomweb.imaging.grayscale import Function, Grayscale, LookupTable, StoredValues, Window
from dicomweb.imaging.palette import Descriptor, Palette
from dicomweb.items import Item

ReadCut = Callable[[Cut], bytes]
"""Reads a value that is not in the header, as it is in the file."""

SOP_CLASS_UID = 0x00080016
SHOWN_AS_STORED = frozenset({"1.2.840.10008.5.1.4.1.1.12.1", "1.2.840.10008.5.1.4.1.1.12.2"})
"""X-Ray Angiographic and Radiofluoroscopic Image Storage: what their Modality LUT gives is linear
to the dose, and not meant for display; windows are of stored values."""

SHARED_FUNCTIONAL_GROUPS = 0x52009229
PER_FRAME_FUNCTIONAL_GROUPS = 0x52009230
PIXEL_MEASURES = 0x00289110
FRAME_VOI_LUT = 0x00289132
PIXEL_VALUE_TRANSFORMATION = 0x00289145

RESCALE_INTERCEPT = 0x00281052
RESCALE_SLOPE = 0x00281053
MODALITY_LUT_SEQUENCE = 0x00283000
VOI_LUT_SEQUENCE = 0x00283010
LUT_DESCRIPTOR = 0x00283002
LUT_DATA = 0x00283006
WINDOW_CENTER = 0x00281050
WINDOW_WIDTH = 0x00281051
VOI_LUT_FUNCTION = 0x00281056
PRESENTATION_LUT_SHAPE = 0x20500020

PIXEL_PADDING_VALUE = 0x00280120
PADDINGS = (
    (PIXEL_PADDING_VALUE, 0x00280121),
    (0x00280122, 0x00280124),
    (0x00280123, 0x00280125),
)
"""Padding Value and Padding Range Limit of Pixel Data, Float and Double Float Pixel Data."""

PALETTE_DESCRIPTOR = 0x00281101
PALETTES = (
    ((0x00281201, 0x00281202, 0x00281203), palette.entries),
    ((0x00281221, 0x00281222, 0x00281223), palette.segments),
)
"""Palette Color Lookup Table Data of red, green and blue, and the same in segments."""

PIXEL_SIZES = (0x00280030, 0x00181164, 0x00182010, 0x00280034)
"""Vertical and horizontal: Pixel Spacing, Imager Pixel Spacing, Nominal Scanned Pixel Spacing,
Pixel Aspect Ratio. The first that is there counts."""

FRAME_TIME = 0x00181063
"""In milliseconds."""
FRAME_RATES = (0x00082144, 0x00180040)
"""Frames in a second: Recommended Display Frame Rate, Cine Rate."""
DEFAULT_FRAME_MS = 100.0
LONGEST_FRAME_MS = 10_000.0

ICC_PROFILE = 0x00282000
OPTICAL_PATH_SEQUENCE = 0x00480105

_LARGEST = 1e30
_MOST_ENTRIES = 65536
_MOST_LUT_BYTES = 2 * _MOST_ENTRIES
_MOST_SEGMENTS_BYTES = 2**20
_MOST_ICC_BYTES = 16 * 2**20
_LARGEST_ASPECT = 16.0


class Display:
    """How a frame is to be shown."""

    def __init__(
        self, header: Header, frame: int, read_cut: ReadCut, *, big_endian: bool = False
    ) -> None:
        """How the frame of that number is to be shown.

        :param frame: 1 and up.
        :param big_endian: words in values that are not in the header are in that order.
        """
        self._top = Item.top(header)
        self._read_cut = read_cut
        self._big_endian = big_endian
        groups = (
            self._top.item(PER_FRAME_FUNCTIONAL_GROUPS, frame),
            self._top.item(SHARED_FUNCTIONAL_GROUPS),
        )
        self._groups = [group for group in groups if group]

    def grayscale(self, stored: StoredValues, photometric_interpretation: str) -> Grayscale:
        """How stored values of a monochrome image become shades."""
        slope, intercept, modality = self._modality(stored)
        signed = stored.signed
        if modality:
            signed = False
        elif (slope, intercept) != (1, 0):
            ends = stored.least, stored.greatest
            signed = any(end * slope + intercept < 0 for end in ends)
        inverse = self._top.text(PRESENTATION_LUT_SHAPE) == "INVERSE"
        return Grayscale(
            slope,
            intercept,
            modality,
            self._voi(signed=signed),
            inverted=inverse or photometric_interpretation == "MONOCHROME1",
            padding=self._padding(stored),
        )

    def palette(self, stored: StoredValues) -> Palette | None:
        """The colors of a palette image; None if they are missing or malformed."""
        descriptor = self._descriptor(self._top, PALETTE_DESCRIPTOR, signed=stored.signed)
        if descriptor is None:
            return None
        for tags, expanded in PALETTES:
            found = [self._data(self._top, tag, _MOST_SEGMENTS_BYTES) for tag in tags]
            channels = [expanded(data, descriptor) for data in found]
            if all(map(len, channels)):
                return palette.palette(descriptor, channels)
        return None

    def pixel_aspect(self) -> float:
        """Height of a pixel, in terms of its width."""
        measures = self._macro(PIXEL_MEASURES)
        for item in (measures, self._top):
            for tag in PIXEL_SIZES:
                sizes = item.numbers(tag, 2)
                if len(sizes) == 2 and all(0 < size < _LARGEST for size in sizes):
                    aspect = sizes[0] / sizes[1]
                    return aspect if 1 / _LARGEST_ASPECT <= aspect <= _LARGEST_ASPECT else 1.0
        return 1.0

    @property
    def frame_ms(self) -> float:
        """How long each frame of a cine is shown, in milliseconds."""
        frame_time = _number(self._top, FRAME_TIME) or 0
        for tag in FRAME_RATES:
            if not frame_time and (rate := _number(self._top, tag) or 0) > 0:
                frame_time = 1000 / rate
        return min(max(frame_time, 0) or DEFAULT_FRAME_MS, LONGEST_FRAME_MS)

    def icc_profile(self) -> bytes:
        """The ICC Profile of a color image, empty if it has none."""
        for item in (self._top, self._top.item(OPTICAL_PATH_SEQUENCE)):
            if item and (profile := self._data(item, ICC_PROFILE, _MOST_ICC_BYTES)):
                return profile
        return b""

    def _macro(self, sequence: int) -> Item:
        """The data set that has the attributes of a functional group macro."""
        found = (group.item(sequence) for group in self._groups)
        return next(filter(None, found), self._top)

    def _modality(self, stored: StoredValues) -> tuple[float, float, LookupTable | None]:
        """Rescale Slope and Intercept, and the Modality LUT that takes their place."""
        if self._top.text(SOP_CLASS_UID) in SHOWN_AS_STORED:
            return 1.0, 0.0, None
        item = self._macro(PIXEL_VALUE_TRANSFORMATION)
        sequence = item.item(MODALITY_LUT_SEQUENCE)
        table = self._lookup_table(sequence, signed=stored.signed) if sequence else None
        return _number(item, RESCALE_SLOPE) or 1.0, _number(item, RESCALE_INTERCEPT) or 0.0, table

    def _voi(self, *, signed: bool) -> Window | LookupTable | None:
        """The first VOI LUT, or else the first window."""
        item = self._macro(FRAME_VOI_LUT)
        sequence = item.item(VOI_LUT_SEQUENCE)
        table = self._lookup_table(sequence, signed=signed) if sequence else None
        return table or _window(item)

    def _lookup_table(self, item: Item, *, signed: bool) -> LookupTable | None:
        descriptor = self._descriptor(item, LUT_DESCRIPTOR, signed=signed)
        if descriptor is None or not 0 < descriptor.bits <= 16:
            return None
        data = self._data(item, LUT_DATA, _MOST_LUT_BYTES)
        entries = palette.entries(data, descriptor)[: descriptor.entries].astype("<u2")
        if not entries.size:
            return None
        bits = max(descriptor.bits, int(entries.max()).bit_length())
        return LookupTable(descriptor.first, bits, entries.tobytes())

    def _descriptor(self, item: Item, tag: int, *, signed: bool) -> Descriptor | None:
        element = item.element(tag)
        if element is None or len(element.value) < 6:
            return None
        signed = signed or element.vr == "SS"
        entries, first, bits = unpack_from("<HhH" if signed else "<HHH", element.value)
        return Descriptor(entries or _MOST_ENTRIES, first, bits)

    def _data(self, item: Item, tag: int, most: int) -> bytes:
        """The value of an element, wherever it is; nothing if it is missing or too long."""
        element = item.element(tag)
        if element is None:
            return b""
        if element.cut is None:
            return element.value
        if element.cut.length > most:
            return b""
        value = self._read_cut(element.cut)
        if self._big_endian and element.vr == "OW":
            return np.frombuffer(value[: len(value) & ~1], ">u2").astype("<u2").tobytes()
        return value

    def _padding(self, stored: StoredValues) -> tuple[float, float] | None:
        """The least and the greatest value of pixels that are no part of the image."""
        for value, limit in PADDINGS:
            least = _number(self._top, value)
            if least is None:
                continue
            other = _number(self._top, limit)
            ends = [least, least if other is None else other]
            if value == PIXEL_PADDING_VALUE and stored.signed:  # maybe of VR US all the same
                ends = [end - 2**16 if end >= 2**15 else end for end in ends]
            return min(ends), max(ends)
        return None


def _number(item: Item, tag: int) -> float | None:
    """The first value of an element if it is a number to count with."""
    found = item.numbers(tag, 1)
    return found[0] if found and abs(found[0]) <= _LARGEST else None


def _window(item: Item) -> Window | None:
    """The first window of a data set."""
    center, width = _number(item, WINDOW_CENTER), _number(item, WINDOW_WIDTH)
    if center is None or width is None or not width > 0:
        return None
    name = item.text(VOI_LUT_FUNCTION).lower().replace("_", "-")
    function = Function(name) if name in set(Function) else Function.LINEAR
    if function is Function.LINEAR and width < 1:  # meant for values that are no integers
        function = Function.LINEAR_EXACT
    return Window(center, width, function)
