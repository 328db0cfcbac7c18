"""Values that are sent byte by byte, whole or in part: in memory, or where they lie in a blob."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from dicomweb.bigendian import swap
from dicomweb.wado.answer import Body
from dicomweb.wado.blobs import OpenedAhead, open_range
from dicomweb.wado.storedframes import Source
from storage.base import BlobReader, BlobStore, BytesReader

Pieces = list[tuple[int, int]]
"""Offset in the file and length of each, ascending."""


class Value(Protocol):
    """Some bytes."""

    @property
    def length(self) -> int:
        """How many."""

    def open(self, start: int, stop: int) -> Body:
        """Open those from ``start`` to before ``stop``.

        :raise BlobNotFound: there is no such blob.
        :raise BlobDamaged: the blob is too short.
        """


@dataclass(frozen=True, slots=True)
class InMemory:
    """A value that is in memory."""

    data: bytes | memoryview

    @property
    def length(self) -> int:
        """Bytes of it."""
        return len(self.data)

    def open(self, start: int, stop: int) -> Body:
        """Open a range of it."""
        return _body(partial(BytesReader, bytes(self.data[start:stop])))


@dataclass(frozen=True, slots=True)
class InBlob:
    """A value in one or more pieces of a blob. All that is asked for is one ranged read."""

    blobs: BlobStore
    key: str
    pieces: Pieces

    @property
    def length(self) -> int:
        """Bytes of all pieces."""
        return sum(length for _, length in self.pieces)

    def open(self, start: int, stop: int) -> Body:
        """Open a range of it."""
        pieces = list(_clipped(self.pieces, start, stop)) or [(0, 0)]
        first, end = pieces[0][0], sum(pieces[-1])
        body = _body(partial(open_range, self.blobs, self.key, first, end))
        if len(pieces) == 1:
            return body
        return Body(Source(body, first).pieces(pieces), body.blobs)


@dataclass(frozen=True, slots=True)
class BigEndianInBlob:
    """A value of numbers in Big Endian, which is sent in Little Endian."""

    blobs: BlobStore
    key: str
    offset: int
    length: int
    number_bytes: int

    def open(self, start: int, stop: int) -> Body:
        """Open a range of it."""
        first = start - start % self.number_bytes
        end = min(stop + -stop % self.number_bytes, self.length)
        whole = InBlob(self.blobs, self.key, [(self.offset + first, end - first)])
        body = whole.open(0, end - first)
        swapped = Source(_swapped(body, self.number_bytes), first)
        return Body(swapped.pieces([(start, stop - start)]), body.blobs)


def _body(opening: Callable[[], BlobReader]) -> Body:
    blobs = OpenedAhead([opening])
    return Body((chunk for blob in blobs for chunk in blob), blobs, blobs.first.file)


def _clipped(pieces: Pieces, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Of the pieces what lies between two positions in all of them."""
    at = 0
    for offset, length in pieces:
        first, end = max(start - at, 0), min(stop - at, length)
        if first < end:
            yield offset + first, end - first
        at += length


def _swapped(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Each number of that many bytes turned round; what is left over at the end stays."""
    rest = b""
    for chunk in chunks:
        data = bytearray(rest + chunk)
        whole = len(data) // size * size
        swap(data, 0, whole, size)
        rest = bytes(data[whole:])
        yield bytes(data[:whole])
    yield rest
