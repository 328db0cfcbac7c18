"""Storing and searching as a client does, for both API versions and every database."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydicom.dataset import Dataset
from werkzeug.test import TestResponse

from tests.datasets import dataset, encoded

Answer = list[dict[str, Any]]


@pytest.fixture
def store(client, version) -> Callable[..., Dataset]:
    """Stores an instance with these attributes, or a data set; warnings are fine."""

    def store(given: Dataset | None = None, **attributes: Any) -> Dataset:
        ds = given or dataset(**attributes)
        answer = client.post(
            f"/{version}/studies", data=encoded(ds), content_type="application/dicom"
        )
        assert answer.status_code in {200, 202}, answer.text
        return ds

    return store


@pytest.fixture
def get(client, version) -> Callable[..., TestResponse]:
    """Gets a path of the version."""

    def get(path: str, **headers: str) -> TestResponse:
        return client.get(f"/{version}/{path}", headers=headers)

    return get


@pytest.fixture
def search(get) -> Callable[[str], Answer]:
    """Searches and returns the matches, after checking what is true of every answer."""

    def search(path: str) -> Answer:
        answer = get(path)
        if answer.status_code == 204:
            assert answer.data == b""
            return []
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == "application/dicom+json"
        matches = json.loads(answer.data, object_pairs_hook=_without_duplicates)
        assert matches
        for match in matches:
            assert list(match) == sorted(match)
            assert all(element["vr"] for element in match.values())
        return matches

    return search


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


@pytest.fixture
def refused(get) -> Callable[[str], str]:
    """What a search that is 400 answers."""

    def refused(path: str) -> str:
        answer = get(path)
        assert answer.status_code == 400, answer.data
        assert answer.content_type.startswith("text/plain")
        return answer.text

    return refused
