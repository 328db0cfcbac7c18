"""From measurements to the table and to JSON."""

import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from statistics import median
from typing import Any, Self

from bench.cells import Cell, StoreCell
from bench.limits import TRIVIAL_PAGE, TRIVIAL_UPLOAD
from bench.loadgen import Outcome
from bench.process import Usage
from bench.targets import PROTOTYPE
from bench.targets import TRIVIAL_PAGE as PROTOTYPE_PAGE
from bench.targets import TRIVIAL_UPLOAD as PROTOTYPE_UPLOAD

SINK_MARGIN = 3
"""The sink must be so many times faster than the server for the server to be what is measured."""
MIB = 2**20


@dataclass(frozen=True)
class Proof:
    """What the load generator reached against the sink, and what it has to."""

    what: str
    rate: float
    least: float


@dataclass(frozen=True)
class Measurement:
    """One cell in one round. Rates and CPU are per instance where a request has many."""

    rate: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_ms: float
    peak_rss_mib: float
    device_written: float
    """Bytes written to the disk, by anybody, per byte received."""
    process_written: float
    """Bytes that the server's processes wrote per byte received."""
    sink_rate: float
    load_cpu_share: float
    """Processor time of the load generator per second."""
    requests: int
    problems: list[str]

    @classmethod
    def of(
        cls, cell: Cell, outcome: Outcome, usage: Usage, loopback: Outcome, problems: list[str]
    ) -> Self:
        """Put together what the load generator, /proc and the sink have said."""
        count = max(1, outcome.answered * cell.instances)
        received = max(1, outcome.bytes_sent)
        return cls(
            rate=outcome.rate * cell.instances,
            p50_ms=outcome.p50_ms,
            p95_ms=outcome.p95_ms,
            p99_ms=outcome.p99_ms,
            cpu_ms=1000 * usage.cpu_seconds / count,
            peak_rss_mib=usage.peak_rss_bytes / MIB,
            device_written=usage.device_bytes / received,
            process_written=usage.written_bytes / received,
            sink_rate=loopback.rate * cell.instances,
            load_cpu_share=outcome.cpu_seconds / outcome.seconds if outcome.seconds else 0,
            requests=outcome.answered,
            problems=problems,
        )


@dataclass
class Report:
    """All of a run."""

    proofs: list[Proof] = field(default_factory=list)
    limits: list[Mapping[str, float]] = field(default_factory=list)
    """Of each round."""
    measurements: dict[str, list[Measurement]] = field(default_factory=dict)
    cells: dict[str, Cell] = field(default_factory=dict)
    broken_off: str = ""
    """Why the run ended early, if it did."""

    def add(self, cell: Cell, measurement: Measurement) -> None:
        """Add one cell of one round."""
        self.cells[cell.name] = cell
        self.measurements.setdefault(cell.name, []).append(measurement)

    @property
    def problems(self) -> list[str]:
        """What was wrong, one line each; the figures beside it mean nothing."""
        found = [
            f"load generator against sink, {p.what}: {p.rate:,.0f}/s, not {p.least:,.0f}"
            for p in self.proofs
            if p.rate < p.least
        ]
        if self.broken_off:
            found.append(f"the run was broken off: {self.broken_off}")
        for name, rounds in self.measurements.items():
            lines = [line for measurement in rounds for line in measurement.problems]
            if lines:
                found.append(f"{name}: {lines[0]} ({len(lines)} of the kind)")
        return found

    def median(self, name: str, of: Callable[[Measurement], float]) -> float:
        """Return the median of a figure over the rounds."""
        return median(map(of, self.measurements[name]))

    def limit(self, name: str) -> float:
        """Return the median of a limit over the rounds."""
        return median(limits[name] for limits in self.limits)

    def prototype(self, cell: Cell) -> float | None:
        """Return the prototype's rate, if known."""
        return PROTOTYPE.get((cell.operation, cell.clients))

    def yardstick(self, cell: Cell) -> float:
        """Return how fast this machine is beside the prototype's, by a trivial application."""
        if isinstance(cell, StoreCell):
            return self.limit(TRIVIAL_UPLOAD) / PROTOTYPE_UPLOAD
        return self.limit(TRIVIAL_PAGE) / PROTOTYPE_PAGE


COLUMNS = (
    "operation",
    "clients",
    "req/s",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "CPU ms/req",
    "RSS MiB",
    "written",
    "of sink",
    "prototype /s",
    "of prototype",
    "of it, by yardstick",
)


def _row(report: Report, name: str) -> list[str]:
    cell = report.cells[name]
    rate = report.median(name, lambda m: m.rate)
    sink_rate = report.median(name, lambda m: m.sink_rate)
    written = report.median(name, lambda m: m.device_written)
    prototype = report.prototype(cell)
    near = " *" if rate * SINK_MARGIN > sink_rate else ""
    wrong = " **wrong**" if any(m.problems for m in report.measurements[name]) else ""
    return [
        cell.operation + wrong,
        str(cell.clients),
        f"{rate:,.0f}",
        *(
            f"{report.median(name, of):.2f}"
            for of in (
                lambda m: m.p50_ms,
                lambda m: m.p95_ms,
                lambda m: m.p99_ms,
                lambda m: m.cpu_ms,
            )
        ),
        f"{max(m.peak_rss_mib for m in report.measurements[name]):,.0f}",
        f"{written:.2f}" if isinstance(cell, StoreCell) else "",
        f"{rate / sink_rate:.1%}{near}" if sink_rate else "",
        f"{prototype:,.0f}" if prototype else "",
        f"{rate / prototype:.0%}" if prototype else "",
        f"{rate / prototype / report.yardstick(cell):.0%}" if prototype else "",
    ]


def _table(head: tuple[str, ...], rows: list[list[str]]) -> str:
    lines = [head, ("---", *["--:"] * (len(head) - 1)), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def markdown(report: Report) -> str:
    """Return the tables, and what was wrong."""
    proofs = [
        [f"load generator against sink, {p.what}, 8 clients", f"{p.rate:,.0f}"]
        for p in report.proofs
    ]
    limit_rows = [
        [name, f"{report.limit(name):,.0f}"] for limits in report.limits[:1] for name in limits
    ]
    sections = [
        _table(("limit of this machine", "per second"), proofs + limit_rows),
        _table(COLUMNS, [_row(report, name) for name in report.measurements]),
    ]
    sections += [f"WRONG: {line}" for line in report.problems]
    return "\n\n".join(sections)


def as_json(report: Report, started: datetime) -> dict[str, Any]:
    """Return everything measured, round by round."""
    return {
        "started": started.isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.release()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "proofs": [asdict(proof) for proof in report.proofs],
        "limits": [dict(limits) for limits in report.limits],
        "cells": [
            {
                "operation": report.cells[name].operation,
                "clients": report.cells[name].clients,
                "prototype_rate": report.prototype(report.cells[name]),
                "yardstick": report.yardstick(report.cells[name]),
                "rounds": [asdict(measurement) for measurement in rounds],
            }
            for name, rounds in report.measurements.items()
        ],
        "problems": report.problems,
    }
