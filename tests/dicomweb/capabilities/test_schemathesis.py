"""What schemathesis makes of the OpenAPI document, right and wrong, is answered as it says."""

from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.schemas import OpenApiSchema

from app import create_app
from dicomweb.archive import Archive, open_archive
from dicomweb.media import DICOM, MULTIPART
from dicomweb.settings import Settings
from tests.datasets import dataset, encoded, with_pixels

STUDY, SERIES, INSTANCE = "1.2.3", "1.2.3.4", "1.2.3.4.5"
UIDS = {"StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES, "SOPInstanceUID": INSTANCE}
FILE = encoded(with_pixels(dataset(**UIDS), frames=3))

LIKELY: dict[str, list[Any]] = {
    **{keyword: [uid] for keyword, uid in UIDS.items()},
    "study": [STUDY],
    "series": [SERIES],
    "instance": [INSTANCE],
    "partition": ["p"],
    "frames": ["1", "3,1", "4"],
    "frame": [1, 4],
    "viewport": ["9,9", "9,9,0,0,2,2", "9,9,99"],
    "window": ["40,400,linear", "40,0,sigmoid"],
    "path": ["7FE00010", "00100010"],
    "PatientName": ["Doe*", "doe^jane"],
    "includefield": ["all", "PatientName,00080060", "ModalitiesInStudy"],
    "Range": ["bytes=0-10", "bytes=-1", "bytes=99999999-"],
    "If-None-Match": ["*"],
}
"""Values that lead somewhere, of parameters that have too many others."""
DATES = ["20240131", "20240101-", "-20241231"]

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
)
"""Not those for data that must be taken or refused: a schema cannot tell that a day is none, or
which keywords there are, and retrieval passes over parameters that it does not know."""
CONFIG = {
    "seed": 1,
    "cache": {"enabled": False},
    "checks": {"enabled": False} | {check: {"enabled": True} for check in CHECKS},
}
BOUNDED = settings(
    max_examples=10,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

PART = b"--b\r\nContent-Type: application/dicom\r\n\r\n%b\r\n"
MESSAGE = {"Content-Type": f'{MULTIPART}; type="{DICOM}"; boundary=b'}


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """The instance with some bytes changed, cut out or put in."""
    start = draw(st.integers(0, len(FILE)))
    stop = draw(st.integers(start, min(len(FILE), start + 8)))
    return FILE[:start] + draw(st.binary(max_size=8)) + FILE[stop:]


FILES = st.one_of(st.just(FILE), damaged(), st.binary())
MESSAGES = st.one_of(
    st.lists(FILES, max_size=3).map(lambda files: b"".join(PART % one for one in files) + b"--b--"),
    st.binary(),
)
schemathesis.openapi.media_type(DICOM, FILES)
schemathesis.openapi.media_type(MULTIPART, MESSAGES)


def likely(parameter: dict[str, Any], operation: dict[str, Any]) -> list[Any]:
    """Values of a parameter that lead somewhere."""
    name = parameter["name"]
    if name == "accept":
        return ["*/*", *operation["responses"].get("200", {}).get("content", ())]
    return DATES if "Date" in name else LIKELY.get(name, [])


def api(app: Flask, version: str, **changes: Any) -> OpenApiSchema:
    """The description of a service, with likely values beside all that are possible."""
    document = app.test_client().get(f"/{version}/api.json").get_json()
    for item in document["paths"].values():
        for operation in item.values():
            for parameter in operation["parameters"]:
                if values := likely(parameter, operation):
                    parameter["schema"] = {"anyOf": [{"enum": values}, parameter["schema"]]}
    config = SchemathesisConfig.from_dict(CONFIG | changes)
    schema = schemathesis.openapi.from_dict(document, config=config)
    schema.app = app
    return schema


PLAIN, WITH_PARTITIONS = create_app(Settings()), create_app(Settings(partitions=True))
FEW = {"phases": {"coverage": {"enabled": False}}}
"""The bounds of every parameter one by one are tried on one version: they take most of the time."""
V1, V2 = api(PLAIN, "v1", **FEW), api(PLAIN, "v2")
PARTITIONED = api(WITH_PARTITIONS, "v2", **FEW).include(path_regex="^/partitions")


@pytest.fixture
def check(tmp_path) -> Callable[[Case, str], None]:
    """Send a request, to a service that has the instance, and look at the answer."""
    archives: list[Archive] = []
    stored = []

    def check(case: Case, base: str) -> None:
        app: Flask = case.operation.schema.app
        if not archives:
            before = app.extensions["gantry"].settings
            archives.append(open_archive(before.model_copy(update={"data": tmp_path / "data"})))
            app.extensions["gantry"] = archives[0]
        if case.method in {"POST", "DELETE"} or not stored:
            answer = app.test_client().post(f"{base}/studies", data=FILE, content_type=DICOM)
            assert answer.status_code in {200, 409}
            stored.append(answer)
        headers = MESSAGE if case.media_type == MULTIPART else {}
        case.call_and_validate(headers={"Accept-Encoding": "identity", **headers})

    yield check
    for archive in archives:
        archive.close()


@V1.exclude(path_regex="^/partitions/").parametrize()
@BOUNDED
def test_v1_answers_as_it_says(case: Case, check):
    check(case, "/v1")


@V2.exclude(path_regex="^/partitions/").parametrize()
@BOUNDED
def test_v2_answers_as_it_says(case: Case, check):
    check(case, "/v2")


@PARTITIONED.parametrize()
@BOUNDED
def test_partitions_are_answered_as_they_say(case: Case, check):
    check(case, "/v2/partitions/p")
