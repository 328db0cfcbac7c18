"""What lets a client keep an answer and ask whether it still holds (RFC 9110 8.8.3 and 13)."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from dicomweb.errors import NotModified
from dicomweb.media import AS_STORED, DICOM, OCTET_STREAM, Representation
from dicomweb.ranges import Selected, select
from index.instances import Reference, StoredInstance, Version

KEPT = "private, no-cache"
"""Cache-Control of an answer with an entity tag: the client may keep it, nobody between it and the
service may, and whether it still holds is asked each time, as it may have been deleted."""
NOT_KEPT = "no-store"
"""Cache-Control of all other answers: they are about patients too."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a request says about the answer that the client has already, all or part of it."""

    is_known: Callable[[str], bool] | None = None
    """Tells whether If-None-Match names that opaque tag; None without such a header."""
    byte_range: str | None = None
    """The Range header."""
    if_range: str | None = None
    """The If-Range header."""

    def require_news(self, etag: str) -> None:
        """Let pass what the client does not have.

        :raise NotModified: it has it.
        """
        if self.is_known and self.is_known(_opaque(etag)):
            raise NotModified(etag)

    def select(self, etag: str, length: int) -> Selected:
        """The bytes of the representation that are asked for.

        A range is of use to the client only if the rest that it has is of the same representation
        (RFC 9110 13.1.5), which a weak tag cannot tell.

        :raise RangeNotSatisfiable: there are none.
        """
        same = set() if etag.startswith("W/") else {etag, _opaque(etag)}
        if self.if_range is not None and self.if_range.strip() not in same:
            return Selected(0, length, length)
        return select(self.byte_range, length)


def version_tag(reference: Reference, version: Version) -> str:
    """Opaque tag of what is stored under a reference: ``12`` of an instance, else ``12-3``.

    Where instances of the study were replaced, their number does not tell: ``12-3-1``.
    """
    if reference.level == 3:
        return str(version.watermark)
    revision = f"-{version.revision}" if version.revision else ""
    return f"{version.watermark}-{version.instances}{revision}"


def entity_tag(
    reference: Reference, found: Collection[StoredInstance], representation: Representation
) -> str:
    """ETag of a representation of stored instances.

    Of one part, as stored, of the resource's own media type: the version in quotes. All other
    representations name themselves in their tags. Several parts have weak ones, as their boundary
    differs each time, and so has what was made by an encoder.
    """
    version = Version.of_instances(found)
    form, syntax = representation.form, representation.transfer_syntax
    tag = version_tag(reference, version)
    as_stored = syntax == AS_STORED or {one.transfer_syntax_uid for one in found} == {syntax}
    if as_stored and not form.multipart:
        own = form.media_type in {DICOM, OCTET_STREAM}
        return f'"{tag}"' if own else f'"{tag};{form.media_type}"'
    parts = ";parts" if form.multipart else ""
    return f'W/"{tag};{form.media_type};{AS_STORED if as_stored else syntax}{parts}"'


def _opaque(etag: str) -> str:
    return etag.removeprefix("W/").strip('"')
