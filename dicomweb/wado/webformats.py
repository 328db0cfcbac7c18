"""What instances hold that a browser shows as it is: PDF documents and MPEG-4 videos."""

from dataclasses import dataclass

from dicomweb.caching import Conditions
from dicomweb.frames import FrameTable
from dicomweb.header import Header
from dicomweb.items import Item
from dicomweb.media import DOCUMENT
from dicomweb.part10 import inflated_data_set
from dicomweb.urls import Scope
from dicomweb.video import MP4, MPEG2, VIDEO
from dicomweb.wado.answer import Answer
from dicomweb.wado.blobs import blob_key
from dicomweb.wado.values import InBlob, InMemory, Value
from index.instances import StoredInstance

_ENCAPSULATED_DOCUMENT = 0x00420011
_MIME_TYPE = 0x00420012
_DOCUMENT_LENGTH = 0x00420015


@dataclass(frozen=True, slots=True)
class WebFormat:
    """A document or a video."""

    media_type: str
    value: Value


def document(scope: Scope, instance: StoredInstance, header: Header) -> WebFormat | None:
    """The PDF that an instance holds (PS3.3 C.24.2); None if it holds none."""
    top = Item.top(header)
    element = top.element(_ENCAPSULATED_DOCUMENT)
    if element is None or top.text(_MIME_TYPE).lower() != DOCUMENT:
        return None
    length = element.cut.length if element.cut else len(element.value)
    for stated in top.numbers(_DOCUMENT_LENGTH, 1):
        if length - 1 <= stated <= length:  # a byte was added to make it even
            length = int(stated)
    if element.cut is None:
        return WebFormat(DOCUMENT, InMemory(element.value[:length]))
    start, blobs, key = element.cut.offset, scope.archive.blobs, blob_key(scope, instance)
    if not header.inflated:
        return WebFormat(DOCUMENT, InBlob(blobs, key, [(start, length)]))
    with blobs.open(key) as reader:
        data_set = inflated_data_set(memoryview(reader.read()))
    return WebFormat(DOCUMENT, InMemory(data_set[start : start + length]))


def video(scope: Scope, instance: StoredInstance, table: FrameTable) -> WebFormat | None:
    """The MPEG-4 stream that is the pixel data of an instance; None if they are something else."""
    if VIDEO.get(instance.transfer_syntax_uid, MPEG2) == MPEG2:
        return None
    value = InBlob(scope.archive.blobs, blob_key(scope, instance), table.ranges(1))
    return WebFormat(MP4, value)


def as_stored(instance: StoredInstance, stored: WebFormat, conditions: Conditions) -> Answer:
    """A document or a video, or a range of its bytes.

    :raise NotModified: the client has it.
    :raise RangeNotSatisfiable: it does not have the bytes that are asked for.
    """
    etag = f'"{instance.watermark};{stored.media_type}"'
    conditions.require_news(etag)
    asked = conditions.select(etag, stored.value.length)
    body = stored.value.open(asked.start, asked.stop)
    headers = {"ETag": etag, **asked.headers}
    return Answer(stored.media_type, asked.length, body, body.file, asked.status, headers)
