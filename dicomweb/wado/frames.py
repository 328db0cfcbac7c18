"""Retrieve frames (PS3.18 10.4): their bytes out of the blob, without reading what is around.

The frame table says where each frame is. Frames that lie one behind the other are read as one
range.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from dicomweb.caching import Conditions, entity_tag
from dicomweb.errors import BadRequest, NotFound
from dicomweb.frames import FrameTable
from dicomweb.media import Representation, choose
from dicomweb.multipart import Envelope
from dicomweb.part10 import inflated_data_set
from dicomweb.urls import Scope
from dicomweb.wado.retrieve import (
    Answer,
    Body,
    OpenedAhead,
    blob_key,
    described,
    not_found,
    open_range,
)
from index import instances
from index.instances import Reference, StoredInstance
from storage.base import BlobReader, BytesReader

_NUMBER = re.compile(r"0*([1-9][0-9]*)", re.ASCII)
_ENOUGH_DIGITS = 11  # make a number above any count
_ITEM_HEADER_BYTES = 8


def frame_numbers(text: str) -> list[int]:
    """The frame numbers of a path, in its order.

    :raise BadRequest: one is missing, zero or no number.
    """
    matches = [_NUMBER.fullmatch(number.strip()) for number in text.split(",")]
    if not all(matches):
        raise BadRequest(
            "The specified frames value is not valid. It is a list of frame numbers from 1 up, "
            "separated by commas, such as 1,2,3."
        )
    return [int(match[1][:_ENOUGH_DIGITS]) for match in matches if match]


def require_form_for(
    numbers: list[int], acceptable: Sequence[Representation]
) -> Sequence[Representation]:
    """What of the acceptable can hold that many frames.

    :raise BadRequest: only single parts are acceptable.
    """
    if len(numbers) == 1:
        return acceptable
    multipart = [one for one in acceptable if one.form.multipart]
    if not multipart:
        raise BadRequest(
            "Several frames come as several parts, but Accept names only single part media types. "
            'Ask for one frame, or for multipart/related; type="application/octet-stream".'
        )
    return multipart


def retrieve_frames(
    scope: Scope,
    reference: Reference,
    numbers: list[int],
    acceptable: Sequence[Representation],
    conditions: Conditions,
) -> Answer:
    """Frames of an instance, in the order asked for.

    :param acceptable: what the request accepts, most welcome first.
    :raise NotFound: there is no such instance, or it has no such frame.
    :raise NotAcceptable: it is not stored in an acceptable transfer syntax.
    :raise NotModified: the client has them.
    """
    found = instances.frames(scope.archive.index, reference)
    if found is None:
        choose(acceptable, ())
        raise not_found(reference)
    instance, encoded = found
    table, runs = _located(encoded, numbers)
    representation = choose(acceptable, {instance.transfer_syntax_uid})
    etag = entity_tag(reference, [instance], representation)
    conditions.require_news(etag)
    blobs = OpenedAhead(_openings(scope, instance, table, runs))
    contents = _contents(runs, blobs)
    content_type = described(representation, instance)
    lengths = [frame.length for run in runs for frame in run.frames]
    if not representation.form.multipart:
        pieces = (piece for content in contents for piece in content)
        return Answer(content_type, sum(lengths), Body(pieces, blobs), headers={"ETag": etag})
    envelope = Envelope()
    length = envelope.length((content_type, length) for length in lengths)
    body = Body(envelope.join((content_type, content) for content in contents), blobs)
    message_type = envelope.content_type(representation.form.media_type)
    return Answer(message_type, length, body, headers={"ETag": etag})


@dataclass(frozen=True, slots=True)
class _Frame:
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
class _Run:
    """Frames that lie one behind the other, with nothing but item headers between them."""

    start: int
    stop: int
    frames: list[_Frame]


def _located(encoded: bytes | None, numbers: list[int]) -> tuple[FrameTable, list[_Run]]:
    """Where the frames are.

    :raise NotFound: one is not there.
    """
    table = FrameTable.decode(encoded) if encoded else None
    count = table.count if table else 0
    if table is None or max(numbers) > count:
        raise NotFound(f"The specified frame cannot be found: the instance has {count} frames.")
    gap = _ITEM_HEADER_BYTES if table.encapsulated else 0
    partial_bytes = table.frame_bits % 8 != 0
    runs: list[_Run] = []
    for number in numbers:
        bits = table.frame_bits if partial_bytes else 0
        frame = _Frame(table.ranges(number), table.first_bit(number), bits)
        start, stop = frame.pieces[0][0], sum(frame.pieces[-1])
        if runs and start == runs[-1].stop + gap:
            runs[-1].stop = stop
            runs[-1].frames.append(frame)
        else:
            runs.append(_Run(start, stop, [frame]))
    return table, runs


def _openings(
    scope: Scope, instance: StoredInstance, table: FrameTable, runs: list[_Run]
) -> Iterator[Callable[[], BlobReader]]:
    """How to open each run. A deflated file is inflated once, in memory."""
    blobs, key = scope.archive.blobs, blob_key(scope, instance)
    if not table.inflated:
        for run in runs:
            yield partial(open_range, blobs, key, run.start, run.stop)
        return
    with blobs.open(key) as reader:
        data_set = inflated_data_set(memoryview(reader.read()))
    for run in runs:
        yield partial(BytesReader, bytes(data_set[run.start : run.stop]))


def _contents(runs: list[_Run], blobs: OpenedAhead) -> Iterator[Iterator[bytes]]:
    """The content of each frame; each has to be read to its end before the next."""
    for run, reader in zip(runs, blobs, strict=True):
        source = _Source(reader, run.start)
        for frame in run.frames:
            content = source.pieces(frame.pieces)
            yield iter((_aligned(frame, content),)) if frame.bits else content


class _Source:
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


def _aligned(frame: _Frame, content: Iterable[bytes]) -> bytes:
    """A frame that shares bytes with its neighbours, from bit 0 of its first byte (PS3.5 8.1.1)."""
    bits = int.from_bytes(b"".join(content), "little") >> frame.first_bit
    return (bits & (1 << frame.bits) - 1).to_bytes(frame.length, "little")
