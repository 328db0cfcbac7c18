"""What the documents say is what the code does."""

import re
from pathlib import Path

import click
import pytest
from flask import Flask

from dicomweb.settings import Settings

ROOT = Path(__file__).parent.parent
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("bench/*.md")]
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


def shown(default: object) -> str:
    """A default as the documents show it."""
    match default:
        case bool():
            return str(default).lower()
        case int() if default >= 2**20 and default % 2**20 == 0:
            return f"{default} ({default // 2**20} MiB)"
        case "":
            return "empty"
        case Path():
            return f"./{default}"
        case _:
            return str(default)


def rows() -> list[str]:
    """The table of settings, as it has to be."""
    table = []
    for name, field in Settings.model_fields.items():
        default = "cores + 1" if field.default_factory else shown(field.default)
        table.append(f"| `GANTRY_{name.upper()}` | {default} | {field.description} |")
    return table


@pytest.mark.parametrize("row", rows())
def test_every_setting_is_documented_with_its_default_and_unit(row):
    assert row in (ROOT / "docs/settings.md").read_text().splitlines()


def test_no_setting_is_documented_that_there_is_not():
    text = (ROOT / "docs/settings.md").read_text()
    documented = set(re.findall(r"^\| `GANTRY_([A-Z_]+)`", text, re.MULTILINE))
    assert documented == {name.upper() for name in Settings.model_fields}


def commands(group: click.Group, prefix: str) -> list[tuple[str, click.Command]]:
    found = []
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            found += commands(command, f"{prefix} {name}")
        else:
            found.append((f"{prefix} {name}", command))
    return found


def test_every_command_is_documented_with_its_options_and_nothing_else_is(routes: Flask):
    text = (ROOT / "docs/commands.md").read_text()
    sections = dict(re.findall(r"(?ms)^## `(flask [^`]+)`\n(.*?)(?=^## |\Z)", text))
    known = dict(commands(routes.cli, "flask"))
    assert set(sections) == set(known)
    for name, command in known.items():
        for parameter in command.params:
            for option in parameter.opts:
                assert f"`{option}`" in sections[name], (name, option)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document):
    for target in LINK.findall(document.read_text()):
        assert (document.parent / target).exists(), target


def test_the_readme_names_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`?make ([a-z]+)", (ROOT / "README.md").read_text()):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
