"""What a JPEG 2000 frame says of itself (ITU-T T.800 Annex A), high-throughput or not."""

from collections.abc import Iterator
from struct import Struct

from dicomweb.imaging.codestream import Codestream, Malformed, components

_START = b"\xff\x4f\xff\x51"
_JP2_SIGNATURE = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
_CODING_STYLE = 0xFF52
_COMPONENT_CODING_STYLE = 0xFF53
_TILE_PART = 0xFF90
_TILE_PART_DATA = 0xFF93
_END = 0xFFD9

_TILE_PART_BYTES = 12
"""Of the segment that a tile-part begins with, its marker included."""

_SIZE = Struct(">HH8IH").unpack_from
_MARKER = Struct(">HH").unpack_from
_TILE_PART_LENGTH = Struct(">I").unpack_from
_LAYERS = Struct(">H").unpack_from
_BOX = Struct(">I4s").unpack_from
_LARGE_BOX = Struct(">Q").unpack_from

_MOST_LEVELS = 32
_LEAST_TILE = 64 * 64
_SMALL_TILES = 64
"""So many tiles of less samples than that are not too many. A decoder takes 7 KB for each tile."""
_LEAST_PRECINCT = 16
"""Samples along a side of a precinct that are not too few. Encoders make them of 64 and more; a
decoder takes over a kilobyte for each."""


def codestream_of(frame: bytes) -> tuple[Codestream, bytes]:
    """What a JPEG 2000 frame says, and its codestream (ITU-T T.800 Annex A).

    Some writers wrap the codestream in a JP2 file; what that says of color counts nothing.

    :raise Malformed: it is none, or cut short.
    """
    if frame[:12] == _JP2_SIGNATURE:
        frame = _contiguous_codestream(frame)
    if frame[:4] != _START or len(frame) < 42:
        raise Malformed("it is no JPEG 2000 codestream")
    _, _, right, bottom, left, top, _, _, _, _, count = _SIZE(frame, 4)
    described = components(frame[42 : 42 + 3 * count], count)
    if len({depth for depth, _, _ in described}) > 1:
        raise Malformed("the components of the JPEG 2000 codestream differ in precision")
    depth = described[0][0]
    return Codestream(
        rows=bottom - top,
        columns=right - left,
        components=count,
        precision=(depth & 0x7F) + 1,
        signed=bool(depth & 0x80),
        subsampled=any((x, y) != (1, 1) for _, x, y in described),
    ), frame


def _contiguous_codestream(frame: bytes) -> bytes:
    """The codestream in a JP2 file (ITU-T T.800 Annex I)."""
    at = 0
    while at + 16 <= len(frame):
        length, kind = _BOX(frame, at)
        head = 8
        if length == 1:
            (length,), head = _LARGE_BOX(frame, at + 8), 16
        if kind == b"jp2c":
            return frame[at + head : at + length if length else None]
        if length < head:
            break
        at += length
    raise Malformed("the JP2 file has no codestream")


def require_moderate(codestream: bytes) -> None:
    """See that a codestream does not ask for more structure than it has data or samples.

    Every packet takes a byte at least, and every precinct memory.

    :param codestream: whose size fits the data set.
    :raise Malformed: it does.
    """
    _, _, right, bottom, _, _, width, height, left, top, count = _SIZE(codestream, 4)
    if not width or not height:
        raise Malformed("the tiles of the JPEG 2000 codestream are empty")
    tiles = -(-(right - left) // width) * -(-(bottom - top) // height)
    if tiles > _SMALL_TILES + (right - left) * (bottom - top) // _LEAST_TILE:
        raise Malformed("the tiles of the JPEG 2000 codestream are too small")
    width, height = min(width, right), min(height, bottom)
    layers = 1
    packets = 0
    for is_default, style in _coding_styles(codestream, count):
        if is_default:
            (layers,) = _LAYERS(style, 2)
        precincts, levels = _precincts(style, width, height, 5 if is_default else 1)
        most = (width // _LEAST_PRECINCT + 1) * (height // _LEAST_PRECINCT + 1)
        if precincts > most + 4 * (levels + 1):
            raise Malformed("the precincts of the JPEG 2000 codestream are too small")
        packets = max(packets, layers * precincts * count * tiles)
    if packets > len(codestream):
        raise Malformed("the JPEG 2000 codestream is cut short")


def _precincts(style: bytes, width: int, height: int, at: int) -> tuple[int, int]:
    """Precincts of a component of a tile at all resolutions, and the number of these but one.

    :param at: where in ``style`` that number is.
    """
    levels = style[at]
    sizes = style[at + 5 : at + 6 + levels] if style[0] & 1 else b"\xff" * (levels + 1)
    if levels > _MOST_LEVELS or len(sizes) <= levels:
        raise Malformed("the JPEG 2000 codestream does not describe its resolutions")
    precincts = 0
    for resolution, size in enumerate(sizes):
        halved = levels - resolution
        columns, rows = -(-width >> halved), -(-height >> halved)
        precincts += -(-columns >> (size & 0xF)) * -(-rows >> (size >> 4))
    return precincts, levels


def _coding_styles(codestream: bytes, count: int) -> Iterator[tuple[bool, bytes]]:
    """The coding styles of all headers: of all components, or of one without its number."""
    number_bytes = 1 if count < 257 else 2
    (length,) = _LAYERS(codestream, 4)
    at, tile_part, end = 4 + length, 0, len(codestream)
    while at + 4 <= end:
        marker, length = _MARKER(codestream, at)
        segment = codestream[at + 4 : at + 2 + length]
        if marker == _END:
            return
        if marker == _TILE_PART_DATA:
            if tile_part + _TILE_PART_BYTES > at:
                raise Malformed("a tile-part of the JPEG 2000 codestream is cut short")
            (length,) = _TILE_PART_LENGTH(codestream, tile_part + 6)
            if not length:
                return
            at = max(tile_part + length, at + 2)
            continue
        if marker == _TILE_PART:
            tile_part = at
        elif marker < 0xFF00:
            raise Malformed("the JPEG 2000 codestream is out of order")
        elif marker == _CODING_STYLE and len(segment) >= 10:
            yield True, segment
        elif marker == _COMPONENT_CODING_STYLE and len(segment) >= 6 + number_bytes:
            yield False, segment[number_bytes:]
        at += 2 + length
