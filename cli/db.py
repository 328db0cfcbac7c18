"""``flask db``: the tables of the index."""

import contextlib
import sys
from collections.abc import Iterator

import click

from cli.context import pass_archive
from dicomweb.archive import Archive
from dicomweb.settings import SettingsError
from index import schema
from index.database import IndexFailure

NOT_CURRENT = 1
UNREACHABLE = 3


class Unreachable(click.ClickException):
    """The database does not answer."""

    exit_code = UNREACHABLE


@click.group("db")
def db_commands() -> None:
    """Make, upgrade and inspect the tables of the index."""


@db_commands.command()
@pass_archive
def upgrade(archive: Archive) -> None:
    """Bring the tables up to this version; in an empty database, make them.

    Safe to run again, and from several machines at once. Exit status 3: the database does not
    answer.
    """
    with _own_errors():
        archive.make_data_folder()
        done = schema.upgrade(archive.index)
    for migration in done:
        click.echo(f"applied {migration.number:04} {migration.name}")
    if not done:
        click.echo("nothing to do: the tables are up to date")


@db_commands.command()
@pass_archive
def status(archive: Archive) -> None:
    """Print the migrations and whether this database has them.

    Exit status 1: the tables are not of this version; 3: the database does not answer.
    """
    with _own_errors():
        have = schema.applied(archive.index)
    known = {migration.number: migration.name for migration in schema.known()}
    for number in sorted({*have, *known}):
        state = "applied" if number in have else "missing"
        click.echo(f"{state} {number:04} {known.get(number, '(of another version)')}")
    if set(have) != set(known):
        sys.exit(NOT_CURRENT)


@contextlib.contextmanager
def _own_errors() -> Iterator[None]:
    try:
        yield
    except IndexFailure as error:
        raise Unreachable(f"the database does not answer: {error}") from error
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
