"""Members of DICOM JSON objects, put together as bytes: what a search answers is ready in pieces.

A piece is a run of members without the braces, ``"00100020":{...},"0020000D":{...}``, in ascending
order of their tags. An object has each tag once and keeps to that order (PS3.18 F.2.2).
"""

import re
from functools import lru_cache

import orjson

Members = dict[bytes, bytes]
"""Members by tag in eight hexadecimal digits."""

# What looks like the start of a member cannot be inside a string, where each quote is escaped, and
# is inside a value only if that is a sequence.
_NEXT_MEMBER = re.compile(rb',(?="[0-9A-F]{8}":\{)')
_SEQUENCE = b'"SQ"'
_FROM_GROUP_0020 = b'},"002'


def members(piece: bytes) -> Members:
    """The members of a piece."""
    if _SEQUENCE in piece:
        elements = orjson.loads(b"{%b}" % piece)
        return {
            tag.encode(): b'"%b":%b' % (tag.encode(), orjson.dumps(element))
            for tag, element in elements.items()
        }
    return {member[1:9]: member for member in _NEXT_MEMBER.split(piece)} if piece else {}


shared_members = lru_cache(maxsize=1024)(members)
"""The same for a piece that many instances have in common; not to be changed."""


def with_uids(piece: bytes, uids: bytes) -> bytes:
    """An instance's own members, and the UIDs of its study and series, first of their group.

    :param piece: has members of group 0008, as SOP Instance UID is one, and maybe of later ones.
    """
    if _SEQUENCE in piece:
        found = members(piece) | members(uids)
        return b",".join([found[name] for name in sorted(found)])
    at = piece.find(_FROM_GROUP_0020)
    return (
        b"%b,%b%b" % (piece[: at + 1], uids, piece[at + 1 :])
        if at >= 0
        else b"%b,%b" % (piece, uids)
    )


def member(tag: int, vr: str, *values: str | int) -> bytes:
    """A member with these values."""
    return b'"%08X":{"vr":"%b","Value":%b}' % (tag, vr.encode(), orjson.dumps(values))


def tag_name(tag: int) -> bytes:
    """A tag as members have it."""
    return b"%08X" % tag
