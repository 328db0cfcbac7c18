"""Store (PS3.18 10.5): HTTP in and out."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing

from flask import Blueprint, Response, request
from gunicorn.http.errors import ParseException

from dicomweb.errors import BadRequest, UnsupportedMediaType
from dicomweb.external import STORE_HEADER
from dicomweb.media import (
    DICOM,
    DICOM_JSON,
    MULTIPART,
    MediaType,
    parse_media_type,
    require_dicom_json,
)
from dicomweb.multipart import Part, SpooledPart, split, spool, stream, too_large
from dicomweb.stow import response
from dicomweb.stow.external import parse_external
from dicomweb.stow.response import Refused, Stored
from dicomweb.stow.store import PREAMBLE_BYTES, Terms, store
from dicomweb.urls import Scope, identifier
from index.external import NewExternal

bp = Blueprint("stow", __name__)

IN_MEMORY_BYTES = 1024 * 1024
"""A part of a large body that is no longer than this is written without a file in between."""
EXTERNAL = f"HTTP_{STORE_HEADER.upper().replace('-', '_')}"
"""How WSGI spells the start of a header with external metadata."""
MANY_VALUES = "One or more indexed Dicom tag(s) have multiple values, only first value is indexed."


@bp.route("/studies", methods=["POST", "PUT"])
@bp.route("/studies/<uid:study>", methods=["POST", "PUT"])
def store_instances(scope: Scope, study: str | None = None) -> Response:
    """Store Instances (PS3.18 10.5); ``PUT`` replaces those that are there."""
    content = body_type()
    if study is not None:
        study = identifier("StudyInstanceUID", study)
    require_dicom_json(request.headers.get("Accept"), request.args.get("accept"))
    terms = Terms(study, replace=request.method == "PUT", external=_external(scope))
    with closing(_parts(scope, content)) as parts:
        results = store(scope, _checked(parts, content), terms)
    return _answer(scope, study, results)


def body_type() -> MediaType:
    """What the body is said to be.

    :raise UnsupportedMediaType: nothing that can be stored.
    """
    given = request.headers.get("Content-Type", "")
    content = parse_media_type(given)
    if content is not None and content.name == DICOM and not content.parameters:
        return content
    if content is None or content.name != MULTIPART:
        raise UnsupportedMediaType(
            f"The content type '{given[:100]}' cannot be stored. Send {DICOM}, or "
            f'{MULTIPART}; type="{DICOM}"; boundary=... with one instance in each part.'
        )
    content.require_boundary()
    if "start" in content.parameters:
        raise BadRequest("The start parameter in multipart/related request is not supported.")
    return content


def _external(scope: Scope) -> tuple[NewExternal, ...]:
    """What the headers give for the studies of the instances; nothing in versions without that.

    :raise BadRequest: one is malformed.
    """
    if not scope.api.has_external_metadata:
        return ()
    given = [
        (name.removeprefix(EXTERNAL).replace("_", "-"), value)
        for name, value in request.environ.items()
        if name.startswith(EXTERNAL)
    ]
    return parse_external(given) if given else ()


def _parts(scope: Scope, content: MediaType) -> Generator[Part | SpooledPart, None, None]:
    """The instances of the body: views of it if it is small, else one after another."""
    boundary = content.require_boundary() if content.name == MULTIPART else None
    body = _buffered(scope)
    directory = scope.archive.blobs.upload_directory
    limit = scope.archive.settings.max_request_bytes
    if body is not None and boundary is None:
        yield Part(DICOM, memoryview(body))
    elif body is not None and boundary is not None:
        yield from split(body, boundary)
    elif boundary is None:
        yield from spool(_reader(), DICOM, directory, limit, zero_first=PREAMBLE_BYTES)
    else:
        yield from stream(
            _reader(),
            boundary,
            directory,
            limit,
            zero_first=PREAMBLE_BYTES,
            in_memory=IN_MEMORY_BYTES,
        )


def _checked(
    parts: Iterable[Part | SpooledPart], content: MediaType
) -> Iterator[Part | SpooledPart]:
    """The parts, all of which must be DICOM; the first may leave that to the whole's ``type``.

    :raise UnsupportedMediaType: one is something else.
    """
    inherited = content.parameters.get("type", DICOM)
    for part in parts:
        given = parse_media_type(part.content_type or inherited)
        if given is None or given.name != DICOM:
            raise UnsupportedMediaType(
                f"A part of the body is '{(part.content_type or 'of no content type')[:100]}'. "
                f"Every part must have the content type {DICOM}."
            )
        yield part
        inherited = ""


def _buffered(scope: Scope) -> bytes | None:
    """The whole body, if it says its length and may be held in memory.

    :raise TooLarge: it says that it is over the limit.
    :raise BadRequest: it ends early.
    """
    settings = scope.archive.settings
    length = request.content_length
    if length is None:
        return None
    if length > settings.max_request_bytes:
        raise too_large(settings.max_request_bytes)
    if length > settings.max_buffered_bytes:
        return None
    body = _some(length)
    _require_whole(len(body), length)
    return body


def _reader() -> Callable[[int], bytes]:
    """What reads the body piece by piece, and nothing at its end.

    It raises :class:`BadRequest` for a body that ends early: cut between two elements, a file
    would pass for whole.
    """
    length, arrived = request.content_length, 0

    def read(size: int) -> bytes:
        nonlocal arrived
        some = _some(size if length is None else min(size, length - arrived))
        arrived += len(some)
        if not some and length is not None:
            _require_whole(arrived, length)
        return some

    return read


def _some(size: int) -> bytes:
    """At most that many bytes of the body; fewer only at its end.

    :raise BadRequest: the connection breaks or stalls, or a chunk is malformed.
    """
    try:
        some: bytes = request.environ["wsgi.input"].read(size)
    except (OSError, ParseException) as error:
        raise BadRequest("The body did not arrive whole, or its chunks are malformed.") from error
    return some


def _require_whole(arrived: int, length: int) -> None:
    if arrived < length:
        raise BadRequest(f"The body ended after {arrived} of {length} bytes.")


def _answer(scope: Scope, study: str | None, results: list[Stored | Refused]) -> Response:
    status = response.status(scope.api, results)
    if status == 204:
        return Response(status=204)
    answer = Response(response.body(scope, study, results), status)
    answer.headers["Content-Type"] = DICOM_JSON
    stored = [result for result in results if isinstance(result, Stored)]
    if not scope.api.drops_invalid_optional and any(one.has_many_values for one in stored):
        answer.headers["Warning"] = scope.warning(MANY_VALUES)
    return answer
