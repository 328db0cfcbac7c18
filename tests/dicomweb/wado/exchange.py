"""What is sent to retrieve something, and what comes back."""

from pydicom.dataset import Dataset
from werkzeug.test import TestResponse

from dicomweb.media import parse_media_type
from dicomweb.multipart import split


def path(ds: Dataset, level: int = 3) -> str:
    """Path of the data set's study, series or instance."""
    pieces = (
        f"studies/{ds.StudyInstanceUID}",
        f"series/{ds.SeriesInstanceUID}",
        f"instances/{ds.SOPInstanceUID}",
    )
    return "/".join(pieces[:level])


def parts(answer: TestResponse) -> list[tuple[str, bytes]]:
    """Content-Type and content of the parts of an answer."""
    assert answer.status_code == 200, answer.text
    media_type = parse_media_type(answer.headers["Content-Type"])
    assert media_type.name == "multipart/related"
    assert int(answer.headers.get("Content-Length", len(answer.data))) == len(answer.data)
    found = split(answer.data, media_type.require_boundary())
    for part in found:
        assert parse_media_type(part.content_type).name == media_type.parameters["type"]
    return [(part.content_type, bytes(part.data)) for part in found]
