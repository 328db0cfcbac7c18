"""Change feed: HTTP in and out."""

from collections.abc import Iterator

from flask import Blueprint, Response, request

from dicomweb.changefeed.entries import read_latest, read_page
from dicomweb.changefeed.parameters import parse_include_metadata, parse_page
from dicomweb.contentcoding import encoded
from dicomweb.media import JSON
from dicomweb.urls import Scope

bp = Blueprint("changefeed", __name__)


@bp.get("/changefeed")
def page(scope: Scope) -> Response:
    """Answer a page of the feed."""
    asked = parse_page(request.args.items(multi=True), scope.api)
    return _json(read_page(scope.archive.index, asked, scope.api))


@bp.get("/changefeed/latest")
def latest(scope: Scope) -> Response:
    """Answer the newest entry."""
    include_metadata = parse_include_metadata(request.args.items(multi=True))
    entry = read_latest(scope.archive.index, include_metadata=include_metadata)
    return Response(status=204) if entry is None else _json(entry)


def _json(content: bytes | Iterator[bytes]) -> Response:
    body, headers = encoded(content, request.headers.get("Accept-Encoding"))
    return Response(body, headers={"Content-Type": JSON, **headers})
