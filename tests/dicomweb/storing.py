"""Storing as a client does, for tests of what comes after it."""

from flask.testing import FlaskClient
from pydicom.dataset import Dataset

from tests.datasets import dataset, encoded


def store(client: FlaskClient, base: str, *uids: str, **attributes) -> Dataset:
    """Store an instance; its study, series and instance UID may be given in this order."""
    keywords = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    given = dict(zip(keywords, uids, strict=False))
    stored = dataset(**given, **attributes)
    answer = client.post(f"/{base}/studies", data=encoded(stored), content_type="application/dicom")
    assert answer.status_code == 200, answer.text
    return stored
