"""Storing and retrieving as a client does, for both API versions and every database."""

from collections.abc import Callable

import pytest
from pydicom.dataset import Dataset
from werkzeug.test import TestResponse

from tests.datasets import encoded


@pytest.fixture
def store(client, version) -> Callable[..., list[bytes]]:
    """Stores data sets and returns their files."""

    def store(*datasets: Dataset) -> list[bytes]:
        files = [encoded(dataset) for dataset in datasets]
        for file in files:
            answer = client.post(f"/{version}/studies", data=file, content_type="application/dicom")
            assert answer.status_code in {200, 202}, answer.text
        return files

    return store


@pytest.fixture
def get(client, version) -> Callable[..., TestResponse]:
    """Gets a path of the version; the whole body is read and everything closed."""

    def get(path: str, accept: str | None = None, **headers: str) -> TestResponse:
        if accept is not None:
            headers["Accept"] = accept
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.get(f"/{version}/{path}", headers=named, buffered=True)

    return get


@pytest.fixture
def ranges(archive, monkeypatch) -> list[tuple[int, int]]:
    """The byte ranges that are read of blobs."""
    read = []
    open_blob = archive.blobs.open

    def open_and_note(key, start=0, stop=None):
        read.append((start, stop))
        return open_blob(key, start, stop)

    monkeypatch.setattr(archive.blobs, "open", open_and_note)
    return read
