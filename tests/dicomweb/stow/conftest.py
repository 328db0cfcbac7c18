"""Fixtures of the tests of Store."""

import pytest

from tests.dicomweb.stow.answers import DICOM


@pytest.fixture
def post(client, version):
    """Posts a body to be stored."""

    def post(body: bytes, content_type: str = DICOM, path: str = "studies", **headers: str):
        return client.post(
            f"/{version}/{path}", data=body, content_type=content_type, headers=headers
        )

    return post
