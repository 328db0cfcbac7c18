"""What a browser sends beside what a page tells it to, and how viewers take messages apart."""

from typing import NamedTuple

import requests

from tests.blackbox.clients.samples import TIMEOUT_S
from tests.blackbox.server import Server

PAGE = "https://viewer.example.org"
CHROME = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Safari/537.36",
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-US,en;q=0.9",
    "Origin": PAGE,
    "Referer": f"{PAGE}/",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "cross-site",
}
"""Headers of each request of a page's script (Chrome 140)."""

IMAGE = {
    "Accept": "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
    "Sec-Fetch-Dest": "image",
    "Sec-Fetch-Mode": "no-cors",
}
"""What changes for ``<img src=...>``."""
VIDEO = {
    "Accept-Encoding": "identity;q=1, *;q=0",
    "Range": "bytes=0-",
    "Sec-Fetch-Dest": "video",
    "Sec-Fetch-Mode": "no-cors",
}
"""What changes for ``<video src=...>``."""
DOCUMENT = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"
    "image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
    "Sec-Fetch-Dest": "object",
    "Sec-Fetch-Mode": "navigate",
}
"""What changes for ``<object data=...>``."""


class Part(NamedTuple):
    """A part of a message."""

    content_type: str
    transfer_syntax: str | None
    data: bytes


class Browser:
    """A page of another origin that speaks to an API version."""

    def __init__(self, server: Server, version: str) -> None:
        self.url = f"{server.url}/{version}"
        self._session = requests.Session()

    def get(self, path: str, accept: str | None = None, **kind: str) -> requests.Response:
        """A good answer that the page may read.

        :param path: below the version, or a whole URL.
        :param kind: headers that differ from those of a script's request.
        """
        url = path if path.startswith("http") else f"{self.url}/{path}"
        headers = CHROME | kind | ({} if accept is None else {"Accept": accept})
        answer = self._session.get(url, headers=headers, timeout=TIMEOUT_S)
        assert answer.status_code in {200, 204, 206, 304}, (url, answer.text)
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        return answer

    def post(self, path: str, body: bytes, content_type: str) -> requests.Response:
        """The answer to a page's POST, which it may read."""
        headers = CHROME | {"Content-Type": content_type}
        url = f"{self.url}/{path}"
        answer = self._session.post(url, data=body, headers=headers, timeout=TIMEOUT_S)
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        return answer

    def may(self, path: str, method: str, *headers: str) -> bool:
        """Whether a page is granted that request, which has these headers of its own."""
        asked = {
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": ",".join(headers),
        }
        url = f"{self.url}/{path}"
        answer = self._session.options(url, headers=CHROME | asked, timeout=TIMEOUT_S)
        if answer.status_code not in {200, 204}:
            return False
        granted = answer.headers
        names = granted.get("Access-Control-Allow-Headers", "").lower().replace(" ", "").split(",")
        methods = granted.get("Access-Control-Allow-Methods", "").replace(" ", "").split(",")
        return (
            granted.get("Access-Control-Allow-Origin") == PAGE
            and method in methods
            and set(headers) <= set(names)
        )


def parts(answer: requests.Response) -> list[Part]:
    """The parts of a message, as dcmjs and Cornerstone find them.

    They do not look at the boundary that Content-Type names, but for a first line that begins with
    two hyphens within 1,000 bytes, and take what follows a blank line up to the next such line for
    a part. Names of headers are written as in the standard, values without quotes.
    """
    assert answer.headers["Content-Type"].startswith("multipart/related")
    body = answer.content
    head = body[: body.index(b"\r\n\r\n", 0, 1000)].decode("ascii").split("\r\n")
    boundary = next(line for line in head if line.startswith("--")).encode("ascii")
    first, *found, end = body.split(boundary)
    assert (first.strip(b"\r\n"), end.strip(b"\r\n")) == (b"", b"--")
    return [_part(part) for part in found]


def _part(raw: bytes) -> Part:
    head, blank, rest = raw.partition(b"\r\n\r\n")
    assert blank
    assert len(head) < 500
    headers = dict(line.split(": ", 1) for line in head.decode("ascii").strip().split("\r\n"))
    content_type, *parameters = headers["Content-Type"].split(";")
    named = dict(parameter.strip().split("=", 1) for parameter in parameters)
    return Part(content_type, named.get("transfer-syntax"), rest.removesuffix(b"\r\n"))
