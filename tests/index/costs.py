"""What statements cost, counted, not timed."""

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from index.database import Index

STEPS = 50  # between two calls of SQLite's progress handler


class Cost(NamedTuple):
    """What some statements did."""

    work: int
    """Steps of SQLite's virtual machine, or rows that PostgreSQL's plans looked at."""
    plans: list[list[str]]
    """The steps of each statement's plan."""
    rows: list[Any]
    """What was answered."""


def cost_of(index: Index, ask: Callable[[], list[Any]]) -> Cost:
    """The cost of the statements of ``ask()``."""
    executed: list[tuple[str, Sequence[Any]]] = []
    run = index.execute

    def execute(sql: str, values: Sequence[Any] = ()) -> list[Any]:
        executed.append((sql, values))
        return run(sql, values)

    run("SELECT 1")  # opens the connection
    index.execute = execute
    try:
        rows, work = (_counting_steps(index, ask)) if index.dialect == "sqlite" else (ask(), 0)
    finally:
        index.execute = run
    if index.dialect == "sqlite":
        plans = [
            [row[3] for row in run("EXPLAIN QUERY PLAN " + sql, values)] for sql, values in executed
        ]
        return Cost(work, plans, rows)
    trees = [_nodes(run(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", given)) for sql, given in executed]
    work = sum(_rows_looked_at(node) for nodes in trees for node in nodes)
    return Cost(work, [[_described(node) for node in nodes] for nodes in trees], rows)


def _counting_steps(index: Index, ask: Callable[[], list[Any]]) -> tuple[list[Any], int]:
    calls = 0

    def count() -> int:
        nonlocal calls
        calls += 1
        return 0

    connection = index._database.connection()
    connection.set_progress_handler(count, STEPS)
    try:
        return ask(), calls * STEPS
    finally:
        connection.set_progress_handler(None, 0)


def _nodes(answer: list[Any]) -> list[dict[str, Any]]:
    ((plan,),) = answer
    nodes = [(json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]]
    for node in nodes:
        nodes += node.get("Plans", [])
    return nodes


def _described(node: dict[str, Any]) -> str:
    return f"{node['Node Type']} {node.get('Index Name') or node.get('Relation Name') or ''}"


def _rows_looked_at(node: dict[str, Any]) -> int:
    removed = sum(value for name, value in node.items() if name.startswith("Rows Removed"))
    return int((node["Actual Rows"] + removed) * node["Actual Loops"])
