from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from dicomweb.settings import Settings
from tests.dicomweb.storing import store


@pytest.fixture
def feed(client, version):
    """The entries that a query answers."""

    def feed(query: str = "") -> list[dict]:
        answer = client.get(f"/{version}/changefeed?{query}")
        assert answer.status_code == 200, answer.text
        assert answer.content_type == "application/json; charset=utf-8"
        return answer.get_json()

    return feed


def sequences(entries: list[dict]) -> list[int]:
    return [entry["sequence"] for entry in entries]


def time(entry: dict) -> str:
    """The entry's time as a query value."""
    return quote(entry["timestamp"])


def test_an_empty_feed_is_an_empty_array_and_has_no_latest_entry(client, version, feed):
    assert feed() == []
    latest = client.get(f"/{version}/changefeed/latest")
    assert (latest.status_code, latest.data) == (204, b"")


def test_an_entry_says_what_happened_when_and_to_which_instance(client, version, feed):
    before = datetime.now(UTC)
    store(client, version, "1.1", "1.1.1", "1.1.1.1")
    after = datetime.now(UTC)

    (entry,) = feed("includemetadata=false")
    assert list(entry) == [
        "sequence",
        "partitionName",
        "studyInstanceUid",
        "seriesInstanceUid",
        "sopInstanceUid",
        "action",
        "timestamp",
        "state",
    ]
    assert entry["sequence"] == 1
    assert entry["partitionName"] == "Microsoft.Default"
    assert entry["studyInstanceUid"] == "1.1"
    assert entry["seriesInstanceUid"] == "1.1.1"
    assert entry["sopInstanceUid"] == "1.1.1.1"
    assert (entry["action"], entry["state"]) == ("Create", "Current")
    assert entry["timestamp"].endswith("+00:00")
    assert before <= datetime.fromisoformat(entry["timestamp"]) <= after


@pytest.mark.parametrize("query", ["", "includemetadata=true", "IncludeMetadata=True"])
def test_metadata_is_the_data_set_without_bulk_values_unless_declined(client, version, feed, query):
    store(client, version, "1.1", "1.1.1", "1.1.1.1")

    (entry,) = feed(query)
    assert entry["metadata"]["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane"}]}
    assert [entry["metadata"]] == client.get(
        f"/{version}/studies/1.1/series/1.1.1/instances/1.1.1.1/metadata"
    ).get_json(force=True)
    assert entry == client.get(f"/{version}/changefeed/latest?{query}").get_json()


def test_metadata_is_absent_where_the_instance_is_gone(client, version, feed):
    store(client, version, "1.1", "1.1.1", "1.1.1.1")
    client.delete(f"/{version}/studies/1.1")

    entries = feed()
    assert [(entry["action"], entry["state"]) for entry in entries] == [
        ("Create", "Deleted"),
        ("Delete", "Deleted"),
    ]
    assert not any("metadata" in entry for entry in entries)


def test_after_a_new_store_all_entries_show_what_is_stored_now(client, version, feed):
    store(client, version, "1.1", "1.1.1", "1.1.1.1", PatientID="before")
    client.delete(f"/{version}/studies/1.1")
    store(client, version, "1.1", "1.1.1", "1.1.1.1", PatientID="after")

    entries = feed()
    assert [entry["state"] for entry in entries] == ["Replaced", "Replaced", "Current"]
    patients = [entry["metadata"]["00100020"]["Value"] for entry in entries]
    assert patients == [["after"]] * 3


def test_a_refused_store_writes_no_entry(client, version, feed):
    store(client, version, "1.1", "1.1.1", "1.1.1.1")
    with pytest.raises(AssertionError):
        store(client, version, "1.1", "1.1.1", "1.1.1.1")

    assert sequences(feed()) == [1]


@pytest.mark.parametrize("version", ["v1"], indirect=True)
def test_v1_answers_the_entries_with_the_limit_numbers_after_the_offset(client, version, feed):
    for _ in range(12):
        store(client, version)

    assert sequences(feed()) == list(range(1, 11))
    assert sequences(feed("offset=10")) == [11, 12]
    assert sequences(feed("offset=3&limit=2")) == [4, 5]
    assert feed("offset=12") == feed("offset=999999999999999999") == []
    assert sequences(feed("limit=100")) == list(range(1, 13))


@pytest.mark.parametrize("version", ["v1"], indirect=True)
def test_v1_passes_over_what_only_v2_knows(client, version, feed):
    store(client, version)
    assert sequences(feed("startTime=nonsense&endTime=1&foo=bar")) == [1]


@pytest.mark.parametrize("version", ["v2"], indirect=True)
def test_v2_answers_the_entries_of_a_time_of_which_it_skips_the_offset(client, version, feed):
    for _ in range(5):
        store(client, version)
    entries = feed()
    assert sequences(entries) == [1, 2, 3, 4, 5]

    assert sequences(feed("offset=2&limit=2")) == [3, 4]
    assert sequences(feed(f"startTime={time(entries[1])}")) == [2, 3, 4, 5]
    assert sequences(feed(f"endTime={time(entries[3])}")) == [1, 2, 3]
    window = f"startTime={time(entries[1])}&endTime={time(entries[3])}"
    assert sequences(feed(window)) == [2, 3]
    assert sequences(feed(f"{window}&offset=1")) == [3]
    assert feed("offset=5") == feed("offset=999999999999999999") == []
    assert feed("startTime=2999-01-01T00:00:00Z") == feed("endTime=1999-01-01T00:00:00Z") == []


@pytest.mark.parametrize("version", ["v2"], indirect=True)
def test_v2_takes_times_of_any_zone_and_precision(client, version, feed):
    store(client, version)
    first = datetime.fromisoformat(feed()[0]["timestamp"])
    later = first + timedelta(seconds=1)

    for start in (
        first.isoformat(),
        first.astimezone().isoformat(),
        first.strftime("%Y-%m-%dT%H:%M:%SZ"),
        first.strftime("%Y-%m-%dT%H:%M:%S.%f0Z"),
        (first + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S+02:00"),
        first.strftime("%Y-%m-%dT%H:%M+0000"),
    ):
        end = later.isoformat()
        assert sequences(feed(f"startTime={quote(start)}&endTime={quote(end)}")) == [1], start


@pytest.mark.parametrize("version", ["v2"], indirect=True)
@pytest.mark.parametrize("name", ["startTime", "endTime"])
@pytest.mark.parametrize("value", ["2024-01-31T10:11:12", "2024-01-31", "2024-01-31T10:11"])
def test_v2_refuses_a_time_without_zone(client, version, name, value):
    answer = client.get(f"/{version}/changefeed?{name}={value}")

    assert answer.status_code == 400
    assert value in answer.text
    assert "must specify a time zone" in answer.text


@pytest.mark.parametrize("version", ["v2"], indirect=True)
@pytest.mark.parametrize(
    "value",
    ["yesterday", "", "2024-13-01T00:00:00Z", "2024-01-31T25:00:00Z", "1706695872", "2024-W05-3Z",
     "2024-01-31T10:11:12+01:00", "%00", "2024-01-31T10:11:12%2B99:00"],
)  # fmt: skip
def test_v2_refuses_what_is_no_date_and_time(client, version, value):
    answer = client.get(f"/{version}/changefeed?startTime={value}")

    assert answer.status_code == 400
    assert "is not a date and time" in answer.text


@pytest.mark.parametrize("version", ["v2"], indirect=True)
@pytest.mark.parametrize("end", ["2024-01-31T10:11:12Z", "2024-01-31T10:11:11Z"])
def test_v2_refuses_an_end_that_is_not_after_the_start(client, version, end):
    answer = client.get(f"/{version}/changefeed?startTime=2024-01-31T10:11:12Z&endTime={end}")

    assert answer.status_code == 400
    assert "must occur strictly before the end time" in answer.text


@pytest.mark.parametrize("version", ["v2"], indirect=True)
@pytest.mark.parametrize("value", ["0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00"])
def test_v2_takes_the_first_and_the_last_of_times(client, version, value):
    assert client.get(f"/{version}/changefeed?startTime={value}").status_code == 200
    assert client.get(f"/{version}/changefeed?endTime={value}").status_code == 200


@pytest.mark.parametrize(("version", "most"), [("v1", 100), ("v2", 200)], indirect=["version"])
def test_limits_are_those_of_the_version(client, version, most):
    def status(limit) -> int:
        return client.get(f"/{version}/changefeed?limit={limit}").status_code

    assert [status(1), status(most)] == [200, 200]
    assert [status(0), status(most + 1), status(-1)] == [400, 400, 400]


@pytest.mark.parametrize(
    "query",
    ["limit=x", "limit=", "limit=1.5", "limit=%D9%A1", "offset=-1", "offset=x", "offset=",
     "offset=99999999999999999999", "includemetadata=0", "includemetadata=yes", "includemetadata="],
)  # fmt: skip
def test_a_malformed_value_is_400_and_names_the_parameter(client, version, query):
    answer = client.get(f"/{version}/changefeed?{query}")

    assert answer.status_code == 400
    assert answer.content_type == "text/plain; charset=utf-8"
    assert query.partition("=")[0] in answer.text


def test_latest_refuses_a_malformed_value_too(client, version):
    answer = client.get(f"/{version}/changefeed/latest?includemetadata=1")
    assert (answer.status_code, "includemetadata" in answer.text) == (400, True)


def test_latest_is_the_newest_entry(client, version, feed):
    for _ in range(3):
        store(client, version)

    answer = client.get(f"/{version}/changefeed/latest?includemetadata=false")
    assert answer.content_type == "application/json; charset=utf-8"
    assert answer.get_json() == feed("includemetadata=false")[-1]
    assert answer.get_json()["sequence"] == 3


class TestWithPartitions:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"partitions": True})

    def test_the_feed_is_of_all_partitions_and_names_them(self, client, version, feed):
        for name in ("one", "two"):
            store(client, f"{version}/partitions/{name}", "1.1", "1.1.1", "1.1.1.1")
        client.delete(f"/{version}/partitions/one/studies/1.1")

        assert [(e["partitionName"], e["action"], e["state"]) for e in feed()] == [
            ("one", "Create", "Deleted"),
            ("two", "Create", "Current"),
            ("one", "Delete", "Deleted"),
        ]

    def test_the_feed_has_no_partition_route(self, client, version):
        store(client, f"{version}/partitions/one")
        assert client.get(f"/{version}/partitions/one/changefeed").status_code == 404
