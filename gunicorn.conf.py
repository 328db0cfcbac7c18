"""Gunicorn's settings, made from Gantry's. A wrong one stops the start with a message."""

import os
import socket
import struct
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dicomweb.accesslog import JsonLogger
from dicomweb.archive import open_archive
from dicomweb.logs import request_id
from dicomweb.settings import SettingsError, load_settings
from index.database import IndexUnavailable
from index.schema import SchemaOutdated
from storage.base import StorageError

try:
    settings = load_settings()
except SettingsError as error:
    sys.exit(f"gantry: {error}")

os.umask(0o027)  # of files and folders
umask = 0o007  # of a Unix socket: the proxy in front shares our group
warnings.simplefilter("ignore")  # they may quote what a file holds

bind = settings.bind
workers = settings.workers
threads = settings.threads
worker_class = "gthread"
timeout = settings.timeout_s
graceful_timeout = settings.graceful_timeout_s
keepalive = settings.keepalive_s
forwarded_allow_ips = settings.trusted_proxies
limit_request_line = 8190  # bytes, gunicorn's most: a list of some 1,900 frames
accesslog = "-"
loglevel = settings.log_level
logger_class = JsonLogger
proc_name = "gantry"
control_socket_disable = True
MEMORY = "/dev/shm"  # noqa: S108 - gunicorn makes its files there safely
if os.access(MEMORY, os.W_OK):
    worker_tmp_dir = MEMORY  # a worker's sign of life must not wait for a disk


def on_starting(server: Any) -> None:
    """Make what the embedded default needs; refuse to start where settings and data do not fit."""
    try:
        archive = open_archive(settings)
        archive.prepare()
        archive.close()  # each worker opens its own connections
    except (SettingsError, SchemaOutdated) as error:
        sys.exit(f"gantry: {error}")
    except (IndexUnavailable, StorageError) as error:
        server.log.warning("started although a part does not answer", exc_info=error)


def when_ready(server: Any) -> None:
    """Tell who started it what to do next."""
    url = settings.public_url or server.LISTENERS[0]
    print(  # noqa: T201 - to a person at a terminal
        f"Gantry is ready: {url}",
        "Store a file, and look for it:",
        f"  curl -H 'Content-Type: application/dicom' --data-binary @{_example()} {url}/v2/studies",
        f"  curl {url}/v2/studies",
        sep="\n",
        flush=True,
    )


def _example() -> str:
    """A DICOM file that is there already: pydicom brings some along."""
    found = find_spec("pydicom")
    if found is not None and found.origin is not None:
        example = Path(found.origin).parent / "data/test_files/CT_small.dcm"
        if example.exists():
            return str(example)
    return "FILE"


def pre_fork(server: Any, _worker: Any) -> None:
    """Give up clients that stall within a request or an answer, each of which holds a thread.

    Connections inherit this of the socket they come in by.
    """
    time_limit = struct.pack("ll", settings.keepalive_s, 0)
    for listener in server.LISTENERS:
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            listener.sock.setsockopt(socket.SOL_SOCKET, option, time_limit)


def post_fork(_server: Any, _worker: Any) -> None:
    """Let threads that wait for the interpreter have it sooner: measured with uploads."""
    sys.setswitchinterval(0.0005)


def post_request(_worker: Any, _request: Any, _environ: Any, _response: Any) -> None:
    """Forget the request: what is logged from here on is not about it."""
    request_id.set("")
