from datetime import datetime

import pytest

from dicomweb.archive import open_archive
from dicomweb.settings import Settings, SettingsError
from tests.dicomweb.storing import store

DISABLED = "Data partitions feature is disabled."


def test_without_the_feature_the_list_and_every_partition_route_are_refused(client, version):
    for path in ("partitions", "partitions/one/studies", "partitions/one/studies/1.1"):
        answer = client.get(f"/{version}/{path}")
        assert (answer.status_code, answer.text) == (400, DISABLED), path
    dicom = "application/dicom"
    stored = client.post(f"/{version}/partitions/one/studies", content_type=dicom)
    assert (stored.status_code, stored.text) == (400, DISABLED)
    deleted = client.delete(f"/{version}/partitions/one/studies/1.1")
    assert (deleted.status_code, deleted.text) == (400, DISABLED)


class TestWithPartitions:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"partitions": True})

    @pytest.fixture
    def names(self, client, version):
        return lambda: [
            entry["partitionName"] for entry in client.get(f"/{version}/partitions").get_json()
        ]

    def test_the_default_partition_is_always_there(self, client, version):
        answer = client.get(f"/{version}/partitions")

        assert answer.status_code == 200
        assert answer.content_type == "application/json; charset=utf-8"
        (entry,) = answer.get_json()
        assert list(entry) == ["partitionKey", "partitionName", "createdDate"]
        assert (entry["partitionKey"], entry["partitionName"]) == (1, "Microsoft.Default")
        assert datetime.fromisoformat(entry["createdDate"]).tzinfo is not None

    def test_a_store_makes_its_partition(self, client, version, names):
        store(client, f"{version}/partitions/one")
        store(client, f"{version}/partitions/two")
        store(client, f"{version}/partitions/one")

        assert names() == ["Microsoft.Default", "one", "two"]

    def test_a_store_that_fails_makes_its_partition_too(self, client, version, names):
        answer = client.post(
            f"/{version}/partitions/one/studies", data=b"x", content_type="application/dicom"
        )

        assert answer.status_code == 409
        assert names() == ["Microsoft.Default", "one"]

    @pytest.mark.parametrize("method", ["get", "delete"])
    def test_an_unknown_partition_is_400_and_is_not_made(self, client, version, names, method):
        answer = getattr(client, method)(f"/{version}/partitions/one/studies/1.1")

        assert (answer.status_code, answer.text) == (
            400,
            "Specified PartitionName does not exist.",
        )
        assert names() == ["Microsoft.Default"]

    @pytest.mark.parametrize("path", ["studies", "studies/1.1", "studies/x.y/metadata"])
    def test_a_data_route_without_partition_is_refused_before_all_else(self, client, version, path):
        answer = client.get(f"/{version}/{path}", headers={"Accept": "text/nonsense"})

        assert answer.status_code == 400
        assert answer.text == "PartitionName value is missing in the route segment."

    @pytest.mark.parametrize("name", ["a b", "x" * 65, "a%00b", "ä", "a;b", "%D9%A1"])
    def test_a_malformed_name_is_refused_even_by_a_store(self, client, version, names, name):
        for answer in (
            client.get(f"/{version}/partitions/{name}/studies/1.1"),
            client.post(f"/{version}/partitions/{name}/studies", content_type="application/dicom"),
        ):
            assert answer.status_code == 400
            assert answer.text.startswith("The specified PartitionName is invalid. ")
        assert names() == ["Microsoft.Default"]

    @pytest.mark.parametrize("name", ["x" * 64, "A.b-c_9", "..", "studies", "partitions"])
    def test_letters_digits_dots_hyphens_and_underscores_make_a_name(
        self, client, version, names, name
    ):
        store(client, f"{version}/partitions/{name}", "1.1", "1.1.1", "1.1.1.1")

        assert names() == ["Microsoft.Default", name]
        assert client.get(f"/{version}/Partitions/{name}/Studies/1.1/Metadata").status_code == 200

    def test_names_that_differ_in_case_are_different(self, client, version, names):
        store(client, f"{version}/partitions/one")
        store(client, f"{version}/partitions/ONE")

        assert names() == ["Microsoft.Default", "one", "ONE"]

    def test_the_same_uids_live_in_several_partitions_independently(self, client, version):
        for name in ("one", "two"):
            base = f"{version}/partitions/{name}"
            store(client, base, "1.1", "1.1.1", "1.1.1.1", PatientID=name)
        client.delete(f"/{version}/partitions/one/studies/1.1")

        assert client.get(f"/{version}/partitions/one/studies/1.1/metadata").status_code == 404
        left = client.get(f"/{version}/partitions/two/studies/1.1/metadata")
        assert left.get_json(force=True)[0]["00100020"]["Value"] == ["two"]

    def test_what_was_stored_without_the_feature_is_in_the_default_partition(
        self, client, version, settings
    ):
        store(client, f"{version}/partitions/Microsoft.Default", "1.1", "1.1.1", "1.1.1.1")

        without = open_archive(settings.model_copy(update={"partitions": False}))
        without.prepare()
        assert next(without.blobs.list()).key.startswith("Microsoft.Default/1.1/")
        without.close()

    def test_the_feature_cannot_be_turned_off_while_there_are_partitions(
        self, client, version, settings
    ):
        store(client, f"{version}/partitions/one")
        without = open_archive(settings.model_copy(update={"partitions": False}))

        with pytest.raises(SettingsError, match="GANTRY_PARTITIONS is off, but data is stored in"):
            without.prepare()
        without.close()
