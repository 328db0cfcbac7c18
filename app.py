"""The application factory: the only place where the parts meet."""

import contextlib
import logging
import re
import uuid
from collections.abc import Iterable
from typing import Any

from flask import Blueprint, Flask, Response, current_app, jsonify, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import HTTPException

import dicomweb.capabilities.capabilities
import dicomweb.capabilities.routes
import dicomweb.changefeed.capabilities
import dicomweb.changefeed.routes
import dicomweb.delete.capabilities
import dicomweb.delete.routes
import dicomweb.health.routes
import dicomweb.partitions.capabilities
import dicomweb.partitions.routes
import dicomweb.qido.capabilities
import dicomweb.qido.routes
import dicomweb.stow.capabilities
import dicomweb.stow.routes
import dicomweb.wado.capabilities
import dicomweb.wado.routes
from cli.db import db_commands
from cli.settings import settings_command
from dicomweb import logs
from dicomweb.archive import Archive, open_archive
from dicomweb.caching import KEPT, NOT_KEPT
from dicomweb.cors import WsgiApp, with_cors
from dicomweb.errors import BadRequest, DicomwebError, status_and_message
from dicomweb.settings import Settings
from dicomweb.urls import Scope, UidConverter, base_url, partition_id, with_literals_in_lower_case
from dicomweb.versions import SUPPORTED, VERSION_OF, ApiVersion
from index.partitions import DEFAULT_PARTITION
from storage.base import CHUNK_BYTES

log = logging.getLogger("gantry")

PARTITIONED = (
    dicomweb.stow.routes.bp,
    dicomweb.wado.routes.bp,
    dicomweb.qido.routes.bp,
    dicomweb.delete.routes.bp,
)
UNPARTITIONED = (
    dicomweb.changefeed.routes.bp,
    dicomweb.partitions.routes.bp,
    dicomweb.capabilities.routes.bp,
)
DESCRIBED = (
    ("Store", dicomweb.stow.capabilities.operations),
    ("Retrieve", dicomweb.wado.capabilities.operations),
    ("Search", dicomweb.qido.capabilities.operations),
    ("Delete", dicomweb.delete.capabilities.operations),
    ("Change feed", dicomweb.changefeed.capabilities.operations),
    ("Data partitions", dicomweb.partitions.capabilities.operations),
    ("Capabilities", dicomweb.capabilities.capabilities.operations),
)
"""What the routes take and answer, by transaction."""

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Content-Security-Policy": "frame-src 'self';",
}
FORWARDED = {"HTTP_X_FORWARDED_FOR": "REMOTE_ADDR", "HTTP_X_FORWARDED_HOST": "HTTP_HOST"}
REFUSED_BYTES = 16 * 1024 * 1024
"""A refused body of at most this is read to its end."""
REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}", re.ASCII)
VERSION_SEGMENT = re.compile(r"/v\d{1,9}(\.\d{1,9})?(-[a-z]{1,20})?(/|$)", re.ASCII)


def create_app(settings: Settings) -> Flask:
    """The service as a WSGI application, and its commands.

    Nothing is opened but by the first request or command that needs it.

    :raise SettingsError: the URL of the database is wrong.
    """
    logs.configure(log, settings.log_level)
    app = Flask("gantry", static_folder=None)
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = False
    app.url_map.converters["uid"] = UidConverter
    app.extensions["gantry"] = open_archive(settings)
    app.extensions[dicomweb.capabilities.routes.TABLES] = DESCRIBED
    app.url_value_preprocessor(_check_query)
    app.register_blueprint(dicomweb.health.routes.bp)
    for segment, api in VERSION_OF.items():
        app.register_blueprint(_version(api, segment))
    app.after_request(_finish)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _error)
    for command in (settings_command, db_commands):
        app.cli.add_command(command)
    app.make_default_options_response = dicomweb.capabilities.routes.options  # type: ignore[method-assign]
    app.add_url_rule("/*", "server", methods=())  # OPTIONS of the server as a whole, as a ping
    inner: WsgiApp = app.wsgi_app
    if settings.cors_origins:
        inner = with_cors(inner, settings, SECURITY_HEADERS)
    app.wsgi_app = _entrance(inner, settings)  # type: ignore[method-assign]
    return app


def _version(api: ApiVersion, segment: str) -> Blueprint:
    """All resources of a version, under one spelling of its name."""
    parent = Blueprint(segment.replace(".", "-"), __name__, url_prefix=f"/{segment}")
    parent.add_url_rule("", "service", methods=())  # the base URI: PS3.18 8.9.1.1
    for blueprint in PARTITIONED:
        parent.register_blueprint(blueprint, url_defaults={"partition": None})
        parent.register_blueprint(
            blueprint,
            name=f"partition-{blueprint.name}",
            url_prefix="/partitions/<partition>",
        )
    for blueprint in UNPARTITIONED:
        parent.register_blueprint(blueprint)

    def enter(_endpoint: str | None, values: dict[str, Any] | None) -> None:
        """Turn version and partition of the path into the view's ``scope``."""
        blueprint = request.blueprint or ""
        if request.method == "OPTIONS" or blueprint.endswith("capabilities"):
            return  # answered without the archive
        archive: Archive = current_app.extensions["gantry"]
        archive.prepare()
        values = {} if values is None else values
        unpartitioned = "partition" not in values
        name = values.pop("partition", None)
        may_create = blueprint.endswith("stow")
        if may_create:
            dicomweb.stow.routes.body_type()  # a body of no use makes no partition
        number = 0 if unpartitioned else partition_id(archive, name, may_create=may_create)
        origin = archive.settings.public_url or _origin()
        base = base_url(origin, segment, name)
        values["scope"] = Scope(archive, api, number, name or DEFAULT_PARTITION, base)

    parent.url_value_preprocessor(enter)
    parent.after_request(_name_versions)
    return parent


def _origin() -> str:
    """Scheme and host as the client sees them.

    :raise BadRequest: what it gave as host is none (RFC 9112 3.2).
    """
    if not request.host:
        raise BadRequest("The Host header names no host.")
    return request.host_url.rstrip("/")


def _name_versions(response: Response) -> Response:
    response.headers["api-supported-versions"] = SUPPORTED
    return response


def _check_query(_endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """Refuse what no query of ours holds, before anything else is looked at."""
    query = request.environ.get("QUERY_STRING", "")
    if "<" in query or "%3c" in query.lower():
        raise BadRequest("The query string included invalid characters.")


def _finish(response: Response) -> Response:
    if response.status_code >= 400:
        _read_rest()
    if response.status_code in {204, 304}:
        response.headers.pop("Content-Type", None)  # there is nothing that it could be of
    keeps = response.status_code == 304 or any(name == "ETag" for name, _ in response.headers)
    response.headers["Cache-Control"] = KEPT if keeps else NOT_KEPT
    response.headers.update(SECURITY_HEADERS)
    response.headers["X-Request-Id"] = request.environ[logs.REQUEST_ID]
    return response


def _read_rest() -> None:
    """Read a refused body to its end, unless it is too long to bother.

    Otherwise the server closes the connection after an answer that says it stays open, and the
    next request of the client may be lost.
    """
    left = REFUSED_BYTES if (request.content_length or 0) <= REFUSED_BYTES else 0
    with contextlib.suppress(OSError, ParseException):  # then the connection is closed anyway
        while left > 0 and (some := request.environ["wsgi.input"].read(min(left, CHUNK_BYTES))):
            left -= len(some)


def _http_error(error: HTTPException) -> Response | tuple[Response, int]:
    """Routing's own answers, as plain text; a version we do not have is 400."""
    code = error.code or 500
    if code == 404 and VERSION_SEGMENT.match(request.path):
        segment = request.path.split("/")[1].lower()
        if segment not in VERSION_OF:
            message = f"The API version '{segment}' is not supported. Supported: {SUPPORTED}."
            return jsonify(error={"code": "UnsupportedApiVersion", "message": message}), 400
    response = Response(error.description or "", code, mimetype="text/plain")
    if getattr(error, "valid_methods", None):
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))  # type: ignore[attr-defined]
    return response


def _error(error: Exception) -> Response:
    """The one door for everything that goes wrong."""
    status, message = status_and_message(error)
    if not isinstance(error, DicomwebError | ConnectionError):
        log.error("%s %s", request.method, request.url_rule or "unknown route", exc_info=error)
    response = Response(message, status, mimetype="text/plain")
    if isinstance(error, DicomwebError):
        response.headers.update(error.headers)
    if status == 503:
        response.headers["Retry-After"] = "5"
    return response


def _entrance(wsgi_app: WsgiApp, settings: Settings) -> WsgiApp:
    """What every request passes before routing.

    It gets an id, its path the spelling of the routes (``/v2/Studies`` reaches what
    ``/v2/studies`` does), and the words of a trusted proxy take the place of its own.
    """
    trusted = {proxy.strip() for proxy in settings.trusted_proxies.split(",")}
    trusted.add("")  # who comes through a Unix socket has no address

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        given = environ.get("HTTP_X_REQUEST_ID", "")
        number = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        environ[logs.REQUEST_ID] = number
        logs.request_id.set(number)
        environ["PATH_INFO"] = with_literals_in_lower_case(environ["PATH_INFO"])
        if "*" in trusted or environ.get("REMOTE_ADDR", "") in trusted:
            _believe_proxy(environ)
        return wsgi_app(environ, start_response)

    return application


def _believe_proxy(environ: dict[str, Any]) -> None:
    """Take client and host as the proxy saw them; the server has done so with the scheme."""
    for header, name in FORWARDED.items():
        seen = environ.get(header, "").rpartition(",")[2].strip()
        if seen:
            environ[name] = seen
