"""What this machine allows, measured in the same run: the disk, SQLite, gunicorn with Flask.

``python -m bench.limits`` prints these alone.
"""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from flask import Flask, request

from bench.corpus import ct
from bench.loadgen import FOLDER, OUT, Load, build, run_load
from bench.server import HOST, PROJECT, ServerError, fetch, free_port
from bench.workload import Request, get, store, write_plan

SECONDS = 2.0
CT_BYTES = 529_000
ROW_BYTES = 1200
START_SECONDS = 30
TRIVIAL_PAGE = "trivial Flask page, 8 clients"
TRIVIAL_UPLOAD = "trivial Flask, upload of a CT thrown away, 8 clients"


def trivial() -> Flask:
    """Make the least application there is: what Flask and gunicorn cost by themselves."""
    app = Flask("trivial")

    @app.get("/")
    def page() -> str:
        return "ok"

    @app.post("/")
    def upload() -> str:
        request.get_data(cache=False)  # in one call: pieces of 64 KiB took 1.6 times as long
        return "ok"

    return app


@contextmanager
def _trivial_server() -> Iterator[int]:
    port = free_port()
    command = [
        *(sys.executable, "-m", "gunicorn", "--pythonpath", str(PROJECT)),
        *("--bind", f"{HOST}:{port}", "--log-level", "error"),
        *("--worker-class", "gthread", "--workers", "2", "--threads", "8"),
        "bench.limits:trivial()",
    ]
    # not in the project's folder, where gunicorn would find the settings of the project's server
    with subprocess.Popen(command, cwd=FOLDER, stdin=subprocess.DEVNULL) as process:
        try:
            _wait_for(port)
            yield port
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            fetch(port, "/")
        except ServerError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _rate(action: Callable[[], None], threads: int) -> float:
    """Return how often per second that many threads together manage the action."""

    def repeat(_: int) -> int:
        count = 0
        while time.monotonic() < deadline:
            action()
            count += 1
        return count

    started = time.monotonic()
    deadline = started + SECONDS
    with ThreadPoolExecutor(threads) as pool:
        count = sum(pool.map(repeat, range(threads)))
    return count / (time.monotonic() - started)


def _file_rate(folder: Path, size: int, threads: int) -> float:
    content = os.urandom(size)
    with TemporaryDirectory(dir=folder) as target:

        def write_file() -> None:
            name = Path(target) / os.urandom(8).hex()
            descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.write(descriptor, content)
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)

        return _rate(write_file, threads)


def _commit_rate(folder: Path) -> float:
    row = os.urandom(ROW_BYTES)
    with (
        TemporaryDirectory(dir=folder) as target,
        closing(
            sqlite3.connect(
                Path(target) / "limit.sqlite", isolation_level=None, check_same_thread=False
            )
        ) as database,
    ):
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, bytes BLOB)")

        def commit() -> None:
            database.execute("INSERT INTO t (bytes) VALUES (?)", (row,))

        return _rate(commit, 1)


def _server_rate(port: int, folder: Path, trivial_request: Request) -> float:
    plan = folder / "limit.plan"
    write_plan(plan, [trivial_request])
    outcome = run_load(port, plan, Load(8, SECONDS))
    if outcome.problems:
        raise ServerError("; ".join(outcome.problems))
    return outcome.rate


def measure(folder: Path) -> Mapping[str, float]:
    """Return each limit's rate per second.

    :param folder: on the disk that the server will use.
    """
    limits = {
        f"{what} written and synced, {threads} {'thread' if threads == 1 else 'threads'}": (
            _file_rate(folder, size, threads)
        )
        for what, size in (("file of 529 KB", CT_BYTES), ("file of 37 KB", 37_000))
        for threads in (1, 8)
    }
    limits["SQLite commit of a row, WAL, FULL"] = _commit_rate(folder)
    with _trivial_server() as port:
        page = get("/", "*/*", lambda _: None)
        limits[TRIVIAL_PAGE] = _server_rate(port, folder, page)
        limits[TRIVIAL_UPLOAD] = _server_rate(port, folder, store("/", ct()))
    return limits


if __name__ == "__main__":
    build()
    with TemporaryDirectory(dir=OUT) as scratch:
        for name, rate in measure(Path(scratch)).items():
            print(f"{name}: {rate:,.0f} per second")
