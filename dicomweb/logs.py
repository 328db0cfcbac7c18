"""Log lines: one JSON object each, bounded in length, without anything of a patient.

Texts of other libraries, and of exceptions that are not ours, may quote what a request or a file
held: of those, only the type and the place in the code are logged.
"""

import contextlib
import logging
import os
from contextvars import ContextVar
from datetime import UTC, datetime
from traceback import walk_tb
from typing import Any

import orjson

REQUEST_ID = "gantry.request_id"
"""Key of the request id in a WSGI environment."""

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Id of the request that this thread serves; empty outside of one."""

STDOUT, STDERR = 1, 2
MESSAGE_LENGTH = 300  # characters
FRAMES = 12  # of a stack, the innermost
CAUSES = 4  # exceptions of a chain, the outermost

_OUR_PACKAGES = {"app", "wsgi", "dicomweb", "index", "storage", "cli"}
_OUR_LOGGERS = "gantry"
_SERVER = "gunicorn"
_OF_ADDRESSES = {"Connection in use: %s", "Invalid address: %s", "Can't connect to %s"}
_CUT = str.maketrans(dict.fromkeys("'\"?", "\n"))


class JsonFormatter(logging.Formatter):
    """A record as a JSON object: time, level, logger, message and what else is known."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        fields: dict[str, Any] = {
            "time": utc(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "pid": record.process,
            "message": _message(record),
        }
        if request_id.get():
            fields["request_id"] = request_id.get()
        if record.exc_info and record.exc_info[1]:
            fields["exception"] = [_exception(error) for error in _chain(record.exc_info[1])]
        return orjson.dumps(fields).decode()


class StderrHandler(logging.Handler):
    """Writes each record to standard error in one piece, so that processes do not mix lines."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        write_line(STDERR, self.format(record).encode())


def configure(logger: logging.Logger, level: str) -> None:
    """Let a logger write JSON lines from that level on, if it or the root does not do so yet."""
    logger.setLevel(level.upper())
    handlers = [*logger.handlers, *logging.getLogger().handlers]
    if not any(isinstance(handler, StderrHandler) for handler in handlers):
        handler = StderrHandler()
        handler.setFormatter(JsonFormatter())
        logger.addHandler(handler)


def write_line(descriptor: int, line: bytes) -> None:
    """Write a line with one system call. A log that cannot be written stops nothing."""
    with contextlib.suppress(OSError):
        os.write(descriptor, line + b"\n")


def utc(timestamp: float) -> str:
    """A time in seconds since 1970 as ISO 8601."""
    return datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="milliseconds")


def _message(record: logging.LogRecord) -> str:
    """The text as far as it cannot hold anything of a patient."""
    package = record.name.partition(".")[0]
    if package == _OUR_LOGGERS:
        return record.getMessage()[:MESSAGE_LENGTH]
    if package == _SERVER and record.msg in _OF_ADDRESSES:
        return record.getMessage()[:MESSAGE_LENGTH]
    if package == _SERVER:  # it quotes request lines, headers and URLs with their queries
        return record.getMessage().translate(_CUT).partition("\n")[0][:MESSAGE_LENGTH]
    return f"from {record.module}:{record.lineno} {record.funcName}"


def _chain(error: BaseException | None) -> list[BaseException]:
    """An exception and what led to it."""
    chain: list[BaseException] = []
    while error is not None and error not in chain and len(chain) < CAUSES:
        chain.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return chain


def _exception(error: BaseException) -> dict[str, Any]:
    kind = type(error)
    fields: dict[str, Any] = {"type": f"{kind.__module__}.{kind.__qualname__}"}
    if kind.__module__.partition(".")[0] in _OUR_PACKAGES:
        fields["message"] = str(error)[:MESSAGE_LENGTH]
    elif isinstance(error, OSError):
        fields["message"] = error.strerror or ""
    stack = [
        f"{_short(frame.f_code.co_filename)}:{line} {frame.f_code.co_name}"
        for frame, line in walk_tb(error.__traceback__)
    ]
    fields["stack"] = stack[-FRAMES:]
    return fields


def _short(path: str) -> str:
    return "/".join(path.split("/")[-2:])
