"""What every request meets before and after its transaction."""

import io

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from dicomweb import errors
from dicomweb.archive import Archive
from dicomweb.settings import Settings, SettingsError
from dicomweb.urls import with_literals_in_lower_case
from dicomweb.versions import SUPPORTED
from tests.dicomweb.storing import store

SEGMENTS = ["v1", "v1.0", "v1.0-prerelease", "v2", "v2.0"]
PATIENT = "Doe^Jane"


@pytest.fixture
def raise_in_view(client, archive, monkeypatch):
    """Have the change feed raise an error; answers what the client gets."""

    def raise_in_view(error: Exception):
        def fail(*_values, **_options):
            raise error

        client.get("/v1/changefeed")  # so that the archive is prepared
        monkeypatch.setattr(archive.index, "fetch", fail)
        return client.get("/v1/changefeed", headers={"X-Request-Id": "request-7"})

    return raise_in_view


@pytest.fixture
def client_of(settings):
    """A client of a service with other settings."""
    apps: list[Flask] = []

    def client_of(**changes) -> FlaskClient:
        apps.append(create_app(settings.model_copy(update=changes)))
        return apps[-1].test_client()

    yield client_of
    for app in apps:
        app.extensions["gantry"].close()


@pytest.fixture
def log_lines(caplog):
    """The lines that the service's logger has written, taken apart."""
    from dicomweb.logs import JsonFormatter

    return lambda: [orjson.loads(JsonFormatter().format(record)) for record in caplog.records]


@pytest.mark.parametrize("segment", SEGMENTS)
def test_every_spelling_of_a_version_is_there_and_names_the_versions(client, segment):
    answer = client.get(f"/{segment}/changefeed")

    assert answer.status_code == 200
    assert answer.headers["api-supported-versions"] == "1.0-prerelease, 1.0, 2.0"


@pytest.mark.parametrize("segment", ["v3", "v2.1", "v1.0-beta", "v0", "V10"])
@pytest.mark.parametrize("path", ["/studies", "", "/nothing/of/ours"])
def test_a_version_that_is_not_supported_is_400_with_a_code(client, segment, path):
    answer = client.get(f"/{segment}{path}")

    assert answer.status_code == 400
    assert answer.content_type == "application/json"
    error = answer.get_json()["error"]
    assert error["code"] == "UnsupportedApiVersion"
    assert segment.lower() in error["message"]
    assert SUPPORTED in error["message"]


@pytest.mark.parametrize(
    "path",
    ["/vabc/studies", "/studies", "/", "/v", "/v2x/studies", "/2/studies", "/v2/nothing"],
)
def test_what_is_no_route_is_404_in_plain_text(client, path):
    answer = client.get(path)

    assert answer.status_code == 404
    assert answer.content_type == "text/plain; charset=utf-8"
    assert answer.text


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("PUT", "/changefeed", "GET, HEAD, OPTIONS"), ("GET", "", "OPTIONS")],
)
def test_a_method_that_a_resource_does_not_have_is_405_with_those_it_has(
    client, version, method, path, allowed
):
    answer = client.open(f"/{version}{path}", method=method)

    assert answer.status_code == 405
    assert answer.content_type == "text/plain; charset=utf-8"
    assert answer.headers["Allow"] == allowed


@pytest.mark.parametrize(
    "path", ["/v2/changefeed", "/v2/studies/1.2", "/v2/studies/x", "/nothing", "/health/check"]
)
def test_every_answer_has_the_security_headers_and_an_id(client, path):
    answer = client.get(path)

    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert answer.headers["Content-Security-Policy"] == "frame-src 'self';"
    assert len(answer.headers["X-Request-Id"]) == 32


def test_a_request_id_that_comes_in_goes_out(client):
    answer = client.get("/nothing", headers={"X-Request-Id": "abc-123/4"})
    assert answer.headers["X-Request-Id"] == "abc-123/4"


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, '"><script>', "ä"])
def test_a_request_id_that_could_harm_a_log_is_replaced(client, given):
    answer = client.get("/nothing", headers={"X-Request-Id": given})
    assert answer.headers["X-Request-Id"] != given
    assert len(answer.headers["X-Request-Id"]) == 32


@pytest.mark.parametrize("query", ["a=<", "<", "a=%3c", "a=%3C", "limit=1&b=x%3Cy"])
@pytest.mark.parametrize(
    "path",
    ["/v2/changefeed", "/v2/partitions", "/v2/studies/nonsense", "/nothing", "/health/check"],
)
def test_a_query_with_an_opening_bracket_is_refused_before_all_else(client, path, query):
    answer = client.get(path, query_string=query)

    assert answer.status_code == 400
    assert answer.text == "The query string included invalid characters."


def test_fixed_words_of_a_path_are_taken_in_any_case(client, version):
    store(client, version, "1.1", "1.1.1", "1.1.1.1")

    path = f"/{version.upper()}/Studies/1.1/SERIES/1.1.1/Instances/1.1.1.1/MetaData"
    assert client.get(path).status_code == 200
    assert client.get(f"/{version}/ChangeFeed/LATEST").status_code == 200


@pytest.mark.parametrize(
    ("path", "spelt"),
    [
        ("/V2/Studies/1.2/Series", "/v2/studies/1.2/series"),
        ("/V1.0-PreRelease/STUDIES", "/v1.0-prerelease/studies"),
        ("/v2/Partitions/Studies/Studies/1.2", "/v2/partitions/Studies/studies/1.2"),
        ("/v2/Partitions/partitions/Studies/1.2", "/v2/partitions/partitions/studies/1.2"),
        ("/v2/ExtendedQueryTags/Errors/Errors", "/v2/extendedquerytags/Errors/errors"),
        ("/v2/studies/$BulkUpdate", "/v2/studies/$bulkUpdate"),
        ("/v2/studies/$bulkUpdate", "/v2/studies/$bulkUpdate"),
        ("/v2/studies/ABC", "/v2/studies/ABC"),
        ("/Health/Check", "/health/check"),
        ("", ""),
    ],
)
def test_names_and_uids_of_a_path_keep_their_case(path, spelt):
    assert with_literals_in_lower_case(path) == spelt


@pytest.mark.parametrize("error", errors.STATUS_OF, ids=lambda error: error.__name__)
def test_errors_of_the_floors_below_get_their_status_and_a_text_that_tells_nothing_from_inside(
    raise_in_view, error
):
    answer = raise_in_view(error(f"inside {PATIENT}"))

    assert answer.status_code == errors.STATUS_OF[error]
    assert answer.text == errors.MESSAGE_OF[answer.status_code]
    assert answer.content_type == "text/plain; charset=utf-8"
    assert answer.headers.get("Retry-After") == ("5" if answer.status_code == 503 else None)


def test_every_failure_of_a_floor_below_is_in_the_map():
    from index.database import IndexFailure
    from storage.base import StorageError

    for family in (IndexFailure, StorageError):
        for error in (family, *family.__subclasses__()):
            assert errors.status_and_message(error.__new__(error))[0] in {424, 500, 503}
    assert errors.status_and_message(SettingsError("x"))[0] == 503


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.BadRequest, 400),
        (errors.InvalidIdentifier, 400),
        (errors.NotFound, 404),
        (errors.NotAcceptable, 406),
        (errors.Conflict, 409),
        (errors.TooLarge, 413),
        (errors.UnsupportedMediaType, 415),
    ],
)
def test_mistakes_of_the_client_are_told_and_not_logged(raise_in_view, caplog, error, status):
    answer = raise_in_view(error("what is wrong"))

    assert (answer.status_code, answer.text) == (status, "what is wrong")
    assert answer.content_type == "text/plain; charset=utf-8"
    assert caplog.records == []


@pytest.mark.parametrize("error", [RuntimeError, KeyError, ValueError, AssertionError, OSError])
def test_an_error_that_nobody_knows_is_500_with_a_fixed_text(raise_in_view, error):
    answer = raise_in_view(error(f"inside {PATIENT}"))

    assert answer.status_code == 500
    assert answer.text == errors.MESSAGE_OF[500]
    assert answer.content_type == "text/plain; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_an_error_is_logged_with_the_request_id_and_its_place_but_without_its_text(
    raise_in_view, log_lines
):
    raise_in_view(RuntimeError(f"inside {PATIENT}"))

    (line,) = log_lines()
    assert line["level"] == "error"
    assert line["message"] == "GET /v1/changefeed"
    assert line["request_id"] == "request-7"
    assert line["exception"][0]["type"] == "builtins.RuntimeError"
    assert line["exception"][0]["stack"][-1].startswith("dicomweb/test_app.py:")
    assert PATIENT not in str(line)


def test_a_database_that_does_not_answer_is_503_until_it_does(client_of, tmp_path, caplog):
    folder = tmp_path / "not yet"
    client = client_of(database_url=f"sqlite://{folder}/index.sqlite")

    answer = client.get("/v2/changefeed")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    folder.mkdir()
    assert client.get("/v2/changefeed").status_code == 200


def test_tables_of_another_version_are_not_worked_on(client, archive: Archive):
    archive.index.execute(
        "INSERT INTO schema_migration (number, name, applied_us) VALUES (9999, 'later', 0)"
    )
    assert client.get("/v2/changefeed").status_code == 503


def test_partitions_are_not_worked_on_with_the_feature_off(client, archive: Archive):
    archive.partitions.ensure("one")
    assert client.get("/v2/changefeed").status_code == 503


def test_making_the_application_opens_nothing(tmp_path):
    data = tmp_path / "data"
    create_app(Settings(data=data))
    create_app(Settings(data=data, database_url="postgresql://u@127.0.0.1:1/x"))
    assert not data.exists()


def test_a_database_url_of_no_known_kind_is_a_wrong_setting(tmp_path):
    with pytest.raises(SettingsError, match="GANTRY_DATABASE_URL is wrong: a database URL is"):
        create_app(Settings(data=tmp_path, database_url="mysql://root:secret@host/db"))


HOSTILE = [
    "%", "%zz", "%00", "%ff%fe", "%c0%af", "%ed%a0%80", "a%00b", "..%2f..%2fetc", "%0d%0aX: y",
    "%20", "%D9%A1.2", "1.2%0a", "x" * 5000, "1" * 64 + "%20" * 50, "%7Bx%7D", "$", ";", "%25",
]  # fmt: skip


@pytest.mark.parametrize("path", [
    "/{}", "/v2/{}", "/v2/studies/{}", "/v2/studies/1/series/{}", "/v2/partitions/{}/studies/1",
    "/v2/studies/1/series/1/instances/1/frames/{}", "/v2/studies?StudyInstanceUID={}",
])  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH"])
def test_no_path_is_an_error_of_ours(client, path, method):
    for segment in HOSTILE:
        answer = client.open(path.format(segment), method=method)
        assert answer.status_code < 500, segment
        assert "X: y" not in str(answer.headers)


@pytest.mark.parametrize("path", ["/v1/changefeed", "/v2/changefeed/latest", "/v2/studies/1.2"])
def test_no_query_is_an_error_of_ours(client, path):
    for query in (
        *HOSTILE, "limit=%zz", "limit=%00", "limit=%ff", "%ff=1", "&&&", "=", "a=b;c=d",
        "&".join(f"a{n}=1" for n in range(2000)), "offset=%ED%A0%80", "startTime=%00",
    ):  # fmt: skip
        answer = client.get(path, environ_overrides={"QUERY_STRING": query})
        assert answer.status_code < 500, query


@pytest.mark.parametrize(
    "host", ["", "a b", "[", "x" * 1000, "a/b", "a\x7f", "ä", "a:b:c", "a:99999"]
)
def test_no_host_is_an_error_of_ours(client, host):
    answer = client.get("/v2/changefeed", environ_overrides={"HTTP_HOST": host})
    assert answer.status_code < 500


@pytest.mark.parametrize("host", ["", "a b", "a/b", "a,b", 'a"b', "[::1", "ä"])
def test_a_host_that_is_none_gets_into_no_answer(client, host):
    answer = client.get("/v2/changefeed", environ_overrides={"HTTP_HOST": host})
    assert (answer.status_code, answer.text) == (400, "The Host header names no host.")


@pytest.mark.parametrize("path", ["", "/metadata", "/series", "/series/1.1"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_the_name_of_an_operation_is_no_study(client, version, path, method):
    for spelling in ("$bulkUpdate", "%24bulkUpdate", "$BULKUPDATE", "$other"):
        answer = client.open(f"/{version}/studies/{spelling}{path}", method=method)
        assert answer.status_code == 404, spelling


def retrieve_url(client: FlaskClient, **options) -> str:
    """The URL of a study as the answer to its store says it."""
    from tests.datasets import part10

    answer = client.post(
        "/v2/studies/1.1",
        data=part10(StudyInstanceUID="1.1"),
        content_type="application/dicom",
        **options,
    )
    return orjson.loads(answer.data)["00081190"]["Value"][0]


def test_urls_in_answers_are_those_of_the_request(client):
    url = retrieve_url(client, base_url="https://pacs.example.org:8443")
    assert url == "https://pacs.example.org:8443/v2/studies/1.1"


def test_urls_in_answers_start_with_the_public_url_where_one_is_set(client_of):
    client = client_of(public_url="https://pacs.example.org/dicom")
    assert retrieve_url(client) == "https://pacs.example.org/dicom/v2/studies/1.1"


FORWARDED = {"X-Forwarded-Host": "evil.example, pacs.example.org", "X-Forwarded-For": "9.9.9.9"}


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", ""])
def test_a_trusted_proxy_says_which_host_the_client_asked(client, address):
    environ = {"REMOTE_ADDR": address}
    url = retrieve_url(client, headers=FORWARDED, environ_overrides=environ)
    assert url == "http://pacs.example.org/v2/studies/1.1"


def test_anybody_else_cannot(client):
    environ = {"REMOTE_ADDR": "10.0.0.1"}
    url = retrieve_url(client, headers=FORWARDED, environ_overrides=environ)
    assert url == "http://localhost/v2/studies/1.1"


class Broken(io.RawIOBase):
    """A connection that the client has left."""

    def readable(self) -> bool:
        return True

    def readinto(self, _buffer) -> int:
        raise ConnectionResetError


@pytest.mark.parametrize("length", [1000, 100_000_000])
def test_a_request_that_breaks_off_is_no_error_of_ours(client, caplog, length):
    answer = client.post(
        "/v2/studies",
        content_type="application/dicom",
        environ_overrides={"wsgi.input": Broken(), "CONTENT_LENGTH": str(length)},
    )

    assert answer.status_code == 400
    assert caplog.records == []
