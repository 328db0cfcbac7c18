"""Retrieve bulkdata (PS3.18 10.4): the value of one element, out of the blob."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise

from dicomweb.bigendian import BYTES_OF_NUMBER
from dicomweb.bulkdata import PIXEL_DATA, BulkValue, find
from dicomweb.caching import Conditions, entity_tag
from dicomweb.dicomjson import values
from dicomweb.elements import NotReadable
from dicomweb.errors import NotFound
from dicomweb.frames import FrameTable, fragment_offsets
from dicomweb.header import Cut, Header, decode_header
from dicomweb.media import (
    AS_STORED,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    NATIVE_LITTLE_ENDIAN,
    OCTET_STREAM,
    Form,
    MediaType,
    Representation,
)
from dicomweb.multipart import Envelope
from dicomweb.part10 import inflated_data_set
from dicomweb.urls import Scope
from dicomweb.wado.answer import Answer, Body, not_found
from dicomweb.wado.blobs import blob_key
from dicomweb.wado.bulkmedia import DOCUMENTS, choose, frame_media_type, require_any
from dicomweb.wado.storedframes import Source
from dicomweb.wado.values import BigEndianInBlob, InBlob, InMemory, Pieces, Value
from index import instances
from index.instances import Reference, StoredInstance

_ENCAPSULATED_DOCUMENT = "00420011"
_MIME_TYPE_OF_ENCAPSULATED_DOCUMENT = 0x00420012
_ITEM_TAG = bytes.fromhex("feff00e0")
_ITEM_HEADER_BYTES = 8
_NATIVE = NATIVE_LITTLE_ENDIAN | {EXPLICIT_VR_BIG_ENDIAN}


@dataclass(frozen=True, slots=True)
class _Element:
    """An element with a bulk value, and what the client says of it."""

    scope: Scope
    reference: Reference
    instance: StoredInstance
    header: Header
    path: str
    bulk: BulkValue
    conditions: Conditions

    @property
    def url(self) -> str:
        """Its absolute URL."""
        return f"{self.scope.url(*self.reference.values[1:])}/bulkdata/{self.path}"

    def news(self, form: Form) -> str:
        """The ETag of the value in that form.

        :raise NotModified: the client has it.
        """
        etag = entity_tag(self.reference, [self.instance], Representation(form, AS_STORED))
        self.conditions.require_news(etag)
        return etag

    def pieces(self, pieces: Pieces) -> Value:
        """Pieces of the stored file, or of the data set in it if that is deflated."""
        blobs, key = self.scope.archive.blobs, blob_key(self.scope, self.instance)
        if not self.header.inflated:
            return InBlob(blobs, key, pieces)
        with blobs.open(key) as reader:
            data = inflated_data_set(memoryview(reader.read()))
        if len(pieces) == 1:
            ((at, length),) = pieces
            return InMemory(data[at : at + length])
        return InMemory(b"".join(data[at : at + length] for at, length in pieces))

    def value(self) -> Value:
        """The value, in Little Endian and without what separates its fragments, if it has any."""
        value, vr = self.bulk.value, self.bulk.vr
        if not isinstance(value, Cut):
            return InMemory(value)
        syntax, number_bytes = self.instance.transfer_syntax_uid, BYTES_OF_NUMBER.get(vr, 1)
        if syntax == EXPLICIT_VR_BIG_ENDIAN and number_bytes > 1:
            blobs, key = self.scope.archive.blobs, blob_key(self.scope, self.instance)
            return BigEndianInBlob(blobs, key, value.offset, value.length, number_bytes)
        if syntax not in _NATIVE and vr == "OB":
            return self.pieces(self._fragments(value))
        return self.pieces([(value.offset, value.length)])

    def _fragments(self, cut: Cut) -> Pieces:
        """What is left of a value without the item headers of its fragments, if it has any.

        Only the frames of the instance are noted when it is stored; this is for others, such as
        those of an icon.

        :raise NotFound: it has fragments and is too long to look for them.
        """
        everything = [(cut.offset, cut.length)]
        value = self.pieces(everything)
        if _read(value, min(len(_ITEM_TAG), cut.length)) != _ITEM_TAG:
            return everything
        if cut.length > self.scope.archive.settings.max_buffered_bytes:
            raise NotFound(
                f"The fragments of the bulk value at {self.path} cannot be told apart; "
                "retrieve the instance instead."
            )
        try:
            items = fragment_offsets(
                memoryview(_read(value, cut.length)), 0, cut.length, cut.length
            )
        except NotReadable:
            return everything
        at = cut.offset + _ITEM_HEADER_BYTES
        return [
            (at + item, next_ - item - _ITEM_HEADER_BYTES) for item, next_ in pairwise(items[1:])
        ]


def retrieve_bulkdata(
    scope: Scope,
    reference: Reference,
    path: str,
    asked: Sequence[MediaType],
    conditions: Conditions,
) -> Answer:
    """The value of an element of a bulk VR.

    A single part unless several are asked for, or the value is several compressed frames: those
    come as one part each. A range of bytes counts in the value, also where the value is the only
    one of several parts.

    :param path: of the element, as :func:`dicomweb.bulkdata.parse_path` gives it.
    :param asked: media types that the request accepts, most welcome first.
    :raise NotFound: there is no such instance, or no bulk value at the path.
    :raise NotAcceptable: the value cannot be sent in any of the media types.
    :raise NotModified: the client has it.
    :raise RangeNotSatisfiable: it does not have the bytes that are asked for.
    """
    require_any(asked)
    found = instances.with_header(scope.archive.index, reference)
    if found is None:
        raise not_found(reference)
    instance, encoded_header, encoded_table = found
    header = decode_header(encoded_header)
    bulk = find(header, path)
    if bulk is None:
        raise NotFound(f"The specified bulk value cannot be found: there is none at {path}.")
    element = _Element(scope, reference, instance, header, path, bulk, conditions)
    if path == PIXEL_DATA and encoded_table:
        table = FrameTable.decode(encoded_table)
        if table.encapsulated:
            return _frames(element, table, asked)
    return _value(element, asked)


def _value(element: _Element, asked: Sequence[MediaType]) -> Answer:
    """A value other than the frames of the instance."""
    media_types: tuple[str, ...] = (OCTET_STREAM,)
    if element.path == _ENCAPSULATED_DOCUMENT:
        mime_type = values(element.header, _MIME_TYPE_OF_ENCAPSULATED_DOCUMENT) or ("",)
        document = mime_type[0].strip(" \0").lower()
        media_types = (document, OCTET_STREAM) if document in DOCUMENTS else media_types
    form = choose(asked, media_types, {EXPLICIT_VR_LITTLE_ENDIAN}, single=True)
    etag = element.news(form)
    return _sent(element, form, form.media_type, element.value(), etag)


def _frames(element: _Element, table: FrameTable, asked: Sequence[MediaType]) -> Answer:
    """Encapsulated Pixel Data: one part for each frame, a lone one also as a single part."""
    syntax = element.instance.transfer_syntax_uid
    own = frame_media_type(syntax)
    single = table.count == 1
    media_types = (own, OCTET_STREAM) if single else (OCTET_STREAM, own)
    form = choose(asked, dict.fromkeys(media_types), {syntax}, single=single)
    content_type = f"{form.media_type}; transfer-syntax={syntax}"
    etag = element.news(form)
    if single:
        return _sent(element, form, content_type, element.pieces(table.ranges(1)), etag)
    start, stop = table.ranges(1)[0][0], sum(table.ranges(table.count)[-1])
    envelope = Envelope({"Content-Location": element.url})
    length = envelope.length((content_type, _length(frame)) for frame in _each(table))
    body = element.pieces([(start, stop - start)]).open(0, stop - start)
    source = Source(body, start)
    pieces = envelope.join((content_type, source.pieces(frame)) for frame in _each(table))
    message_type = envelope.content_type(form.media_type)
    return Answer(message_type, length, Body(pieces, body.blobs), headers={"ETag": etag})


def _sent(element: _Element, form: Form, content_type: str, value: Value, etag: str) -> Answer:
    """A value in one part, or the range of it that is asked for."""
    asked = element.conditions.select(etag, value.length)
    body = value.open(asked.start, asked.stop)
    headers = {"ETag": etag}
    if not form.multipart:
        headers |= asked.headers
        return Answer(content_type, asked.length, body, body.file, asked.status, headers)
    of_part = {"Content-Location": element.url} | (asked.headers if asked.partial else {})
    envelope = Envelope(of_part)
    length = envelope.length([(content_type, asked.length)])
    message = Body(envelope.join([(content_type, body)]), body.blobs)
    message_type = envelope.content_type(form.media_type)
    return Answer(message_type, length, message, status=asked.status, headers=headers)


def _each(table: FrameTable) -> Iterator[Pieces]:
    """The pieces of each frame: made one after the other, since there may be very many."""
    return map(table.ranges, range(1, table.count + 1))


def _length(pieces: Pieces) -> int:
    return sum(length for _, length in pieces)


def _read(value: Value, stop: int) -> bytes:
    """The first bytes of a value."""
    with closing(value.open(0, stop)) as body:
        return b"".join(body)
