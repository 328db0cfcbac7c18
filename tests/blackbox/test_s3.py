"""The server with PostgreSQL as its index and an S3-compatible store for its files."""

from contextlib import ExitStack

import pytest
import requests
from dicomweb_client import DICOMwebClient

from tests.blackbox.server import running
from tests.datasets import dataset, encoded, with_pixels
from tests.storage.conftest import ACCESS_KEY, BUCKET, SECRET, serve

DICOM = {"Content-Type": "application/dicom"}
AS_STORED = {"Accept": "application/dicom; transfer-syntax=*"}


@pytest.fixture
def server(tmp_path, postgresql_database, monkeypatch):
    """A server that keeps nothing on its own disk."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    buckets = tmp_path / "buckets"
    (buckets / BUCKET).mkdir(parents=True)
    with ExitStack() as store:
        endpoint = store.enter_context(serve(buckets))
        storage = f"s3://{BUCKET}/lake?endpoint={endpoint}&addressing=path&region=us-east-1"
        settings = {"database_url": postgresql_database, "storage_url": storage}
        with running(tmp_path / "data", **settings) as server:
            server.buckets = buckets
            server.store = store
            yield server


def test_instances_small_and_large_live_in_the_bucket(server, version):
    sets = [with_pixels(dataset(), 64, 64), with_pixels(dataset(), 1024, 1024, frames=12)]
    for ds in sets:
        body = encoded(ds)
        answer = requests.post(
            f"{server.url}/{version}/studies", data=body, headers=DICOM, timeout=60
        )
        assert answer.status_code == 200
        study = f"{server.url}/{version}/studies/{ds.StudyInstanceUID}"
        instance = f"{study}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"
        assert requests.get(instance, headers=AS_STORED, timeout=60).content == body
        some = requests.get(instance, headers=AS_STORED | {"Range": "bytes=9-99"}, timeout=60)
        assert (some.status_code, some.content) == (206, body[9:100])
        pixels = requests.get(
            f"{instance}/bulkdata/7FE00010", headers={"Range": "bytes=-7"}, timeout=60
        )
        assert (pixels.status_code, pixels.content) == (206, ds.PixelData[-7:])
        last = int(ds.get("NumberOfFrames", 1))
        frame = requests.get(
            f"{instance}/frames/{last}",
            headers={"Accept": "application/octet-stream; transfer-syntax=*"},
            timeout=60,
        )
        assert frame.content == ds.PixelData[-len(ds.PixelData) // last :]
        (file,) = (server.buckets / BUCKET / "lake" / "Microsoft.Default").rglob(
            f"{ds.SOPInstanceUID}_*.dcm"
        )
        assert file.read_bytes() == body
        client = DICOMwebClient(f"{server.url}/{version}")
        assert client.retrieve_study(ds.StudyInstanceUID) == [ds]
        assert len(client.retrieve_study_metadata(ds.StudyInstanceUID)) == 1
        assert requests.delete(study, timeout=60).status_code == 204
        assert requests.get(instance, headers=AS_STORED, timeout=60).status_code == 404
    assert not any(path.is_file() for path in (server.data / "uploads").rglob("*"))


def test_a_store_that_is_away_is_told_as_temporary_and_nothing_shows(server, version):
    kept, refused = dataset(), dataset()
    url = f"{server.url}/{version}/studies"
    assert requests.post(url, data=encoded(kept), headers=DICOM, timeout=60).status_code == 200
    server.store.close()
    answer = requests.post(url, data=encoded(refused), headers=DICOM, timeout=120)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert requests.get(f"{url}/{refused.StudyInstanceUID}/metadata", timeout=60).status_code == 404
    assert requests.get(f"{url}/{kept.StudyInstanceUID}/metadata", timeout=60).status_code == 200
    whole = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
    answer = requests.get(f"{url}/{kept.StudyInstanceUID}", headers=whole, timeout=120)
    assert answer.status_code == 503
