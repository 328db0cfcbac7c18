"""Transcoding does not depend on the database: SQLite is enough."""

import pytest

from index import schema
from index.database import open_index


@pytest.fixture
def database_url(tmp_path) -> str:
    """URL of an empty index with all tables."""
    url = f"sqlite://{tmp_path}/index.sqlite"
    index = open_index(url)
    schema.upgrade(index)
    index.close()
    return url
