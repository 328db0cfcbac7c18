"""External metadata as clients send and ask for them."""

from flask.testing import FlaskClient
from pydicom.dataset import Dataset

from tests.datasets import dataset, encoded

ASKED = {"msdicom-request-meta": "true"}


def meta(**values: str) -> dict[str, str]:
    """Headers of a store: ``LO_00191201="a"`` is ``msdicom-meta-LO-00191201: a``."""
    return {f"msdicom-meta-{name.replace('_', '-')}": value for name, value in values.items()}


def store_with(
    client: FlaskClient,
    headers: dict[str, str],
    ds: Dataset | None = None,
    base: str = "v2",
    method: str = "POST",
    **attributes,
) -> Dataset:
    """Store an instance with headers."""
    ds = ds or dataset(**attributes)
    answer = client.open(
        f"/{base}/studies",
        method=method,
        data=encoded(ds),
        content_type="application/dicom",
        headers=headers,
    )
    assert answer.status_code == 200, answer.text
    return ds
