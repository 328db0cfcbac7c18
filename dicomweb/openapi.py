"""How a transaction describes its resources, in the terms of OpenAPI 3.1.

Each transaction has a module ``capabilities.py`` with a function ``operations(api, settings)``: a
table of what its routes take and answer, made from the tables that the routes themselves go by. A
row stands under the method and path of its route, as ``GET /studies/{study}/metadata``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dicomweb.errors import DicomwebError
from dicomweb.external import REQUEST_HEADER
from dicomweb.media import (
    DICOM,
    DICOM_JSON,
    EXPLICIT_VR_LITTLE_ENDIAN,
    MADE,
    OCTET_STREAM,
    Offer,
)
from dicomweb.settings import Settings
from dicomweb.urls import PARTITION_NAME, UID
from dicomweb.versions import ApiVersion

Schema = Mapping[str, Any]
"""A JSON Schema."""
Content = Mapping[str, Schema]
"""Schemas by media type."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a request says beside its body."""

    name: str
    description: str
    schema: Schema
    place: str = "query"
    """``path``, ``query`` or ``header``."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes back under one status."""

    description: str
    content: Content = field(default_factory=dict)
    headers: tuple[str, ...] = ()
    """Names out of :data:`HEADERS`."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of a resource."""

    summary: str
    answers: Mapping[int, Answer]
    """By status, without those of errors."""
    refusals: tuple[type[DicomwebError], ...] = ()
    """Errors that it may answer, besides those that every resource may."""
    parameters: tuple[Parameter, ...] = ()
    """Without those of the path that :data:`PATH_PARAMETERS` has."""
    body: Content = field(default_factory=dict)
    description: str = ""


Operations = Mapping[str, Operation]
"""By method and path, the path without version and partition."""
Describe = Callable[[ApiVersion, Settings], Operations]

TEXT: Schema = {"type": "string"}
BYTES: Schema = {}
"""OpenAPI 3.1 has binary data without a schema."""
DATA_SET: Schema = {"$ref": "#/components/schemas/DataSet"}
ONE_DATA_SET: Content = {DICOM_JSON: DATA_SET}
DATA_SETS: Content = {DICOM_JSON: {"type": "array", "items": DATA_SET}}

SCHEMAS: Mapping[str, Schema] = {
    "DataSet": {
        "description": "A data set in the DICOM JSON Model (PS3.18 Annex F).",
        "type": "object",
        "patternProperties": {"^[0-9A-F]{8}$": {"$ref": "#/components/schemas/Element"}},
        "additionalProperties": False,
    },
    "Element": {
        "type": "object",
        "required": ["vr"],
        "properties": {
            "vr": {"type": "string", "pattern": "^[A-Z]{2}$"},
            "Value": {"type": "array", "minItems": 1},
            "BulkDataURI": {"type": "string"},
            "InlineBinary": {"type": "string"},
        },
        "additionalProperties": False,
    },
}

HEADERS: Mapping[str, str] = {
    "Content-Range": "Which bytes these are, and how many there are.",
    "ETag": "Names this state of the resource, in quotes; for If-None-Match.",
    "Link": "The next results, with rel=next, where there are more.",
    "Retry-After": "Seconds after which to try again.",
    "Warning": "What the client should know although its request was met.",
    "X-Request-Id": "Names the request in the service's log; the client's own, if it sent one.",
}
"""Headers of answers, with what they say."""

NOT_MODIFIED = Answer("The client has it.")
ACCEPT = Parameter(
    "accept", "Takes the place of the Accept header (PS3.18 8.3.3.1).", {"type": "string"}
)
IF_NONE_MATCH = Parameter(
    "If-None-Match", "ETags that the client has: then 304.", {"type": "string"}, place="header"
)

EXTERNAL_METADATA = Parameter(
    REQUEST_HEADER,
    "Whether external metadata, which came with stores beside the files, are shown too.",
    {"type": "boolean", "default": False},
    place="header",
)

RANGE = Parameter("Range", "The bytes that are asked for.", {"type": "string"}, place="header")
IF_RANGE = Parameter(
    "If-Range", "ETag of the rest that the client has.", {"type": "string"}, place="header"
)

_ASKED_FOR = {DICOM: MADE, OCTET_STREAM: {EXPLICIT_VR_LITTLE_ENDIAN}}

_UID: Schema = {"type": "string", "pattern": f"^{UID.pattern}$"}
_PARTITION: Schema = {"type": "string", "pattern": f"^{PARTITION_NAME.pattern}$"}
PATH_PARAMETERS: Mapping[str, Parameter] = {
    one.name: one
    for one in (
        Parameter("study", "Study Instance UID.", _UID, place="path"),
        Parameter("series", "Series Instance UID.", _UID, place="path"),
        Parameter("instance", "SOP Instance UID.", _UID, place="path"),
        Parameter("partition", "Name of a data partition.", _PARTITION, place="path"),
    )
}


def forms(offer: Offer) -> Content:
    """The media types of an offer, with the transfer syntaxes in which they can be asked for.

    ``*`` stands for what is stored, which may be in others.
    """
    content: dict[str, Schema] = {}
    for form in offer.forms:
        syntaxes = form.carries or _ASKED_FOR.get(form.media_type)
        content[str(form)] = (
            {"x-transfer-syntaxes": ["*", *sorted(syntaxes)]} if syntaxes else BYTES
        )
    return content


def boolean(name: str, description: str, *, default: bool) -> Parameter:
    """A parameter that is true or false."""
    return Parameter(name, description, {"type": "boolean", "default": default})


def number(name: str, description: str, default: int, lowest: int, highest: int) -> Parameter:
    """A parameter that is a whole number within bounds."""
    bounds = {"type": "integer", "default": default, "minimum": lowest, "maximum": highest}
    return Parameter(name, description, bounds)
