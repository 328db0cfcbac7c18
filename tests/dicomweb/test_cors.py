"""Pages of other origins: what a browser asks, and what it needs to see."""

import pytest

from app import create_app
from dicomweb.cors import EXPOSED
from dicomweb.settings import Settings
from dicomweb.versions import SUPPORTED
from tests.dicomweb.storing import store

PAGE = "https://viewer.example.org"
OTHER = "https://evil.example.org"
PREFLIGHT = {"Origin": PAGE, "Access-Control-Request-Method": "GET"}


@pytest.fixture
def client_of(settings):
    """A client of a service with these settings."""
    apps = []

    def client_of(**changes):
        Settings(data=settings.data, **changes)  # validates them
        apps.append(create_app(settings.model_copy(update=changes)))
        return apps[-1].test_client()

    yield client_of
    for app in apps:
        app.extensions["gantry"].close()


def cors_headers(answer) -> dict[str, str]:
    return {
        name.removeprefix("Access-Control-"): value
        for name, value in answer.headers
        if name.startswith("Access-Control-")
    }


def test_without_the_setting_no_answer_says_anything_of_origins(client, version):
    for answer in (
        client.get(f"/{version}/changefeed", headers={"Origin": PAGE}),
        client.options(f"/{version}/studies", headers=PREFLIGHT),
    ):
        assert answer.status_code in {200, 204}
        assert cors_headers(answer) == {}
        assert "Origin" not in answer.headers.getlist("Vary")


def test_the_preflight_of_a_viewer_is_answered_before_anything_else(tmp_path, version):
    settings = Settings(
        data=tmp_path / "data",
        database_url="postgresql://nobody@127.0.0.1:1/none",
        cors_origins=f"https://a.example,{PAGE}",
    )
    client = create_app(settings).test_client()

    answer = client.options(
        f"/{version}/studies/1.2/series/1.2/instances/1.2/frames/1?accept=<",
        headers=PREFLIGHT | {"Access-Control-Request-Headers": "accept"},
    )

    assert (answer.status_code, answer.data) == (204, b"")
    granted = cors_headers(answer)
    assert granted["Allow-Origin"] == PAGE
    assert granted["Allow-Headers"] == "accept"
    assert granted["Allow-Methods"] == "GET, HEAD, POST, PUT, PATCH, DELETE"
    assert granted["Max-Age"] == "3600"
    assert "Allow-Credentials" not in granted
    assert answer.headers["Vary"] == "Origin"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert len(answer.headers["X-Request-Id"]) == 32


def test_a_page_can_read_an_answer_and_its_headers(client_of, version):
    client = client_of(cors_origins=PAGE)
    store(client, version, "1.1")

    answer = client.get(f"/{version}/studies/1.1/metadata", headers={"Origin": PAGE})

    assert answer.status_code == 200
    assert cors_headers(answer) == {"Allow-Origin": PAGE, "Expose-Headers": ", ".join(EXPOSED)}
    assert set(EXPOSED) >= {"ETag", "Warning", "Link", "Location", "Content-Location"}
    assert {"Origin", "Accept-Encoding"} <= set(
        ", ".join(answer.headers.getlist("Vary")).split(", ")
    )


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2/studies/1.9", 404),
        ("/v2/studies/no-uid", 400),
        ("/v2/studies?limit=<", 400),
        ("/v3/studies", 400),
        ("/nothing", 404),
    ],
)
def test_a_page_can_read_an_error(client_of, path, status):
    answer = client_of(cors_origins=PAGE).get(path, headers={"Origin": PAGE})

    assert answer.status_code == status
    assert answer.data
    assert cors_headers(answer)["Allow-Origin"] == PAGE
    assert answer.headers["Vary"] == "Origin"


def test_pages_of_other_origins_get_no_permission_but_caches_are_told(client_of):
    client = client_of(cors_origins=PAGE)
    for headers in (PREFLIGHT | {"Origin": OTHER}, {"Origin": OTHER}, {"Origin": "null"}, {}):
        answer = client.options("/v2/studies", headers=headers)
        assert answer.status_code == 204
        assert cors_headers(answer) == {}
        assert answer.headers["Vary"] == "Origin"
        assert "GET" in answer.headers["Allow"]


def test_all_origins_are_granted_by_a_star_never_by_name(client_of):
    client = client_of(cors_origins="*")
    for headers in ({"Origin": OTHER}, PREFLIGHT):
        answer = client.options("/v2/studies", headers=headers)
        assert cors_headers(answer)["Allow-Origin"] == "*"
        assert "Allow-Credentials" not in cors_headers(answer)


def test_credentials_are_for_named_origins(client_of):
    client = client_of(cors_origins=PAGE, cors_credentials=True)
    for headers in ({"Origin": PAGE}, PREFLIGHT):
        granted = cors_headers(client.options("/v2/studies", headers=headers))
        assert granted["Allow-Credentials"] == "true"
        assert granted["Allow-Origin"] == PAGE
    assert cors_headers(client.get("/v2/changefeed", headers={"Origin": OTHER})) == {}


def test_what_pages_may_do_follows_the_settings(client_of):
    client = client_of(
        cors_origins=PAGE, cors_methods="GET, HEAD", cors_headers="Accept", cors_max_age_s=5
    )
    granted = cors_headers(client.options("/v2/studies", headers=PREFLIGHT))
    assert granted["Allow-Methods"] == "GET, HEAD"
    assert granted["Allow-Headers"] == "Accept"
    assert granted["Max-Age"] == "5"


@pytest.mark.parametrize("names", ["", "a b", "x: y", "é", "a;b", ","])
def test_requested_headers_that_are_none_are_not_repeated(client_of, names):
    headers = PREFLIGHT | {"Access-Control-Request-Headers": names}
    answer = client_of(cors_origins=PAGE).options("/v2/studies", headers=headers)
    assert answer.status_code == 204
    assert "Allow-Headers" not in cors_headers(answer)


def test_an_option_request_that_is_no_preflight_names_methods_and_versions(client_of):
    answer = client_of(cors_origins=PAGE).options("/v2/series", headers={"Origin": PAGE})
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"
    assert answer.headers["api-supported-versions"] == SUPPORTED
    assert cors_headers(answer)["Allow-Origin"] == PAGE
