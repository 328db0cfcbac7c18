import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app import create_app
from dicomweb.archive import open_archive
from dicomweb.health import check
from dicomweb.health.check import Health
from dicomweb.settings import Settings
from storage.base import BlobStoreUnavailable

HEALTHY = {
    "overallStatus": "Healthy",
    "details": [
        {"name": "index", "status": "Healthy", "description": "It answers."},
        {"name": "blobs", "status": "Healthy", "description": "It answers."},
    ],
}


@pytest.fixture
def now(monkeypatch) -> list[float]:
    """The time that health checks go by."""
    now = [1000.0]
    monkeypatch.setattr(check.time, "monotonic", lambda: now[0])
    return now


def answer_of(settings: Settings):
    app = create_app(settings)
    answer = app.test_client().get("/health/check")
    app.extensions["gantry"].close()
    return answer


def statuses(answer) -> dict[str, str]:
    return {detail["name"]: detail["status"] for detail in answer.get_json()["details"]}


def test_a_service_whose_parts_answer_is_healthy(client):
    answer = client.get("/health/check")

    assert answer.status_code == 200
    assert answer.content_type == "application/json; charset=utf-8"
    assert answer.get_json() == HEALTHY


@pytest.mark.parametrize("path", ["/v1/health/check", "/v2/health/check", "/health"])
def test_health_has_one_path_without_version(client, path):
    assert client.get(path).status_code == 404
    assert client.get("/Health/Check").status_code == 200


def test_a_service_without_its_database_is_unhealthy_and_names_no_host(tmp_path):
    answer = answer_of(
        Settings(data=tmp_path, database_url="postgresql://someone:secret@127.0.0.1:1/name")
    )

    assert answer.status_code == 503
    assert answer.get_json()["overallStatus"] == "Unhealthy"
    assert statuses(answer) == {"index": "Unhealthy", "blobs": "Healthy"}
    for word in ("127.0.0.1", "someone", "secret", "Traceback"):
        assert word not in answer.text


def test_a_service_whose_blob_store_fails_is_unhealthy_and_says_no_path(
    client, archive, monkeypatch
):
    def fail() -> None:
        raise BlobStoreUnavailable("/some/path is away")

    monkeypatch.setattr(archive.blobs, "check", fail)
    answer = client.get("/health/check")

    assert answer.status_code == 503
    assert statuses(answer) == {"index": "Healthy", "blobs": "Unhealthy"}
    assert "/some/path" not in answer.text


def test_tables_of_another_version_are_unhealthy_and_say_what_to_do(client, archive):
    archive.index.execute(
        "INSERT INTO schema_migration (number, name, applied_us) VALUES (9999, 'later', 0)"
    )
    answer = client.get("/health/check")

    assert answer.status_code == 503
    assert "migration 9999" in answer.get_json()["details"][0]["description"]


def test_an_empty_database_is_unhealthy_and_says_what_to_do(tmp_path, postgresql_server):
    answer = answer_of(Settings(data=tmp_path, database_url=postgresql_server))

    assert answer.status_code == 503
    assert "flask db upgrade" in answer.get_json()["details"][0]["description"]


def test_the_parts_are_looked_at_once_in_a_few_seconds(archive, now, monkeypatch):
    looks = []
    blob_check = archive.blobs.check
    monkeypatch.setattr(archive.blobs, "check", lambda: looks.append(1) or blob_check())
    health = Health(archive)

    for _ in range(3):
        assert all(detail.healthy for detail in health.details())
    assert len(looks) == 1
    now[0] += check.KEPT_SECONDS
    health.details()
    assert len(looks) == 2


def test_who_asks_while_others_look_gets_what_they_find(archive, monkeypatch):
    looks, looking, may_go_on = [], threading.Event(), threading.Event()

    def slow_check() -> None:
        looks.append(1)
        looking.set()
        assert may_go_on.wait(60)

    monkeypatch.setattr(archive.blobs, "check", slow_check)
    health = Health(archive)

    def details():
        found = health.details()
        archive.close()
        return found

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(details)
        assert looking.wait(60)
        others = [pool.submit(details) for _ in range(2)]
        may_go_on.set()
        assert all(other.result() == first.result() for other in others)
    assert len(looks) == 1


def test_a_service_recovers_with_its_database(tmp_path: Path, now):
    folder = tmp_path / "not yet"
    archive = open_archive(Settings(data=tmp_path, database_url=f"sqlite://{folder}/index.sqlite"))
    health = Health(archive)
    assert [detail.healthy for detail in health.details()] == [False, True]

    folder.mkdir()
    now[0] += check.KEPT_SECONDS
    assert [detail.healthy for detail in health.details()] == [True, True]
    assert "instance" in archive.index.tables()
    archive.close()
