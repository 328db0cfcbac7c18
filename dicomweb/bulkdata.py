"""Bulk values: what metadata tell of them, and where in a stored file they are.

Bulk values are those of the VRs OB, OD, OF, OL, OV, OW and UN, at any depth. A short one can be in
the metadata itself; a longer one, and Pixel Data of any length, has a URL of its own there (PS3.18
F.2.6 and F.2.7). The URL ends in the path of the element.
"""

import re
from base64 import b64encode
from typing import NamedTuple

import orjson

from dicomweb.dicomjson import BulkMember, members
from dicomweb.elements import INLINE_BYTES
from dicomweb.errors import BadRequest
from dicomweb.header import Cut, Header

PIXEL_DATA = "7FE00010"
"""Path of Pixel Data."""

PATH = re.compile(r"[0-9A-F]{8}(?:/[1-9][0-9]*/[0-9A-F]{8})*", re.ASCII)
_SHOWN = 80  # characters of a malformed path that are repeated in a message


class BulkValue(NamedTuple):
    """The value of one element."""

    vr: str
    value: bytes | Cut
    """In Little Endian; or where in the file it is, encoded as that is."""


def parse_path(text: str) -> str:
    """The path of an element as metadata have it.

    :raise BadRequest: it is malformed.
    """
    path = text.upper()
    if PATH.fullmatch(path):
        return path
    raise BadRequest(
        f"The path '{text[:_SHOWN]}' of a bulk value is not valid. It is a tag in eight "
        "hexadecimal digits, such as 7FE00010; before it the tags of the sequences that it is in, "
        "each followed by the number of the item from 1 up, such as 00420010/1/00420011."
    )


def shown_under(url: str) -> BulkMember:
    """Shows short values in base64, longer ones by their URL.

    :param url: of the instance.
    """
    prefix = orjson.dumps(f"{url}/bulkdata/")[1:-1]

    def member(path: str, _vr: str, value: bytes | Cut) -> bytes:
        length = value.length if isinstance(value, Cut) else len(value)
        if not length:
            return b""
        if isinstance(value, Cut) or length > INLINE_BYTES:
            return b',"BulkDataURI":"%b%b"' % (prefix, path.encode())
        return b',"InlineBinary":"%b"' % b64encode(value)

    return member


def find(header: Header, path: str) -> BulkValue | None:
    """The bulk value of the element at a path; None if there is none that is shown."""
    found: list[BulkValue] = []

    def member(at: str, vr: str, value: bytes | Cut) -> bytes:
        if at == path:
            found.append(BulkValue(vr, value))
        return b""

    members(header, [int(path[:8], 16)], member)
    return found[-1] if found else None
