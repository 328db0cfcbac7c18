"""The OpenAPI 3.1 document of an API version, made from its routes and what describes them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dicomweb.errors import MESSAGE_OF, BadRequest, DicomwebError
from dicomweb.openapi import (
    HEADERS,
    PATH_PARAMETERS,
    SCHEMAS,
    TEXT,
    Answer,
    Content,
    Operation,
    Operations,
    Parameter,
)

Document = dict[str, Any]
"""An object of JSON."""
Route = tuple[str, str]
"""A method, and a path as the document has it, below that of the version."""

TEXT_CONTENT: Content = {"text/plain; charset=utf-8": TEXT}
PARTITION = "/partitions/{partition}"
FAILURES = {"Forbidden": 424, "Failure": 500, "Unavailable": 503}
"""What every resource may answer besides the mistakes of a client, by its name here."""
INTRODUCTION = """\
Store, search, retrieve and delete DICOM instances (DICOM PS3.18). Every resource answers OPTIONS \
with its methods, and what answers GET answers HEAD. Words of a path are recognised in any case."""

_VARIABLE = re.compile(r"<(?:[a-z]+:)?([a-z]+)>")


def template(rule: str) -> str:
    """The path of a route as the document has it.

    That of ``/v2/studies/<uid:study>`` is ``/studies/{study}``.
    """
    return _VARIABLE.sub(r"{\1}", "/".join(["", *rule.split("/")[2:]]))


def make_document(
    url: str, version: str, routes: Iterable[Route], tables: Mapping[str, Operations]
) -> Document:
    """Describe routes. One that has no description is left out.

    :param url: of the version.
    :param version: its number.
    :param tables: what describes them, by the name of the transaction.
    """
    known = {key: (tag, one) for tag, table in tables.items() for key, one in table.items()}
    paths: dict[str, Document] = {}
    for method, path in sorted(routes, key=lambda route: (route[1], route[0])):
        below = path.removeprefix(PARTITION) or path
        if f"{method} {below}" in known:
            tag, operation = known[f"{method} {below}"]
            described = _operation(tag, method, path, operation)
            paths.setdefault(path, {})[method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {"title": "Gantry", "version": version, "description": INTRODUCTION},
        "servers": [{"url": url}],
        "tags": [{"name": tag} for tag in tables],
        "paths": paths,
        "components": {
            "schemas": dict(SCHEMAS),
            "headers": {
                name: {"description": text, "schema": TEXT} for name, text in HEADERS.items()
            },
            "responses": dict(_errors()),
        },
    }


def below(document: Document, path: str) -> Document:
    """What a document says of a resource and those below it (PS3.18 Annex H)."""
    paths = {
        each: item
        for each, item in document["paths"].items()
        if each == path or each.startswith(f"{path}/")
    }
    return document | {"paths": paths}


def _operation(tag: str, method: str, path: str, operation: Operation) -> Document:
    where = ", in a data partition" if path.startswith(PARTITION) else ""
    answers = {str(status): _answer(one) for status, one in operation.answers.items()}
    refusals: tuple[type[DicomwebError], ...] = (BadRequest, *operation.refusals)
    errors = {error.__name__: error.status for error in refusals}
    for name, status in (errors | FAILURES).items():
        answers[str(status)] = {"$ref": f"#/components/responses/{name}"}
    described: Document = {
        "tags": [tag],
        "operationId": re.sub(r"[^a-z]+", "_", f"{method}{path}".lower()).strip("_"),
        "summary": operation.summary + where,
        "parameters": [_parameter(one) for one in _parameters(path, operation)],
        "responses": dict(sorted(answers.items())),
    }
    if operation.description:
        described["description"] = operation.description
    if operation.body:
        described["requestBody"] = {"required": True, "content": _content(operation.body)}
    return described


def _parameters(path: str, operation: Operation) -> Iterator[Parameter]:
    """Those of the path in its order, then the others."""
    own = {one.name: one for one in operation.parameters if one.place == "path"}
    for name in re.findall(r"{([a-z]+)}", path):
        yield own.get(name) or PATH_PARAMETERS[name]
    yield from (one for one in operation.parameters if one.place != "path")


def _parameter(parameter: Parameter) -> Document:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.place == "path",
        "description": parameter.description,
        "schema": parameter.schema,
    }


def _answer(answer: Answer) -> Document:
    headers = ("X-Request-Id", *answer.headers)
    described: Document = {
        "description": answer.description,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
    }
    if answer.content:
        described["content"] = _content(answer.content)
    return described


def _content(content: Content) -> Document:
    return {media_type: {"schema": schema} for media_type, schema in content.items()}


def _errors() -> Iterator[tuple[str, Document]]:
    """The answers to what goes wrong, by the name of the error."""
    for error in DicomwebError.__subclasses__():
        if error.status >= 400:
            words = (error.__doc__ or "").splitlines()[0]
            yield error.__name__, _answer(Answer(words, TEXT_CONTENT))
    for name, status in FAILURES.items():
        headers = ("Retry-After",) if status == 503 else ()
        yield name, _answer(Answer(MESSAGE_OF[status], TEXT_CONTENT, headers))
