"""Measures the server on this machine: ``make bench``, or ``python -m bench.run --help``.

Starts the server as ``make run`` does, on an empty data folder, fills it, sends each kind of
request for some seconds, and prints a table. README.md in this folder says how to read it.
"""

import argparse
import json
import re
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from bench import limits, report
from bench.cells import (
    SERIALS_PER_CELL,
    Archive,
    Cell,
    StoreCell,
    all_cells,
    fill,
    store_fresh,
    stored_by,
)
from bench.loadgen import OUT, Load, LoadError, Outcome, build, run_load, sink
from bench.process import measured
from bench.server import OwnServer, RunningServer, ServerError, fetch
from bench.workload import Request, WrongAnswerError, get, write_plan

SERIALS_PER_CONNECTION = 10**7  # as load.c
FIRST_SERIAL = 10**17
SERIALS_PER_RUN = 10**13
RUNS = 90_000  # serials have 18 digits
SINK_SECONDS = 1.0
ANSWER_BYTES = 600
SETTLE_SECONDS = 1.0  # the disk throttles after a burst


@dataclass
class Bench:
    """One run: the server, its archive, and where scratch files go."""

    server: RunningServer
    archive: Archive
    seconds: float
    scratch: Path
    next_serial: int
    dirty: bool = False

    def serial(self) -> int:
        """Return the first of serial numbers that no other cell has had."""
        self.next_serial += SERIALS_PER_CELL
        return self.next_serial

    def reset(self) -> None:
        """Give the next cell the state that all start from."""
        if self.dirty and isinstance(self.server, OwnServer):
            self.server.restore()
            time.sleep(SETTLE_SECONDS)
        self.dirty = False

    def measure(self, cell: Cell) -> report.Measurement:
        """Measure a cell once, against the server and against the sink."""
        self.reset()
        archive = self.archive
        if cell.fresh:
            archive = store_fresh(self.server.port, self.serial())
        requests = cell.requests(archive)
        self.dirty = cell.fresh or isinstance(cell, StoreCell)
        problems = [] if self.dirty else self._probe(requests)
        plan = self.scratch / "cell.plan"
        write_plan(plan, requests)
        each = len(requests) // cell.clients if cell.fresh else 0
        keep = self.scratch / "kept-"
        load = Load(
            cell.clients, self.seconds, requests_each=each, first_serial=self.serial(), keep=keep
        )
        with measured(self.server.processes(), self.server.folder) as usage:
            outcome = run_load(self.server.port, plan, load)
        problems += outcome.problems or [
            *_wrong_kept(requests, cell.clients, keep),
            *self._wrong_stored(cell, requests[0], load, outcome),
        ]
        loopback = self._sink(plan, cell, requests)
        return report.Measurement.of(cell, outcome, usage, loopback, problems)

    def _probe(self, requests: Sequence[Request]) -> list[str]:
        """Ask every request once and check all of the answer; it is as long from then on."""
        problems = []
        for request in requests:
            accept = request.head.partition(b"Accept: ")[2].partition(b"\r\n")[0].decode()
            try:
                body = fetch(self.server.port, request.path, accept)
                request.check(body)
                request.answer_bytes = len(body)
            except (ServerError, WrongAnswerError) as error:
                problems.append(str(error))
        return problems

    def _wrong_stored(
        self, cell: Cell, request: Request, load: Load, outcome: Outcome
    ) -> list[str]:
        """Read back some of what each connection has stored."""
        if not isinstance(cell, StoreCell) or cell.template is None:
            return []
        wanted = [
            read
            for connection, answered in enumerate(outcome.finished)
            for read in stored_by(
                request,
                cell.template,
                load.first_serial + connection * SERIALS_PER_CONNECTION,
                answered,
            )
        ]
        return self._probe(wanted)

    def _sink(self, plan: Path, cell: Cell, requests: Sequence[Request]) -> Outcome:
        known = [r.answer_bytes for r in requests if r.answer_bytes >= 0]
        answer_bytes = sum(known) // len(known) if known else ANSWER_BYTES
        with sink(answer_bytes) as port:
            return run_load(port, plan, Load(cell.clients, SINK_SECONDS, 0.3))


def _wrong_kept(requests: Sequence[Request], clients: int, keep: Path) -> list[str]:
    """Check the first answer that each connection got under load."""
    problems = []
    for connection in range(clients):
        request = requests[connection % len(requests)]
        kept = keep.with_name(f"{keep.name}{connection}")
        body = kept.read_bytes()
        kept.unlink()
        try:
            request.check(body)
            request.answer_bytes = len(body)
        except WrongAnswerError as error:
            problems.append(f"under load: {error}")
    return problems


def prove_generator(scratch: Path, cells: Sequence[Cell]) -> list[report.Proof]:
    """Measure the load generator against the sink: it must not be what is measured later."""
    plan = scratch / "proof.plan"
    page = get("/", "*/*", lambda _: None)
    image = next(c for c in cells if c.operation == "STOW 1 x CT").requests(Archive([], {}))[0]
    proofs = []
    for what, request, least in (("GET", page, 15_000), ("STOW 1 x CT", image, 5_000)):
        write_plan(plan, [request])
        with sink(ANSWER_BYTES) as port:
            outcome = run_load(port, plan, Load(8, 2))
        proofs.append(report.Proof(what, outcome.rate, least))
    return proofs


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.run", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="medians are of so many (default 3)")
    parser.add_argument("--seconds", type=float, default=3, help="per cell and round (default 3)")
    parser.add_argument("--only", default="", metavar="REGEX", help='as "STOW|QIDO.*8 clients"')
    parser.add_argument("--url", help="a running server of 127.0.0.1; it keeps what is stored")
    parser.add_argument("--command", default="make -s run", help="starts the server")
    parser.add_argument(
        "--setting", action="append", default=[], metavar="NAME=VALUE", help="of the server"
    )
    return parser.parse_args()


def _loopback_port(url: str) -> int:
    parts = urlsplit(url)
    host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname or ""
    try:
        loopback = host == str(ip_address("127.0.0.1"))
    except ValueError:
        loopback = False
    if not loopback or parts.scheme != "http" or parts.path not in {"", "/"}:
        sys.exit(f"--url: {url} is not http://127.0.0.1:PORT")
    return parts.port or 80


@contextmanager
def _server(arguments: argparse.Namespace, scratch: Path) -> Iterator[RunningServer]:
    if arguments.url:
        yield RunningServer(_loopback_port(arguments.url), scratch)
        return
    settings = dict(pair.split("=", 1) for pair in arguments.setting)
    with OwnServer(shlex.split(arguments.command), settings, scratch) as server:
        yield server


def _run(arguments: argparse.Namespace, scratch: Path, result: report.Report) -> None:
    cells = all_cells()
    chosen = [cell for cell in cells if re.search(arguments.only, cell.name)]
    _tell("load generator against sink")
    result.proofs += prove_generator(scratch, cells)
    first = FIRST_SERIAL
    if arguments.url:
        first += int(time.time() / 60) % RUNS * SERIALS_PER_RUN
    _tell("starting and filling the server")
    with _server(arguments, scratch) as server:
        bench = Bench(server, fill(server.port, first), arguments.seconds, scratch, first)
        if isinstance(server, OwnServer):
            server.save()
        for number in range(arguments.rounds):
            turn = f"round {number + 1} of {arguments.rounds}"
            _tell(f"{turn}: limits of this machine")
            result.limits.append(limits.measure(scratch))
            for cell in chosen:
                _tell(f"{turn}: {cell.name}")
                result.add(cell, bench.measure(cell))


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    """Measure, print the table and write the figures; 1 if an answer was wrong.

    When it is interrupted or the server dies, what has been measured until then is printed.
    """
    arguments = _arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    build()
    started = datetime.now(UTC)
    result = report.Report()
    with TemporaryDirectory(dir=OUT, prefix="scratch-") as scratch:
        try:
            _run(arguments, Path(scratch), result)
        except (LoadError, ServerError, WrongAnswerError, KeyboardInterrupt) as error:
            result.broken_off = str(error) or "interrupted"
            log = Path(scratch) / "server.log"
            if log.exists():
                _tell(f"the server's log is in {shutil.copy(log, OUT)}")
    print(report.markdown(result))
    file = OUT / f"{started:%Y%m%dT%H%M%SZ}.json"
    file.write_text(json.dumps(report.as_json(result, started), indent=1), encoding="utf-8")
    _tell(f"all figures are in {file}")
    return 1 if result.problems else 0


if __name__ == "__main__":
    sys.exit(main())
