import json
import subprocess
import sys
from pathlib import Path

import pytest

from app import create_app
from dicomweb.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def flask(tmp_path):
    """Run the real command in a process of its own, with these settings."""

    def flask(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        environment = {f"GANTRY_{name.upper()}": value for name, value in settings.items()}
        return subprocess.run(
            [sys.executable, "-m", "flask", *arguments],
            cwd=ROOT,
            env={"GANTRY_DATA": str(tmp_path / "data"), "PATH": "/usr/bin:/bin"} | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return flask


@pytest.fixture
def settings_command(tmp_path):
    """Run the command in this process."""
    app = create_app(
        Settings(data=tmp_path / "data", database_url="postgresql://u:hunter2@127.0.0.1:1/x")
    )
    return lambda *arguments: app.test_cli_runner().invoke(args=["settings", *arguments])


def test_it_prints_every_setting_in_effect(settings_command):
    result = settings_command()

    assert result.exit_code == 0
    lines = dict(line.split(" = ", 1) for line in result.output.splitlines())
    assert list(lines) == list(Settings.model_fields)
    assert lines["threads"] == "8"
    assert lines["partitions"] == "false"
    assert lines["bind"] == '"127.0.0.1:8080"'


def test_it_prints_json(settings_command, tmp_path):
    printed = json.loads(settings_command("--json").output)

    assert list(printed) == list(Settings.model_fields)
    assert printed["storage_url"] == f"file://{tmp_path}/data/blobs"
    assert printed["partitions"] is False


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_it_shows_no_secret(settings_command, options):
    output = settings_command(*options).output
    assert "hunter2" not in output
    assert "postgresql://u:***@127.0.0.1:1/x" in output


@pytest.mark.parametrize(
    "arguments", [("--help",), ("settings",), ("settings", "--help"), ("db", "upgrade", "--help")]
)
def test_neither_it_nor_help_opens_anything(flask, tmp_path, arguments):
    result = flask(*arguments, database_url="postgresql://u@127.0.0.1:1/x")

    assert (result.returncode, result.stderr) == (0, "")
    assert not (tmp_path / "data").exists()


def test_help_names_the_commands(flask):
    printed = flask("--help").stdout
    for command in ("settings", "db"):
        assert f"\n  {command} " in printed


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"treads": "7"}, "gantry: GANTRY_TREADS in the environment is not a setting"),
        ({"threads": "x"}, "gantry: GANTRY_THREADS in the environment is wrong"),
        ({"database_url": "mysql://h/x"}, "gantry: GANTRY_DATABASE_URL is wrong"),
    ],
)
def test_a_wrong_setting_stops_every_command_with_one_line(flask, setting, message):
    result = flask("settings", **setting)

    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith(message)
    assert result.stderr.count("\n") == 1
