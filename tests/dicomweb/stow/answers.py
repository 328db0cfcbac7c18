"""Requests to store and what their answers say."""

import orjson

DICOM = "application/dicom"
RELATED = 'multipart/related; type="application/dicom"; boundary=b'
JSON = "application/dicom+json"


def multipart(*parts: bytes, content_type: str = DICOM, boundary: bytes = b"b") -> bytes:
    head = b"--%b\r\nContent-Type: %b\r\n\r\n" % (boundary, content_type.encode())
    return b"".join(head + part + b"\r\n" for part in parts) + b"--%b--\r\n" % boundary


def items(answer, tag: str) -> list[dict]:
    assert answer.content_type == JSON
    return orjson.loads(answer.data).get(tag, {}).get("Value", [])


def failed(answer) -> list[dict]:
    return items(answer, "00081198")


def stored(answer) -> list[dict]:
    return items(answer, "00081199")


def reasons(answer) -> list[int]:
    return [item["00081197"]["Value"][0] for item in failed(answer)]


def comments(item: dict) -> list[str]:
    return [comment["00000902"]["Value"][0] for comment in item["00741048"].get("Value", [])]
