"""Explicit VR Big Endian, retired from PS3.5 but not from archives, turned into Little Endian."""

from struct import Struct

from dicomweb.elements import BIG_ENDIAN_HEADERS, ITEM, LONG

_TAG = Struct(">HH").unpack_from
_LITTLE_TAG = Struct("<HH").pack_into
_LENGTH = Struct(">I").unpack_from
_LITTLE_LENGTH = Struct("<I").pack_into
_LITTLE_SHORT_LENGTH = Struct("<H").pack_into

BYTES_OF_NUMBER = {
    **dict.fromkeys(("AT", "OW", "SS", "US"), 2),
    **dict.fromkeys(("FL", "OF", "OL", "SL", "UL"), 4),
    **dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8),
}
"""Of the VRs whose bytes depend on the byte order."""


def little_endian(data: bytes) -> bytes:
    """The same data set, byte for byte in the same places, with tags, lengths and numbers swapped.

    :param data: a header that was walked: nothing in it is checked again.
    """
    swapped = bytearray(data)
    at = 0
    while at < len(data):
        tag, step, kind, vr = BIG_ENDIAN_HEADERS[data[at : at + 8]]
        _LITTLE_TAG(swapped, at, tag >> 16, tag & 0xFFFF)
        if kind >= ITEM:
            _LITTLE_LENGTH(swapped, at + 4, *_LENGTH(data, at + 4))
            at += 8
            continue
        value = at + 8
        if kind == LONG:
            value = at + 12
            (length,) = _LENGTH(data, at + 8)
            _LITTLE_LENGTH(swapped, at + 8, length)
            step = 12 if vr == "SQ" else 12 + length  # the items of a sequence come next
        else:
            _LITTLE_SHORT_LENGTH(swapped, at + 6, step - 8)
        swap(swapped, value, at + step, BYTES_OF_NUMBER.get(vr, 1))
        at += step
    return bytes(swapped)


def swap(data: bytearray, start: int, stop: int, size: int) -> None:
    """Turn round each number of that many bytes; what is left over at the end stays."""
    stop -= (stop - start) % size
    value = data[start:stop]
    for byte in range(size // 2):
        other = size - 1 - byte
        value[byte::size], value[other::size] = value[other::size], value[byte::size]
    data[start:stop] = value
