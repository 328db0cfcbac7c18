"""Connections stay usable, or are closed, whatever a client sends over them."""

import re
import socket
from contextlib import ExitStack

import pytest
import requests

from tests.blackbox.server import Server, running
from tests.datasets import dataset, encoded, part10, with_pixels

NEXT = b"GET /health/check HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
DICOM = b"Content-Type: application/dicom\r\n"
LARGE = bytes(300_000)
ONE_THREAD = {"workers": "1", "threads": "1", "keepalive_s": "1"}


def post(path: str, headers: bytes, body: bytes) -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: h\r\n%b\r\n%b" % (path.encode(), headers, body)


def with_length(path: str, headers: bytes, body: bytes) -> bytes:
    return post(path, b"%bContent-Length: %d\r\n" % (headers, len(body)), body)


def chunked(path: str, headers: bytes, body: bytes) -> bytes:
    chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    return post(path, headers + b"Transfer-Encoding: chunked\r\n", chunk)


def statuses(server: Server, request: bytes) -> list[int]:
    """Status of each answer to these bytes."""
    found = re.findall(rb"HTTP/1\.[01] ([2-5]\d\d) ", server.raw(request))
    return [int(status) for status in found]


def connect(server: Server, connections: ExitStack, request: bytes) -> None:
    """Send these bytes over a connection that then stays open."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=60)
    connections.enter_context(connection).sendall(request)


@pytest.mark.parametrize("framed", [with_length, chunked])
@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/v2/studies", b"Content-Type: text/plain\r\n", 415),
        ("/v2/studies", DICOM + b"Expect: 100-continue\r\nAccept: text/html\r\n", 406),
        ("/v2/studies/x", DICOM, 400),
        ("/v2/studies", b"Content-Type: multipart/related; boundary=b\r\n", 400),
        ("/v2/nothing", DICOM, 404),
        ("/v2/changefeed", DICOM, 405),
        ("/v2/studies", DICOM, 409),
    ],
)
def test_the_request_after_one_with_a_refused_body_is_answered(
    server, framed, path, headers, status
):
    assert statuses(server, framed(path, headers, LARGE) + NEXT) == [status, 200]


@pytest.mark.parametrize(
    "body", [b"zz\r\n", b"5\r\nab", b"3\r\nabcdef", b"3\r\nabc\r\n0\r\nno header\r\n\r\n"]
)
@pytest.mark.parametrize("content_type", [DICOM, b"Content-Type: text/plain\r\n"])
def test_after_a_malformed_chunked_body_the_connection_is_closed(server, content_type, body):
    request = post("/v2/studies", content_type + b"Transfer-Encoding: chunked\r\n", body)
    assert statuses(server, request + NEXT) == [400 if content_type == DICOM else 415]


def test_a_client_of_http_1_0_is_answered_and_the_connection_closed(server):
    body = part10()
    request = with_length("/v2/studies", DICOM, body).replace(b"HTTP/1.1", b"HTTP/1.0")
    assert statuses(server, request + NEXT) == [200]


@pytest.mark.parametrize(
    "sent", [b"POST /v2/studies HT", with_length("/v2/studies", DICOM, b"12345")[:-3]]
)
def test_clients_that_stall_in_mid_request_do_not_keep_others_out_for_long(tmp_path, sent):
    with running(tmp_path / "data", **ONE_THREAD) as server, ExitStack() as connections:
        for _ in range(4):
            connect(server, connections, sent)
        assert requests.get(f"{server.url}/health/check", timeout=60).status_code == 200


@pytest.mark.parametrize("accept", ["application/dicom", 'multipart/related; type="*/*"'])
def test_clients_that_do_not_take_their_answer_do_not_keep_others_out_for_long(tmp_path, accept):
    ds = with_pixels(dataset(), 4096, 4096)
    path = f"/v2/studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}"
    path += f"/instances/{ds.SOPInstanceUID}"
    request = f"GET {path} HTTP/1.1\r\nHost: h\r\nAccept: {accept}\r\n\r\n".encode()
    with running(tmp_path / "data", **ONE_THREAD) as server, ExitStack() as connections:
        store = with_length("/v2/studies", DICOM + b"Connection: close\r\n", encoded(ds))
        assert statuses(server, store) == [200]
        for _ in range(4):
            connect(server, connections, request)
        assert requests.get(f"{server.url}/health/check", timeout=60).status_code == 200
