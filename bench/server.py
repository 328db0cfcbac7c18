"""Starts, stops and resets the server that is measured, and talks to it."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from bench.process import listening_tree

HOST = "127.0.0.1"
START_SECONDS = 600  # the first `make run` installs the dependencies
STOP_SECONDS = 40
ANSWER_SECONDS = 120
PROJECT = Path(__file__).resolve().parent.parent


class ServerError(Exception):
    """The server did not start, or did not answer as it must."""


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def fetch(port: int, path: str, accept: str = "*/*", body: bytes = b"", kind: str = "") -> bytes:
    """GET, or POST where there is a body, and return the body of the answer.

    :param kind: Content-Type of the body.
    :raise ServerError: nobody answers, or the status is not 200.
    """
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_SECONDS)
    headers = {"Accept": accept} | ({"Content-Type": kind} if body else {})
    try:
        connection.request("POST" if body else "GET", path, body or None, headers)
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise ServerError(f"{path}: {error}") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise ServerError(f"{path}: status {answer.status}: {content[:300]!r}")
    return content


class RunningServer:
    """A server that somebody else has started."""

    def __init__(self, port: int, folder: Path) -> None:
        """:param folder: on the disk whose counters are read."""
        self.port = port
        self.folder = folder

    def processes(self) -> list[int]:
        """Return the server's processes.

        :raise ServerError: none is to be seen.
        """
        try:
            return listening_tree(self.port)
        except ProcessLookupError as error:
            raise ServerError(str(error)) from error


class OwnServer(RunningServer):
    """The project's server on an empty data folder of its own; a context manager."""

    def __init__(self, command: Sequence[str], settings: Mapping[str, str], folder: Path) -> None:
        """:param settings: by their names in lower case, without the prefix."""
        super().__init__(free_port(), folder)
        self._command = command
        self._data = folder / "data"
        self._saved = folder / "saved"
        self._log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        ours = {"bind": f"{HOST}:{self.port}", "data": str(self._data)}
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("GANTRY_")}
        given = {f"GANTRY_{k.upper()}": value for k, value in {**settings, **ours}.items()}
        self._environment = inherited | given

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start and wait until the health check answers.

        :raise ServerError: it ended, or did not answer in time; the end of its log is included.
        """
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=PROJECT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self._wait(self._process)
        except BaseException:  # an interrupt too: nothing that we started is left behind
            self.stop()
            raise

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._healthy():
            if process.poll() is not None or time.monotonic() > deadline:
                log_end = self._log.read_bytes()[-2000:].decode(errors="replace")
                raise ServerError(f"the server does not start:\n{log_end}")
            time.sleep(0.1)

    def _healthy(self) -> bool:
        try:
            fetch(self.port, "/health/check")
        except ServerError:
            return False
        return True

    def stop(self) -> None:
        """Stop gracefully; what is left after STOP_SECONDS is killed."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.kill(listening_tree(self.port)[0], signal.SIGTERM)
                process.wait(STOP_SECONDS)
        finally:
            _kill_group(process)

    def save(self) -> None:
        """Remember the data folder as it is now; the server is restarted."""
        self.stop()
        _copy(self._data, self._saved)
        self.start()

    def restore(self) -> None:
        """Go back to the data folder that was saved; the server is restarted."""
        self.stop()
        shutil.rmtree(self._data)
        _copy(self._saved, self._data)
        self.start()


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # the session is ours, nobody else is in it
    process.wait()


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, copy_function=_link_or_copy)
    os.sync()


def _link_or_copy(source: str, target: str) -> None:
    """Link instances, which are never overwritten; copy what changes, such as the index."""
    if source.endswith(".dcm"):
        os.link(source, target)
    else:
        shutil.copy2(source, target)
