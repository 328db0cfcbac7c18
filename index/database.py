"""The connection to the SQL database, and every difference between the databases.

One connection per thread, opened at first use and kept: the server's threads live as long as the
process, so this is a pool without the hand-over. Nothing outside this package sees Peewee.
"""

import contextlib
import fcntl
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from peewee import (
    Database,
    DatabaseError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    SqliteDatabase,
)

from index.postgresql import Pg8000Database
from index.statements import Statement

Row = tuple[Any, ...]
Result = TypeVar("Result")

BUSY_TIMEOUT_MS = 10_000
ATTEMPTS = 5
INSERT_ROWS = 100  # keeps the number of values below every database's limit
FEED_LOCK = 0x47414E54  # any fixed numbers: advisory locks of PostgreSQL
SCHEMA_LOCK = FEED_LOCK + 1


class IndexFailure(Exception):
    """Base of the index's errors."""


class IndexUnavailable(IndexFailure):
    """The database cannot be reached, is full, or stayed busy too long; trying later may help."""


class IndexConflict(IndexFailure):
    """Others changed the same rows at the same time, again and again."""


class Index:
    """A database with Gantry's tables: runs statements, opens transactions.

    Safe to share between threads. After a fork the child opens its own connections.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writing = threading.Lock()
        self._lock_path: Path | None = None
        if isinstance(database, SqliteDatabase):
            self._lock_path = Path(f"{database.database}.lock")
        self.dialect = "sqlite" if self._lock_path else "postgresql"

    def fetch(self, statement: Statement, *parameters: Any, size: int = 1) -> list[Row]:
        """Run a compiled statement and return its rows; none for statements without rows.

        :param size: how many items a statement with a list was compiled for.
        :raise IndexUnavailable: the database does not answer.
        """
        sql, values = statement.bind(self._database, parameters, size)
        return self.execute(sql, values)

    def fetch_query(self, query: Any) -> list[Row]:
        """Compile and run a query that is built for one request, such as a search."""
        sql, values = self._database.get_sql_context().sql(query).query()
        return self.execute(sql, values)

    def fetch_many(self, statement: Statement, values: Sequence[Any], width: int = 1) -> list[Row]:
        """Run a statement with one list, of any length, in pieces of :data:`INSERT_ROWS` items.

        :param values: of all items, one after the other.
        :param width: values per item.
        """
        step = INSERT_ROWS * width
        rows: list[Row] = []
        for start in range(0, len(values), step):
            some = values[start : start + step]
            rows += self.fetch(statement, *some, size=len(some) // width)
        return rows

    def insert(self, statement: Statement, values: Sequence[Any], width: int) -> list[Row]:
        """The same for a multi-row INSERT; what it returns of the rows that it wrote."""
        return self.fetch_many(statement, values, width)

    def fetch_locked(
        self,
        statement: Statement,
        *parameters: Any,
        size: int = 1,
        against_references: bool = False,
    ) -> list[Row]:
        """Run a SELECT and keep others from changing its rows until this transaction ends.

        :param size: how many items a statement with a list was compiled for.
        :param against_references: also from writing rows that refer to them, as a delete must. A
            change must not: two who had both written such rows would wait for each other.
        """
        sql, values = statement.bind(self._database, parameters, size)
        if self.dialect == "postgresql":
            sql += " FOR UPDATE" if against_references else " FOR NO KEY UPDATE"
        return self.execute(sql, values)

    def execute(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Run SQL as it stands.

        A read outside a transaction is repeated once on a fresh connection when the old one turns
        out to be dead, as after a restart of the database server.
        """
        try:
            return self._run(sql, values)
        except IntegrityError as error:
            raise _translated(error) from error
        except (OperationalError, InterfaceError) as error:
            if self._database.transaction_depth() or not self._drop_dead_connection():
                raise _translated(error) from error
        try:
            return self._run(sql, values)
        except DatabaseError as error:
            raise _translated(error) from error

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """A short write transaction: all of it or nothing, without network calls inside.

        Writers of one SQLite file queue on a file lock, in the order they came, instead of
        spinning on SQLite's busy signal.

        :raise IndexUnavailable: the database does not answer; nothing was changed, unless the
            connection broke during the commit itself.
        """
        with self._turn():
            try:
                self._database.connect(reuse_if_open=True)
                with self._database.atomic(*self._begin):
                    yield
            except (OperationalError, InterfaceError, IntegrityError) as error:
                failure = _translated(error)
                if isinstance(failure, IndexUnavailable):
                    self._drop_dead_connection()
                raise failure from error
            except IndexUnavailable:
                self._drop_dead_connection()
                raise

    def in_transaction(self, work: Callable[[], Result]) -> Result:
        """Return what ``work()`` returns, run in a transaction; again when others were in its way.

        :param work: changes nothing but the index, so that running it again is harmless.
        :raise IndexConflict: others were in the way :data:`ATTEMPTS` times.
        """
        for _ in range(ATTEMPTS - 1):
            with contextlib.suppress(IndexConflict), self.transaction():
                return work()
        with self.transaction():
            return work()

    def lock_change_feed(self) -> None:
        """Hold back other writers of the change feed until this transaction ends.

        Taken last, so that sequence numbers become visible in their order. SQLite has one writer
        anyway.
        """
        self._lock(FEED_LOCK)

    def await_change_feed(self) -> None:
        """Wait until all that hold back others by :meth:`lock_change_feed` now have ended."""
        if self.dialect == "postgresql":
            self.execute(f"SELECT pg_advisory_xact_lock_shared({FEED_LOCK})")
        else:
            with self.transaction():
                pass

    def lock_schema(self) -> None:
        """Hold back other migrations until this transaction ends."""
        self._lock(SCHEMA_LOCK)

    def close(self) -> None:
        """Close this thread's connection."""
        if not self._database.is_closed():
            self._database.close()

    def tables(self) -> set[str]:
        """Names of the tables that exist."""
        names = self._ask(self._database.get_tables)
        return {name for name in names if not name.startswith("sqlite_")}

    def columns(self, table: str) -> set[str]:
        """Names of a table's columns."""
        return {column.name for column in self._ask(self._database.get_columns, table)}

    def _ask(self, question: Callable[..., Any], *arguments: Any) -> Any:
        try:
            self._database.connect(reuse_if_open=True)
            return question(*arguments)
        except DatabaseError as error:
            raise _translated(error) from error

    def _lock(self, number: int) -> None:
        if self.dialect == "postgresql":
            self.execute(f"SELECT pg_advisory_xact_lock({number})")

    def _run(self, sql: str, values: Sequence[Any]) -> list[Row]:
        self._database.connect(reuse_if_open=True)
        cursor = self._database.execute_sql(sql, values)
        return cursor.fetchall() if cursor.description else []

    @property
    def _begin(self) -> tuple[str, ...]:
        return ("IMMEDIATE",) if self._lock_path else ()

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        if self._lock_path is None:
            yield
            return
        with self._writing, _opened(self._lock_path) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _drop_dead_connection(self) -> bool:
        """Close the thread's connection where that can help; SQLite's cannot die."""
        if self._lock_path is not None:
            return False
        with contextlib.suppress(DatabaseError, OSError):
            self._database.close()
        return True


def open_index(url: str) -> Index:
    """An index on ``sqlite:///absolute/path`` or ``postgresql://user:password@host:port/name``.

    Nothing is opened yet. The folder of an SQLite file must exist.

    :raise ValueError: the URL is not of a supported database; says which are.
    """
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parts.scheme == "sqlite" and not parts.netloc and parts.path.startswith("/"):
        return Index(_sqlite(unquote(parts.path), options))
    if parts.scheme == "postgresql" and parts.path.strip("/"):
        return Index(Pg8000Database.from_url(parts, options))
    raise ValueError(
        "a database URL is sqlite:///absolute/path or postgresql://user@host:port/name, "
        f"not {parts.scheme or 'an empty scheme'}:..."
    )


def _opened(lock: Path) -> IO[str]:
    try:
        return lock.open("a")
    except OSError as error:
        raise IndexUnavailable(f"no lock file: {error.strerror}") from error


def _sqlite(path: str, options: dict[str, str]) -> SqliteDatabase:
    synchronous = options.pop("synchronous", "full")
    if options or synchronous not in {"full", "normal"}:
        raise ValueError("the only option of an sqlite URL is synchronous=full or normal")
    return SqliteDatabase(
        path,
        autoconnect=False,
        timeout=BUSY_TIMEOUT_MS / 1000,
        pragmas={
            "journal_mode": "wal",
            "synchronous": synchronous,
            "foreign_keys": 1,
            "cache_size": -16_000,  # KiB per connection
            "mmap_size": 256 * 2**20,
            "temp_store": "memory",
            "case_sensitive_like": 1,  # LIKE means the same as on the others: values are folded
        },
    )


def _translated(error: Exception) -> IndexFailure:
    """Peewee's exception as one of ours; statements and values stay out of the message."""
    cause = getattr(error, "orig", error)
    state = getattr(cause, "sqlstate", "")
    if isinstance(error, IntegrityError) or state in {"40001", "40P01"}:
        return IndexConflict(f"{type(error).__name__} {state}".strip())
    return IndexUnavailable(f"{type(error).__name__} {state or cause}".strip())
