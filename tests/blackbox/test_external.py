"""External metadata through the real server, which reads the headers."""

from concurrent.futures import ThreadPoolExecutor

import requests

from tests.datasets import dataset, encoded

ASKED = {"msdicom-request-meta": "true"}
TAG = "00191201"


def store(url: str, ds, **headers: bytes) -> requests.Response:
    given = {f"msdicom-meta-{name.replace('_', '-')}": value for name, value in headers.items()}
    given |= {"Content-Type": "application/dicom"}
    return requests.put(f"{url}/v2/studies", data=encoded(ds), headers=given, timeout=30)


def test_a_name_in_any_script_is_seen_and_found_by_every_worker(server):
    ds = dataset()
    for name in ("山田^太郎", "Müller^Jürgen"):
        answer = store(server.url, ds, PN_00191201=name.encode())
        assert answer.status_code == 200, answer.text
        study = f"{server.url}/v2/studies/{ds.StudyInstanceUID}"
        urls = [f"{study}/metadata", f"{server.url}/v2/studies?{TAG}={name}"] * 4
        with ThreadPoolExecutor(8) as pool:
            answers = pool.map(lambda url: requests.get(url, headers=ASKED, timeout=30), urls)
            for answer in answers:
                assert answer.status_code == 200, answer.text
                (found,) = answer.json()
                assert found[TAG] == {"vr": "PN", "Value": [{"Alphabetic": name}]}


def test_a_wrong_header_is_refused_and_the_connection_goes_on(server):
    with requests.Session() as session:
        for value, status in ((b"\xff", 400), (b"a" * 65, 400), (b"a", 200)):
            headers = {"msdicom-meta-LO-00191201": value, "Content-Type": "application/dicom"}
            body = encoded(dataset())
            answer = session.post(
                f"{server.url}/v2/studies", data=body, headers=headers, timeout=30
            )
            assert answer.status_code == status
            assert status == 200 or "msdicom-meta-LO-00191201" in answer.text
