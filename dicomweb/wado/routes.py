"""Retrieve (PS3.18 10.4): HTTP in and out."""

from collections.abc import Iterable, Sequence

from flask import Blueprint, Response, request
from werkzeug.wsgi import wrap_file

from dicomweb.bulkdata import parse_path
from dicomweb.caching import Conditions
from dicomweb.contentcoding import takes_gzip
from dicomweb.external import REQUEST_HEADER, are_asked_for
from dicomweb.media import (
    DICOM_JSON,
    FRAMES,
    IMAGES,
    INSTANCE,
    INSTANCES,
    RENDERED,
    Offer,
    Representation,
    accepted,
    require_dicom_json,
    welcome,
)
from dicomweb.query import query_pairs
from dicomweb.urls import Scope
from dicomweb.wado.answer import Answer
from dicomweb.wado.bulkdata import retrieve_bulkdata
from dicomweb.wado.frames import frame_number, frame_numbers, require_form_for, retrieve_frames
from dicomweb.wado.metadata import parse_view, retrieve_metadata
from dicomweb.wado.parameters import parameters
from dicomweb.wado.rendered import retrieve_rendered
from dicomweb.wado.retrieve import retrieve_instances
from storage.base import CHUNK_BYTES

bp = Blueprint("wado", __name__)

STUDY = "/studies/<uid:study>"
SERIES = f"{STUDY}/series/<uid:series>"
SOP_INSTANCE = f"{SERIES}/instances/<uid:instance>"


@bp.get(STUDY)
@bp.get(SERIES)
@bp.get(SOP_INSTANCE)
def instances(
    scope: Scope, study: str, series: str | None = None, instance: str | None = None
) -> Response:
    """Retrieve a study, a series or an instance."""
    reference = scope.reference(study, series, instance)
    acceptable = _acceptable(INSTANCES if instance is None else INSTANCE)
    return _sent(scope, retrieve_instances(scope, reference, acceptable, _conditions()))


@bp.get(f"{SOP_INSTANCE}/frames")
@bp.get(f"{SOP_INSTANCE}/frames/<frames>")
def frames(scope: Scope, study: str, series: str, instance: str, frames: str = "") -> Response:
    """Retrieve frames of an instance."""
    reference = scope.reference(study, series, instance)
    numbers = frame_numbers(frames)
    acceptable = require_form_for(numbers, _acceptable(FRAMES))
    return _sent(scope, retrieve_frames(scope, reference, numbers, acceptable, _conditions()))


@bp.get(f"{SOP_INSTANCE}/bulkdata/<path:path>")
def bulkdata(scope: Scope, study: str, series: str, instance: str, path: str) -> Response:
    """Retrieve a bulk value of an instance."""
    reference = scope.reference(study, series, instance)
    at = parse_path(path)
    asked = accepted(request.headers.get("Accept"), request.args.get("accept"))
    return _sent(scope, retrieve_bulkdata(scope, reference, at, asked, _conditions()))


@bp.get(f"{STUDY}/metadata")
@bp.get(f"{SERIES}/metadata")
@bp.get(f"{SOP_INSTANCE}/metadata")
def metadata(
    scope: Scope, study: str, series: str | None = None, instance: str | None = None
) -> Response:
    """Retrieve the metadata of a study, a series or an instance."""
    require_dicom_json(request.headers.get("Accept"), request.args.get("accept"))
    reference = scope.reference(study, series, instance)
    pairs = query_pairs(request.query_string)
    view = parse_view(
        pairs,
        bulk_values=scope.archive.settings.metadata_bulkdata_uri,
        external=are_asked_for(scope.api, request.headers.get(REQUEST_HEADER)),
    )
    compressed = takes_gzip(request.headers.get("Accept-Encoding"))
    known = _conditions().is_known
    found = retrieve_metadata(scope, reference, view, compressed=compressed, is_known=known)
    also = f", {REQUEST_HEADER}" if scope.api.has_external_metadata else ""
    headers = {"Vary": f"Accept-Encoding{also}"}
    if found.content is None:
        return Response(status=304, headers=headers)
    response = Response(found.content, headers=headers)
    response.headers["Content-Type"] = DICOM_JSON
    response.headers["ETag"] = f'"{found.etag}"'
    if compressed:
        response.headers["Content-Encoding"] = "gzip"
    return response


@bp.get(f"{STUDY}/rendered")
@bp.get(f"{SERIES}/rendered")
@bp.get(f"{SOP_INSTANCE}/rendered")
@bp.get(f"{SOP_INSTANCE}/frames/<frame>/rendered")
def rendered(scope: Scope, **path: str) -> Response:
    """Retrieve what stands for a study or series, an instance or a frame, rendered."""
    return _rendered(scope, IMAGES if "frame" in path else RENDERED, thumbnail=False, **path)


@bp.get(f"{STUDY}/thumbnail")
@bp.get(f"{SERIES}/thumbnail")
@bp.get(f"{SOP_INSTANCE}/thumbnail")
@bp.get(f"{SOP_INSTANCE}/frames/<frame>/thumbnail")
def thumbnail(scope: Scope, **path: str) -> Response:
    """Retrieve a thumbnail of what stands for a study or series, an instance or a frame."""
    return _rendered(scope, IMAGES, thumbnail=True, **path)


def _rendered(
    scope: Scope,
    on_offer: tuple[str, ...],
    frame: str | None = None,
    *,
    thumbnail: bool,
    **path: str,
) -> Response:
    reference = scope.reference(**path)
    number = None if frame is None else frame_number(frame)
    asked = parameters(request.args.items(multi=True), thumbnail=thumbnail)
    acceptable = welcome(on_offer, request.headers.get("Accept"), request.args.get("accept"))
    answer = retrieve_rendered(
        scope, reference, number, acceptable, asked=asked, conditions=_conditions()
    )
    return _sent(scope, answer)


def _acceptable(offer: Offer) -> Sequence[Representation]:
    return offer.acceptable(request.headers.get("Accept"), request.args.get("accept"))


def _conditions() -> Conditions:
    """What the client has already; ranges are for GET alone (RFC 9110 14.2)."""
    given = request.environ  # most requests have none of these headers: looking costs little here
    known = request.if_none_match if "HTTP_IF_NONE_MATCH" in given else None
    is_known = known.contains_weak if known else None
    byte_range = given.get("HTTP_RANGE") if request.method == "GET" else None
    return Conditions(is_known, byte_range, given.get("HTTP_IF_RANGE"))


def _sent(scope: Scope, answer: Answer) -> Response:
    """The answer as it stands: a real file goes out by ``sendfile`` where the server can."""
    body: Iterable[bytes] = answer.body
    if request.method == "HEAD":
        answer.body.close()
        body = ()
    elif answer.file and "wsgi.file_wrapper" in request.environ:
        body = wrap_file(request.environ, answer.file, CHUNK_BYTES)
        if connection := request.environ.get("gunicorn.socket"):
            # Python's sendfile goes by this limit only, not by that of the listening socket.
            connection.settimeout(scope.archive.settings.keepalive_s)
    length = {} if answer.length is None else {"Content-Length": str(answer.length)}
    headers = {
        "Content-Type": answer.content_type,
        **length,
        "Vary": "Accept",
        **answer.headers,
    }
    return Response(body, answer.status, headers, direct_passthrough=True)
