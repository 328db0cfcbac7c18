"""A server as a viewer on another origin needs it."""

from collections.abc import Iterator

import pytest

from tests.blackbox.clients.browser import PAGE, Browser
from tests.blackbox.clients.ohif import Archive, fill
from tests.blackbox.server import Server, running


@pytest.fixture(scope="session")
def viewed(tmp_path_factory) -> Iterator[Server]:
    """A server that lets in pages of one origin and shows bulk values in metadata."""
    data = tmp_path_factory.mktemp("viewed") / "data"
    with running(data, cors_origins=PAGE, metadata_bulkdata_uri="true") as server:
        yield server


@pytest.fixture(scope="session")
def archive(viewed: Server) -> Archive:
    """What is stored there, in both versions."""
    return fill(f"{viewed.url}/v2")


@pytest.fixture
def browser(viewed: Server, version: str) -> Browser:
    """A page of the origin that is let in."""
    return Browser(viewed, version)
