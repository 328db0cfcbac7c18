"""Compression of JSON answers for clients that take it (RFC 9110 8.4 and 12.5.3)."""

import gzip
from functools import lru_cache

from dicomweb.errors import NotAcceptable

LEAST_BYTES = 4096
"""A shorter answer is not compressed unless it has to be: it fits a few packets anyway."""
LEVEL = 1
"""Of gzip, for what is compressed each time: 100 instances, 94 KB, become 9 KB in 0.2 ms."""

_GZIP = ("gzip", "x-gzip")
_IDENTITY = "identity"
_KEPT_ANSWERS = 256  # clients send the same few headers again and again


def takes_gzip(accept_encoding: str | None) -> bool:
    """Whether a client takes gzip, and likes it as much as no compression.

    :param accept_encoding: all its headers of that name joined by commas.
    :raise NotAcceptable: it takes neither.
    """
    return bool(accept_encoding) and _wishes(accept_encoding or "")[0]


def encoded(content: bytes, accept_encoding: str | None) -> tuple[bytes, dict[str, str]]:
    """An answer as it is sent, compressed where that is worth it, and what is to be said of that.

    :param accept_encoding: as for :func:`takes_gzip`.
    :raise NotAcceptable: the client takes it neither compressed nor as it is.
    """
    headers = {"Vary": "Accept-Encoding"}
    may, must = _wishes(accept_encoding) if accept_encoding else (False, False)
    if not (must or (may and len(content) >= LEAST_BYTES)):
        return content, headers
    return gzip.compress(content, LEVEL, mtime=0), headers | {"Content-Encoding": "gzip"}


@lru_cache(maxsize=_KEPT_ANSWERS)
def _wishes(accept_encoding: str) -> tuple[bool, bool]:
    """Whether gzip may be used, and whether it must."""
    qualities: dict[str, float] = {}
    for member in accept_encoding.lower().split(","):
        coding, *parameters = (piece.strip() for piece in member.split(";"))
        qualities[coding] = _quality(parameters)
    others = qualities.get("*")
    compressed = next((qualities[name] for name in _GZIP if name in qualities), others or 0.0)
    plain = qualities.get(_IDENTITY, others)
    if not compressed and plain == 0:
        raise NotAcceptable("Accept-Encoding takes nothing that is on offer: gzip or identity.")
    return compressed > 0 and compressed >= qualities.get(_IDENTITY, 0.0), plain == 0


def _quality(parameters: list[str]) -> float:
    """Weight of a list member, 0 to 1; what is no such number counts as 1."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                quality = float(value)
            except ValueError:
                return 1.0
            return quality if 0 <= quality <= 1 else 1.0
    return 1.0
