"""Runs the compiled load generator and the sink (load.c, sink.c)."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
OUT = FOLDER / "out"
GRACE_SECONDS = 180  # beyond the measured time: the generator gives up long before
SINK_THREADS = 2


class LoadError(Exception):
    """The load generator could not do its work; the message is its own."""


@dataclass(frozen=True)
class Load:
    """How requests are sent: for a time, or a number of them on each connection."""

    connections: int
    seconds: float
    warmup: float = 0.5
    requests_each: int = 0
    first_serial: int = 10**17
    keep: Path | None = None
    """Prefix of the files for the first answer of each connection."""


@dataclass(frozen=True)
class Outcome:
    """What the load generator reports; the names are those of load.c."""

    counted: int
    seconds: float
    rate: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    bytes_sent: int
    bytes_received: int
    cpu_seconds: float
    wrong_length: int
    closed: int
    malformed: int
    stalled: int
    reconnects: int
    status: dict[str, int]
    finished: list[int]
    messages: str = field(default="")

    @property
    def answered(self) -> int:
        """All answers, those of the warm-up too."""
        return sum(self.finished)

    @property
    def problems(self) -> list[str]:
        """What should not have been; empty when every answer was a complete 200."""
        counts = {
            f"answers with status {status}": count
            for status, count in self.status.items()
            if status != "200"
        } | {
            "answers of another length than expected": self.wrong_length,
            "connections closed within an answer": self.closed,
            "malformed answers": self.malformed,
            "requests without an end": self.stalled,
        }
        found = [f"{count} {what}" for what, count in counts.items() if count]
        if not self.counted:
            found.append("no answer in the measured time")
        return [f"{line} ({self.messages})" if self.messages else line for line in found]


def build() -> None:
    """Compile what is older than its source."""
    subprocess.run(["make", "-s", "-C", str(FOLDER)], check=True)


def run_load(port: int, plan: Path, load: Load) -> Outcome:
    """Send the plan's requests to 127.0.0.1.

    :raise LoadError: nobody answers there, or the server breaks off nearly every request.
    """
    amount = (
        ["--requests", str(load.requests_each)]
        if load.requests_each
        else ["--seconds", str(load.seconds), "--warmup", str(load.warmup)]
    )
    keep = ["--keep", str(load.keep)] if load.keep else []
    command: Sequence[str] = [
        str(OUT / "load"),
        *("--port", str(port), "--plan", str(plan), "--connections", str(load.connections)),
        *("--first", str(load.first_serial)),
        *amount,
        *keep,
    ]
    limit = load.seconds + load.warmup + GRACE_SECONDS
    ended = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    messages = ended.stderr.strip()
    if ended.returncode != 0:
        raise LoadError(messages)
    return Outcome(**json.loads(ended.stdout), messages=messages)


@contextmanager
def sink(answer_bytes: int) -> Iterator[int]:
    """Run a sink with answers of that length and yield its port."""
    command = [str(OUT / "sink"), "--answer", str(answer_bytes), "--threads", str(SINK_THREADS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        if process.stdout is None:
            raise LoadError("the sink has no output")
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()
