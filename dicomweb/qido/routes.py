"""Search (PS3.18 10.6): HTTP in and out."""

from flask import Blueprint, Response, request

from dicomweb.contentcoding import encoded
from dicomweb.external import REQUEST_HEADER, are_asked_for
from dicomweb.media import DICOM_JSON, require_dicom_json
from dicomweb.qido import external, parameters
from dicomweb.qido.search import find
from dicomweb.query import first_value, query_pairs
from dicomweb.urls import Scope
from index.search import Level

bp = Blueprint("qido", __name__)

MORE = "There are {number}additional results that can be requested"
"""PS3.18 8.3.4.4. The number is left out where counting would cost as much as finding."""


@bp.get("/studies")
def search_studies(scope: Scope) -> Response:
    """Search for studies."""
    return _search(scope, Level.STUDY, "/studies")


@bp.get("/series")
def search_series(scope: Scope) -> Response:
    """Search for series."""
    return _search(scope, Level.SERIES, "/series")


@bp.get("/instances")
def search_instances(scope: Scope) -> Response:
    """Search for instances."""
    return _search(scope, Level.INSTANCE, "/instances")


@bp.get("/studies/<uid:study>/series")
def search_series_of_study(scope: Scope, study: str) -> Response:
    """Search for series of a study."""
    return _search(scope, Level.SERIES, "/series", study)


@bp.get("/studies/<uid:study>/instances")
def search_instances_of_study(scope: Scope, study: str) -> Response:
    """Search for instances of a study."""
    return _search(scope, Level.INSTANCE, "/instances", study)


@bp.get("/studies/<uid:study>/series/<uid:series>/instances")
def search_instances_of_series(scope: Scope, study: str, series: str) -> Response:
    """Search for instances of a series."""
    return _search(scope, Level.INSTANCE, "/instances", study, series)


def _search(scope: Scope, level: Level, resource: str, *uids: str) -> Response:
    """Check the request in the order of its layers, then search."""
    pairs = query_pairs(request.query_string)
    accept = first_value(pairs, parameters.ACCEPT)
    require_dicom_json(request.headers.get("Accept"), accept)
    within = scope.reference(*uids).values[1:] if uids else ()
    if are_asked_for(scope.api, request.headers.get(REQUEST_HEADER)):
        query = external.parse(scope, pairs, level, len(within))
    else:
        wildcards = scope.archive.settings.qido_wildcards
        query = parameters.parse(pairs, level, len(within), wildcards=wildcards)
    page = find(scope, level, within, query)
    if not page.body:
        return Response(status=204)
    body, headers = encoded(page.body, request.headers.get("Accept-Encoding"))
    response = Response(body, headers={"Content-Type": DICOM_JSON, **headers})
    if page.cursor is not None:
        path = scope.url(*within) if within else scope.base
        following = parameters.next_query(pairs, page.cursor)
        response.headers["Link"] = f'<{path}{resource}?{following}>; rel="next"'
        number = "" if page.following is None else f"{page.following} "
        response.headers["Warning"] = scope.warning(MORE.format(number=number))
    return response
