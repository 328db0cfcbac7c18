"""What goes wrong with a request, and the one map from errors to statuses.

Errors of the floors below know no status; :data:`STATUS_OF` gives them theirs. Messages are for
people and are sent as plain text; they name attributes and UIDs, never a patient.
"""

from collections.abc import Mapping

from dicomweb.settings import SettingsError
from index.database import IndexConflict, IndexFailure, IndexUnavailable
from index.schema import SchemaOutdated
from storage.base import (
    BlobNotFound,
    BlobStoreForbidden,
    BlobStoreFull,
    BlobStoreUnavailable,
    StorageError,
)


class DicomwebError(Exception):
    """A request that cannot be met; the message says what is wrong and what would be right."""

    status = 400
    headers: Mapping[str, str] = {}
    """What the answer says besides."""


class NotModified(DicomwebError):
    """The client has the answer already (RFC 9110 15.4.5); there is no message."""

    status = 304

    def __init__(self, etag: str) -> None:
        super().__init__()
        self.headers = {"ETag": etag, "Vary": "Accept"}


class BadRequest(DicomwebError):
    """Something in the request is malformed or out of bounds."""


class InvalidIdentifier(BadRequest):
    """A UID of the path is malformed."""


class NotFound(DicomwebError):
    """What the path names is not stored."""

    status = 404


class NotAcceptable(DicomwebError):
    """No representation on offer matches Accept (PS3.18 8.7.5)."""

    status = 406


class Conflict(DicomwebError):
    """What is asked cannot be done in the present state."""

    status = 409


class TooLarge(DicomwebError):
    """The request is over a limit."""

    status = 413


class UnsupportedMediaType(DicomwebError):
    """The request's Content-Type is missing or not one the resource takes."""

    status = 415


class RangeNotSatisfiable(DicomwebError):
    """The range of bytes begins after the last one, or is empty (RFC 9110 15.5.17)."""

    status = 416

    def __init__(self, length: int) -> None:
        """:param length: bytes that there are."""
        super().__init__(f"The range is not there to be sent: there are {length} bytes.")
        self.headers = {"Content-Range": f"bytes */{length}"}


STATUS_OF: dict[type[Exception], int] = {
    IndexUnavailable: 503,
    IndexConflict: 503,
    SchemaOutdated: 503,
    SettingsError: 503,
    IndexFailure: 503,
    BlobStoreUnavailable: 503,
    BlobStoreFull: 503,
    BlobStoreForbidden: 424,
    BlobNotFound: 500,  # a row without its blob is damage on our side, not the client's mistake
    StorageError: 503,
    ConnectionError: 400,  # the client's: those to servers have their own errors
}

MESSAGE_OF = {
    400: "The connection broke before the request had arrived.",
    503: "The service is temporarily unavailable. Try again later.",
    424: "The object store does not let the service in; its permissions have to be set right.",
    500: "An internal error occurred. The request id names it in the service's log.",
}


def status_and_message(error: Exception) -> tuple[int, str]:
    """What a client is told about an error; nothing from inside where it is our fault."""
    if isinstance(error, DicomwebError):
        return error.status, str(error)
    for known in type(error).__mro__:
        if known in STATUS_OF:
            status = STATUS_OF[known]
            return status, MESSAGE_OF[status]
    return 500, MESSAGE_OF[500]
