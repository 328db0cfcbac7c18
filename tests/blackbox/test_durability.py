"""What is acknowledged stays, and nothing is half there, whatever happens to the processes."""

import threading
from concurrent.futures import ThreadPoolExecutor

import requests

from tests.blackbox.server import Server, running
from tests.datasets import dataset, encoded, with_pixels

DICOM = {"Content-Type": "application/dicom"}
AS_STORED = {"Accept": 'application/dicom; transfer-syntax="*"'}
FRAME = {"Accept": "application/octet-stream; transfer-syntax=*"}
CLIENTS = 6
ROUNDS = 3
ACKNOWLEDGED_PER_ROUND = 60


class Modality:
    """Stores instances, one after another, until the server is gone; remembers what it was told."""

    def __init__(self, url: str, enough: threading.Semaphore) -> None:
        self.url = url
        self.enough = enough
        self.sent: dict[str, bytes] = {}
        self.acknowledged: dict[str, bytes] = {}

    def work(self) -> None:
        session = requests.Session()
        study = dataset()
        while True:
            ds = dataset(
                StudyInstanceUID=study.StudyInstanceUID, SeriesInstanceUID=study.SeriesInstanceUID
            )
            body = encoded(with_pixels(ds, 64, 64))
            path = (
                f"/studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}"
                f"/instances/{ds.SOPInstanceUID}"
            )
            self.sent[path] = body
            try:
                answer = session.post(f"{self.url}/studies", data=body, headers=DICOM, timeout=30)
            except requests.RequestException:
                return
            if answer.status_code != 200:
                return
            self.acknowledged[path] = body
            self.enough.release()


def load_until_killed(server: Server) -> list[Modality]:
    enough = threading.Semaphore(0)
    modalities = [Modality(f"{server.url}/v2", enough) for _ in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        work = [pool.submit(modality.work) for modality in modalities]
        for _ in range(ACKNOWLEDGED_PER_ROUND):
            assert enough.acquire(timeout=60)
        server.kill()
        for future in work:
            future.result(60)
    return modalities


def test_killing_all_processes_loses_no_acknowledged_instance_and_shows_no_half_one(
    tmp_path, database_url
):
    acknowledged: dict[str, bytes] = {}
    sent: dict[str, bytes] = {}
    server = Server(tmp_path / "data", database_url=database_url)
    for _ in range(ROUNDS):
        server.start()
        for modality in load_until_killed(server):
            acknowledged |= modality.acknowledged
            sent |= modality.sent
    assert len(acknowledged) >= ROUNDS * ACKNOWLEDGED_PER_ROUND
    server.start()
    try:
        there = {}
        for path, body in sent.items():
            answer = requests.get(f"{server.url}/v2{path}", headers=AS_STORED, timeout=30)
            if answer.status_code == 200:
                assert answer.content == body
                there[path] = body
            else:
                assert answer.status_code == 404
            metadata = requests.get(f"{server.url}/v2{path}/metadata", timeout=30)
            assert metadata.status_code == answer.status_code
        assert acknowledged.keys() <= there.keys()
        feed = whole_change_feed(server)
        assert len(feed) == len(there)
        assert [entry["sequence"] for entry in feed] == list(range(1, len(feed) + 1))
    finally:
        server.kill()


class Corrector:
    """Puts ever new versions of one instance until the server is gone; remembers the last."""

    def __init__(self, url: str, enough: threading.Semaphore) -> None:
        self.url = url
        self.enough = enough
        self.ds = with_pixels(dataset(), 64, 64)
        self.versions: list[bytes] = []
        self.acknowledged = 0
        """How many versions are known to be stored."""

    @property
    def path(self) -> str:
        return (
            f"/studies/{self.ds.StudyInstanceUID}/series/{self.ds.SeriesInstanceUID}"
            f"/instances/{self.ds.SOPInstanceUID}"
        )

    def work(self) -> None:
        session = requests.Session()
        self.acknowledged = len(self.versions)  # what is there after a restart stays
        while True:
            self.ds.InstanceNumber = len(self.versions) + 1
            self.versions.append(encoded(self.ds))
            body = self.versions[-1]
            try:
                answer = session.put(f"{self.url}/studies", data=body, headers=DICOM, timeout=30)
            except requests.RequestException:
                return
            if answer.status_code != 200:
                return
            self.acknowledged = len(self.versions)
            self.enough.release()


def test_killing_all_processes_leaves_each_replaced_instance_as_one_whole_version(
    tmp_path, database_url
):
    server = Server(tmp_path / "data", database_url=database_url)
    enough = threading.Semaphore(0)
    correctors = [Corrector(f"{server.url}/v2", enough) for _ in range(CLIENTS)]
    for _ in range(ROUNDS):
        server.start()
        with ThreadPoolExecutor(CLIENTS) as pool:
            work = [pool.submit(corrector.work) for corrector in correctors]
            for _ in range(ACKNOWLEDGED_PER_ROUND):
                assert enough.acquire(timeout=60)
            server.kill()
            for future in work:
                future.result(60)
        server.start()
        try:
            for corrector in correctors:
                assert_one_whole_version(server, corrector)
        finally:
            server.kill()


def assert_one_whole_version(server: Server, corrector: Corrector) -> None:
    """File, frame table and metadata are of the version acknowledged last, or of one sent since."""
    url = f"{server.url}/v2{corrector.path}"
    answer = requests.get(url, headers=AS_STORED, timeout=30)
    if not corrector.acknowledged and answer.status_code == 404:
        corrector.versions.clear()
        return
    assert answer.status_code == 200
    number = corrector.versions.index(answer.content) + 1
    assert number >= corrector.acknowledged
    (metadata,) = requests.get(f"{url}/metadata", timeout=30).json()
    assert metadata["00200013"]["Value"] == [number]
    frame = requests.get(f"{url}/frames/1", headers=FRAME, timeout=30)
    assert frame.content == corrector.ds.PixelData
    (found,) = requests.get(
        f"{server.url}/v1/instances",
        params={"SOPInstanceUID": corrector.ds.SOPInstanceUID},
        timeout=30,
    ).json()
    assert found["00200013"]["Value"] == [number]
    del corrector.versions[number:]


def whole_change_feed(server: Server) -> list[dict]:
    entries: list[dict] = []
    while page := requests.get(
        f"{server.url}/v1/changefeed",
        params={"offset": len(entries), "limit": 100, "includemetadata": "false"},
        timeout=30,
    ).json():
        entries += page
    return entries


def test_everything_is_there_after_stopping_and_starting_again(tmp_path):
    ds = dataset()
    with running(tmp_path / "data") as server:
        answer = requests.post(
            f"{server.url}/v2/studies", data=encoded(ds), headers=DICOM, timeout=30
        )
        assert answer.status_code == 200
        assert server.stop() == 0
        server.start()
        study = f"{server.url}/v2/studies/{ds.StudyInstanceUID}"
        (metadata,) = requests.get(f"{study}/metadata", timeout=30).json()
        assert metadata["00080018"]["Value"] == [ds.SOPInstanceUID]


def test_every_worker_sees_a_store_a_replacement_and_a_delete_at_once(url):
    for _ in range(10):
        ds = dataset()
        study = f"{url}/studies/{ds.StudyInstanceUID}"
        answer = requests.post(f"{url}/studies", data=encoded(ds), headers=DICOM, timeout=30)
        assert answer.status_code == 200
        assert seen_by_workers(f"{study}/metadata") == {200}
        etag = requests.get(f"{study}/metadata", timeout=30).headers["ETag"]
        answer = requests.put(f"{url}/studies", data=encoded(ds), headers=DICOM, timeout=30)
        assert answer.status_code == 200
        assert seen_by_workers(f"{study}/metadata", {"If-None-Match": etag}) == {200}
        assert requests.delete(study, timeout=30).status_code == 204
        assert seen_by_workers(f"{study}/metadata") == {404}


def seen_by_workers(url: str, headers: dict[str, str] | None = None) -> set[int]:
    """Statuses over many connections at once, so that all workers are met."""

    def status(_: int) -> int:
        return requests.get(url, headers=headers, timeout=30).status_code

    with ThreadPoolExecutor(8) as pool:
        return set(pool.map(status, range(8)))
