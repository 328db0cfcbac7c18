"""Images of several transfer syntaxes, and what a client does before and after a request."""

import warnings
from io import BytesIO

import requests
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from tests.datasets import encoded

TIMEOUT_S = 60

IMAGES = {
    "implicit": "MR_small_implicit.dcm",
    "big endian": "MR_small_expb.dcm",
    "deflated": "image_dfl.dcm",
    "RLE": "MR_small_RLE.dcm",
    "RLE of two frames": "SC_rgb_rle_2frame.dcm",
    "JPEG Baseline": "SC_rgb_dcmtk_+eb+cr.dcm",
    "JPEG Lossless": "SC_rgb_jpeg_gdcm.dcm",
    "JPEG-LS": "MR_small_jpeg_ls_lossless.dcm",
    "JPEG 2000": "MR_small_jp2klossless.dcm",
}
"""Files of pydicom in transfer syntaxes other than Explicit VR Little Endian."""


def sample(name: str, **attributes) -> Dataset:
    """One of pydicom's files, as an instance of its own."""
    with warnings.catch_warnings(action="ignore"):
        ds = dcmread(get_testdata_file(name))
    uids = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    values = {uid: generate_uid() for uid in uids} | {"PatientID": generate_uid()[-20:]}
    for keyword, value in (values | attributes).items():
        setattr(ds, keyword, value)
    return as_file(ds)


def as_file(ds: Dataset) -> Dataset:
    """The data set as read from a file, File Meta Information and all."""
    return dcmread(BytesIO(encoded(ds)))


def images(**attributes) -> list[Dataset]:
    """One image of each transfer syntax, in one series unless the attributes say otherwise."""
    series = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()}
    return [sample(name, **(series | attributes)) for name in IMAGES.values()]


def store(url: str, *datasets: Dataset) -> None:
    """Store each data set, as curl does with ``--data-binary``."""
    dicom = {"Content-Type": "application/dicom", "Accept": "*/*"}
    for ds in datasets:
        answer = requests.post(f"{url}/studies", data=encoded(ds), headers=dicom, timeout=TIMEOUT_S)
        assert answer.status_code in {200, 202}, answer.text
