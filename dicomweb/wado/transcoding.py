"""Instances in another transfer syntax than they are stored in (PS3.18 8.7.3).

The data set is written anew from the header, bulk values are copied, frames are decoded and encoded
one after the other: no instance is ever in memory as a whole.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import accumulate, chain, islice
from struct import pack

from dicomweb import rewriting
from dicomweb.bigendian import BYTES_OF_NUMBER
from dicomweb.elements import PIXEL_DATA_TAGS, UNDEFINED_LENGTH
from dicomweb.frames import FrameTable
from dicomweb.header import Header, decode_header
from dicomweb.imaging.decode import DECODABLE
from dicomweb.media import (
    EXPLICIT_VR_BIG_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    JPEG_BASELINE,
    JPEG_EXTENDED,
    NATIVE_LITTLE_ENDIAN,
)
from dicomweb.part10 import inflated_data_set, unsigned
from dicomweb.rewriting import Bulk, Piece, data_set, element_header, file_meta
from dicomweb.wado.recoding import NATIVE, NotTranscodable, Recoding
from dicomweb.wado.values import BigEndianInBlob, InBlob, InMemory, Value
from index.instances import StoredInstance
from storage.base import BlobStore

AHEAD_BYTES = 4 * 1024 * 1024
"""Frames that are awaited before an instance is begun: what cannot be decoded is noticed, and the
offset table can tell where they are. Of an instance with more it is empty, which is allowed: each
frame has one fragment."""

_PIXEL_DATA = 0x7FE00010
_BEFORE_PIXEL_DATA = range(0x00080000, _PIXEL_DATA)
_AFTER_PIXEL_DATA = range(_PIXEL_DATA + 1, 1 << 32)
_STORED_NATIVE = NATIVE_LITTLE_ENDIAN | {EXPLICIT_VR_BIG_ENDIAN}

_PHOTOMETRIC_INTERPRETATION = 0x00280004
_PLANAR_CONFIGURATION = 0x00280006
_BITS_ALLOCATED = 0x00280100
_HIGH_BIT = 0x00280102
_LOSSY_IMAGE_COMPRESSION = 0x00282110
_LOSSY_IMAGE_COMPRESSION_RATIO = 0x00282112
_LOSSY_IMAGE_COMPRESSION_METHOD = 0x00282114
_ICON_IMAGE_SEQUENCE = 0x00880200
_EXTENDED_OFFSET_TABLE = 0x7FE00001
_EXTENDED_OFFSET_TABLE_LENGTHS = 0x7FE00002

_ITEM = bytes.fromhex("feff00e0")
_SEQUENCE_END = bytes.fromhex("feffdde000000000")
_ALWAYS_LOSSY = frozenset({JPEG_BASELINE, JPEG_EXTENDED})


@dataclass(frozen=True, slots=True)
class Transcoding:
    """How a stored instance becomes a file in another transfer syntax."""

    blobs: BlobStore
    key: str
    """Of the blob."""
    instance: StoredInstance
    encoded_header: bytes
    """As the index keeps it: of many instances, only the one that is sent is decoded."""
    target: str
    """Transfer Syntax UID."""
    recoding: Recoding | None
    """Of its frames; None if there are none, or they stay as they are."""

    @classmethod
    def of(
        cls,
        blobs: BlobStore,
        key: str,
        instance: StoredInstance,
        encoded_header: bytes,
        encoded_table: bytes | None,
        *,
        target: str,
        most_bytes: int,
    ) -> "Transcoding":
        """How to transcode an instance.

        :param most_bytes: of its file, and of each decoded frame.
        :raise NotTranscodable: it is not possible, as far as the index tells.
        """
        source = instance.transfer_syntax_uid
        if source not in DECODABLE:
            raise NotTranscodable(f"Transfer syntax {source} cannot be decoded here.")
        if instance.blob_length > most_bytes:
            raise NotTranscodable(
                f"Its file has {instance.blob_length} bytes; the limit is {most_bytes}."
            )
        header = decode_header(encoded_header)
        table = FrameTable.decode(encoded_table) if encoded_table else None
        native = source in _STORED_NATIVE
        if table and table.encapsulated == native:
            raise NotTranscodable("Its Pixel Data is not what its transfer syntax says.")
        recoding = None
        if header.offsets.keys() & PIXEL_DATA_TAGS and not (native and target in NATIVE):
            recoding = Recoding.of(source, target, header, table, most_bytes)
            _require_frames(recoding)
        return cls(blobs, key, instance, encoded_header, target, recoding)

    def jobs(self) -> Iterator[Callable[[], bytes]]:
        """What has to be done for each of its frames; they make what :class:`Written` needs."""
        if self.recoding is None:
            return iter(())
        numbers = range(1, self.recoding.table.count + 1)
        return self.recoding.jobs(self.blobs, self.key, numbers)

    def written(self) -> "Written":
        """The file, but for its frames."""
        return Written(self)


def _require_frames(recoding: Recoding) -> None:
    """Let pass what makes a whole instance.

    :raise NotTranscodable: frames are missing, or do not fit one value.
    """
    count, announced = recoding.table.count, recoding.pixels.number_of_frames
    if count != announced:
        raise NotTranscodable(f"It has {count} frames instead of {announced}.")
    if recoding.frame_bytes is None:
        return
    if count > 1 and recoding.encoded.frame_bits % 8:
        raise NotTranscodable("Its frames do not fill whole bytes.")
    if recoding.frame_bytes * count >= UNDEFINED_LENGTH - 1:
        raise NotTranscodable("Its uncompressed Pixel Data would be longer than 4 GiB.")


class Written:
    """A file that was written anew, but for its frames."""

    def __init__(self, transcoding: Transcoding) -> None:
        self._of = transcoding
        self._header = header = decode_header(transcoding.encoded_header)
        recoding = transcoding.recoding
        self._implicit = transcoding.target == IMPLICIT_VR_LITTLE_ENDIAN
        changes = _changes(header, recoding) if recoding else {}
        tags = _BEFORE_PIXEL_DATA if recoding else range(_BEFORE_PIXEL_DATA.start, 1 << 32)
        self._start = file_meta(header, transcoding.target)
        self._before = data_set(header, tags, implicit=self._implicit, changes=changes)
        self._after: list[Piece] = []
        if recoding:
            self._after = data_set(header, _AFTER_PIXEL_DATA, implicit=self._implicit)

    @property
    def length(self) -> int | None:
        """Bytes of the file; None if that is not known before its frames are encoded."""
        around = len(self._start) + sum(map(rewriting.length, (self._before, self._after)))
        recoding = self._of.recoding
        if recoding is None:
            return around
        if recoding.frame_bytes is None:
            return None
        pixel_data = recoding.frame_bytes * recoding.table.count
        return around + len(self._native_header(recoding)) + pixel_data + pixel_data % 2

    def pieces(self, frames: Iterator[bytes]) -> Iterator[bytes]:
        """The file, piece by piece.

        :param frames: what the jobs of the transcoding made, in their order.
        """
        read = _Bulk(self._of, self._header)
        recoding = self._of.recoding
        ahead = list(_ahead(recoding, frames)) if recoding else []
        yield self._start
        yield from read.pieces(self._before)
        if recoding:
            write = self._encapsulated if recoding.frame_bytes is None else self._native
            yield from write(recoding, ahead, frames)
        yield from read.pieces(self._after)

    def _native_header(self, recoding: Recoding) -> bytes:
        length = (recoding.frame_bytes or 0) * recoding.table.count
        vr = "OW" if recoding.encoded.bits_allocated > 8 else "OB"
        return element_header(_PIXEL_DATA, vr, length + length % 2, implicit=self._implicit)

    def _native(
        self, recoding: Recoding, ahead: Sequence[bytes], frames: Iterator[bytes]
    ) -> Iterator[bytes]:
        yield self._native_header(recoding)
        length = 0
        for frame in chain(ahead, islice(frames, recoding.table.count - len(ahead))):
            length += len(frame)
            yield frame
        yield b"\0" * (length % 2)

    def _encapsulated(
        self, recoding: Recoding, ahead: Sequence[bytes], frames: Iterator[bytes]
    ) -> Iterator[bytes]:
        """Encapsulated Pixel Data (PS3.5 A.4): one fragment for each frame."""
        count = recoding.table.count
        offsets: list[int] = []
        if len(ahead) == count:
            offsets = [0, *accumulate(len(_ITEM) + 4 + len(frame) for frame in ahead)][:-1]
        yield element_header(_PIXEL_DATA, "OB", UNDEFINED_LENGTH, implicit=False)
        yield _ITEM + pack(f"<I{len(offsets)}I", 4 * len(offsets), *offsets)
        for frame in chain(ahead, islice(frames, count - len(ahead))):
            yield _ITEM + pack("<I", len(frame))
            yield frame
        yield _SEQUENCE_END


def _ahead(recoding: Recoding, frames: Iterator[bytes]) -> Iterator[bytes]:
    """The first frames of an instance, up to :data:`AHEAD_BYTES`."""
    length = 0
    for frame in islice(frames, recoding.table.count):
        yield frame
        length += len(frame)
        if length >= AHEAD_BYTES:
            return


def _changes(header: Header, recoding: Recoding) -> dict[int, tuple[str, bytes] | None]:
    """What becomes different in the data set because its frames do."""
    stored, encoded = recoding.pixels, recoding.encoded
    changes: dict[int, tuple[str, bytes] | None] = {
        _EXTENDED_OFFSET_TABLE: None,
        _EXTENDED_OFFSET_TABLE_LENGTHS: None,
    }
    if encoded.photometric_interpretation != stored.photometric_interpretation:
        interpretation = encoded.photometric_interpretation.encode("ascii")
        changes[_PHOTOMETRIC_INTERPRETATION] = "CS", interpretation
    if encoded.samples_per_pixel > 1:
        changes[_PLANAR_CONFIGURATION] = "US", pack("<H", encoded.planar_configuration)
    if encoded.high_bit != stored.high_bit:
        changes[_HIGH_BIT] = "US", pack("<H", encoded.high_bit)
    if recoding.source not in _STORED_NATIVE:
        changes[_ICON_IMAGE_SEQUENCE] = None  # its pixels may be compressed too
    if recoding.source in _ALWAYS_LOSSY and _LOSSY_IMAGE_COMPRESSION not in header.offsets:
        ratio = f"{_ratio(recoding):.2f}"
        changes[_LOSSY_IMAGE_COMPRESSION] = "CS", b"01"
        changes[_LOSSY_IMAGE_COMPRESSION_RATIO] = "DS", ratio.encode("ascii")
        changes[_LOSSY_IMAGE_COMPRESSION_METHOD] = "CS", b"ISO_10918_1"
    return changes


def _ratio(recoding: Recoding) -> float:
    """How many times fewer bytes the stored frames have than decoded ones."""
    numbers = range(1, recoding.table.count + 1)
    stored = sum(length for number in numbers for _, length in recoding.table.ranges(number))
    return recoding.pixels.decoded_bytes * recoding.table.count / max(stored, 1)


class _Bulk:
    """Reads the bulk values of one instance, in Little Endian."""

    def __init__(self, of: Transcoding, header: Header) -> None:
        self._of = of
        self._header = header
        self._inflated: memoryview | None = None

    def pieces(self, pieces: list[Piece]) -> Iterator[bytes]:
        """What was written, with the bulk values in their places."""
        for piece in pieces:
            if not isinstance(piece, Bulk):
                yield bytes(piece)
                continue
            value = self._value(piece)
            with closing(value.open(0, value.length)) as body:
                yield from body

    def _value(self, bulk: Bulk) -> Value:
        blobs, key, (_, offset, length) = self._of.blobs, self._of.key, bulk.cut
        if self._header.inflated:
            if self._inflated is None:
                with blobs.open(key) as reader:
                    self._inflated = inflated_data_set(memoryview(reader.read()))
            return InMemory(self._inflated[offset : offset + length])
        if self._of.instance.transfer_syntax_uid == EXPLICIT_VR_BIG_ENDIAN:
            return BigEndianInBlob(blobs, key, offset, length, self._number_bytes(bulk))
        return InBlob(blobs, key, [(offset, length)])

    def _number_bytes(self, bulk: Bulk) -> int:
        """Of Big Endian numbers. Samples of more than 16 bits are wider than the words of OW."""
        size = BYTES_OF_NUMBER.get(bulk.vr, 1)
        if bulk.tag == _PIXEL_DATA and bulk.vr == "OW":
            size = max(size, unsigned(self._header, _BITS_ALLOCATED) // 8)
        return size
