"""Retrieve instances (PS3.18 10.4): which blobs, and in which form.

All rows are looked up before the first byte goes out; from then on only blobs are touched.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import BinaryIO

from dicomweb.caching import Conditions, entity_tag
from dicomweb.errors import NotFound
from dicomweb.media import AS_STORED, Representation, choose
from dicomweb.multipart import Envelope
from dicomweb.urls import Scope
from dicomweb.wado.blobs import OpenedAhead, blob_key, open_instance, open_range
from index import instances
from index.instances import Reference, StoredInstance

LEVELS = {1: "study", 2: "series", 3: "instance"}


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent, piece by piece. Whoever has it closes it."""

    pieces: Iterator[bytes]
    blobs: OpenedAhead
    """The blobs it is made of."""
    file: BinaryIO | None = None
    """A real file that stands at the first of these bytes, where there is one."""

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


def _file(
    scope: Scope, instance: StoredInstance, content_type: str, etag: str, conditions: Conditions
) -> Answer:
    """The stored file of an instance, or a range of its bytes."""
    asked = conditions.select(etag, instance.blob_length)
    opening = partial(open_instance, scope, instance)
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
    blobs = OpenedAhead(partial(open_instance, scope, one) for one in found)
    body = Body(envelope.join(zip(types, blobs, strict=True)), blobs)
    message_type = envelope.content_type(representation.form.media_type)
    return Answer(message_type, length, body, headers={"ETag": etag})
