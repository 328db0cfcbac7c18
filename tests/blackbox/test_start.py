"""How the server starts, refuses to start, and what it logs."""

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from dicomweb.archive import open_archive
from dicomweb.settings import Settings
from index import schema
from index.database import open_index
from tests.blackbox.server import ROOT, START_SECONDS, Server, free_port, running
from tests.datasets import part10

IDENTITY = {"Accept-Encoding": "identity"}
DICOM = {"Content-Type": "application/dicom"}
PATIENT = "Unspeakable^Name"


def command(data: Path, **settings: str) -> dict:
    """How gunicorn is called: arguments for ``subprocess``."""
    given = {"bind": f"127.0.0.1:{free_port()}", "data": str(data), "workers": "1"} | settings
    return {
        "args": [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "wsgi:application"],
        "cwd": ROOT,
        "env": {key: value for key, value in os.environ.items() if "GANTRY_" not in key}
        | {f"GANTRY_{name.upper()}": value for name, value in given.items()},
        "text": True,
    }


def refusal(data: Path, **settings: str) -> str:
    """What the server says when it refuses to start."""
    result = subprocess.run(
        **command(data, **settings), capture_output=True, timeout=START_SECONDS, check=False
    )
    assert result.returncode == 1
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result.stderr.splitlines()[-1]


def requests_logged(server: Server, *answers: requests.Response) -> list[dict]:
    """The log's lines of these requests: a line may come a moment after the answer."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        lines = [line for line in server.log.read_text().splitlines() if line.startswith("{")]
        logged = {line["request_id"]: line for line in map(json.loads, lines) if "status" in line}
        if all(answer.headers["X-Request-Id"] in logged for answer in answers):
            return [logged[answer.headers["X-Request-Id"]] for answer in answers]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_wrong_setting_stops_the_start_with_a_message(tmp_path):
    assert refusal(tmp_path, workers="many").startswith(
        "gantry: GANTRY_WORKERS in the environment is wrong: "
    )
    assert refusal(tmp_path, treads="4").startswith(
        "gantry: GANTRY_TREADS in the environment is not a setting"
    )


def test_a_url_of_no_known_kind_stops_the_start_with_a_message(tmp_path):
    assert refusal(tmp_path, database_url="mysql://u:secret@h/x").startswith(
        "gantry: GANTRY_DATABASE_URL is wrong: a database URL is"
    )
    assert refusal(tmp_path, storage_url="ftp://h/x").startswith(
        "gantry: GANTRY_STORAGE_URL is wrong: "
    )


def test_a_data_folder_that_cannot_be_made_stops_the_start_with_a_message():
    assert refusal(Path("/proc/nothing/here")).startswith("gantry: GANTRY_DATA is wrong: cannot")


def test_partitions_cannot_be_turned_off_while_there_are_some(tmp_path):
    archive = open_archive(Settings(data=tmp_path, partitions=True))
    archive.prepare()
    archive.partitions.ensure("one")
    archive.close()

    assert refusal(tmp_path).startswith("gantry: GANTRY_PARTITIONS is off, but data is stored in")


def test_tables_of_a_later_version_stop_the_start_with_a_message(tmp_path):
    index = open_index(f"sqlite://{tmp_path}/index.sqlite")
    schema.upgrade(index)
    index.execute("INSERT INTO schema_migration (number, name, applied_us) VALUES (9999, 'x', 0)")
    index.close()

    assert "the database has migration 9999" in refusal(tmp_path)


def test_a_database_server_without_tables_stops_the_start_with_the_command_to_run(
    tmp_path, postgresql_server
):
    assert "run: flask db upgrade" in refusal(tmp_path, database_url=postgresql_server)


def test_a_database_that_is_away_does_not_prevent_the_start(tmp_path):
    given = command(tmp_path, database_url="postgresql://u:secret@127.0.0.1:1/x")
    url = f"http://{given['env']['GANTRY_BIND']}"
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(**given, stdout=log, stderr=log) as server,
    ):
        health = answer(f"{url}/health/check")
        studies = requests.get(f"{url}/v2/changefeed", timeout=60)
        server.terminate()

    assert health.status_code == 503
    assert health.json()["details"][0]["status"] == "Unhealthy"
    assert (studies.status_code, studies.headers["Retry-After"]) == (503, "5")
    assert "secret" not in (tmp_path / "log").read_text()


def answer(url: str) -> requests.Response:
    """The first answer of a server that is starting."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return requests.get(url, timeout=60)
        except requests.ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.fixture(scope="module")
def own_server(tmp_path_factory) -> Iterator[Server]:
    """A server whose log is about these tests only."""
    with running(tmp_path_factory.mktemp("own") / "data", workers="2") as server:
        yield server


def test_the_start_prints_commands_that_store_a_file_and_find_it(own_server):
    printed = own_server.log.read_text()
    assert f"Gantry is ready: {own_server.url}\n" in printed
    store, search = re.findall(r"^  (curl .*)$", printed, re.MULTILINE)
    stored, found = (
        json.loads(subprocess.run(shlex.split(line), capture_output=True, check=True).stdout)
        for line in (store, search)
    )

    (instance,) = stored["00081199"]["Value"]
    study = found[0]["0020000D"]["Value"][0]
    assert f"/v2/studies/{study}/" in instance["00081190"]["Value"][0]


def test_every_request_is_logged_with_the_id_that_it_was_answered_with(own_server):
    url = own_server.url
    answers = [
        requests.get(f"{url}/v2/changefeed?limit=1", headers=IDENTITY, timeout=60),
        requests.get(f"{url}/v2/studies/x", timeout=60),
        requests.get(f"{url}/nothing", headers={"X-Request-Id": "mine"}, timeout=60),
        requests.post(f"{url}/v2/studies", data=part10(), headers=DICOM, timeout=60),
    ]
    lines = requests_logged(own_server, *answers)

    for line, answer in zip(lines, answers, strict=True):
        assert line["status"] == answer.status_code
        assert line["sent_bytes"] == len(answer.content)
        assert line["duration_ms"] > 0
    assert lines[0]["query"] == ["limit"]
    assert (lines[2]["request_id"], lines[2]["path"]) == ("mine", "/nothing")
    assert lines[3]["received_bytes"] == len(answers[3].request.body)


def test_nothing_of_a_patient_reaches_the_log(own_server):
    url = f"{own_server.url}/v2"
    body = part10(PatientName=PATIENT, PatientID=PATIENT)
    answers = [
        requests.get(f"{url}/{path}", timeout=60)
        for path in (f"studies?PatientName={PATIENT}", f"studies?{PATIENT}", f"x?{PATIENT}=1")
    ]
    answers += [
        requests.post(f"{url}/studies", data=sent, headers=DICOM, timeout=60)
        for sent in (body, body, body[:-3], b"x" + body)
    ]
    for request in (
        f"GET /v2/studies?PatientName={PATIENT} and more HTTP/1.1\r\n\r\n",
        f"GET /v2/studies?PatientName={PATIENT} HTTP/9.9\r\n\r\n",
        f"GET /v2/studies HTTP/1.1\r\n{PATIENT}\r\n\r\n",
        f"GET /v2/studies HTTP/1.1\r\nHost: x\r\nContent-Length: {PATIENT}\r\n\r\n",
        f"GET /v2/studies HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {PATIENT}\r\n\r\n",
    ):
        assert own_server.raw(request.encode())[:12] in {b"HTTP/1.1 400", b"HTTP/1.1 501"}
    requests_logged(own_server, *answers)

    log = own_server.log.read_text()
    assert "Invalid request from ip=127.0.0.1" in log
    assert PATIENT.partition("^")[0] not in log


def test_a_list_of_five_hundred_frames_fits_into_a_request_line(own_server):
    frames = ",".join(map(str, range(1, 501)))
    path = f"/v2/studies/1.{'2' * 62}/series/1.{'2' * 62}/instances/1.{'2' * 62}/frames/{frames}"
    assert requests.get(f"{own_server.url}{path}", timeout=60).status_code == 404


def test_a_request_line_beyond_the_limit_is_refused(own_server):
    answered = own_server.raw(b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answered.startswith(b"HTTP/1.1 414 ")


def test_what_the_server_writes_is_nobody_elses_to_read(own_server):
    requests.post(f"{own_server.url}/v2/studies", data=part10(), headers=DICOM, timeout=60)

    for path in [own_server.data, *own_server.data.rglob("*")]:
        assert path.stat().st_mode & 0o007 == 0, path


def test_the_server_opens_no_control_socket(own_server):
    """Gunicorn would make one in the home folder of who starts it."""
    opened = set()
    for process in own_server.processes():
        for descriptor in Path(f"/proc/{process}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                opened.add(str(descriptor.readlink()))
    named = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()]
    assert [fields[7] for fields in named if f"socket:[{fields[6]}]" in opened and fields[7:]] == []
