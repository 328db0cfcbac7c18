"""The bytes of stored frames, out of the blob without reading what is around.

The frame table says where each frame is. Frames that lie one behind the other are read as one
range.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from dicomweb.errors import NotFound
from dicomweb.frames import FrameTable
from dicomweb.part10 import inflated_data_set
from dicomweb.wado.blobs import OpenedAhead, open_range
from storage.base import BlobReader, BlobStore, BytesReader

_ITEM_HEADER_BYTES = 8


@dataclass(frozen=True, slots=True)
class FrameBytes:
    """A frame as it lies in the file."""

    pieces: list[tuple[int, int]]
    """Offset and length of each."""
    first_bit: int
    bits: int
    """How many, if the frame does not fill whole bytes of its own; otherwise 0."""

    @property
    def length(self) -> int:
        """Bytes of its content."""
        return -(-self.bits // 8) if self.bits else sum(length for _, length in self.pieces)


@dataclass(slots=True)
class Run:
    """Frames that lie one behind the other, with nothing but item headers between them."""

    start: int
    stop: int
    frames: list[FrameBytes]


def frame_table(encoded: bytes | None, numbers: Sequence[int]) -> FrameTable:
    """Where the frames of an instance are, from what the index keeps of them.

    :raise NotFound: one that is asked for is not there.
    """
    table = FrameTable.decode(encoded) if encoded else None
    count = table.count if table else 0
    if table is None or max(numbers) > count:
        raise NotFound(f"The specified frame cannot be found: the instance has {count} frames.")
    return table


def located(table: FrameTable, numbers: Iterable[int]) -> list[Run]:
    """Where frames are.

    :param numbers: 1 and up.
    :raise IndexError: one is not there.
    """
    gap = _ITEM_HEADER_BYTES if table.encapsulated else 0
    partial_bytes = table.frame_bits % 8 != 0
    runs: list[Run] = []
    for number in numbers:
        bits = table.frame_bits if partial_bytes else 0
        frame = FrameBytes(table.ranges(number), table.first_bit(number), bits)
        start, stop = frame.pieces[0][0], sum(frame.pieces[-1])
        if runs and start == runs[-1].stop + gap:
            runs[-1].stop = stop
            runs[-1].frames.append(frame)
        else:
            runs.append(Run(start, stop, [frame]))
    return runs


def open_runs(blobs: BlobStore, key: str, runs: Sequence[Run], *, inflated: bool) -> OpenedAhead:
    """The runs of a blob, to be read one after the other.

    :param inflated: the file is deflated: it is inflated, whole, in memory.
    """
    return OpenedAhead(_openings(blobs, key, runs, inflated=inflated))


def _openings(
    blobs: BlobStore, key: str, runs: Sequence[Run], *, inflated: bool
) -> Iterator[Callable[[], BlobReader]]:
    if not inflated:
        for run in runs:
            yield partial(open_range, blobs, key, run.start, run.stop)
        return
    with blobs.open(key) as reader:
        data_set = inflated_data_set(memoryview(reader.read()))
    for run in runs:
        yield partial(BytesReader, bytes(data_set[run.start : run.stop]))


def contents(runs: Iterable[Run], opened: OpenedAhead) -> Iterator[Iterator[bytes]]:
    """The content of each frame; each has to be read to its end before the next."""
    for run, reader in zip(runs, opened, strict=True):
        source = Source(reader, run.start)
        for frame in run.frames:
            content = source.pieces(frame.pieces)
            yield iter((_aligned(frame, content),)) if frame.bits else content


def read_frames(
    blobs: BlobStore,
    key: str,
    table: FrameTable,
    numbers: Iterable[int],
    *,
    swapped_words: bool = False,
) -> Iterator[bytes]:
    """Frames as decoders take them, one after the other; one is in memory at a time.

    :param key: of the blob that ``table`` is about.
    :param numbers: 1 and up.
    :param swapped_words: samples of up to 8 bits lie in 16-bit words of Big Endian order.
    :raise IndexError: a frame is not there.
    :raise BlobDamaged: the blob has become shorter.
    """
    if swapped_words:
        for number in numbers:
            yield _out_of_words(blobs, key, table, number)
        return
    runs = located(table, numbers)
    with closing(open_runs(blobs, key, runs, inflated=table.inflated)) as opened:
        for content in contents(runs, opened):
            yield b"".join(content)


def _out_of_words(blobs: BlobStore, key: str, table: FrameTable, number: int) -> bytes:
    """A native frame, and what of its neighbours is in its words, each word swapped."""
    ((offset, length),) = table.ranges(number)
    before = (offset - table.start) % 2
    after = (before + length) % 2
    with open_range(blobs, key, offset - before, offset + length + after) as reader:
        words = bytearray(reader.read())
    words[::2], words[1::2] = words[1::2], words[::2]
    frame = FrameBytes([(offset, length)], table.first_bit(number), table.frame_bits)
    return _aligned(frame, [bytes(words[before : before + length])])


class Source:
    """Cuts pieces out of chunks that arrive one after the other."""

    def __init__(self, chunks: Iterable[bytes], start: int) -> None:
        self._chunks = iter(chunks)
        self._chunk = b""
        self._at = start  # position of the chunk in the file

    def pieces(self, pieces: Iterable[tuple[int, int]]) -> Iterator[bytes]:
        """The bytes of some pieces, given by ascending offsets and their lengths."""
        for offset, length in pieces:
            at, stop = offset, offset + length
            while at < stop:
                while at >= self._at + len(self._chunk):
                    self._at += len(self._chunk)
                    self._chunk = next(self._chunks)
                some = self._chunk[at - self._at : stop - self._at]
                yield some
                at += len(some)


def _aligned(frame: FrameBytes, content: Iterable[bytes]) -> bytes:
    """A frame that shares bytes with its neighbours, from bit 0 of its first byte (PS3.5 8.1.1)."""
    bits = int.from_bytes(b"".join(content), "little") >> frame.first_bit
    return (bits & (1 << frame.bits) - 1).to_bytes(frame.length, "little")
