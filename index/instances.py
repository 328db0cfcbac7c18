"""Stored instances: finding them at the three levels of a study."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Self

from peewee import fn

from index.database import Index
from index.models import Instance, InstanceHeader, Series, Study
from index.statements import Statement, parameter


@dataclass(frozen=True, slots=True)
class Reference:
    """A study, a series or an instance of a partition, by the UIDs of its path."""

    partition_id: int
    study: str
    series: str | None = None
    instance: str | None = None

    @property
    def level(self) -> int:
        """1 for a study, 2 for a series, 3 for an instance: the number of UIDs."""
        return 1 + (self.series is not None) + (self.instance is not None)

    @property
    def values(self) -> tuple[Any, ...]:
        """The partition and the UIDs given, in the order of the path."""
        values = (self.partition_id, self.study, self.series, self.instance)
        return values[: 1 + self.level]


class StoredInstance(NamedTuple):
    """Where an instance is and what it is made of."""

    watermark: int
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    blob_length: int  # bytes
    blob_digest: bytes
    study_revision: int  # as in Version


class Shown(NamedTuple):
    """An instance with something to be shown, among others of its series."""

    sop_instance_uid: str
    attributes: bytes
    """DICOM JSON members: its own part of a v1 answer to a search."""
    is_image: bool
    """Whether it has frames; otherwise it is a document."""


class ShownSeries(NamedTuple):
    """A series with something to be shown, by one of its instances."""

    series_instance_uid: str
    header: bytes
    """Of the instance, encoded."""
    is_image: bool
    """Whether the instance has frames; otherwise it is a document."""


class Version(NamedTuple):
    """What changes whenever an instance of a study or series is added, removed or replaced."""

    watermark: int  # the highest
    instances: int
    revision: int
    """How often instances of the study were replaced or deleted. An upload that began before the
    newest instance was stored has a lower watermark: should it take the place of another, neither
    the highest watermark nor the number of instances tells, and entity tags have no more."""

    @classmethod
    def of(cls, watermarks: Sequence[int], revision: int = 0) -> Self:
        """The version of a study or series whose instances have these watermarks."""
        return cls(max(watermarks), len(watermarks), revision)

    @classmethod
    def of_instances(cls, found: Collection[StoredInstance]) -> Self:
        """The version of a study or series of which these are all instances."""
        (revision,) = {one.study_revision for one in found}
        return cls.of([one.watermark for one in found], revision)


_COLUMNS = (
    Instance.watermark,
    Study.study_instance_uid,
    Series.series_instance_uid,
    Instance.sop_instance_uid,
    Instance.transfer_syntax_uid,
    Instance.blob_length,
    Instance.blob_digest,
    Study.revision,
)


def _under(query: Any, level: int) -> Any:
    """``query`` on instances, limited to those under a reference of that level."""
    query = (
        query.join_from(Instance, Series, on=Instance.series == Series.id)
        .join_from(Series, Study, on=Series.study == Study.id)
        .where(Study.partition == parameter(), Study.study_instance_uid == parameter())
    )
    if level > 1:
        query = query.where(Series.series_instance_uid == parameter())
    if level > 2:
        query = query.where(Instance.sop_instance_uid == parameter())
    return query


def _by_level(build: Callable[[int], Any]) -> dict[int, Statement]:
    return {level: Statement(partial(_ignoring_size, build, level)) for level in (1, 2, 3)}


def _ignoring_size(build: Callable[[int], Any], level: int, _size: int) -> Any:
    return build(level)


_FIND = _by_level(
    lambda level: _under(Instance.select(*_COLUMNS), level).order_by(
        Instance.series, Instance.watermark
    )
)
_VERSION = _by_level(
    lambda level: _under(
        Instance.select(
            fn.MAX(Instance.watermark),
            fn.COUNT(Instance.watermark),
            fn.MAX(Study.revision),
        ),
        level,
    )
)
_HEADERS = _by_level(
    lambda level: _under(
        Instance.select(Instance.watermark, Study.revision, InstanceHeader.header).join(
            InstanceHeader, on=Instance.watermark == InstanceHeader.watermark
        ),
        level,
    ).order_by(Instance.series, Instance.watermark)
)
_FRAMES = Statement(
    lambda _: _under(
        Instance.select(*_COLUMNS, InstanceHeader.frame_table).join(
            InstanceHeader, on=Instance.watermark == InstanceHeader.watermark
        ),
        3,
    )
)
_IS_IMAGE = InstanceHeader.frame_table.is_null(False)
_DOCUMENTS = ("1.2.840.10008.5.1.4.1.1.104.1",)
"""SOP classes without frames whose instances are shown: Encapsulated PDF Storage."""


def _shown(query: Any, level: int) -> Any:
    """``query`` on instances, limited to those under a reference that have something to show."""
    return _under(
        query.join(InstanceHeader, on=Instance.watermark == InstanceHeader.watermark), level
    ).where(_IS_IMAGE | Instance.sop_class_uid.in_(_DOCUMENTS))


def _one_of_each_series(_size: int) -> Any:
    of_each = _shown(Instance.select(fn.MIN(Instance.watermark)), 1).group_by(
        Instance.series, _IS_IMAGE
    )
    return (
        Instance.select(Series.series_instance_uid, InstanceHeader.header, _IS_IMAGE)
        .join(InstanceHeader, on=Instance.watermark == InstanceHeader.watermark)
        .join_from(Instance, Series, on=Instance.series == Series.id)
        .where(Instance.watermark.in_(of_each))
        .order_by(Instance.series)
    )


_SHOWN = Statement(
    lambda _: _shown(
        Instance.select(Instance.sop_instance_uid, Instance.attributes, _IS_IMAGE), 2
    ).order_by(Instance.watermark)
)
_SHOWN_SERIES = Statement(_one_of_each_series)
_WITH_HEADERS = _by_level(
    lambda level: _under(
        Instance.select(*_COLUMNS, InstanceHeader.header, InstanceHeader.frame_table).join(
            InstanceHeader, on=Instance.watermark == InstanceHeader.watermark
        ),
        level,
    ).order_by(Instance.series, Instance.watermark)
)


def find(index: Index, reference: Reference) -> list[StoredInstance]:
    """All instances under a reference, series by series, in the order they were stored."""
    rows = index.fetch(_FIND[reference.level], *reference.values)
    return [StoredInstance(*row) for row in rows]


def version(index: Index, reference: Reference) -> Version | None:
    """What ETags are made of; None when nothing is stored under the reference."""
    ((watermark, count, revision),) = index.fetch(_VERSION[reference.level], *reference.values)
    return Version(watermark, count, revision) if count else None


def headers(index: Index, reference: Reference) -> tuple[Version, list[bytes]] | None:
    """The encoded headers of all instances under a reference, in the order of `find`.

    And the version that they are of; None when nothing is stored.
    """
    rows = index.fetch(_HEADERS[reference.level], *reference.values)
    if not rows:
        return None
    watermarks, revisions, encoded = zip(*rows, strict=True)
    return Version.of(watermarks, revisions[0]), list(encoded)


def frames(index: Index, reference: Reference) -> tuple[StoredInstance, bytes | None] | None:
    """An instance and its encoded frame table; None when it is not stored."""
    rows = index.fetch(_FRAMES, *reference.values)
    if not rows:
        return None
    *instance, table = rows[0]
    return StoredInstance(*instance), table


def with_headers(
    index: Index, reference: Reference
) -> list[tuple[StoredInstance, bytes, bytes | None]]:
    """All instances under a reference with their encoded headers and frame tables, as `find`."""
    rows = index.fetch(_WITH_HEADERS[reference.level], *reference.values)
    return [(StoredInstance(*instance), header, table) for *instance, header, table in rows]


def with_header(
    index: Index, reference: Reference
) -> tuple[StoredInstance, bytes, bytes | None] | None:
    """An instance, its encoded header and frame table; None when it is not stored."""
    found = with_headers(index, reference)
    return found[0] if found else None


def shown(index: Index, reference: Reference) -> list[Shown]:
    """The instances of a series that have something to be shown, in the order they were stored."""
    return [
        Shown(sop_instance_uid, attributes, bool(is_image))
        for sop_instance_uid, attributes, is_image in index.fetch(_SHOWN, *reference.values)
    ]


def shown_series(index: Index, reference: Reference) -> list[ShownSeries]:
    """The series of a study that have something to be shown, in the order they were stored.

    One that has images and documents comes twice.
    """
    return [
        ShownSeries(series, header, bool(is_image))
        for series, header, is_image in index.fetch(_SHOWN_SERIES, *reference.values)
    ]
