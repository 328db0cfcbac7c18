"""Complete HTTP requests, the plan file that load.c reads them from, and what their answers say."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom import dcmread

from bench.corpus import DIGITS, PREAMBLE_BYTES, Template, uid

Check = Callable[[bytes], None]
BOUNDARY = b"bench-7f3a9c"
DICOM_JSON = "application/dicom+json"
ONE_FILE = "application/dicom; transfer-syntax=*"
FILES = 'multipart/related; type="application/dicom"; transfer-syntax=*'
FRAMES = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
_BULK_VRS = {"OB", "OD", "OF", "OL", "OV", "OW", "UN"}


class WrongAnswerError(Exception):
    """An answer does not say what was stored."""


@dataclass
class Request:
    """A request, with the places of its UIDs and the check of its answer's body."""

    path: str
    head: bytes
    check: Check
    body: bytes = b""
    patches: tuple[tuple[int, int, int], ...] = ()
    """Offset within the body, index of the instance, divisor (plan.h)."""
    serials: int = 1
    answer_bytes: int = -1


def get(path: str, accept: str, check: Check) -> Request:
    """Make a GET."""
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: {accept}\r\n\r\n"
    return Request(path, head.encode(), check)


def store(path: str, template: Template, instances: int = 1) -> Request:
    """Make a Store of that many instances with consecutive serial numbers (PS3.18 10.5)."""
    body = bytearray()
    patches = []
    for index in range(instances):
        body += b"--%b\r\nContent-Type: application/dicom\r\n\r\n" % BOUNDARY
        patches += [(len(body) + p.offset, index, p.divisor) for p in template.patches]
        body += template.part10 + b"\r\n"
    body += b"--%b--\r\n" % BOUNDARY
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: {DICOM_JSON}\r\n"
        f'Content-Type: multipart/related; type="application/dicom"; boundary={BOUNDARY.decode()}'
        f"\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    check = stored(instances)
    return Request(path, head.encode(), check, bytes(body), tuple(patches), instances)


def with_serial(request: Request, first: int) -> bytes:
    """Return the request's body as the load generator sends it with that serial number."""
    body = bytearray(request.body)
    for offset, index, divisor in request.patches:
        body[offset : offset + DIGITS] = b"%018d" % ((first + index) // divisor)
    return bytes(body)


def write_plan(file: Path, requests: Iterable[Request]) -> None:
    """Write the requests in the form that plan.h describes."""
    with file.open("wb") as plan:
        for request in requests:
            length = len(request.head) + len(request.body)
            plan.write(
                b"request %d %d %d %d\n"
                % (length, request.answer_bytes, request.serials, len(request.patches))
            )
            for offset, index, divisor in request.patches:
                plan.write(b"%d %d %d\n" % (len(request.head) + offset, index, divisor))
            plan.write(request.head + request.body)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        raise WrongAnswerError("not JSON") from error


def _values(item: dict[str, Any], tag: str) -> list[Any]:
    values: list[Any] = item.get(tag, {}).get("Value", [])
    return values


def stored(instances: int) -> Check:
    """Check that a Store's answer refers to that many instances and to no failure."""

    def check(body: bytes) -> None:
        answer = _json(body)
        references = _values(answer, "00081199")
        if "00081198" in answer or len(references) != instances:
            raise WrongAnswerError(f"{len(references)} of {instances} instances stored")

    return check


def results(tag: str, uids: Iterable[str]) -> Check:
    """Check that a search answers exactly with those UIDs, in any order."""
    expected = sorted(uids)

    def check(body: bytes) -> None:
        found = sorted(value for item in _json(body) for value in _values(item, tag))
        if found != expected:
            raise WrongAnswerError(f"{len(found)} results, {len(expected)} expected")

    return check


def same_file(template: Template, serial: int) -> Check:
    """Check that the body is the stored file, its preamble zero."""

    def check(body: bytes) -> None:
        expected = template.instance(serial)
        if body[PREAMBLE_BYTES:] != expected[PREAMBLE_BYTES:]:
            raise WrongAnswerError(f"{uid('instance', serial)} came back with other bytes")
        if any(body[:PREAMBLE_BYTES]):
            raise WrongAnswerError("the preamble is not zero")

    return check


def parts(body: bytes) -> Iterator[bytes]:
    """Yield the contents of the parts of a multipart body (RFC 2046 5.1)."""
    delimiter = re.match(rb"(?:\r\n)?(--[^\r\n]{1,70})\r\n", body)
    if delimiter is None or not body.rstrip(b"\r\n").endswith(delimiter[1] + b"--"):
        raise WrongAnswerError("not multipart, or cut short")
    for part in (b"\r\n" + body).split(b"\r\n" + delimiter[1])[1:-1]:
        header, blank, content = part.partition(b"\r\n\r\n")
        if not blank or b"content-type:" not in header.lower():
            raise WrongAnswerError("a part without Content-Type")
        yield content


def same_files(template: Template, serials: Iterable[int]) -> Check:
    """Check that the parts are those instances, in any order."""
    numbers = list(serials)

    def check(body: bytes) -> None:
        expected = {template.instance(n)[PREAMBLE_BYTES:] for n in numbers}
        found = {part[PREAMBLE_BYTES:] for part in parts(body)}
        if found != expected:
            raise WrongAnswerError(f"{len(found & expected)} of {len(expected)} files identical")

    return check


def same_frame(frame: bytes) -> Check:
    """Check that the only part is that frame, which may be padded to even length."""

    def check(body: bytes) -> None:
        found = list(parts(body))
        if found not in ([frame], [frame + b"\0"]):
            raise WrongAnswerError(f"{len(found)} parts, not the stored frame")

    return check


def same_metadata(template: Template, serials: Iterable[int]) -> Check:
    """Check that the answer is the metadata of those instances, in any order (behind bulk VRs)."""
    numbers = list(serials)

    def check(body: bytes) -> None:
        found = {_values(item, "00080018")[0]: item for item in _json(body)}
        if sorted(found) != sorted(uid("instance", n) for n in numbers):
            raise WrongAnswerError(f"{len(found)} instances, {len(numbers)} expected")
        for number in (numbers[0], numbers[-1]):
            part10 = BytesIO(template.instance(number))
            expected = dcmread(part10, stop_before_pixels=True).to_json_dict()
            if _without_bulk(found[uid("instance", number)]) != _without_bulk(expected):
                raise WrongAnswerError(f"metadata of {uid('instance', number)} differ")

    return check


def _without_bulk(item: dict[str, Any]) -> dict[str, Any]:
    return {
        tag: {
            "vr": element["vr"],
            "Value": [
                _without_bulk(value) if element["vr"] == "SQ" else value
                for value in element.get("Value", [])
            ],
        }
        for tag, element in item.items()
        if element["vr"] not in _BULK_VRS
    }
