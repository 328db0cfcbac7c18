"""A stored image as rendering needs it: decoded frames, and values that are not in its header."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from dicomweb.frames import FrameTable
from dicomweb.header import Cut, Header
from dicomweb.imaging.decode import (
    DecodedFrame,
    NotDecodable,
    decode_frame,
    decoded_interpretation,
)
from dicomweb.imaging.pixels import ImagePixels, image_pixels
from dicomweb.media import EXPLICIT_VR_BIG_ENDIAN
from dicomweb.part10 import inflated_data_set
from dicomweb.wado.blobs import open_range
from dicomweb.wado.storedframes import read_frames
from storage.base import BlobStore


@dataclass
class StoredImage:
    """The frames of an instance. Nothing is read before it is asked for."""

    blobs: BlobStore
    key: str
    """Of its blob."""
    transfer_syntax_uid: str
    header: Header
    table: FrameTable
    most_bytes: int
    """Of the frames that are decoded for one request, stored or decoded."""

    @cached_property
    def pixels(self) -> ImagePixels:
        """What the header says of the pixels.

        :raise NotAnImage: not enough.
        """
        return image_pixels(self.header)

    def require_size(self, numbers: Sequence[int]) -> None:
        """Let frames pass that can be decoded as far as the header tells, and are not too large.

        :raise NotAnImage: the header does not say how large they are.
        :raise NotDecodable: they cannot be decoded, or are too large.
        """
        decoded = self.pixels.decoded_bytes * len(numbers)
        stored = sum(length for number in numbers for _, length in self.table.ranges(number))
        if max(decoded, stored) > self.most_bytes:
            raise NotDecodable(
                f"What is to be decoded has {max(decoded, stored)} bytes; the limit is "
                f"{self.most_bytes}."
            )
        decoded_interpretation(self.transfer_syntax_uid, self.pixels, self.most_bytes)

    def decoded(self, numbers: Iterable[int]) -> Iterator[DecodedFrame]:
        """Frames, one after the other.

        :raise NotDecodable: one cannot be decoded.
        """
        swapped = self.is_big_endian and self.pixels.words
        frames = read_frames(self.blobs, self.key, self.table, numbers, swapped_words=swapped)
        for frame in frames:
            yield decode_frame(frame, self.transfer_syntax_uid, self.pixels, self.most_bytes)

    def read_cut(self, cut: Cut) -> bytes:
        """A value that was left out of the header."""
        start, stop = cut.offset, cut.offset + cut.length
        if self.header.inflated:
            with self.blobs.open(self.key) as reader:
                return bytes(inflated_data_set(memoryview(reader.read()))[start:stop])
        with open_range(self.blobs, self.key, start, stop) as reader:
            return reader.read()

    @property
    def is_big_endian(self) -> bool:
        """Whether words of the file are in Big Endian order."""
        return self.transfer_syntax_uid == EXPLICIT_VR_BIG_ENDIAN
