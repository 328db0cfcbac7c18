"""The README's first minute, word for word, against the real server."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from pydicom import dcmread

from tests.blackbox.server import ROOT, Server

MINUTE = (ROOT / "README.md").read_text().split("\n## ")[2]
CONSOLE = "\n".join(re.findall(r"```console\n(.*?)```", MINUTE, re.DOTALL))
PYTHON = "\n".join(re.findall(r"```python\n(.*?)```", MINUTE, re.DOTALL))
STRICT = 'set -euo pipefail; curl() { command curl -sS --fail-with-body "$@"; echo; }\n'
URL = "http://127.0.0.1:8080"

SAMPLES = {path.stem: path for path in (ROOT / "docs/samples").glob("*.dcm")}


@pytest.fixture
def folder(tmp_path) -> Path:
    """A checkout to work in."""
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    return tmp_path


@pytest.fixture
def do(server: Server, folder: Path):
    """Do what the README says; answers what a user sees."""

    def do(*command: str) -> subprocess.CompletedProcess[str]:
        here = [part.replace(URL, server.url) for part in command]
        return subprocess.run(here, cwd=folder, capture_output=True, text=True, check=False)

    yield do
    study = dcmread(SAMPLES["green-square"]).StudyInstanceUID
    requests.delete(f"{server.url}/v2/studies/{study}", timeout=10)


def test_every_line_for_the_console_does_what_it_says(do, server, folder):
    assert CONSOLE.count("curl ") == 8

    done = do("bash", "-c", STRICT + CONSOLE)

    assert done.returncode == 0, done.stdout + done.stderr
    *stored, studies, series, metadata = map(json.loads, filter(None, done.stdout.splitlines()))
    assert [len(answer["00081199"]["Value"]) for answer in stored] == [1, 1, 1]
    assert [study["00201208"]["Value"] for study in studies] == [[3]]
    assert len(series) == 2
    assert len(metadata) == 3
    sample = SAMPLES["green-square"]
    assert (folder / "copy.dcm").read_bytes() == sample.read_bytes()
    assert (folder / "frame.raw").read_bytes() == dcmread(sample).PixelData
    assert (folder / "square.png").read_bytes().startswith(b"\x89PNG")
    left = requests.get(f"{server.url}/v2/studies?PatientID=SAMPLE-1", timeout=10)
    assert (left.status_code, left.content) == (204, b"")


def test_the_python_lines_do_the_same_and_say_when_all_is_there_already(do):
    done = do(sys.executable, "-c", PYTHON)
    assert done.returncode == 0, done.stderr
    for path in SAMPLES.values():
        assert dcmread(path).SOPInstanceUID in done.stdout

    again = do(sys.executable, "-c", PYTHON)
    assert again.returncode == 1
    assert "409" in again.stderr.splitlines()[-1]


def test_the_command_for_the_description_works(do):
    (command,) = re.findall(r"`(curl .*/api\.yaml)`", MINUTE)
    done = do("bash", "-c", STRICT + command)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("openapi: 3.1")
