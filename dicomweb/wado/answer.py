"""What is answered to a request to retrieve something."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import BinaryIO, Protocol

from dicomweb.errors import NotAcceptable, NotFound
from dicomweb.media import AS_STORED, Form, Representation
from dicomweb.multipart import Envelope
from index.instances import Reference, StoredInstance

LEVELS = {1: "study", 2: "series", 3: "instance"}


class Closable(Protocol):
    """Something that holds files or connections open."""

    def close(self) -> None:
        """Let go of them; may be called again."""


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent, piece by piece. Whoever has it closes it."""

    pieces: Iterator[bytes]
    blobs: Closable
    """The blobs it is made of, and what else has to be closed in the end."""
    file: BinaryIO | None = None
    """A real file that stands at the first of these bytes, where there is one."""

    def __iter__(self) -> Iterator[bytes]:
        return self.pieces

    def close(self) -> None:
        """Close what it is made of."""
        self.blobs.close()


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of an answer and what is said of it."""

    content_type: str
    length: int | None
    """Bytes; None if that is not known before they are made."""
    body: Body
    file: BinaryIO | None = None
    """A real file that stands at the first of these bytes, where there is one."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    """What else is said of it."""


def not_found(reference: Reference) -> NotFound:
    """What to tell of a reference under which nothing is stored."""
    return NotFound(f"The specified {LEVELS[reference.level]} cannot be found.")


def described(representation: Representation, instance: StoredInstance) -> str:
    """Content-Type of an instance or its frames."""
    syntax = representation.transfer_syntax
    if syntax == AS_STORED:
        syntax = instance.transfer_syntax_uid
    return f"{representation.form.media_type}; transfer-syntax={syntax}"


def assembled(
    form: Form,
    parts: Sequence[tuple[str, int | None]],
    contents: Iterable[Iterable[bytes]],
    blobs: Closable,
    headers: Mapping[str, str],
) -> Answer:
    """Contents as the parts of a message, or the only one by itself.

    :param parts: Content-Type and length of each; no length if it is not known.
    :param blobs: what the contents are made of.
    """
    if not form.multipart:
        ((content_type, length),) = parts
        return Answer(
            content_type, length, Body(chain.from_iterable(contents), blobs), headers=headers
        )
    envelope = Envelope()
    known = [(content_type, length) for content_type, length in parts if length is not None]
    length = envelope.length(known) if len(known) == len(parts) else None
    types = (content_type for content_type, _ in parts)
    body = Body(envelope.join(zip(types, contents, strict=True)), blobs)
    return Answer(envelope.content_type(form.media_type), length, body, headers=headers)


def first_possible(
    choice: Iterable[Representation], answer: Callable[[Representation], Answer]
) -> Answer:
    """The answer in the first representation that turns out to be possible.

    :param choice: at least one.
    :raise NotAcceptable: none is; tells why the first is not.
    """
    refused = NotAcceptable()
    for representation in choice:
        try:
            return answer(representation)
        except NotAcceptable as refusal:
            refused = refused if refused.args else refusal
    raise refused
