"""Messages of several parts (RFC 2046 section 5.1), as DICOMweb packs files into one body.

Read in one of two ways with one grammar, so that both take the same messages: :func:`split` takes
apart a body that is in memory without copying it, :func:`stream` moves one of any size into files.
Written from pieces whose lengths are known, so that an answer can tell its own length.
"""

import mmap
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple, Self

from dicomweb.errors import BadRequest, TooLarge

CHUNK_BYTES = 2**20
SENT_ALONE_BYTES = 64 * 1024
"""A piece of a message that is shorter is sent together with others."""
MAX_HEADERS_BYTES = 16 * 1024  # of one part, all lines together
MAX_HEADERS = 64  # of one part
MAX_PARTS = 100_000
MAX_PADDING = 255  # blanks after a boundary

_LINE_END = b"\r\n"
_BLANK_LINE = b"\r\n\r\n"
_BOUNDARY_END = re.compile(rb"(--)|[ \t]{0,%d}\r\n" % MAX_PADDING)
_FOLD = re.compile(rb"\r\n[ \t]+")
_FIELD_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class MultipartError(BadRequest):
    """The body is not the message of several parts that its Content-Type announces."""

    def __init__(self, what: str) -> None:
        super().__init__(f"The multipart body cannot be read: {what}.")


class Part(NamedTuple):
    """A part of a message in memory."""

    content_type: str | None
    data: memoryview

    def view(self) -> memoryview:
        """The part's bytes."""
        return self.data


class SpooledPart(NamedTuple):
    """A part of a message, written to a file."""

    content_type: str | None
    path: Path

    def view(self) -> memoryview:
        """The part's bytes, mapped; unmapped when the last view of them is gone."""
        if not self.path.stat().st_size:
            return memoryview(b"")
        with self.path.open("rb") as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def split(body: bytes, boundary: bytes) -> list[Part]:
    """The parts of a message, as views of it.

    :raise MultipartError: it is cut short or malformed.
    """
    lines = _BoundaryLines(boundary)
    view = memoryview(body)
    parts: list[Part] = []
    line = lines.at_start(body) or lines.find(body, 0)
    while line and not line.last:
        headers, at = _headers(body, line.stop - len(_LINE_END))
        content_type = _content_type(headers)
        line = lines.find(body, at)
        if line and (headers or line.start > at):
            _check_number(len(parts))
            parts.append(Part(content_type, view[at + len(_LINE_END) : line.start]))
    if not line:
        raise _cut_short()
    return parts


def stream(
    read: Callable[[int], bytes],
    boundary: bytes,
    directory: Path,
    limit: int,
    *,
    zero_first: int = 0,
    in_memory: int = 0,
) -> Iterator[Part | SpooledPart]:
    """The parts of a message that is still arriving, each in a file of its own or in memory.

    A part's file is there until the next part is asked for or the iterator is closed; who wants to
    keep it moves it away before. Close the iterator, so that nothing stays behind when the reader
    of the parts fails.

    :param read: gives at most that many bytes of the body, none at its end.
    :param directory: of the files; made if it is not there.
    :param limit: bytes of the whole body.
    :param zero_first: how many bytes at the start of each file are overwritten with zeros.
    :param in_memory: a part of at most that many bytes is kept in memory.
    :raise MultipartError: the message is cut short or malformed.
    :raise TooLarge: the body is longer than ``limit``.
    """
    directory.mkdir(parents=True, exist_ok=True)
    lines = _BoundaryLines(boundary)
    body = _Arriving(read, limit)
    number = 0
    last = body.copy_part(lines, _forget)  # the preamble
    while not last:
        headers = body.read_headers()
        if not headers and body.is_at(lines):
            last = body.copy_part(lines, _forget)
            continue
        content_type = _content_type(headers)
        _check_number(number)
        number += 1
        with _Spool(directory, in_memory) as spool:
            last = body.copy_part(lines, spool.write)
            yield spool.part(content_type, zero_first)


def spool(
    read: Callable[[int], bytes],
    content_type: str,
    directory: Path,
    limit: int,
    *,
    zero_first: int = 0,
) -> Iterator[Part | SpooledPart]:
    """A body that is not of several parts, as the only part; otherwise as :func:`stream`.

    :raise TooLarge: the body is longer than ``limit``.
    """
    directory.mkdir(parents=True, exist_ok=True)
    left = limit
    with _Spool(directory, in_memory=-1) as file:
        while chunk := read(min(CHUNK_BYTES, left + 1)):
            left -= len(chunk)
            if left < 0:
                raise too_large(limit)
            file.write(memoryview(chunk))
        yield file.part(content_type, zero_first)


class Envelope:
    """Puts parts into one message, under a boundary of its own."""

    def __init__(self, headers: Mapping[str, str] | None = None) -> None:
        """:param headers: of each part, beside its Content-Type."""
        self.boundary = uuid.uuid4().hex
        self._headers = "".join(f"\r\n{name}: {it}" for name, it in (headers or {}).items())
        self._end = f"\r\n--{self.boundary}--\r\n".encode("ascii")

    def content_type(self, part_type: str) -> str:
        """Content-Type of the message (RFC 2387).

        :param part_type: media type of the parts, without parameters.
        """
        return f'multipart/related; type="{part_type}"; boundary={self.boundary}'

    def length(self, parts: Iterable[tuple[str, int]]) -> int:
        """Bytes of a message whose parts have these Content-Types and lengths."""
        lengths = (len(self._opening(content_type)) + length for content_type, length in parts)
        return sum(lengths) + len(self._end) - len(_LINE_END)

    def join(self, parts: Iterable[tuple[str, Iterable[bytes]]]) -> Iterator[bytes]:
        """The message whose parts have these Content-Types and contents."""
        return _gathered(self._pieces(parts))

    def _pieces(self, parts: Iterable[tuple[str, Iterable[bytes]]]) -> Iterator[bytes]:
        skip = len(_LINE_END)  # there is no line before the first boundary
        for content_type, data in parts:
            yield self._opening(content_type)[skip:]
            yield from data
            skip = 0
        yield self._end[skip:]

    def _opening(self, content_type: str) -> bytes:
        headers = f"Content-Type: {content_type}{self._headers}"
        return f"\r\n--{self.boundary}\r\n{headers}\r\n\r\n".encode("ascii")


class _BoundaryLine(NamedTuple):
    """Where in some bytes a boundary line is."""

    start: int  # of the line end before it, which is not part of the data
    stop: int
    last: bool


class _BoundaryLines:
    """Finds the boundary lines of a message.

    A line that only begins like one is data: the boundary has to be followed by ``--``, or by
    nothing but blanks.
    """

    def __init__(self, boundary: bytes) -> None:
        self._line = b"\r\n--" + boundary
        self.longest = len(self._line) + MAX_PADDING + len(_LINE_END)

    def at_start(self, data: bytes) -> _BoundaryLine | None:
        """The boundary line that a message begins with, unless it has a preamble."""
        return self._line_at(data, -2) if data.startswith(self._line[2:]) else None

    def find(self, data: bytes, start: int) -> _BoundaryLine | None:
        """The first boundary line that begins at ``start`` or later."""
        at = data.find(self._line, start)
        while at >= 0:
            if line := self._line_at(data, at):
                return line
            at = data.find(self._line, at + 1)
        return None

    def _line_at(self, data: bytes, at: int) -> _BoundaryLine | None:
        end = _BOUNDARY_END.match(data, at + len(self._line))
        return _BoundaryLine(at, end.end(), end[1] is not None) if end else None


class _Arriving:
    """What has arrived of a body and is not dealt with yet.

    It stands at a line end, and what comes next begins after that.
    """

    def __init__(self, read: Callable[[int], bytes], limit: int) -> None:
        self._read = read
        self._limit = self._left = limit
        self._buffer = _LINE_END  # as if one had come before the body
        self._at = 0

    def read_headers(self) -> bytes:
        """The header lines of the part that comes next."""
        self._ensure(MAX_HEADERS_BYTES + len(_BLANK_LINE))
        headers, self._at = _headers(self._buffer, self._at)
        return headers

    def is_at(self, lines: _BoundaryLines) -> bool:
        """Whether a boundary line comes next."""
        self._ensure(lines.longest)
        line = lines.find(self._buffer, self._at)
        return line is not None and line.start == self._at

    def copy_part(self, lines: _BoundaryLines, write: Callable[[memoryview], object]) -> bool:
        """Write what comes before the next boundary line; whether that is the last one."""
        skip = len(_LINE_END)
        while not (line := lines.find(self._buffer, self._at)):
            safe = len(self._buffer) - lines.longest  # after this a boundary line may begin
            if safe > self._at + skip:
                write(memoryview(self._buffer)[self._at + skip : safe])
                self._at, skip = safe, 0
            if not self._more():
                raise _cut_short()
        write(memoryview(self._buffer)[self._at + skip : line.start])
        self._at = line.stop - len(_LINE_END)
        return line.last

    def _ensure(self, count: int) -> None:
        while len(self._buffer) - self._at < count and self._more():
            pass

    def _more(self) -> bool:
        """Take what arrives next; False at the end of the body."""
        chunk = self._read(min(CHUNK_BYTES, self._left + 1))
        if len(chunk) > self._left:
            raise too_large(self._limit)
        self._left -= len(chunk)
        self._buffer = self._buffer[self._at :] + chunk
        self._at = 0
        return bool(chunk)


def _headers(data: bytes, line_end: int) -> tuple[bytes, int]:
    """The header lines after a line end, and the position of the line end before the part's data.

    That one may belong to a boundary line already: then the part has no data (RFC 2046, body-part).
    """
    stop = line_end + len(_BLANK_LINE) + MAX_HEADERS_BYTES
    blank = data.find(_BLANK_LINE, line_end, stop)
    if blank < 0 and len(data) >= stop:
        raise MultipartError(f"the headers of a part take more than {MAX_HEADERS_BYTES} bytes")
    if blank < 0:
        raise _cut_short()
    return data[line_end + len(_LINE_END) : blank], blank + len(_LINE_END)


def _content_type(headers: bytes) -> str | None:
    """The Content-Type among header lines; the other headers are only looked at for form."""
    if not headers:
        return None
    lines = _FOLD.sub(b" ", headers).split(_LINE_END)
    if len(lines) > MAX_HEADERS:
        raise MultipartError(f"a part has more than {MAX_HEADERS} headers")
    found = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not _FIELD_NAME.fullmatch(name):
            raise MultipartError("a header of a part is not of the form 'name: value'")
        if name.lower() == b"content-type":
            found.append(value.strip(b" \t").decode("latin-1"))
    if len(found) > 1:
        raise MultipartError("a part has more than one Content-Type")
    return found[0] if found else None


def _check_number(parts_before: int) -> None:
    if parts_before >= MAX_PARTS:
        raise MultipartError(f"it has more than {MAX_PARTS} parts")


def _cut_short() -> MultipartError:
    return MultipartError(
        "it ends before its last boundary, or the boundary is not the announced one"
    )


def too_large(limit: int) -> TooLarge:
    """What to tell of a body of more than ``limit`` bytes."""
    return TooLarge(f"The request exceeded the allowed limit of {limit} bytes.")


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Short pieces joined, so that each is not sent by itself; long ones as they are."""
    short: list[bytes] = []
    length = 0
    for piece in pieces:
        is_long = len(piece) >= SENT_ALONE_BYTES
        if not is_long:
            short.append(piece)
            length += len(piece)
        if short and (is_long or length >= SENT_ALONE_BYTES):
            yield b"".join(short)
            short, length = [], 0
        if is_long:
            yield piece
    if short:
        yield b"".join(short)


def _forget(_data: memoryview) -> None:
    """Drop what is no part."""


class _Spool:
    """Takes the bytes of a part: into memory while they are few, then into a file.

    The file is removed in the end if it is still there.
    """

    def __init__(self, directory: Path, in_memory: int) -> None:
        self._path = directory / f"{uuid.uuid4().hex}.part"
        self._in_memory = in_memory
        self._memory = bytearray()
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()
            self._path.unlink(missing_ok=True)

    def write(self, data: memoryview) -> None:
        if self._file is None and len(self._memory) + len(data) > self._in_memory:
            self._file = self._path.open("xb", buffering=0)
            self._write_all(memoryview(self._memory))
            self._memory = bytearray()
        if self._file is None:
            self._memory += data
        else:
            self._write_all(data)

    def part(self, content_type: str | None, zero_first: int) -> Part | SpooledPart:
        """What was written, as a part."""
        if self._file is None:
            return Part(content_type, memoryview(self._memory))
        length = self._file.tell()
        self._file.seek(0)
        self._write_all(memoryview(bytes(min(zero_first, length))))
        return SpooledPart(content_type, self._path)

    def _write_all(self, data: memoryview) -> None:
        while data and self._file:
            data = data[self._file.write(data) :]
