"""The OpenAPI document: valid, and of the routes that there are."""

import re

import pytest
import yaml
from flask import Flask
from openapi_spec_validator import validate
from pydicom.datadict import tag_for_keyword

from app import create_app
from dicomweb import media
from dicomweb.qido.parameters import FILTERS, LIMIT_MAXIMUM
from dicomweb.settings import Settings
from dicomweb.versions import VERSION_OF

SOP_INSTANCE = "/studies/{study}/series/{series}/instances/{instance}"


def routes_of(app: Flask, version: str) -> set[tuple[str, str]]:
    """Methods and paths of a version, but for the methods that every resource has."""
    found = set()
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(f"/{version}/"):
            path = re.sub(r"<(?:[a-z]+:)?([a-z]+)>", r"{\1}", rule.rule.removeprefix(f"/{version}"))
            found |= {(method, path) for method in rule.methods - {"HEAD", "OPTIONS"}}
    return found


def described_in(document) -> set[tuple[str, str]]:
    return {(method.upper(), path) for path, item in document["paths"].items() for method in item}


def test_every_route_is_described(routes, version, document):
    for method, path in sorted(routes_of(routes, version) - described_in(document)):
        pytest.fail(
            f"{method} {path} has no description. Add a row '{method} {path}' (without the "
            "partition) to operations() in the capabilities.py beside its routes.py; a new "
            "transaction is added to DESCRIBED in app.py."
        )


def test_nothing_is_described_that_is_no_route(routes, version):
    with_routes = {
        f"{method} {path.removeprefix('/partitions/{partition}') or path}"
        for method, path in routes_of(routes, version)
    }
    for name, describe in routes.extensions["gantry.capabilities"]:
        rows = set(describe(VERSION_OF[version], Settings()))
        assert rows <= with_routes, name


def test_the_document_is_valid_openapi(document):
    validate(document)
    assert document["openapi"] == "3.1.0"


def test_every_operation_has_a_name_of_its_own(document):
    names = [one["operationId"] for item in document["paths"].values() for one in item.values()]
    assert len(names) == len(set(names)) > 40


@pytest.mark.parametrize("segment", VERSION_OF)
def test_paths_are_below_the_url_of_the_version_as_it_was_asked_for(routes, segment):
    answer = routes.test_client().get(f"/{segment}/api.json")
    assert answer.status_code == 200
    assert answer.get_json()["servers"] == [{"url": f"/{segment}"}]
    assert answer.get_json()["info"]["version"] in {"1.0", "2.0"}


def test_the_url_starts_with_the_public_url_where_one_is_set(tmp_path):
    settings = Settings(data=tmp_path, public_url="https://pacs.example.org/dicom")
    answer = create_app(settings).test_client().get("/v2/api.json")
    assert answer.get_json()["servers"] == [{"url": "https://pacs.example.org/dicom/v2"}]


def test_the_yaml_says_what_the_json_says(routes, version, document):
    answer = routes.test_client().get(f"/{version}/api.yaml")

    assert (answer.status_code, answer.content_type) == (200, "application/yaml")
    assert yaml.safe_load(answer.data) == document
    assert "&id" not in answer.text


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_client_that_has_the_document_is_told_so(routes, version, form):
    client = routes.test_client()
    etag = client.get(f"/{version}/api.{form}").headers["ETag"]
    answer = client.get(f"/{version}/api.{form}", headers={"If-None-Match": etag})
    assert (answer.status_code, answer.data) == (304, b"")
    assert client.get(f"/{version}/API.{form.upper()}").headers["ETag"] == etag


def test_the_document_is_there_while_the_database_is_down(without_database, version):
    answer = without_database.get(f"/{version}/api.yaml")
    assert answer.status_code == 200
    assert answer.headers["api-supported-versions"] == "1.0-prerelease, 1.0, 2.0"


def operation(document, method: str, path: str) -> dict:
    return document["paths"][path][method]


def parameters(document, path: str) -> dict[str, dict]:
    return {one["name"]: one for one in operation(document, "get", path)["parameters"]}


@pytest.mark.parametrize(
    ("path", "offer"),
    [
        ("/studies/{study}", media.INSTANCES),
        (SOP_INSTANCE, media.INSTANCE),
        (SOP_INSTANCE + "/frames/{frames}", media.FRAMES),
    ],
)
def test_retrieval_has_the_media_types_on_offer(document, path, offer):
    answers = operation(document, "get", path)["responses"]
    content = answers["200"]["content"]
    assert list(content) == [str(form) for form in offer.forms]
    assert all("*" in one["schema"]["x-transfer-syntaxes"] for one in content.values())
    assert {"400", "404", "406", "500", "503"} <= set(answers)


def test_a_search_has_the_filters_of_its_level(document, version):
    known = {tag_for_keyword(name) for name in parameters(document, "/instances")}
    assert known - {None} == set(FILTERS)
    of_series = parameters(document, "/studies/{study}/series/{series}/instances")
    assert set(of_series) - {"msdicom-request-meta"} == {
        "study", "series", "SOPInstanceUID", "SOPClassUID", "includefield", "fuzzymatching",
        "limit", "offset", "cursor", "accept",
    }  # fmt: skip
    assert of_series["limit"]["schema"]["maximum"] == LIMIT_MAXIMUM
    assert ("msdicom-request-meta" in of_series) is (version == "v2")


def test_what_differs_between_versions_differs(document, version):
    feed = parameters(document, "/changefeed")
    assert ("startTime" in feed) == (version == "v2")
    assert feed["limit"]["schema"]["maximum"] == {"v1": 100, "v2": 200}[version]
    answered = operation(document, "get", "/studies")["description"]
    assert ("StudyTime 00080030" in answered) == (version == "v1")
    stored = operation(document, "post", "/studies")["responses"]["200"]["description"]
    assert "45063 IMPLICIT_VR" in stored
    assert ("1 ATTRIBUTES_DROPPED" in stored) == (version == "v2")


def test_limits_are_those_of_the_settings(tmp_path):
    settings = Settings(data=tmp_path, max_request_bytes=12345, qido_wildcards=False)
    document = create_app(settings).test_client().get("/v2/api.json").get_json()
    assert "12345 bytes" in operation(document, "post", "/studies")["description"]
    assert "whole value" in parameters(document, "/studies")["PatientID"]["description"]
