"""Retrieve instances (PS3.18 10.4): which blobs, and in which form.

All rows are looked up before the first byte goes out; from then on only blobs are touched.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import BinaryIO

from dicomweb.caching import Conditions, entity_tag
from dicomweb.errors import NotFound
from dicomweb.media import AS_STORED, Representation, choose
from dicomweb.multipart import Envelope
from dicomweb.urls import Scope
from index import instances
from index.instances import Reference, StoredInstance
from storage.base import BlobReader, BlobStore
from storage.keys import instance_key

LEVELS = {1: "study", 2: "series", 3: "instance"}


class BlobDamaged(Exception):
    """A blob is not as long as it was when it was stored."""


class OpenedAhead:
    """Blobs, or ranges of blobs, to be read one after the other; each is opened one ahead.

    So the first two are known to be there before the answer begins. A later one that is not there
    ends the iteration with an error: the connection breaks, and the answer never passes for whole.
    """

    def __init__(self, openings: Iterable[Callable[[], BlobReader]]) -> None:
        self._openings = iter(openings)
        self._opened: deque[BlobReader] = deque()
        try:
            self._open_next()
            self._open_next()
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[BlobReader]:
        try:
            while self._opened:
                yield self._opened[0]
                self._opened.popleft().close()
                self._open_next()
        finally:
            self.close()

    @property
    def first(self) -> BlobReader:
        """The one that is read next."""
        return self._opened[0]

    def close(self) -> None:
        """Close what is open."""
        while self._opened:
            self._opened.popleft().close()

    def _open_next(self) -> None:
        opening = next(self._openings, None)
        if opening is not None:
            self._opened.append(opening())


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent, piece by piece. Whoever has it closes it."""

    pieces: Iterator[bytes]
    blobs: OpenedAhead
    """The blobs it is made of."""

    def __iter__(self) -> Iterator[bytes]:
        return self.pieces

    def close(self) -> None:
        """Close the blobs."""
        self.blobs.close()


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of an answer and what is said of it."""

    content_type: str
    length: int
    """Bytes."""
    body: Body
    file: BinaryIO | None = None
    """A real file that stands at the first of these bytes, where there is one."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    """What else is said of it."""


def retrieve_instances(
    scope: Scope,
    reference: Reference,
    acceptable: Sequence[Representation],
    conditions: Conditions,
) -> Answer:
    """All instances under a reference.

    :param acceptable: what the request accepts, most welcome first.
    :raise NotFound: there are none.
    :raise NotAcceptable: they are not stored in an acceptable transfer syntax.
    :raise NotModified: the client has them.
    :raise RangeNotSatisfiable: an instance does not have the bytes that are asked for.
    """
    found = instances.find(scope.archive.index, reference)
    representation = choose(acceptable, {one.transfer_syntax_uid for one in found})
    if not found:
        raise not_found(reference)
    etag = entity_tag(reference, found, representation)
    conditions.require_news(etag)
    if representation.form.multipart:
        return _message(scope, found, representation, etag)
    return _file(scope, found[0], described(representation, found[0]), etag, conditions)


def not_found(reference: Reference) -> NotFound:
    """What to tell of a reference under which nothing is stored."""
    return NotFound(f"The specified {LEVELS[reference.level]} cannot be found.")


def described(representation: Representation, instance: StoredInstance) -> str:
    """Content-Type of an instance or its frames."""
    syntax = representation.transfer_syntax
    if syntax == AS_STORED:
        syntax = instance.transfer_syntax_uid
    return f"{representation.form.media_type}; transfer-syntax={syntax}"


def blob_key(scope: Scope, instance: StoredInstance) -> str:
    """Key of an instance's blob."""
    return instance_key(
        scope.partition_name,
        instance.study_instance_uid,
        instance.series_instance_uid,
        instance.sop_instance_uid,
        instance.watermark,
    )


def open_range(blobs: BlobStore, key: str, start: int, stop: int) -> BlobReader:
    """Bytes [start, stop) of a blob.

    :raise BlobNotFound: there is no such blob.
    :raise BlobDamaged: the blob ends before ``stop``.
    """
    reader = blobs.open(key, start, stop)
    if reader.length == stop - start:
        return reader
    reader.close()
    raise BlobDamaged(f"{key}: {start + reader.length} bytes instead of {stop} or more")


def _file(
    scope: Scope, instance: StoredInstance, content_type: str, etag: str, conditions: Conditions
) -> Answer:
    """The stored file of an instance, or a range of its bytes."""
    asked = conditions.select(etag, instance.blob_length)
    opening = partial(_open_instance, scope, instance)
    if asked.partial:
        key = blob_key(scope, instance)
        opening = partial(open_range, scope.archive.blobs, key, asked.start, asked.stop)
    blobs = OpenedAhead([opening])
    body = Body((piece for blob in blobs for piece in blob), blobs)
    headers = {"ETag": etag, **asked.headers}
    return Answer(content_type, asked.length, body, blobs.first.file, asked.status, headers)


def _message(
    scope: Scope, found: list[StoredInstance], representation: Representation, etag: str
) -> Answer:
    """The instances as the parts of one message."""
    envelope = Envelope()
    types = [described(representation, one) for one in found]
    length = envelope.length(zip(types, (one.blob_length for one in found), strict=True))
    blobs = OpenedAhead(partial(_open_instance, scope, one) for one in found)
    body = Body(envelope.join(zip(types, blobs, strict=True)), blobs)
    message_type = envelope.content_type(representation.form.media_type)
    return Answer(message_type, length, body, headers={"ETag": etag})


def _open_instance(scope: Scope, instance: StoredInstance) -> BlobReader:
    """A whole blob; one that has become longer is as wrong as one that has become shorter."""
    key = blob_key(scope, instance)
    reader = scope.archive.blobs.open(key)
    if reader.length == instance.blob_length:
        return reader
    reader.close()
    raise BlobDamaged(f"{key}: {reader.length} bytes instead of {instance.blob_length}")
