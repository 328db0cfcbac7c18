"""DCMTK reads what is retrieved, in every transfer syntax on offer."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import requests
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicomweb.media import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    JPEG_LS_LOSSLESS,
    MADE,
    RLE_LOSSLESS,
)
from tests.blackbox.clients.samples import IMAGES, TIMEOUT_S, sample, store
from tests.datasets import encoded
from tests.dicomweb.wado.exchange import path

FILES = {
    **IMAGES,
    "explicit": "MR_small.dcm",
    "report": "test-SR.dcm",
    "waveform": "waveform_ecg.dcm",
}
DCMCONV = ("dcmconv", "+te")
DECODERS = {
    "implicit": DCMCONV,
    "explicit": DCMCONV,
    "big endian": DCMCONV,
    "deflated": DCMCONV,
    "RLE": ("dcmdrle",),
    "RLE of two frames": ("dcmdrle",),
    "JPEG Baseline": ("dcmdjpeg",),
    "JPEG Lossless": ("dcmdjpeg",),
    "JPEG-LS": ("dcmdjpls",),
}
"""What decodes the stored files. DCMTK knows no JPEG 2000."""
READERS = {
    EXPLICIT_VR_LITTLE_ENDIAN: DCMCONV,
    IMPLICIT_VR_LITTLE_ENDIAN: DCMCONV,
    RLE_LOSSLESS: ("dcmdrle",),
    JPEG_LS_LOSSLESS: ("dcmdjpls",),
}
"""What decodes the retrieved files."""
CHANGED = re.compile(r"\((0002|0028|7fe0),| *\(fff[ce],| *\(...[13579bdf],")
"""Elements that another transfer syntax changes: File Meta Information, pixels and what describes
them, delimiters and padding, and private ones, whose VR is lost in an implicit one."""


@pytest.fixture(scope="module")
def stored(server) -> dict[str, Dataset]:
    found = {name: sample(file) for name, file in FILES.items()}
    store(f"{server.url}/v2", *found.values())
    return found


@pytest.fixture(scope="module")
def files(stored, tmp_path_factory) -> dict[str, Path]:
    """The stored files."""
    folder = tmp_path_factory.mktemp("stored")
    return {name: written(folder / f"{name}.dcm", encoded(ds)) for name, ds in stored.items()}


@pytest.fixture
def retrieved(url, stored, tmp_path) -> Callable[[str], dict[str, Path]]:
    """The files as they are retrieved in a transfer syntax."""

    def retrieved(syntax: str) -> dict[str, Path]:
        accept = {"Accept": f"application/dicom; transfer-syntax={syntax}"}
        files = {}
        for name, ds in stored.items():
            answer = requests.get(f"{url}/{path(ds)}", headers=accept, timeout=TIMEOUT_S)
            assert answer.status_code == 200, answer.text
            files[name] = written(tmp_path / f"{name}.dcm", answer.content)
        return files

    return retrieved


def written(file: Path, content: bytes) -> Path:
    file.write_bytes(content)
    return file


def dcmtk(*command: str | Path) -> str:
    """What a program says, if all is well."""
    done = subprocess.run(command, capture_output=True, check=False, timeout=TIMEOUT_S)
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout.decode("latin-1")


def elements(files: dict[str, Path]) -> dict[str, list[str]]:
    """Elements as dcmdump lists them, but for lengths and those that a transfer syntax changes."""
    dumps = dcmtk("dcmdump", "+L", "-q", *files.values()).split("\n# Dicom-File-Format")[1:]
    assert len(dumps) == len(files)
    return {
        name: [
            line.partition(" # ")[0].rstrip()
            for line in dump.splitlines()
            if line.lstrip()[:1] == "(" and not CHANGED.match(line)
        ]
        for name, dump in zip(files, dumps, strict=True)
    }


def pixels(decoder: tuple[str, ...], file: Path) -> np.ndarray:
    made = file.with_suffix(".native")
    dcmtk(*decoder, file, made)
    return dcmread(made).pixel_array


@pytest.mark.parametrize("syntax", sorted(MADE))
def test_a_retrieved_file_is_one_and_has_all_that_was_stored(retrieved, files, syntax):
    found = retrieved(syntax)
    assert dcmtk("dcmftest", *found.values()).count("yes: ") == len(FILES)
    assert elements(found) == elements(files)


@pytest.mark.parametrize("syntax", READERS)
def test_its_pixels_are_those_that_dcmtk_decodes_of_the_stored_file(retrieved, files, syntax):
    found = retrieved(syntax)
    for name, decoder in DECODERS.items():
        expected = pixels(decoder, files[name])
        np.testing.assert_array_equal(pixels(READERS[syntax], found[name]), expected, name)
