"""The server's log: a JSON line for each request to standard output, its other lines as JSON too.

A request's line has its path and the names of its query parameters, never their values. It is
shorter than the 4 KiB that a pipe takes in one piece, so that processes do not mix their lines.
"""

import logging
import re
import sys
import time
from datetime import timedelta
from typing import Any

import orjson
from gunicorn.glogging import Logger

from dicomweb.logs import REQUEST_ID, STDOUT, JsonFormatter, configure, utc, write_line

PATH_LENGTH = 512  # characters
AGENT_LENGTH = 200
ADDRESS_LENGTH = 64
PARAMETERS = 20

_MILLISECOND = timedelta(milliseconds=1)
_PARAMETER_NAME = re.compile(r"[A-Za-z0-9._$-]{1,64}", re.ASCII)


class JsonLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn's ``logger_class``."""

    def setup(self, cfg: Any) -> None:
        """Take the server's settings, at its start and when it reads them anew."""
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(JsonFormatter())
        configure(logging.getLogger(), "warning")  # of other libraries

    def access(
        self, resp: Any, _req: Any, environ: dict[str, Any], request_time: timedelta
    ) -> None:
        """Write the line of a request that has been answered."""
        if self.access_log_enabled:
            write_line(STDOUT, access_line(resp, environ, request_time))


def access_line(response: Any, environ: dict[str, Any], duration: timedelta) -> bytes:
    """Return the line of a request, made of what the server knows of it."""
    path, _, query = (environ["RAW_URI"] or "").partition("?")
    return orjson.dumps(
        {
            "time": utc(time.time()),
            "request_id": environ.get(REQUEST_ID),
            "client": environ.get("REMOTE_ADDR", "")[:ADDRESS_LENGTH],
            "method": environ["REQUEST_METHOD"],
            "path": path[:PATH_LENGTH],
            "query": _parameter_names(query) if query else [],
            "status": int(response.status[:3]) if response.status else None,
            "duration_ms": duration / _MILLISECOND,
            "received_bytes": _number(environ.get("CONTENT_LENGTH")),
            "sent_bytes": _sent_bytes(response, environ["REQUEST_METHOD"]),
            "aborted": _is_aborted(),
            "agent": environ.get("HTTP_USER_AGENT", "")[:AGENT_LENGTH],
        }
    )


def _parameter_names(query: str) -> list[str]:
    """What stands before the equals signs; a question mark where that may be anything."""
    pieces = query.split("&", PARAMETERS)[:PARAMETERS]
    names = [piece.partition("=") for piece in pieces]
    return [
        name if equals and _PARAMETER_NAME.fullmatch(name) else "?" for name, equals, _ in names
    ]


def _is_aborted() -> bool:
    """Whether the answer did not go out whole: the server then logs while it handles an error."""
    return sys.exc_info()[0] is not None


def _sent_bytes(response: Any, method: str) -> int | None:
    """Bytes of the body; None if not known. The server does not count what ``sendfile`` sends."""
    if response.sent or not response.response_length:
        return int(response.sent)
    if _is_aborted():
        return None
    no_body = method == "HEAD" or response.status_code == 304
    return 0 if no_body else int(response.response_length)


def _number(text: str | None) -> int | None:
    """A declared length; None for a chunked body, whose length nobody declares."""
    return int(text) if text and text.isdecimal() and text.isascii() and len(text) < 20 else None
