"""The keys of blobs: made, checked and taken apart here and nowhere else.

A key is a path of names joined by ``/``, and the same in every store. Other programs may read a
store as a data lake, so a key says which instance it holds::

    {partition}/{study}/{series}/{sop}_{watermark}.dcm
"""

import re
from typing import NamedTuple
from urllib.parse import quote, unquote

_KEY = re.compile(r"[^/.\0][^/\0]*(?:/[^/.\0][^/\0]*)*")
_PLAIN = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*", re.ASCII)  # what needs no escapes
_INSTANCE_KEY = re.compile(r"([^/]+)/([^/]+)/([^/]+)/([^/]+)_([0-9]{1,19})\.dcm")


class InstanceKey(NamedTuple):
    """What the key of an instance says."""

    partition: str
    study: str
    series: str
    sop: str
    watermark: int


def instance_key(partition: str, study: str, series: str, sop: str, watermark: int) -> str:
    """Key of one stored version of an instance.

    :param partition: name of the partition.
    :param study: Study Instance UID; ``series`` and ``sop`` likewise.
    :param watermark: number of the stored version, never used again.
    :raise ValueError: a name is empty or not Unicode.
    """
    return f"{_escape(partition)}/{_escape(study)}/{_escape(series)}/{_escape(sop)}_{watermark}.dcm"


def parse_instance_key(key: str) -> InstanceKey | None:
    """The inverse of :func:`instance_key`; None for a key that it does not make."""
    match = _INSTANCE_KEY.fullmatch(key)
    if match is None:
        return None
    partition, study, series, sop = map(unquote, match.groups()[:4])
    parsed = InstanceKey(partition, study, series, sop, int(match[5]))
    return parsed if instance_key(*parsed) == key else None


def is_key(key: str) -> bool:
    """Whether no file system or server could take the key for something else.

    A name in it that is empty or starts with a dot might leave the store or meet the store's own
    files; a NUL ends a name early.
    """
    return _KEY.fullmatch(key) is not None


def require_key(key: str) -> str:
    """Return the key.

    :raise ValueError: it is none (:func:`is_key`).
    """
    if not is_key(key):
        raise ValueError(f"not a key: {key!r}")
    return key


def _escape(name: str) -> str:
    """Spell a name so that it is one plain name in every store, and can be read back.

    UIDs and most partition names stay as they are. ``%`` escapes everything but letters, digits and
    ``_-~.``, and also a leading dot: a partition may be called ``..``, and names starting with a
    dot belong to the stores.
    """
    if _PLAIN.fullmatch(name):
        return name
    if not name:
        raise ValueError("an empty name cannot be part of a key")
    escaped = quote(name, safe="")
    return "%2E" + escaped[1:] if escaped[0] == "." else escaped
