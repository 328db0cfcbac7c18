"""Hot SQL, written with Peewee, compiled once per dialect and number of rows.

Building a query costs more than running it, so a statement that every request needs is built with
placeholders and kept as text.
"""

from collections.abc import Callable, Sequence
from typing import Any

from peewee import Database, Value


class _Placeholder:
    """Stands in a query for a value that comes at run time."""


PLACEHOLDER = _Placeholder()
"""What a compiled statement's parameter list holds where a value has to go."""


def parameter() -> Value:
    """Return a node for a value that comes at run time, in the order of the SQL text."""
    return Value(PLACEHOLDER, converter=False)


def parameters(count: int) -> list[Value]:
    """Return nodes for a list of ``count`` values, as of ``IN``."""
    return [parameter() for _ in range(count)]


class Statement:
    """A query compiled at first use.

    :param build: makes the Peewee query; takes the number of items it is for.
    """

    def __init__(self, build: Callable[[int], Any]) -> None:
        self._build = build
        self._compiled: dict[tuple[type, int], tuple[str, list[Any], bool]] = {}

    def bind(
        self, database: Database, values: Sequence[Any], size: int
    ) -> tuple[str, Sequence[Any]]:
        """SQL text and its parameter values for one run.

        :raise ValueError: there are more or fewer values than placeholders.
        """
        compiled = self._compiled.get((type(database), size))
        if compiled is None:
            compiled = self._compile(database, size)
        sql, template, only_placeholders = compiled
        if only_placeholders:
            if len(values) != len(template):
                raise ValueError(f"{len(template)} values are needed, not {len(values)}")
            return sql, values
        given = iter(values)
        bound = [next(given) if value is PLACEHOLDER else value for value in template]
        if next(given, PLACEHOLDER) is not PLACEHOLDER:
            raise ValueError("more values than placeholders")
        return sql, bound

    def _compile(self, database: Database, size: int) -> tuple[str, list[Any], bool]:
        sql, template = database.get_sql_context().sql(self._build(size)).query()
        compiled = (sql, template, all(value is PLACEHOLDER for value in template))
        self._compiled[type(database), size] = compiled
        return compiled
