"""Retrieve Capabilities (PS3.18 8.9) and the OpenAPI document: HTTP out.

Nothing here needs the index or the store.
"""

from functools import lru_cache

import orjson
import yaml
from flask import Blueprint, Response, current_app, request
from werkzeug.routing import Map

from dicomweb.capabilities.document import Document, below, make_document, template
from dicomweb.media import JSON, YAML, accepted
from dicomweb.openapi import Describe
from dicomweb.settings import Settings
from dicomweb.versions import VERSION_OF

bp = Blueprint("capabilities", __name__)

TABLES = "gantry.capabilities"
"""Extension of the application: what describes each transaction, by the transaction's name."""
Tables = tuple[tuple[str, Describe], ...]
Key = tuple[Map, Tables, Settings, str]

KEPT_DOCUMENTS = 8
"""One for each spelling of a version, and some to spare."""


@bp.get("/api.json")
def api_json() -> Response:
    """Answer the OpenAPI document as JSON."""
    return _cacheable(orjson.dumps(_document(), option=orjson.OPT_INDENT_2), JSON)


@bp.get("/api.yaml")
def api_yaml() -> Response:
    """Answer the OpenAPI document as YAML."""
    return _cacheable(_yaml(*_key()), YAML)


def options() -> Response:
    """Answer OPTIONS: the methods that a resource has (RFC 9110 9.3.7).

    A client whose Accept names JSON is also told all about it and what is below it.
    Only the route counts: whether the UIDs and the partition of a path are right, and whether
    anything is stored there, is not looked at.
    """
    methods = current_app.url_map.bind_to_environ(request.environ).allowed_methods()
    allow = {"Allow": ", ".join(sorted(methods))}
    asked = accepted(request.headers.get("Accept"), request.args.get("accept"))
    if _segment() in VERSION_OF and any(one.name == "application/json" for one in asked):
        described = below(_document(), template(str(request.url_rule)))
        return Response(orjson.dumps(described), headers=allow, content_type=JSON)
    return Response(status=204, headers=allow)


def _cacheable(body: bytes, content_type: str) -> Response:
    response = Response(body, content_type=content_type)
    response.add_etag()
    response.make_conditional(request)
    return response


def _document() -> Document:
    return _made(*_key())


def _key() -> Key:
    app = current_app
    return app.url_map, app.extensions[TABLES], app.extensions["gantry"].settings, _segment()


def _segment() -> str:
    """First segment of the path."""
    return request.path.split("/")[1]


@lru_cache(maxsize=KEPT_DOCUMENTS)
def _made(routes: Map, tables: Tables, settings: Settings, segment: str) -> Document:
    """The document of a version in one spelling; to be read only."""
    api = VERSION_OF[segment]
    known = [
        (method, template(rule.rule))
        for rule in routes.iter_rules()
        if rule.rule.startswith(f"/{segment}/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    ]
    described = {name: describe(api, settings) for name, describe in tables}
    number = api.segments[-1].removeprefix("v")
    return make_document(f"{settings.public_url}/{segment}", number, known, described)


@lru_cache(maxsize=KEPT_DOCUMENTS)
def _yaml(routes: Map, tables: Tables, settings: Settings, segment: str) -> bytes:
    """The same as YAML, which takes a hundred times as long to write as JSON."""
    document = _made(routes, tables, settings, segment)
    plain = orjson.loads(orjson.dumps(document))  # has no part twice, so YAML no references
    return yaml.safe_dump(plain, sort_keys=False, width=100).encode()
