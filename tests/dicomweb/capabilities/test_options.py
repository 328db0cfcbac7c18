"""OPTIONS: what a resource takes, told without looking at what is stored."""

import re

import pytest

from app import create_app
from dicomweb.settings import Settings

UID = "1.2.3"
INSTANCE = f"/studies/{UID}/series/{UID}/instances/{UID}"


@pytest.fixture
def without_database(tmp_path):
    """A client of a service whose database does not answer."""
    url = "postgresql://nobody@127.0.0.1:1/none"
    return create_app(Settings(data=tmp_path / "data", database_url=url)).test_client()


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/series", "GET, HEAD, OPTIONS"),
        (f"/Studies/{UID}/Series", "GET, HEAD, OPTIONS"),
        (INSTANCE, "DELETE, GET, HEAD, OPTIONS"),
        (f"/partitions/p{INSTANCE}/frames/1", "GET, HEAD, OPTIONS"),
        ("/changefeed", "GET, HEAD, OPTIONS"),
        ("", "OPTIONS"),
    ],
)
def test_options_names_the_methods_of_a_resource(client, version, path, methods):
    answer = client.options(f"/{version}{path}")

    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers["Allow"] == methods
    assert answer.headers["api-supported-versions"] == "1.0-prerelease, 1.0, 2.0"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Request-Id"]
    assert "Content-Type" not in answer.headers


def examples(client) -> dict[str, set[str]]:
    """A path of every route, with its methods."""
    methods: dict[str, set[str]] = {}
    for rule in client.application.url_map.iter_rules():
        path = re.sub(r"<uid:[a-z]+>", UID, rule.rule)
        methods.setdefault(re.sub(r"<[^>]+>", "1", path), set()).update(rule.methods)
    return methods


def test_every_method_of_every_route_is_in_allow_and_no_other(client):
    for path, methods in examples(client).items():
        answer = client.options(path)
        assert answer.status_code == 204, path
        assert set(answer.headers["Allow"].split(", ")) == methods, path


def test_a_method_that_a_resource_does_not_have_is_told_the_same(client):
    for path in examples(client):
        refused = client.open(path, method="TRACE")
        assert refused.status_code == 405, path
        assert refused.headers["Allow"] == client.options(path).headers["Allow"], path


def test_options_of_the_server_as_a_whole_is_a_ping(client):
    assert client.open("*", method="OPTIONS").status_code == 204


@pytest.mark.parametrize("path", ["/", "/nothing", "/studies", "/v2/nothing", "/v2/studies/$x"])
def test_options_of_no_route_is_404(client, path):
    answer = client.options(path)

    assert answer.status_code == 404
    assert answer.content_type == "text/plain; charset=utf-8"
    assert "Allow" not in answer.headers


def test_options_of_a_version_that_is_not_supported_is_400(client):
    answer = client.options("/v3/studies")

    assert answer.status_code == 400
    assert answer.get_json()["error"]["code"] == "UnsupportedApiVersion"


@pytest.mark.parametrize("path", ["/studies/no-uid", "/partitions/no%20name/studies"])
def test_only_the_route_counts(client, version, path):
    assert client.options(f"/{version}{path}").status_code == 204


def test_options_is_answered_while_the_database_is_down(without_database, version):
    assert without_database.options(f"/{version}/studies/{UID}").status_code == 204
    assert without_database.get(f"/{version}/studies/{UID}").status_code == 503
