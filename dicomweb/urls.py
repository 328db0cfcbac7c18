"""URLs: what a request's path means, and the absolute URLs that answers carry."""

import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from werkzeug.routing import BaseConverter

from dicomweb.archive import Archive
from dicomweb.errors import BadRequest, InvalidIdentifier
from dicomweb.versions import ApiVersion
from index.instances import Reference
from index.partitions import DEFAULT_PARTITION_ID

UID = re.compile(r"[0-9.]{0,63}[0-9]", re.ASCII)
"""A UID as paths take it: at most 64 digits and dots, a digit last."""

PARTITION_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

_PORT = re.compile(r":[0-9]*$", re.ASCII)

_LITERALS = frozenset(
    [
        "studies",
        "series",
        "instances",
        "metadata",
        "frames",
        "rendered",
        "thumbnail",
        "bulkdata",
        "changefeed",
        "latest",
        "partitions",
        "extendedquerytags",
        "errors",
        "operations",
        "export",
        "workitems",
        "state",
        "cancelrequest",
        "subscribers",
        "api.json",
        "api.yaml",
        "health",
        "check",
        "$bulkupdate",
    ]
)
_SPELLING = {"$bulkupdate": "$bulkUpdate"}
_NAMES_FOLLOW = {"partitions", "extendedquerytags"}


class UidConverter(BaseConverter):
    """A path segment where a UID is due: any, so that a malformed one can be told what is wrong.

    But none that starts with ``$``, as the names of operations do: ``studies/$bulkUpdate`` is no
    study.
    """

    regex = r"[^/$][^/]*"
    part_isolating = True


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a request takes place: the API version and partition of its path."""

    archive: Archive
    api: ApiVersion
    partition_id: int
    partition_name: str
    base: str
    """Absolute URL of the version, and of the partition where the path has one."""

    def reference(
        self, study: str, series: str | None = None, instance: str | None = None
    ) -> Reference:
        """The reference made by the UIDs of a path.

        :raise InvalidIdentifier: one is malformed; names it.
        """
        return Reference(
            self.partition_id,
            identifier("StudyInstanceUID", study),
            None if series is None else identifier("SeriesInstanceUID", series),
            None if instance is None else identifier("SOPInstanceUID", instance),
        )

    def url(self, study: str, series: str | None = None, instance: str | None = None) -> str:
        """Absolute URL of a study, series or instance."""
        url = f"{self.base}/studies/{study}"
        if series is not None:
            url += f"/series/{series}"
        if instance is not None:
            url += f"/instances/{instance}"
        return url

    def warning(self, text: str) -> str:
        """Value of a ``Warning`` header: it names the host as the client sees it, without port."""
        return f'299 {_PORT.sub("", urlsplit(self.base).netloc)}: "{text}"'


def identifier(keyword: str, value: str) -> str:
    """A UID of a path without trailing blanks.

    :raise InvalidIdentifier: it is malformed.
    """
    uid = value.rstrip(" ")
    if UID.fullmatch(uid):
        return uid
    raise InvalidIdentifier(
        f"Dicom element '{keyword}' failed validation for VR 'UI': '{value[:80]}' is not a UID. "
        "A UID has at most 64 characters, only digits and dots, and ends with a digit."
    )


def base_url(origin: str, segment: str, partition: str | None) -> str:
    """Absolute URL under which a version's resources lie, as the client sees it."""
    base = f"{origin}/{segment}"
    return base if partition is None else f"{base}/partitions/{quote(partition)}"


def with_literals_in_lower_case(path: str) -> str:
    """A path whose fixed words are spelt as the routes are; names and UIDs stay as they are."""
    if path.islower():
        return path
    segments = path.split("/")
    name_follows = False
    for number, segment in enumerate(segments):
        if name_follows:
            name_follows = False
            continue
        lower = segment.lower()
        if lower in _LITERALS:
            segments[number] = _SPELLING.get(lower, lower)
            name_follows = lower in _NAMES_FOLLOW
        elif number == 1:
            segments[number] = lower  # the version
    return "/".join(segments)


def require_partitions(archive: Archive) -> None:
    """Let pass what needs data partitions.

    :raise BadRequest: they are off.
    """
    if not archive.settings.partitions:
        raise BadRequest("Data partitions feature is disabled.")


def partition_id(archive: Archive, name: str | None, *, may_create: bool) -> int:
    """Number of the partition that a path names, or of the default one.

    :param name: the path's partition segment, None where the path has none.
    :raise BadRequest: the feature is off, or the name is missing, malformed or unknown.
    """
    if name is not None:
        require_partitions(archive)
    elif not archive.settings.partitions:
        return DEFAULT_PARTITION_ID
    else:
        raise BadRequest("PartitionName value is missing in the route segment.")
    if not PARTITION_NAME.fullmatch(name):
        raise BadRequest(
            "The specified PartitionName is invalid. A name has 1 to 64 letters, digits, "
            "dots, hyphens and underscores."
        )
    found = archive.partitions.ensure(name) if may_create else archive.partitions.find(name)
    if found is None:
        raise BadRequest("Specified PartitionName does not exist.")
    return found
