import pytest

from app import create_app
from dicomweb.settings import Settings
from index import schema
from index.database import open_index


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request, tmp_path):
    """URL of a database without tables."""
    if request.param == "sqlite":
        yield f"sqlite://{tmp_path}/data/index.sqlite"
        return
    server = request.getfixturevalue("postgresql_server")
    maintenance = open_index(server)
    maintenance.execute("CREATE DATABASE no_tables")
    yield server.replace("/postgres?", "/no_tables?")
    maintenance.execute("DROP DATABASE no_tables WITH (FORCE)")
    maintenance.close()


@pytest.fixture
def db(tmp_path):
    """Run ``flask db`` on a database."""

    def db(url: str, *arguments: str):
        app = create_app(Settings(data=tmp_path / "data", database_url=url))
        result = app.test_cli_runner().invoke(args=["db", *arguments])
        app.extensions["gantry"].close()
        return result

    return db


def names(prefix: str) -> list[str]:
    return [f"{prefix} {m.number:04} {m.name}" for m in schema.known()]


def test_upgrade_makes_the_tables_of_an_empty_database(db, empty_database):
    result = db(empty_database, "upgrade")

    assert result.exit_code == 0
    assert result.output.splitlines() == names("applied")
    index = open_index(empty_database)
    schema.require_current(index)
    index.close()


def test_upgrade_of_tables_that_are_up_to_date_does_nothing_and_says_so(db, empty_database):
    db(empty_database, "upgrade")
    result = db(empty_database, "upgrade")

    assert result.exit_code == 0
    assert result.output == "nothing to do: the tables are up to date\n"


def test_status_of_tables_that_are_up_to_date_is_0(db, empty_database):
    db(empty_database, "upgrade")
    result = db(empty_database, "status")

    assert result.exit_code == 0
    assert result.output.splitlines() == names("applied")


@pytest.mark.parametrize("empty_database", ["postgresql"], indirect=True)
def test_status_of_an_empty_database_is_1_and_changes_nothing(db, empty_database):
    result = db(empty_database, "status")

    assert result.exit_code == 1
    assert result.output.splitlines() == names("missing")
    index = open_index(empty_database)
    assert index.tables() == set()
    index.close()


def test_status_of_tables_of_a_later_version_is_1_and_names_them(db, empty_database):
    db(empty_database, "upgrade")
    index = open_index(empty_database)
    index.execute("INSERT INTO schema_migration (number, name, applied_us) VALUES (9999, 'x', 0)")
    index.close()
    result = db(empty_database, "status")

    assert result.exit_code == 1
    assert result.output.splitlines()[-1] == "applied 9999 (of another version)"


@pytest.mark.parametrize("command", ["status", "upgrade"])
def test_a_database_that_does_not_answer_is_3_with_a_message(db, command):
    result = db("postgresql://someone:secret@127.0.0.1:1/x", command)

    assert result.exit_code == 3
    assert result.output.startswith("Error: the database does not answer: ")
    assert "Connection refused" in result.output
    assert "secret" not in result.output


def test_a_data_folder_that_cannot_be_made_is_an_error_with_a_message():
    app = create_app(Settings(data="/proc/nothing/here"))
    result = app.test_cli_runner().invoke(args=["db", "upgrade"])

    assert result.exit_code == 1
    assert "Error: GANTRY_DATA is wrong: cannot make /proc/nothing/here" in result.output
