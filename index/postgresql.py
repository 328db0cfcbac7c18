"""Peewee's PostgreSQL dialect over the pg8000 driver.

Peewee speaks to psycopg, whose licence (LGPL) the project does not take; pg8000 is BSD. Its native
interface is used, not its DB-API one, because that one sends a statement in two round trips and
scans its text anew each time: here each connection prepares a statement once, by its text.
"""

import contextlib
import socket
import ssl
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any
from urllib.parse import SplitResult, unquote

import pg8000.exceptions
import pg8000.native
from peewee import PostgresqlDatabase

STATEMENT_TIMEOUT_S = 60
LOCK_TIMEOUT_S = 10
CONNECT_TIMEOUT_S = 5
ANSWER_TIMEOUT_S = STATEMENT_TIMEOUT_S + 10  # of the socket: the server gives up first
PREPARED_STATEMENTS = 256  # per connection; the least recently used is closed first
PORT = 5432


class OperationalError(Exception):
    """The server or the way to it failed; ``sqlstate`` is empty when it did not answer."""

    def __init__(self, sqlstate: str = "", reason: str = "") -> None:
        super().__init__(sqlstate or reason)
        self.sqlstate = sqlstate


class IntegrityError(OperationalError):
    """A constraint does not hold (SQLSTATE class 23)."""


class ProgrammingError(OperationalError):
    """The server refuses the statement as wrong (SQLSTATE classes 22 and 42)."""


ERROR_OF_CLASS = {"23": IntegrityError, "22": ProgrammingError, "42": ProgrammingError}


def _sqlstate(error: Exception) -> str:
    """What the server says is wrong; empty if it was not the server who said it."""
    fields = error.args[0] if error.args else None
    return str(fields.get("C", "")) if isinstance(fields, dict) else ""


class Cursor:
    """The part of a DB-API cursor that Peewee uses."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self.description: list[tuple[str]] | None = None
        self.rowcount = -1
        self._rows: list[tuple[Any, ...]] = []

    def execute(self, sql: str, parameters: Sequence[Any] | None = None) -> None:
        """Run a statement; its parameters are written ``%s``."""
        columns, rows, self.rowcount = self._connection.run(sql, parameters or ())
        self.description = [(column["name"],) for column in columns] if columns else None
        self._rows = [tuple(row) for row in rows]

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return the rows not yet fetched."""
        rows, self._rows = self._rows, []
        return rows

    def fetchone(self) -> tuple[Any, ...] | None:
        """Return the next row, if any."""
        return self._rows.pop(0) if self._rows else None

    def close(self) -> None:
        """Forget the rows."""
        self._rows = []


class Connection:
    """A pg8000 connection with its prepared statements, in autocommit until ``BEGIN``."""

    def __init__(self, **arguments: Any) -> None:
        self._native = pg8000.native.Connection(**arguments)
        self._prepared: OrderedDict[str, pg8000.native.PreparedStatement] = OrderedDict()
        self.autocommit = True

    def cursor(self) -> Cursor:
        """Return a cursor."""
        return Cursor(self)

    def run(
        self, sql: str, parameters: Sequence[Any]
    ) -> tuple[list[dict[str, Any]], list[list[Any]], int]:
        """Run a statement and return its columns, rows and row count.

        :raise OperationalError: or one of its subclasses.
        """
        try:
            if not parameters:
                rows = self._native.run(sql)
                return self._native.columns or [], rows or [], self._native.row_count
            statement = self._statement(sql)
            named = {f"p{number}": value for number, value in enumerate(parameters)}
            rows = statement.run(**named)
        except pg8000.exceptions.DatabaseError as error:
            state = _sqlstate(error)
            raise ERROR_OF_CLASS.get(state[:2], OperationalError)(state) from error
        except (pg8000.exceptions.InterfaceError, OSError, EOFError) as error:
            raise OperationalError from error
        rows = rows or []
        return statement.columns or [], rows, len(rows)

    def commit(self) -> None:
        """Commit the transaction."""
        self.run("COMMIT", ())

    def rollback(self) -> None:
        """Undo the transaction; harmless outside of one."""
        self.run("ROLLBACK", ())

    def close(self) -> None:
        """Hang up, if the other side has not done so."""
        with contextlib.suppress(pg8000.exceptions.InterfaceError, OSError):
            self._native.close()

    def _statement(self, sql: str) -> pg8000.native.PreparedStatement:
        statement = self._prepared.pop(sql, None)
        if statement is None:
            pieces = sql.split("%s")
            named = "".join(f"{piece}:p{number}" for number, piece in enumerate(pieces[:-1]))
            statement = self._native.prepare(named + pieces[-1])
            if len(self._prepared) >= PREPARED_STATEMENTS:
                self._prepared.popitem(last=False)[1].close()
        self._prepared[sql] = statement
        return statement


class Adapter:
    """What Peewee asks of a PostgreSQL driver."""

    cast_json_case = True

    def check_driver(self) -> None:
        """pg8000 is imported above."""

    def isolation_level_int(self, isolation_level: Any) -> Any:
        """Return it: the level is set once, for the whole connection."""
        return isolation_level

    def get_binary_type(self) -> type[bytes]:
        """Binary values are plain bytes."""
        return bytes

    def connect(self, database: PostgresqlDatabase, **arguments: Any) -> Connection:
        """Open a connection."""
        dialled = None
        try:
            if "unix_sock" not in arguments:
                dialled = _dial(arguments["host"], arguments["port"])
            return Connection(database=database.database, sock=dialled, **arguments)
        except (pg8000.exceptions.Error, OSError) as error:
            if dialled is not None:
                dialled.close()
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise OperationalError(_sqlstate(error), reason) from error

    def get_server_version(self, connection: Connection) -> int:
        """Version as an integer, such as 150004."""
        return int(connection.run("SHOW server_version_num", ())[1][0][0])


class Pg8000Database(PostgresqlDatabase):
    """A PostgreSQL database reached through pg8000."""

    psycopg2_adapter = Adapter

    @classmethod
    def from_url(cls, url: SplitResult, options: dict[str, str]) -> "Pg8000Database":
        """Build from ``postgresql://user:password@host:port/name?sslmode=...&host=/socket/folder``.

        :raise ValueError: an option is not known.
        """
        arguments: dict[str, Any] = {
            "user": unquote(url.username or options.pop("user", "postgres")),
            "password": unquote(url.password) if url.password else None,
            "timeout": ANSWER_TIMEOUT_S,
            "application_name": "gantry",
            "startup_params": {
                "statement_timeout": f"{STATEMENT_TIMEOUT_S}s",
                "lock_timeout": f"{LOCK_TIMEOUT_S}s",
                "default_transaction_isolation": "read committed",
            },
        }
        arguments.update(_address(url, options), ssl_context=_tls(options))
        if options:
            raise ValueError(
                f"unknown option of the database URL: {', '.join(sorted(options))} "
                "(known: host, user, sslmode, sslrootcert)"
            )
        return cls(unquote(url.path.strip("/")), autoconnect=False, **arguments)


def _address(url: SplitResult, options: dict[str, str]) -> dict[str, Any]:
    host = options.pop("host", url.hostname or "localhost")
    try:
        port = url.port or PORT
    except ValueError:  # whose message would show a part of the password
        raise ValueError(
            "the port of the database URL is not a number; "
            "characters such as / ? # in a password are written %2F %3F %23"
        ) from None
    if host.startswith("/"):
        return {"unix_sock": f"{host}/.s.PGSQL.{port}", "host": None}
    return {"host": host, "port": port}


def _dial(host: str, port: int) -> socket.socket:
    """Reach the server, or give up sooner than on an answer."""
    dialled = socket.create_connection((host, port), CONNECT_TIMEOUT_S)
    dialled.settimeout(ANSWER_TIMEOUT_S)
    dialled.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return dialled


def _tls(options: dict[str, str]) -> ssl.SSLContext | bool:
    """Context for libpq's ``sslmode``: disable, require, verify-ca or verify-full."""
    mode = options.pop("sslmode", "disable")
    authorities = options.pop("sslrootcert", None)
    if mode not in {"disable", "require", "verify-ca", "verify-full"}:
        raise ValueError("sslmode is disable, require, verify-ca or verify-full")
    if mode == "disable":
        return False  # None would mean: encrypt if the server can
    context = ssl.create_default_context(cafile=authorities)
    context.check_hostname = mode == "verify-full"
    if mode == "require":
        context.verify_mode = ssl.CERT_NONE
    return context
