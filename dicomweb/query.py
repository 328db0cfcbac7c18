"""The query of a URL, and the attributes that it names (PS3.18 8.3)."""

import re
from urllib.parse import parse_qsl

from pydicom.datadict import keyword_for_tag, tag_for_keyword

from dicomweb.elements import is_private
from dicomweb.errors import BadRequest

INCLUDE = "includefield"
ALL = "all"
SHOWN = 80
"""Characters of what a client sent that are repeated in a message."""

_HEX = re.compile(r"[0-9A-Fa-f]{8}", re.ASCII)

Pairs = list[tuple[str, str]]


def query_pairs(query_string: bytes) -> Pairs:
    """Names and values of a query string in their order, decoded."""
    return parse_qsl(query_string.decode("utf-8", "replace"), keep_blank_values=True)


def first_value(pairs: Pairs, name: str) -> str | None:
    """The value of a parameter that is no attribute; of several, the first counts."""
    return next((value for given, value in pairs if given.lower() == name), None)


def included(pairs: Pairs) -> tuple[frozenset[int], bool]:
    """Tags that ``includefield`` asks for, and whether all are: then no other counts.

    :raise BadRequest: one of the attributes is not known.
    """
    tags: set[int] = set()
    include_all = False
    for name, value in pairs:
        if name.lower() != INCLUDE:
            continue
        for field in map(str.strip, value.split(",")):
            if field.lower() == ALL:
                include_all = True
                continue
            tag = known_tag(field)
            if tag is None:
                raise BadRequest(
                    f"Invalid query: includefield has the unknown attribute '{field[:SHOWN]}'. "
                    f"It takes keywords, tags in eight hexadecimal digits, or '{ALL}'."
                )
            tags.add(tag)
            if is_private(tag) and tag & 0xF000:
                tags.add(tag & 0xFFFF0000 | tag >> 8 & 0xFF)  # its Private Creator (PS3.5 7.8.1)
    return frozenset() if include_all else frozenset(tags), include_all


def known_tag(name: str) -> int | None:
    """The tag of an attribute given by keyword or as eight hexadecimal digits."""
    if not _HEX.fullmatch(name):
        return tag_for_keyword(name) if name else None  # some retired tags have no keyword
    tag = int(name, 16)
    return tag if is_private(tag) or keyword_for_tag(tag) else None
