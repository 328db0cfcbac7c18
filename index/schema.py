"""The schema's version: which migrations there are, which are applied, and applying them.

A migration is a module ``migrations/mNNNN_name.py`` with SQL that every database understands but
for the words of :data:`WORDS`. Each is applied in one transaction with the row that says so; where
two processes start at once, the second finds nothing left to do.
"""

import importlib
import pkgutil
import time
from dataclasses import dataclass

from index import migrations
from index.database import Index, IndexFailure

WORDS = {
    "sqlite": {
        "identity": "INTEGER PRIMARY KEY AUTOINCREMENT",  # no number is used again
        "key": "INTEGER",  # as a primary key it is the row's place, and needs no index
        "text": "",
        "blob": "BLOB",
        "digest": "BLOB",
        "restart_partition_identity": "",
    },
    "postgresql": {
        "identity": "BIGSERIAL PRIMARY KEY",
        "key": "BIGINT",
        "text": 'COLLATE "C"',
        "blob": "BYTEA",
        "digest": "BYTEA",
        "restart_partition_identity": """SELECT setval('partition_id_seq', 1)""",
    },
}

LEDGER = """
    CREATE TABLE IF NOT EXISTS schema_migration (
        number INTEGER NOT NULL PRIMARY KEY,
        name VARCHAR(64) NOT NULL,
        applied_us BIGINT NOT NULL
    )"""


class SchemaOutdated(IndexFailure):
    """The database's tables are older or newer than this code."""


@dataclass(frozen=True)
class Migration:
    """One change of the schema."""

    number: int
    name: str
    statements: tuple[str, ...]


def known() -> list[Migration]:
    """Return all migrations of this code, oldest first."""
    found = []
    for module in pkgutil.iter_modules(migrations.__path__):
        number, _, name = module.name.removeprefix("m").partition("_")
        statements = importlib.import_module(f"{migrations.__name__}.{module.name}").STATEMENTS
        found.append(Migration(int(number), name, statements))
    return sorted(found, key=lambda migration: migration.number)


def applied(index: Index) -> list[int]:
    """Return the numbers of the migrations that this database has, oldest first."""
    if "schema_migration" not in index.tables():
        return []
    rows = index.execute("SELECT number FROM schema_migration ORDER BY number")
    return [number for (number,) in rows]


def upgrade(index: Index) -> list[Migration]:
    """Apply what is missing and return it. Safe to run from several processes at once."""
    done = []
    for migration in known():
        with index.transaction():
            index.lock_schema()
            index.execute(LEDGER)
            if migration.number in applied(index):
                continue
            _apply(index, migration)
            done.append(migration)
    return done


def require_current(index: Index) -> None:
    """Refuse to work on tables that do not fit this code.

    :raise SchemaOutdated: names what is missing and what to run.
    """
    have, need = applied(index), [migration.number for migration in known()]
    if missing := [number for number in need if number not in have]:
        raise SchemaOutdated(
            f"the database lacks migration {missing[0]} (of {len(missing)}); run: flask db upgrade"
        )
    if newer := [number for number in have if number not in need]:
        raise SchemaOutdated(
            f"the database has migration {newer[-1]}, which this version does not know; "
            "run the version that made it, or a newer one"
        )


def _apply(index: Index, migration: Migration) -> None:
    now_us = time.time_ns() // 1000
    for statement in migration.statements:
        sql = statement.format(now_us=now_us, **WORDS[index.dialect])
        if sql:
            index.execute(sql)
    row = f"({migration.number}, '{migration.name}', {now_us})"  # all three are our own
    index.execute(f"INSERT INTO schema_migration (number, name, applied_us) VALUES {row}")  # noqa: S608 - see above
