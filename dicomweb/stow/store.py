"""The Store transaction: parts of a request become instances (PS3.18 10.5).

The bytes of all parts are durable before the index hears of any, and the index takes all of them in
one transaction. What was written for an instance that is then not stored is removed again; if the
process dies in between, it stays as a blob that no row knows.
"""

import contextlib
import logging
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import xxhash

from dicomweb.archive import Archive
from dicomweb.dicomjson import members
from dicomweb.errors import BadRequest
from dicomweb.header import Limits, encode_header
from dicomweb.media import IMPLICIT_VR_LITTLE_ENDIAN
from dicomweb.multipart import Part, SpooledPart
from dicomweb.part10 import NotReadable, Part10File, read_part10
from dicomweb.stow import check
from dicomweb.stow.check import Verdict, first_value
from dicomweb.stow.external import header_name
from dicomweb.stow.response import FailureReason, Refused, Stored, WarningReason
from dicomweb.urls import Scope
from dicomweb.versions import V1, V2
from index.batch import STORED, NewInstance, Outcome
from index.external import ExternalRefused, NewExternal
from index.levels import Attributes
from storage.base import Buffer, StorageError
from storage.keys import instance_key

log = logging.getLogger("gantry.stow")

PREAMBLE_BYTES = 128
PREAMBLE = bytes(PREAMBLE_BYTES)
"""What is stored instead of a file's own preamble, which could make it an executable as well."""

MOST_UID_CHARACTERS = 64

REFUSAL: dict[Outcome, tuple[FailureReason, list[str]]] = {
    Outcome.EXISTS: (FailureReason.INSTANCE_EXISTS, []),
    Outcome.IDENTICAL: (
        FailureReason.INSTANCE_EXISTS,
        ["The instance is stored already, and the stored bytes are identical to those received."],
    ),
    Outcome.WATERMARK_TAKEN: (FailureReason.PROCESSING_FAILURE, []),
}
"""Why an instance that the index does not take is refused, and what to say of it."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a request asks for all of its instances."""

    study: str | None = None
    """The study that all must belong to; None if any will do."""
    replace: bool = False
    """An instance that is there already is replaced, not refused."""
    external: tuple[NewExternal, ...] = ()
    """What the study of each instance that is stored gets beside it."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An instance whose bytes are written, or on their way, and that the index may take."""

    new: NewInstance
    stored: Stored
    key: str


@dataclass(slots=True)
class _Blobs:
    """The blobs that a request writes: the last one itself, the others by threads beside it."""

    archive: Archive
    keys: list[str] = field(default_factory=list)
    in_hand: list[tuple[str, tuple[Buffer, Buffer]]] = field(default_factory=list)
    pending: list[Future[None]] = field(default_factory=list)

    def write(self, key: str, part: Part | SpooledPart) -> None:
        """Write a part, or let it be written; no more are on their way than may be in memory.

        :raise StorageError: this part or an earlier one could not be written.
        """
        self.keys.append(key)
        if isinstance(part, SpooledPart):
            self.archive.blobs.adopt(key, part.path)
            return
        if self.in_hand:
            if len(self.pending) >= IN_FLIGHT:
                self.pending.pop(0).result()
            self.pending.append(WRITERS.submit(self.archive.blobs.put, *self.in_hand.pop()))
        self.in_hand.append((key, (PREAMBLE, part.data[PREAMBLE_BYTES:])))

    def finish(self) -> None:
        """Return when all are durable.

        :raise StorageError: one could not be written.
        """
        if self.in_hand:
            self.archive.blobs.put(*self.in_hand.pop())
        for future in self.pending:
            future.result()

    def discard(self) -> None:
        """Remove what was written."""
        for future in self.pending:
            future.exception()
        _remove(self.archive, self.keys)


IN_FLIGHT = 16
WRITERS = ThreadPoolExecutor(max_workers=8, thread_name_prefix="blob")
"""Flushes of several files cost little more than that of one when they are made side by side."""


def store(
    scope: Scope, parts: Iterable[Part | SpooledPart], terms: Terms
) -> list[Stored | Refused]:
    """Store the instances of a request and say of each part what became of it, in their order.

    :raise StorageError: the bytes cannot be kept; nothing was stored.
    :raise BadRequest: the external metadata do not fit those of a study; nothing was stored.
    :raise IndexUnavailable: the index does not answer; nothing was stored, or that is not known.
    """
    results: list[Stored | Refused | _Candidate] = []
    blobs = _Blobs(scope.archive)
    try:
        for part in parts:
            result = _read(scope, part.view(), terms)
            if isinstance(result, _Candidate):
                blobs.write(result.key, part)
            results.append(result)
        blobs.finish()
    except BaseException:
        blobs.discard()
        raise
    return _commit(scope.archive, results)


def _commit(
    archive: Archive, results: list[Stored | Refused | _Candidate]
) -> list[Stored | Refused]:
    """Let the index take the candidates; those that it does not take become refused."""
    candidates = [result for result in results if isinstance(result, _Candidate)]
    if not candidates:
        return results  # type: ignore[return-value]  # no candidate among them
    try:
        outcomes = iter(archive.committer.store([candidate.new for candidate in candidates]))
    except ExternalRefused as error:
        _remove(archive, [candidate.key for candidate in candidates])
        name = header_name(error.vr, error.tag)
        raise BadRequest(f"The header '{name}' is refused: {error.reason}.") from error
    final: list[Stored | Refused] = []
    unused = []
    for result in results:
        if not isinstance(result, _Candidate):
            final.append(result)
        elif (outcome := next(outcomes)) in STORED:
            final.append(result.stored)
        else:
            unused.append(result.key)
            reason, comments = REFUSAL[outcome]
            stored = result.stored
            final.append(Refused(reason, stored.sop_class_uid, stored.sop_instance_uid, comments))
    _remove(archive, unused)
    return final


def _read(scope: Scope, view: memoryview, terms: Terms) -> _Candidate | Refused:
    """Read and check one part."""
    limits = Limits(header_bytes=scope.archive.settings.max_header_bytes)
    try:
        file = read_part10(view, limits)
    except NotReadable as error:
        log.info("refused an unreadable part: %s", error)
        return Refused(FailureReason.VALIDATION_FAILURE)
    full = scope.archive.settings.full_validation
    verdict = check.check(file, scope.api, terms.study, full=full)
    if verdict.failures:
        return Refused(
            FailureReason.VALIDATION_FAILURE,
            _uid(file, check.SOP_CLASS_UID),
            _uid(file, check.SOP_INSTANCE_UID),
            verdict.failures,
        )
    return _candidate(scope, view, file, verdict, terms)


def _uid(file: Part10File, tag: int) -> str | None:
    """A UID of a refused instance; None for what is too long to be one."""
    value = first_value(file, tag)
    return value if value and len(value) <= MOST_UID_CHARACTERS else None


def _candidate(
    scope: Scope, view: memoryview, file: Part10File, verdict: Verdict, terms: Terms
) -> _Candidate:
    sop_class, study, series, sop = (first_value(file, tag) or "" for tag in check.REQUIRED_UIDS)
    blob_key = partial(instance_key, scope.partition_name, study, series, sop)
    file.dropped = verdict.dropped
    new = NewInstance(
        partition_id=scope.partition_id,
        study_instance_uid=study,
        series_instance_uid=series,
        sop_instance_uid=sop,
        sop_class_uid=sop_class,
        transfer_syntax_uid=file.transfer_syntax_uid,
        watermark=scope.archive.watermarks.take(),
        blob_length=len(view),
        blob_digest=_digest(view),
        study=_attributes(file, verdict, check.STUDY_VALUES, V1.default_study, V2.default_study),
        series=_attributes(
            file, verdict, check.SERIES_VALUES, V1.default_series, V2.default_series
        ),
        attributes=members(file, V1.default_instance),
        frame_table=file.frames.encode() if file.frames else None,
        header=encode_header(file),
        blob_key=blob_key if terms.replace else None,
        external=terms.external,
    )
    warning = _warning(file, verdict)
    stored = Stored(
        sop_class, study, series, sop, warning, verdict.warnings, verdict.has_many_values
    )
    return _Candidate(new, stored, blob_key(new.watermark))


def _attributes(
    file: Part10File,
    verdict: Verdict,
    tags: dict[str, int],
    v1: tuple[int, ...],
    v2: tuple[int, ...],
) -> Attributes:
    values = {
        name: None if tag in verdict.unsearchable else first_value(file, tag)
        for name, tag in tags.items()
    }
    return Attributes(values, members(file, v1), members(file, v2))


def _warning(file: Part10File, verdict: Verdict) -> WarningReason | None:
    if verdict.warnings:
        return WarningReason.ATTRIBUTES_DROPPED
    if file.transfer_syntax_uid == IMPLICIT_VR_LITTLE_ENDIAN:
        return WarningReason.IMPLICIT_VR
    return None


def _digest(view: memoryview) -> bytes:
    digest = xxhash.xxh3_128(PREAMBLE)
    digest.update(view[len(PREAMBLE) :])
    return digest.digest()


def _remove(archive: Archive, keys: list[str]) -> None:
    """Remove blobs that no row knows; what cannot be removed now is left to ``flask cleanup``."""
    if keys:
        with contextlib.suppress(StorageError):
            archive.blobs.delete(keys)
