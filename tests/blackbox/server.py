"""The real server, as operators start it, in a scratch folder and on a free port."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import requests

ROOT = Path(__file__).parents[2]
START_SECONDS = 60


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """A running server; ``kill`` leaves its processes no time for anything."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data = data
        self.log = data.with_suffix(".log")
        self._settings = {
            "GANTRY_BIND": f"127.0.0.1:{self.port}",
            "GANTRY_DATA": str(data),
            **{f"GANTRY_{name.upper()}": value for name, value in settings.items()},
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Server":
        kept = {name: value for name, value in os.environ.items() if "GANTRY_" not in name}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "wsgi:application"],
                cwd=ROOT,
                env=kept | self._settings,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait_until_ready()
        return self

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(requests.ConnectionError):
                if requests.get(f"{self.url}/health/check", timeout=10).status_code == 200:
                    return
            time.sleep(0.05)
        raise AssertionError(f"the server did not start:\n{self.log.read_text()}")

    def raw(self, request: bytes) -> bytes:
        """What is answered to these bytes, up to the end of the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            received = b""
            with contextlib.suppress(ConnectionResetError):
                while some := connection.recv(65536):
                    received += some
            return received

    def processes(self) -> list[int]:
        """Ids of the arbiter and its workers."""
        group = self._process.pid
        return [
            int(path.name)
            for path in Path("/proc").iterdir()
            if path.name.isdigit() and _group_of(int(path.name)) == group
        ]

    def resident_bytes(self) -> int:
        """Memory that the processes take, without mapped files."""
        total = 0
        for process in self.processes():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                status = Path(f"/proc/{process}/status").read_text()
                anonymous = next(line for line in status.splitlines() if line.startswith("RssAnon"))
                total += int(anonymous.split()[1]) * 1024
        return total

    def kill(self) -> None:
        """Kill -9 all processes at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(30)

    def stop(self) -> int:
        """Stop as an operator does; the exit status."""
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


def _group_of(process: int) -> int | None:
    try:
        return os.getpgid(process)
    except ProcessLookupError:
        return None


@contextlib.contextmanager
def running(data: Path, **settings: str) -> Iterator[Server]:
    server = Server(data, **settings).start()
    try:
        yield server
    finally:
        server.kill()
