"""Retrieve frames (PS3.18 10.4)."""

import re
from collections.abc import Sequence

from dicomweb.caching import Conditions, entity_tag
from dicomweb.errors import BadRequest
from dicomweb.frames import FrameTable
from dicomweb.media import Representation, choices
from dicomweb.urls import Scope
from dicomweb.wado.answer import Answer, assembled, described, first_possible, not_found
from dicomweb.wado.blobs import blob_key
from dicomweb.wado.storedframes import contents, frame_table, located, open_runs
from dicomweb.wado.transcode import transcode_frames
from index import instances
from index.instances import Reference, StoredInstance

_NUMBER = re.compile(r"0*([1-9][0-9]*)", re.ASCII)
_ENOUGH_DIGITS = 11  # make a number above any count


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


def frame_number(text: str) -> int:
    """The one frame number of a path.

    :raise BadRequest: it is missing, zero or no number, or there are several.
    """
    numbers = frame_numbers(text)
    if len(numbers) > 1:
        raise BadRequest("One frame is rendered at a time, but the path names several.")
    return numbers[0]


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
        choices(acceptable, ())
        raise not_found(reference)
    instance, encoded = found
    table = frame_table(encoded, numbers)
    stored = {instance.transfer_syntax_uid}

    def answer(representation: Representation) -> Answer:
        etag = entity_tag(reference, [instance], representation)
        conditions.require_news(etag)
        if not representation.is_stored(stored):
            return transcode_frames(scope, reference, numbers, representation)
        return _as_stored(scope, instance, table, numbers, representation, etag=etag)

    return first_possible(choices(acceptable, stored), answer)


def _as_stored(
    scope: Scope,
    instance: StoredInstance,
    table: FrameTable,
    numbers: Sequence[int],
    representation: Representation,
    *,
    etag: str,
) -> Answer:
    runs = located(table, numbers)
    key = blob_key(scope, instance)
    blobs = open_runs(scope.archive.blobs, key, runs, inflated=table.inflated)
    frames = contents(runs, blobs)
    content_type = described(representation, instance)
    parts = [(content_type, frame.length) for run in runs for frame in run.frames]
    return assembled(representation.form, parts, frames, blobs, {"ETag": etag})
