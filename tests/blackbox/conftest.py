"""The real server for tests that only speak HTTP to it."""

from collections.abc import Iterator

import pytest
from dicomweb_client import DICOMwebClient

from tests.blackbox.server import Server, running


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[Server]:
    """A server on the embedded default. Tests share it and use UIDs of their own."""
    with running(tmp_path_factory.mktemp("server") / "data") as server:
        yield server


@pytest.fixture
def url(server: Server, version: str) -> str:
    """URL of an API version."""
    return f"{server.url}/{version}"


@pytest.fixture
def dicomweb(url: str) -> DICOMwebClient:
    """The usual client library."""
    return DICOMwebClient(url)
