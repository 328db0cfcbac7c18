"""The OpenAPI document, and a service whose database does not answer."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from app import create_app
from dicomweb.settings import Settings


@pytest.fixture
def document(routes, version) -> dict[str, Any]:
    """The OpenAPI document of a version."""
    answer = routes.test_client().get(f"/{version}/api.json")
    assert answer.status_code == 200
    return answer.get_json()


@pytest.fixture
def without_database(tmp_path) -> FlaskClient:
    """A client of a service whose database does not answer."""
    url = "postgresql://nobody@127.0.0.1:1/none"
    return create_app(Settings(data=tmp_path / "data", database_url=url)).test_client()
