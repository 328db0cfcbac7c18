"""Answers that have to be transcoded: the frames of all instances go through the codecs in order.

The first frames are made before the answer begins: a file that cannot be decoded is refused, not
broken off. What fails later breaks the connection, so that the answer never passes for whole.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import chain, islice

from dicomweb.caching import entity_tag
from dicomweb.codecthreads import CodecThreads
from dicomweb.errors import NotAcceptable
from dicomweb.header import decode_header
from dicomweb.media import Representation
from dicomweb.urls import Scope
from dicomweb.wado.answer import Answer, Body, assembled, described, not_found
from dicomweb.wado.blobs import blob_key, open_instance, require_blob
from dicomweb.wado.recoding import NotTranscodable, Recoding
from dicomweb.wado.storedframes import frame_table
from dicomweb.wado.transcoding import Transcoding, Written
from index import instances
from index.instances import Reference, StoredInstance

_NAMED = 10
"""How many of the instances that cannot be transcoded are named."""
AS_STORED_INSTEAD = "With transfer-syntax=* everything is sent as it is stored."

Job = Callable[[], bytes]
Part = StoredInstance | Transcoding
File = StoredInstance | Written


def transcode_instances(
    scope: Scope, reference: Reference, representation: Representation
) -> Answer:
    """All instances under a reference in another transfer syntax than all are stored in.

    :raise NotFound: there are none.
    :raise NotAcceptable: one cannot be transcoded.
    """
    found = instances.with_headers(scope.archive.index, reference)
    if not found:
        raise not_found(reference)
    parts = _parts(scope, found, representation.transfer_syntax)
    etag = entity_tag(reference, [instance for instance, _, _ in found], representation)
    require_blob(scope, found[0][0])
    files: Iterable[File] = map(_file, parts)
    length = None
    if len(parts) == 1:
        files = (file,) = list(files)
        length = file.blob_length if isinstance(file, StoredInstance) else file.length
    frames, opened = begun(scope.archive.codecs, _jobs(parts))
    contents = (_pieces(scope, file, frames) for file in files)
    described_parts = [(described(representation, found[0][0]), length)] * len(parts)
    return _under_way(
        assembled(representation.form, described_parts, contents, opened, {"ETag": etag})
    )


def transcode_frames(
    scope: Scope, reference: Reference, numbers: Sequence[int], representation: Representation
) -> Answer:
    """Frames of an instance in another transfer syntax than it is stored in.

    :param numbers: 1 and up, all of them there.
    :raise NotFound: there is no such instance.
    :raise NotAcceptable: they cannot be transcoded.
    """
    found = instances.with_header(scope.archive.index, reference)
    if found is None:
        raise not_found(reference)
    instance, encoded_header, encoded_table = found
    try:
        recoding = Recoding.of(
            instance.transfer_syntax_uid,
            representation.transfer_syntax,
            decode_header(encoded_header),
            frame_table(encoded_table, numbers),
            scope.archive.settings.max_transcode_bytes,
        )
    except NotTranscodable as error:
        refused = {instance.sop_instance_uid: str(error)}
        raise _refusal(refused, representation.transfer_syntax) from error
    jobs = recoding.jobs(scope.archive.blobs, blob_key(scope, instance), numbers)
    frames, opened = begun(scope.archive.codecs, jobs)
    parts = [(described(representation, instance), recoding.frame_bytes)] * len(numbers)
    contents = ((frame,) for frame in frames)
    etag = entity_tag(reference, [instance], representation)
    return _under_way(assembled(representation.form, parts, contents, opened, {"ETag": etag}))


def begun(
    codecs: CodecThreads, jobs: Generator[Job, None, None]
) -> tuple[Iterator[bytes], ExitStack]:
    """Results of the jobs, the first of which is there, and what has to be closed in the end.

    :raise NotAcceptable: the first failed.
    """
    with ExitStack() as opening:
        opening.enter_context(closing(jobs))
        results = opening.enter_context(closing(codecs.in_order(jobs)))
        try:
            first = list(islice(results, 1))
        except NotTranscodable as error:
            raise NotAcceptable(f"{error} {AS_STORED_INSTEAD}") from error
        return chain(first, results), opening.pop_all()


def _under_way(answer: Answer) -> Answer:
    """The answer with its first piece made.

    :raise NotAcceptable: a frame that comes before it cannot be had.
    """
    body = answer.body
    with ExitStack() as failing:
        failing.callback(body.close)
        try:
            first = next(body.pieces)
        except NotTranscodable as error:
            raise NotAcceptable(f"{error} {AS_STORED_INSTEAD}") from error
        failing.pop_all()
    return replace(answer, body=Body(chain([first], body.pieces), body.blobs))


def _parts(
    scope: Scope, found: Sequence[tuple[StoredInstance, bytes, bytes | None]], target: str
) -> list[Part]:
    """How each instance is sent.

    :raise NotAcceptable: one cannot be transcoded; names it.
    """
    parts: list[Part] = []
    refused: dict[str, str] = {}
    for instance, header, table in found:
        if instance.transfer_syntax_uid == target:
            parts.append(instance)
            continue
        try:
            parts.append(
                Transcoding.of(
                    scope.archive.blobs,
                    blob_key(scope, instance),
                    instance,
                    header,
                    table,
                    target=target,
                    most_bytes=scope.archive.settings.max_transcode_bytes,
                )
            )
        except NotTranscodable as error:
            refused[instance.sop_instance_uid] = str(error)
    if refused:
        raise _refusal(refused, target)
    return parts


def _refusal(refused: dict[str, str], target: str) -> NotAcceptable:
    """What to tell of instances that cannot be transcoded, and why."""
    named = [f"{uid}: {reason}" for uid, reason in refused.items()][:_NAMED]
    more = f"And {len(refused) - _NAMED} more. " if len(refused) > _NAMED else ""
    return NotAcceptable(
        "The specified transcoding is not supported. What cannot be had in transfer syntax "
        f"{target}: {' '.join(named)} {more}{AS_STORED_INSTEAD}"
    )


def _jobs(parts: Sequence[Part]) -> Generator[Job, None, None]:
    for part in parts:
        if isinstance(part, Transcoding):
            yield from part.jobs()


def _file(part: Part) -> File:
    return part.written() if isinstance(part, Transcoding) else part


def _pieces(scope: Scope, file: File, frames: Iterator[bytes]) -> Iterator[bytes]:
    """One instance; the frames of those before it have been taken."""
    if isinstance(file, Written):
        yield from file.pieces(frames)
        return
    with open_instance(scope, file) as reader:
        yield from reader
