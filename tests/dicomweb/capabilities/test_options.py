"""OPTIONS: what a resource takes, told without looking at what is stored."""

import re

import pytest
from openapi_spec_validator import validate

UID = "1.2.3"
INSTANCE = f"/studies/{UID}/series/{UID}/instances/{UID}"


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


JSON = {"Accept": "application/json"}


@pytest.mark.parametrize("path", ["", "/studies", f"/studies/{UID}/series", "/changefeed/latest"])
def test_a_client_that_takes_json_is_told_all_about_a_resource_and_what_is_below(
    client, version, document, path
):
    answer = client.options(f"/{version}{path}", headers=JSON)

    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert "OPTIONS" in answer.headers["Allow"]
    described = answer.get_json()
    validate(described)
    template = path.replace(UID, "{study}")
    assert set(described["paths"]) == {
        one for one in document["paths"] if one == template or one.startswith(f"{template}/")
    }
    assert all(described["paths"][one] == document["paths"][one] for one in described["paths"])


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/json", 200),
        ("text/html, Application/JSON;q=0.5", 200),
        ("*/*", 204),
        ("application/json;q=0", 204),
        ("application/vnd.sun.wadl+xml", 204),
    ],
)
def test_others_are_told_the_methods_alone(client, accept, status):
    assert client.options("/v2/studies", headers={"Accept": accept}).status_code == status
    path = f"/v2/studies?accept={accept.replace('+', '%2B')}"
    assert client.options(path).status_code == status


@pytest.mark.parametrize("path", ["*", "/health/check"])
def test_what_has_no_version_has_methods_alone(client, path):
    assert client.open(path, method="OPTIONS", headers=JSON).status_code == 204


def test_a_description_needs_no_database(without_database, version):
    answer = without_database.options(f"/{version}/studies/{UID}", headers=JSON)
    assert answer.status_code == 200
    assert "/studies/{study}/metadata" in answer.get_json()["paths"]
