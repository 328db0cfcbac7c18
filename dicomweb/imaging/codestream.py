"""What a compressed frame says of itself, read before any codec sees it.

Codecs allocate what a frame claims to need, and work as long as it tells them to. So its claims are
held against the data set, and against what it is made of.
"""

from dataclasses import dataclass
from struct import Struct

_JPEG_START = b"\xff\xd8"
_JPEG_END = b"\xff\xd9"
_SCAN = b"\xff\xda"

_START_OF_SCAN = 0xDA
_ADOBE = 0xEE  # APP14
_JFIF = 0xE0  # APP0
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})  # TEM, RSTn, SOI
_STARTS_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}

_SIZE = Struct(">BHHB").unpack_from
_COMPONENTS = Struct("BBB").iter_unpack


class Malformed(ValueError):
    """A frame is not what its transfer syntax says; says why."""


@dataclass(frozen=True, slots=True)
class Codestream:
    """What a compressed frame says of itself."""

    rows: int
    columns: int
    components: int
    precision: int
    """Bits of a sample."""
    signed: bool = False
    subsampled: bool = False
    """Some components have fewer samples than others."""
    process: int = 0
    """JPEG: second byte of the start-of-frame marker, which names the process."""
    color: str = ""
    """JPEG: RGB or YCbCr if its markers say which."""


def jpeg(frame: bytes) -> Codestream:
    """What a JPEG or JPEG-LS frame says (ITU-T T.81 Annex B, T.87 Annex C).

    :raise Malformed: it is none, or cut short.
    """
    if frame[:2] != _JPEG_START:
        raise Malformed("it is no JPEG image")
    at = 2
    color = ""
    while at + 4 <= len(frame):
        if frame[at] != 0xFF:
            break
        marker = frame[at + 1]
        if marker in _WITHOUT_LENGTH or marker == 0xFF:
            at += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(frame[at + 2 : at + 4])
        segment = frame[at + 4 : at + 2 + length]
        if marker in _STARTS_OF_FRAME:
            if frame.find(_JPEG_END, at) < 0:  # codecs fill up what is missing, and say nothing
                raise Malformed("the JPEG image is cut short")
            found = _jpeg_frame(marker, segment, color)
            if frame.count(_SCAN, at) > found.components:  # each is worked off for all the image
                raise Malformed("the JPEG image has more scans than components")
            return found
        if marker == _START_OF_SCAN:
            break
        color = _jpeg_color(marker, segment) or color
        at += 2 + length
    raise Malformed("the JPEG image has no start of frame")


def _jpeg_color(marker: int, segment: bytes) -> str:
    """Color space that an application segment announces; the Adobe one is read last by all."""
    if marker == _ADOBE and segment[:5] == b"Adobe" and len(segment) >= 12:
        return {0: "RGB", 1: "YCbCr"}.get(segment[11], "")
    return "YCbCr" if marker == _JFIF and segment[:5] == b"JFIF\0" else ""


def _jpeg_frame(marker: int, segment: bytes, color: str) -> Codestream:
    if len(segment) < 6:
        raise Malformed("the JPEG image has no size")
    precision, rows, columns, count = _SIZE(segment)
    described = components(segment[6:], count)
    if bytes(number for number, _, _ in described) in (b"RGB", b"rgb"):
        color = "RGB"
    subsampled = len({sampling for _, sampling, _ in described}) > 1
    return Codestream(
        rows, columns, count, precision, subsampled=subsampled, process=marker, color=color
    )


def components(described: bytes, count: int) -> list[tuple[int, int, int]]:
    """Three bytes for each component, which JPEG and JPEG 2000 spend on different things."""
    if not 0 < 3 * count <= len(described):
        raise Malformed("its components are not described")
    return list(_COMPONENTS(described[: 3 * count]))
