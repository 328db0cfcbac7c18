"""Retrieve instances (PS3.18 10.4): which blobs, and in which form.

All rows are looked up before the first byte goes out; from then on only blobs are touched.
"""

from collections.abc import Sequence
from functools import partial

from dicomweb.caching import Conditions, entity_tag
from dicomweb.media import Representation, choices
from dicomweb.urls import Scope
from dicomweb.wado.answer import Answer, Body, assembled, described, first_possible, not_found
from dicomweb.wado.blobs import OpenedAhead, blob_key, open_instance, open_range
from dicomweb.wado.transcode import transcode_instances
from index import instances
from index.instances import Reference, StoredInstance


def retrieve_instances(
    scope: Scope,
    reference: Reference,
    acceptable: Sequence[Representation],
    conditions: Conditions,
) -> Answer:
    """All instances under a reference.

    :param acceptable: what the request accepts, most welcome first.
    :raise NotFound: there are none.
    :raise NotAcceptable: they cannot be had in an acceptable transfer syntax.
    :raise NotModified: the client has them.
    :raise RangeNotSatisfiable: an instance does not have the bytes that are asked for.
    """
    found = instances.find(scope.archive.index, reference)
    stored = {one.transfer_syntax_uid for one in found}
    choice = choices(acceptable, stored)
    if not found:
        raise not_found(reference)

    def answer(representation: Representation) -> Answer:
        etag = entity_tag(reference, found, representation)
        conditions.require_news(etag)
        if not representation.is_stored(stored):
            return transcode_instances(scope, reference, representation)
        if representation.form.multipart:
            return _message(scope, found, representation, etag)
        return _file(scope, found[0], described(representation, found[0]), etag, conditions)

    return first_possible(choice, answer)


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
    parts = [(described(representation, one), one.blob_length) for one in found]
    blobs = OpenedAhead(partial(open_instance, scope, one) for one in found)
    return assembled(representation.form, parts, blobs, blobs, {"ETag": etag})
