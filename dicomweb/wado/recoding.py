"""Frames from one transfer syntax into another."""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

from dicomweb.frames import FrameTable
from dicomweb.header import Header
from dicomweb.imaging.decode import (
    NotDecodable,
    decode_frame,
    decoded_interpretation,
    in_little_endian,
)
from dicomweb.imaging.encode import NotEncodable, encode_frame, encoded_interpretation
from dicomweb.imaging.pixels import ImagePixels, NotAnImage, image_pixels
from dicomweb.media import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from dicomweb.wado.storedframes import read_frames
from storage.base import BlobStore

NATIVE = frozenset({IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN})
"""Transfer syntaxes that are made in which frames are not compressed."""

_OVERLAY_GROUPS = range(0x6000, 0x6100, 2)
_OVERLAY_BIT_POSITION = 0x0102
_OVERLAY_DATA = 0x3000


class NotTranscodable(Exception):
    """An instance cannot be had in a transfer syntax; says why, in words for the client."""


@dataclass(frozen=True, slots=True)
class Recoding:
    """How the frames of one instance are decoded and encoded."""

    source: str
    """Transfer Syntax UID."""
    target: str
    """Transfer Syntax UID."""
    table: FrameTable
    pixels: ImagePixels
    """Stored ones."""
    encoded: ImagePixels
    """Those that come out."""
    most_bytes: int
    """Of a decoded frame."""

    @classmethod
    def of(
        cls, source: str, target: str, header: Header, table: FrameTable | None, most_bytes: int
    ) -> Self:
        """How to transcode frames of an instance.

        :raise NotTranscodable: it is not possible, as far as its header tells.
        """
        if table is None:
            raise NotTranscodable("Its frames cannot be told apart.")
        try:
            pixels = image_pixels(header)
            if source == EXPLICIT_VR_BIG_ENDIAN and target in NATIVE:
                return cls(source, target, table, pixels, pixels, most_bytes)
            decoded = decoded_interpretation(source, pixels, most_bytes)
            interpretation = encoded_interpretation(target, pixels, decoded)
        except (NotAnImage, NotDecodable, NotEncodable) as error:
            raise NotTranscodable(str(error)) from error
        if _overlays_within(header):
            raise NotTranscodable("Overlays in unused bits of its pixels would be lost.")
        encoded = replace(pixels, photometric_interpretation=interpretation)
        if target not in NATIVE:
            encoded = replace(encoded, planar_configuration=0, high_bit=pixels.bits_stored - 1)
        return cls(source, target, table, pixels, encoded, most_bytes)

    @property
    def frame_bytes(self) -> int | None:
        """Length of each frame that comes out; None if that is not known before."""
        bits = self.table.frame_bits if self._swaps else self.encoded.frame_bits
        return -(-bits // 8) if self.target in NATIVE else None

    @property
    def _swaps(self) -> bool:
        """Native frames stay as they are, but for the order of their bytes."""
        return self.source == EXPLICIT_VR_BIG_ENDIAN and self.target in NATIVE

    def jobs(
        self, blobs: BlobStore, key: str, numbers: Iterable[int]
    ) -> Generator[Callable[[], bytes], None, None]:
        """What has to be done for each frame, given its bytes; these are read one after the other.

        A job raises :class:`NotTranscodable` if the frame is not what the header says.
        """
        swapped = self.source == EXPLICIT_VR_BIG_ENDIAN and self.pixels.words
        for frame in read_frames(blobs, key, self.table, numbers, swapped_words=swapped):
            yield partial(self._recode, frame)

    def _recode(self, frame: bytes) -> bytes:
        try:
            if self._swaps:
                return in_little_endian(frame, self.pixels)
            decoded = decode_frame(frame, self.source, self.pixels, self.most_bytes)
            return encode_frame(decoded, self.target, self.encoded)
        except (NotDecodable, NotEncodable) as error:
            raise NotTranscodable(str(error)) from error


def _overlays_within(header: Header) -> bool:
    """Whether there are overlays that lie in the words of the pixels (PS3.5 8.1.2)."""
    return any(
        group << 16 | _OVERLAY_BIT_POSITION in header.offsets
        and group << 16 | _OVERLAY_DATA not in header.offsets
        for group in _OVERLAY_GROUPS
    )
