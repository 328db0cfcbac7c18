"""Search (PS3.18 10.6): from a checked query to DICOM JSON."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import zip_longest
from typing import Any

from dicomweb import dicomjson
from dicomweb.external import External
from dicomweb.header import decode_header
from dicomweb.qido import external
from dicomweb.qido.members import Members, member, members, shared_members, tag_name, with_uids
from dicomweb.qido.parameters import Parameters
from dicomweb.urls import Scope
from dicomweb.versions import V1, V2, ApiVersion
from index.database import Index, Row
from index.search import Level, Part, Search, count_instances, count_series, search

SOP_INSTANCE_UID = 0x00080018
MODALITIES_IN_STUDY = 0x00080061
AVAILABLE_TRANSFER_SYNTAX_UID = 0x00083002
STUDY_INSTANCE_UID = 0x0020000D
SERIES_INSTANCE_UID = 0x0020000E
NUMBER_OF_STUDY_RELATED_SERIES = 0x00201206
NUMBER_OF_STUDY_RELATED_INSTANCES = 0x00201208
NUMBER_OF_SERIES_RELATED_INSTANCES = 0x00201209

COMPUTED: dict[int, tuple[Level, Part]] = {
    MODALITIES_IN_STUDY: (Level.STUDY, Part.STUDY_ID),
    NUMBER_OF_STUDY_RELATED_SERIES: (Level.STUDY, Part.STUDY_ID),
    NUMBER_OF_STUDY_RELATED_INSTANCES: (Level.STUDY, Part.STUDY_ID),
    NUMBER_OF_SERIES_RELATED_INSTANCES: (Level.SERIES, Part.SERIES_ID),
    AVAILABLE_TRANSFER_SYNTAX_UID: (Level.INSTANCE, Part.TRANSFER_SYNTAX_UID),
}
"""Attributes that no instance has: from which level on they are answered, and what they take."""

# fmt: off
ADDED_BY_ALL: dict[Level, tuple[int, ...]] = {
    Level.STUDY: (
        0x00080063, 0x00081030, 0x00081032, 0x00081060, 0x00081080, 0x00081110, 0x00101010,
        0x00101020, 0x00101030, 0x00102180, 0x001021B0,
    ),
    Level.SERIES: (0x00080021, 0x00080031, 0x00200011, 0x00200060),
    Level.INSTANCE: (),
}
"""What ``includefield=all`` adds to the default attributes of v1, whatever the version."""
# fmt: on

_LATEST = (
    (Part.LATEST_STUDY, frozenset(V2.default_study)),
    (Part.LATEST_SERIES, frozenset(V2.default_series)),
)
_OF_INSTANCE = (
    (Part.STUDY_V1, frozenset(V1.default_study)),
    (Part.STUDY_V2, frozenset(V2.default_study)),
    (Part.SERIES_V1, frozenset(V1.default_series)),
    (Part.SERIES_V2, frozenset(V2.default_series)),
    (Part.SOP_INSTANCE_UID, frozenset({SOP_INSTANCE_UID})),
    (Part.INSTANCE_V1, frozenset(V1.default_instance)),
)
"""What the index has ready, and which attributes are in it."""


@dataclass(frozen=True, slots=True)
class Page:
    """The answer to a search."""

    body: bytes
    """DICOM JSON; empty if nothing matches."""
    cursor: int | None
    """Where the page ends, if there is more."""
    following: int | None
    """How many more there are, if that is known."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where the attributes of an answer come from."""

    parts: tuple[Part, ...]
    """Those that come later have the say about attributes that several have."""
    keep: frozenset[bytes] | None
    """The attributes to be answered, if the parts have others, too."""
    of_header: frozenset[int]
    """Tags that are in no part but the header."""
    computed: frozenset[int]


def find(scope: Scope, level: Level, uids: tuple[str, ...], parameters: Parameters) -> Page:
    """The matches of a page, newest first.

    :param uids: of the study, or the study and series, that the path fixes.
    :raise IndexUnavailable: the index does not answer.
    """
    asked = parameters.include | parameters.filters
    plan = _plan(scope.api, level, len(uids), asked, parameters.include_all)
    if parameters.external and Part.STUDY_ID not in plan.parts:
        plan = replace(plan, parts=(*plan.parts, Part.STUDY_ID))
    index = scope.archive.index
    wanted = Search(
        level,
        scope.partition_id,
        uids,
        parameters.conditions,
        plan.parts,
        parameters.limit,
        parameters.offset,
        parameters.cursor,
    )
    rows, following = search(index, wanted)
    if not rows:
        return Page(b"", None, 0)
    added = _external(scope, plan, parameters.external, rows)
    objects = _objects(index, plan, uids, rows, added)
    cursor = None if following == 0 else rows[-1][0]
    return Page(b"[%b]" % b",".join(objects), cursor, following)


@lru_cache(maxsize=256)
def _plan(
    api: ApiVersion, level: Level, within: int, asked: frozenset[int], include_all: bool
) -> _Plan:
    wanted = _wanted(api, level, within, include_all) | asked
    computed = frozenset(tag for tag in wanted & COMPUTED.keys() if COMPUTED[tag][0] <= level)
    missing = wanted - COMPUTED.keys() - _fixed_tags(within)
    chosen = []
    if api.answers_latest_values and level < Level.INSTANCE:
        chosen = [(part, tags) for part, tags in _LATEST[:level] if tags & missing]
        missing = missing.difference(*(tags for _, tags in chosen))
    while missing:
        part, tags = max(_OF_INSTANCE, key=lambda ready: (len(ready[1] & missing), -len(ready[1])))
        if not tags & missing:
            break
        chosen.insert(0, (part, tags))
        missing -= tags
    parts = [part for part, _ in chosen]
    if missing:
        parts.insert(0, Part.HEADER)
    parts += sorted({COMPUTED[tag][1] for tag in computed}, key=lambda part: part.value)
    too_many = any(tags - wanted for _, tags in chosen)
    keep = frozenset(map(tag_name, wanted)) if too_many else None
    return _Plan(tuple(parts), keep, missing, computed)


def _wanted(api: ApiVersion, level: Level, within: int, include_all: bool) -> frozenset[int]:
    """What is answered without being asked for, or when all is asked for."""
    levels = [each for each in Level if within < each <= level]
    wanted = _fixed_tags(within).union(*(_default(api, each) for each in levels))
    if include_all:
        wanted = wanted.union(*(_default(V1, each) + ADDED_BY_ALL[each] for each in levels))
    return wanted


def _default(api: ApiVersion, level: Level) -> tuple[int, ...]:
    return (api.default_study, api.default_series, api.default_instance)[level - 1]


def _fixed_tags(within: int) -> frozenset[int]:
    return frozenset((STUDY_INSTANCE_UID, SERIES_INSTANCE_UID)[:within])


def _external(
    scope: Scope, plan: _Plan, tags: frozenset[int], rows: list[Row]
) -> list[External | None]:
    """What is added to each match; nothing if nothing is asked for."""
    if not tags:
        return []
    numbers = [row[1 + plan.parts.index(Part.STUDY_ID)] for row in rows]
    archive = scope.archive
    found = external.of_studies(
        archive.index, numbers, tags, archive.settings.external_metadata_creator
    )
    return [found.get(number) for number in numbers]


def _objects(
    index: Index,
    plan: _Plan,
    uids: tuple[str, ...],
    rows: list[Row],
    added: list[External | None],
) -> list[bytes]:
    """The JSON object of each match.

    :param added: external metadata of each match; empty if they are not asked for.
    """
    fixed = {
        tag_name(tag): member(tag, "UI", uid)
        for tag, uid in zip((STUDY_INSTANCE_UID, SERIES_INSTANCE_UID), uids, strict=False)
    }
    if len(plan.parts) == 1 and plan.keep is None:
        ready = _ready_objects(plan.parts[0], fixed, rows)
        if ready is not None:
            return ready
    readers = _readers(index, plan, rows)
    objects = []
    for (_, *values), more in zip_longest(rows, added):
        found = fixed.copy()
        for read, value in zip(readers, values, strict=True):
            found.update(read(value))
        names: AbstractSet[bytes] = (
            found.keys() if plan.keep is None else plan.keep.intersection(found)
        )
        if more:
            names = names | external.add(found, more)
        objects.append(b"{%b}" % b",".join([found[name] for name in sorted(names)]))
    return objects


def _ready_objects(part: Part, fixed: Members, rows: list[Row]) -> list[bytes] | None:
    """The same where next to nothing has to be put together, as in the default answers."""
    if part in _READY and not fixed:
        return [b"{%b}" % piece for _, piece in rows]
    uids = b",".join(fixed.values())
    if part is Part.INSTANCE_V1:
        return [b"{%b}" % with_uids(piece, uids) for _, piece in rows]
    if part is Part.SOP_INSTANCE_UID:
        return [b"{%b,%b}" % (member(SOP_INSTANCE_UID, "UI", uid), uids) for _, uid in rows]
    return None


_READY: dict[Part, Callable[[bytes], Members]] = {
    Part.LATEST_STUDY: shared_members,
    Part.LATEST_SERIES: shared_members,
    Part.STUDY_V1: shared_members,
    Part.STUDY_V2: shared_members,
    Part.SERIES_V1: shared_members,
    Part.SERIES_V2: shared_members,
    Part.INSTANCE_V1: members,
}


def _readers(index: Index, plan: _Plan, rows: list[Row]) -> list[Callable[[Any], Members]]:
    """What makes members of each part."""
    readers: dict[Part, Callable[[Any], Members]] = {
        **_READY,
        Part.SOP_INSTANCE_UID: partial(_uid, SOP_INSTANCE_UID),
        Part.TRANSFER_SYNTAX_UID: partial(_uid, AVAILABLE_TRANSFER_SYNTAX_UID),
        Part.HEADER: partial(_from_header, plan.of_header),
    }
    for part, compute in ((Part.STUDY_ID, _of_studies), (Part.SERIES_ID, _of_series)):
        if part in plan.parts:
            numbers = [row[1 + plan.parts.index(part)] for row in rows]
            readers[part] = compute(index, plan.computed, numbers).__getitem__
    return [readers[part] for part in plan.parts]


def _uid(tag: int, uid: str) -> Members:
    return {tag_name(tag): member(tag, "UI", uid)}


def _from_header(tags: frozenset[int], encoded: bytes) -> Members:
    return members(dicomjson.members(decode_header(encoded), tags))


def _of_studies(index: Index, computed: frozenset[int], numbers: list[int]) -> dict[int, Members]:
    """Computed attributes of studies, by the numbers of the studies."""
    found: dict[int, Members] = {number: {} for number in numbers}
    if computed & {MODALITIES_IN_STUDY, NUMBER_OF_STUDY_RELATED_SERIES}:
        for number, series in count_series(index, numbers).items():
            modalities = sorted(filter(None, series))
            _add(found[number], computed, MODALITIES_IN_STUDY, "CS", *modalities)
            total = sum(series.values())
            _add(found[number], computed, NUMBER_OF_STUDY_RELATED_SERIES, "IS", total)
    if NUMBER_OF_STUDY_RELATED_INSTANCES in computed:
        for number, total in count_instances(index, Level.STUDY, numbers).items():
            _add(found[number], computed, NUMBER_OF_STUDY_RELATED_INSTANCES, "IS", total)
    return found


def _of_series(index: Index, computed: frozenset[int], numbers: list[int]) -> dict[int, Members]:
    """Computed attributes of series, by the numbers of the series."""
    found: dict[int, Members] = {number: {} for number in numbers}
    for number, total in count_instances(index, Level.SERIES, numbers).items():
        _add(found[number], computed, NUMBER_OF_SERIES_RELATED_INSTANCES, "IS", total)
    return found


def _add(found: Members, computed: frozenset[int], tag: int, vr: str, *values: str | int) -> None:
    if tag in computed and values:
        found[tag_name(tag)] = member(tag, vr, *values)
