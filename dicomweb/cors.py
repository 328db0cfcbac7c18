"""Pages of other origins: the CORS protocol of the Fetch standard, around the whole application.

Being around it, errors carry the headers too, and a preflight is answered before anything else: it
needs no database and comes without a token.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dicomweb import logs
from dicomweb.settings import Settings

WsgiApp = Callable[..., Iterable[bytes]]
Headers = list[tuple[str, str]]

EXPOSED = (
    "Warning",
    "ETag",
    "Location",
    "Content-Location",
    "Link",
    "Content-Range",
    "Accept-Ranges",
    "X-Request-Id",
    "api-supported-versions",
    "erroneous-dicom-attributes",
    "Retry-After",
)
"""Headers of answers that a page may read, besides those that every page may."""

_HEADER_NAMES = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+( *, *[!#$%&'*+.^_`|~0-9A-Za-z-]+)*")


def with_cors(wsgi_app: WsgiApp, settings: Settings, always: Mapping[str, str]) -> WsgiApp:
    """The application, open to pages of the origins that the settings name.

    :param always: headers that each answer has, also that to a preflight.
    """
    granted = frozenset(settings.cors_origins.split(","))
    any_origin = "*" in granted
    for_pages = [("Access-Control-Expose-Headers", ", ".join(EXPOSED))]
    if settings.cors_credentials:
        for_pages.append(("Access-Control-Allow-Credentials", "true"))

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        origin: str = environ.get("HTTP_ORIGIN", "")
        headers: Headers = [("Vary", "Origin")]
        if any_origin or origin in granted:
            headers += [("Access-Control-Allow-Origin", "*" if any_origin else origin), *for_pages]
            if _is_preflight(environ):
                headers += [*always.items(), ("X-Request-Id", environ[logs.REQUEST_ID])]
                start_response("204 No Content", headers + _permissions(environ, settings))
                return ()

        def start(status: str, given: Headers, exc_info: Any = None) -> Any:
            return start_response(status, given + headers, exc_info)

        return wsgi_app(environ, start)

    return application


def _is_preflight(environ: Mapping[str, Any]) -> bool:
    """Whether a browser asks if it may send what a page wants to."""
    method = environ["REQUEST_METHOD"]
    return method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ


def _permissions(environ: Mapping[str, Any], settings: Settings) -> Headers:
    permissions = [
        ("Access-Control-Allow-Methods", settings.cors_methods),
        ("Access-Control-Max-Age", str(settings.cors_max_age_s)),
    ]
    names = settings.cors_headers
    if names == "*":  # browsers do not take a star for Authorization, nor with credentials
        names = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
    if _HEADER_NAMES.fullmatch(names):
        permissions.append(("Access-Control-Allow-Headers", names))
    return permissions
