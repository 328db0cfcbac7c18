"""The sample files: what their script makes, and small."""

import runpy
from io import BytesIO
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "docs/samples"
MAKE = runpy.run_path(str(FOLDER / "make.py"))


@pytest.mark.parametrize("name", MAKE["SHAPES"])
def test_a_sample_is_what_the_script_makes(name):
    made = BytesIO()
    MAKE["sample"](name).save_as(made, enforce_file_format=True)
    assert (FOLDER / f"{name}.dcm").read_bytes() == made.getvalue()


def test_there_are_no_others_and_all_are_small():
    files = list(FOLDER.glob("*.dcm"))
    assert {path.stem for path in files} == set(MAKE["SHAPES"])
    assert sum(path.stat().st_size for path in files) < 100_000
