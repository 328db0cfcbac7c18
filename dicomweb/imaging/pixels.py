"""What the header of an instance says of its pixels: the Image Pixel Module (PS3.3 C.7.6.3)."""

from dataclasses import dataclass

from dicomweb.elements import PIXEL_DATA_TAGS, PIXEL_REPRESENTATION
from dicomweb.frames import PixelDescription
from dicomweb.header import Header
from dicomweb.part10 import number_of_frames, pixel_description, unsigned

_PIXEL_DATA = 0x7FE00010
_PLANAR_CONFIGURATION = 0x00280006
_BITS_STORED = 0x00280101
_HIGH_BIT = 0x00280102


class NotAnImage(ValueError):
    """The header describes no image; says what is missing."""


@dataclass(frozen=True, slots=True)
class ImagePixels(PixelDescription):
    """The Image Pixel Module, with what it may leave out filled in."""

    bits_stored: int
    high_bit: int
    signed: bool
    planar_configuration: int
    """0: the samples of a pixel lie together; 1: those of a color do. Of native frames only."""
    number_of_frames: int
    floating: bool = False
    """Samples are floating point numbers (PS3.3 C.7.6.24 and C.7.6.25)."""
    words: bool = False
    """Samples of up to 8 bits lie in 16-bit words (VR OW): in Big Endian these are swapped."""

    @property
    def decoded_bytes(self) -> int:
        """Bytes of the samples of a decoded frame: no sample takes less than one."""
        samples = self.rows * self.columns * self.samples_per_pixel
        return samples * max(self.bits_allocated, 8) // 8


def image_pixels(header: Header) -> ImagePixels:
    """What a header says of its pixels.

    :raise NotAnImage: nothing, or not how many there are.
    """
    size = pixel_description(header)
    if not header.offsets.keys() & PIXEL_DATA_TAGS:
        raise NotAnImage("there is no Pixel Data")
    if not size.frame_bits:
        raise NotAnImage("Rows, Columns or Bits Allocated is missing or zero")
    bits_stored = unsigned(header, _BITS_STORED) or size.bits_allocated
    pixel_data = header.element(_PIXEL_DATA)
    return ImagePixels(
        rows=size.rows,
        columns=size.columns,
        samples_per_pixel=size.samples_per_pixel,
        bits_allocated=size.bits_allocated,
        photometric_interpretation=size.photometric_interpretation,
        bits_stored=bits_stored,
        high_bit=unsigned(header, _HIGH_BIT) or bits_stored - 1,
        signed=unsigned(header, PIXEL_REPRESENTATION) == 1,
        planar_configuration=unsigned(header, _PLANAR_CONFIGURATION),
        number_of_frames=number_of_frames(header),
        floating=pixel_data is None,
        words=pixel_data is not None and pixel_data[0] == "OW" and size.bits_allocated <= 8,
    )
