from email.message import Message
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.policy import HTTP
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from python_multipart.multipart import MultipartParser

from dicomweb import multipart
from dicomweb.errors import TooLarge
from dicomweb.multipart import Envelope, MultipartError, Part, split, spool, stream

DICOM = "application/dicom"
HEAD = b"Content-Type: application/dicom\r\n\r\n"

Parts = list[tuple[str | None, bytes]]


def by_splitting(body: bytes, boundary: bytes) -> Parts:
    return [(part.content_type, bytes(part.data)) for part in split(body, boundary)]


def by_streaming(
    body: bytes, boundary: bytes, directory: Path, chunk: int = 2**20, limit: int = 2**30, **options
) -> Parts:
    source = BytesIO(body)
    return [
        (part.content_type, bytes(part.view()))
        for part in stream(
            lambda size: source.read(min(size, chunk)), boundary, directory, limit, **options
        )
    ]


@pytest.fixture(params=["split", "stream", "stream byte by byte", "stream partly in memory"])
def parts_of(request, tmp_path):
    """Reads a message with the boundary ``b``, in each of the ways there are."""

    def parts_of(body: bytes, boundary: bytes = b"b") -> Parts:
        if request.param == "split":
            return by_splitting(body, boundary)
        chunk = 1 if "byte" in request.param else 2**20
        in_memory = 2 if "memory" in request.param else -1
        return by_streaming(body, boundary, tmp_path / "uploads", chunk, in_memory=in_memory)

    return parts_of


def test_a_part_has_its_content_type_and_exactly_its_bytes(parts_of):
    body = b"--b\r\n" + HEAD + b"one\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\ntwo\r\n--b--\r\n"
    assert parts_of(body) == [(DICOM, b"one\r\n"), ("text/plain", b"two")]


def test_a_message_may_end_right_after_its_last_boundary(parts_of):
    assert parts_of(b"--b\r\n" + HEAD + b"one\r\n--b--") == [(DICOM, b"one")]


def test_what_comes_before_the_first_and_after_the_last_boundary_is_no_part(parts_of):
    body = b"This is\r\na preamble\r\n--b\r\n" + HEAD + b"one\r\n--b--\r\nand\r\n--b\r\nan epilogue"
    assert parts_of(body) == [(DICOM, b"one")]


def test_a_message_may_begin_with_a_line_end(parts_of):
    assert parts_of(b"\r\n--b\r\n" + HEAD + b"one\r\n--b--") == [(DICOM, b"one")]


def test_blanks_after_a_boundary_are_ignored(parts_of):
    body = b"--b \t \r\n" + HEAD + b"one\r\n--b\t\r\n" + HEAD + b"two\r\n--b--  \r\n"
    assert parts_of(body) == [(DICOM, b"one"), (DICOM, b"two")]


@pytest.mark.parametrize(
    "data",
    [
        b"--b",
        b"x--b\r\n",
        b"\n--b--\r\n",
        b"\r--b--",
        b"\r\n--c\r\n",
        b"\r\n--bb\r\n",
        b"\r\n--b x\r\n",
        b"\r\n--b-\r\n",
        b"\r\n--b\n",
        b"\r\n--b\r",
        b"\r\n--b" + 256 * b" " + b"\r\n",
        b"\r\n-",
        b"\r\n\r\n",
    ],
)
def test_data_that_looks_like_a_boundary_but_is_none_stays_data(parts_of, data):
    data = b"\0" + data
    assert parts_of(b"--b\r\n" + HEAD + data + b"\r\n--b--\r\n") == [(DICOM, data)]


def test_other_headers_of_a_part_are_ignored(parts_of):
    head = (
        b"MIME-Version: 1.0\r\ncontent-type:application/dicom \r\n"
        b'Content-Disposition: attachment; name="x"\r\nX-Empty:\r\n\r\n'
    )
    assert parts_of(b"--b\r\n" + head + b"one\r\n--b--") == [(DICOM, b"one")]


def test_a_folded_header_is_one_header(parts_of):
    head = b"Content-Type: application/dicom;\r\n\ttransfer-syntax=1.2.840.10008.1.2.1\r\n\r\n"
    assert parts_of(b"--b\r\n" + head + b"one\r\n--b--") == [
        (f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.1", b"one")
    ]


def test_a_part_may_have_no_headers(parts_of):
    assert parts_of(b"--b\r\n\r\none\r\n--b--") == [(None, b"one")]


def test_a_part_may_be_empty(parts_of):
    body = b"--b\r\n" + HEAD + b"\r\n--b\r\n\r\n\r\n--b--"
    assert parts_of(body) == [(DICOM, b""), (None, b"")]


def test_the_blank_line_of_an_empty_part_may_belong_to_the_next_boundary(parts_of):
    assert parts_of(b"--b\r\n" + HEAD + b"--b--") == [(DICOM, b"")]


@pytest.mark.parametrize(
    "body", [b"--b--", b"--b--\r\n", b"\r\n--b--\r\n", b"--b\r\n\r\n--b--\r\n"]
)
def test_a_message_may_have_no_parts(parts_of, body):
    assert parts_of(body) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\r\n",
        b"no boundary at all",
        b"--b",
        b"--b\r\n",
        b"--b\r\n" + HEAD,
        b"--b\r\n" + HEAD + b"one",
        b"--b\r\n" + HEAD + b"one\r\n--b",
        b"--b\r\n" + HEAD + b"one\r\n--b-",
        b"--b\r\n" + HEAD + b"one\r\n--b\r\n",
        b"--b\r\n" + HEAD + b"one\r\n--b\r\n--b--",
        b"--b\r\nContent-Type: application/dicom\r\n--b--",
        b"--other\r\n" + HEAD + b"one\r\n--other--",
    ],
)
def test_a_message_that_is_cut_short_is_refused(parts_of, body):
    with pytest.raises(MultipartError, match="ends before its last boundary"):
        parts_of(body)


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (b"Content-Type application/dicom", "name: value"),
        (b"Content Type: application/dicom", "name: value"),
        (b" Content-Type: application/dicom", "name: value"),
        (b": application/dicom", "name: value"),
        (b"Content-Type: a/b\r\nContent-Type: c/d", "more than one Content-Type"),
        (b"\r\n".join([b"X: y"] * 65), "more than 64 headers"),
        (b"X: " + b"y" * 16384, "more than 16384 bytes"),
    ],
)
def test_a_part_with_malformed_or_too_many_headers_is_refused(parts_of, head, why):
    with pytest.raises(MultipartError, match=why):
        parts_of(b"--b\r\n" + head + b"\r\n\r\none\r\n--b--")


def test_headers_without_an_end_do_not_fill_the_memory(parts_of):
    with pytest.raises(MultipartError, match="more than 16384 bytes"):
        parts_of(b"--b\r\n" + b"X: y\r\n" * 10_000)


def test_a_message_of_very_many_parts_is_refused(parts_of, monkeypatch):
    monkeypatch.setattr(multipart, "MAX_PARTS", 3)
    part = b"--b\r\n" + HEAD + b"\r\n"
    assert len(parts_of(3 * part + b"--b--")) == 3
    with pytest.raises(MultipartError, match="more than 3 parts"):
        parts_of(4 * part + b"--b--")


def test_parts_in_memory_are_views_of_the_body():
    body = b"--b\r\n" + HEAD + b"one\r\n--b--"
    (part,) = split(body, b"b")
    assert part.data.obj is body


def test_the_files_of_parts_are_gone_once_the_next_is_asked_for(tmp_path):
    body = BytesIO(b"--b\r\n" + HEAD + b"one\r\n--b\r\n" + HEAD + b"two\r\n--b--")
    seen = []
    for part in stream(body.read, b"b", tmp_path, 1000, in_memory=0):
        seen.append(part.path.read_bytes())
        assert list(tmp_path.iterdir()) == [part.path]
    assert seen == [b"one", b"two"]
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_moved_away_stays(tmp_path):
    body = BytesIO(b"--b\r\n" + HEAD + b"one\r\n--b--")
    for part in stream(body.read, b"b", tmp_path / "uploads", 1000):
        part.path.rename(tmp_path / "kept")
    assert (tmp_path / "kept").read_bytes() == b"one"
    assert list((tmp_path / "uploads").iterdir()) == []


def test_a_client_that_goes_away_leaves_nothing(tmp_path):
    body = BytesIO(b"--b\r\n" + HEAD + b"one\r\n--b\r\n" + HEAD + b"tw")
    parts = stream(body.read, b"b", tmp_path, 1000)
    assert next(parts).path.read_bytes() == b"one"
    with pytest.raises(MultipartError):
        next(parts)
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_stops_in_the_middle_leaves_nothing(tmp_path):
    body = BytesIO(b"--b\r\n" + HEAD + b"one\r\n--b\r\n" + HEAD + b"two\r\n--b--")
    parts = stream(body.read, b"b", tmp_path, 1000)
    next(parts)
    parts.close()
    assert list(tmp_path.iterdir()) == []


def test_a_body_over_the_limit_is_refused_and_leaves_nothing(tmp_path):
    body = b"--b\r\n" + HEAD + b"one\r\n--b--"
    assert by_streaming(body, b"b", tmp_path, limit=len(body)) == [(DICOM, b"one")]
    with pytest.raises(TooLarge, match=f"{len(body) - 1} bytes"):
        by_streaming(body, b"b", tmp_path, limit=len(body) - 1)
    assert list(tmp_path.iterdir()) == []


def test_a_stream_never_reads_more_than_the_limit_and_one_byte(tmp_path):
    taken = []

    def endless(size: int) -> bytes:
        taken.append(size)
        return b"x" * size

    with pytest.raises(TooLarge):
        next(stream(endless, b"b", tmp_path, 3_000_000))
    assert sum(taken) == 3_000_001
    assert max(taken) <= multipart.CHUNK_BYTES


def test_the_first_bytes_of_each_part_are_zeroed_on_request(tmp_path):
    body = b"--b\r\n" + HEAD + b"abcdef\r\n--b\r\n" + HEAD + b"xy\r\n--b--"
    assert by_streaming(body, b"b", tmp_path, zero_first=4) == [
        (DICOM, b"\0\0\0\0ef"),
        (DICOM, b"\0\0"),
    ]


def test_a_part_larger_than_a_chunk_arrives_whole(tmp_path):
    data = bytes(range(256)) * 12_345
    body = b"--b\r\n" + HEAD + data + b"\r\n--b\r\n" + HEAD + data[::-1] + b"\r\n--b--"
    assert by_streaming(body, b"b", tmp_path) == [(DICOM, data), (DICOM, data[::-1])]


def test_a_message_of_pythons_email_package_is_read(parts_of):
    message = MIMEMultipart("related", boundary="some-boundary", policy=HTTP)
    message.attach(MIMEApplication(b"one", "dicom", lambda _: None, policy=HTTP))
    part = Message(policy=HTTP)
    part.add_header("Content-Type", DICOM, **{"transfer-syntax": "1.2." + "3" * 60})
    part.set_payload("two")
    message.attach(part)
    body = message.as_bytes(policy=HTTP)
    assert parts_of(body, b"some-boundary") == [
        (DICOM, b"one"),
        (f'{DICOM}; transfer-syntax="1.2.{"3" * 60}"', b"two"),
    ]


CONTENTS = st.lists(
    st.tuples(
        st.sampled_from([DICOM, "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"]),
        st.lists(
            st.one_of(
                st.binary(max_size=40),
                st.sampled_from([b"\r\n", b"--", b"\r", b"\n", b"\r\n--", b"boundary", b"-"]),
            ),
            max_size=6,
        ),
    ),
    max_size=4,
)


@given(contents=CONTENTS)
def test_what_an_envelope_joins_is_read_back_the_same_in_the_length_it_said(contents):
    envelope = Envelope()
    lengths = [(content_type, sum(map(len, pieces))) for content_type, pieces in contents]
    body = b"".join(envelope.join(iter(contents)))
    assert len(body) == envelope.length(iter(lengths))
    assert body.startswith(b"--" + envelope.boundary.encode())
    assert by_splitting(body, envelope.boundary.encode()) == [
        (content_type, b"".join(pieces)) for content_type, pieces in contents
    ]


def by_another_parser(body: bytes, boundary: str) -> list[bytes]:
    parts: list[bytearray] = []
    callbacks = {
        "on_part_begin": lambda: parts.append(bytearray()),
        "on_part_data": lambda data, start, end: parts[-1].extend(data[start:end]),
    }
    MultipartParser(boundary, callbacks).write(body)
    return list(map(bytes, parts))


@given(contents=CONTENTS)
def test_another_parser_reads_the_same_out_of_an_envelope(contents):
    envelope = Envelope()
    body = b"".join(envelope.join(contents))
    expected = [b"".join(pieces) for _, pieces in contents]
    assert by_another_parser(body, envelope.boundary) == expected


def test_short_parts_are_sent_together_and_long_ones_as_they_are():
    short, long = b"s" * 1000, b"l" * 100_000
    contents = [short] * 100 + [long] + [short]
    envelope = Envelope()
    pieces = list(envelope.join((DICOM, [content]) for content in contents))
    assert [len(piece) >= 65_536 for piece in pieces] == [True, False, True, False]
    assert pieces[2] is long
    parts = by_splitting(b"".join(pieces), envelope.boundary.encode())
    assert parts == [(DICOM, content) for content in contents]


FRAGMENTS = st.lists(
    st.one_of(
        st.sampled_from([b"\r\n--b\r\n", b"\r\n--b--", b"\r\n--b\r\n" + HEAD, b"--b\r\n" + HEAD]),
        st.sampled_from(
            [b"\r\n", b"\r", b"\n", b"--b", b"--", b"b", b"-", b" ", b"\t", b" " * 255]
        ),
        st.sampled_from([b"X: y", b":", b"data", HEAD]),
    ),
    max_size=16,
).map(b"".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    body=st.one_of(FRAGMENTS, FRAGMENTS.map(lambda rest: b"--b\r\n" + HEAD + rest + b"\r\n--b--")),
    chunk=st.integers(1, 40),
)
@example(body=b"--b\r\n\r\n\r\n--b--", chunk=7)
@example(body=b"--b\r\n\r\n--b--", chunk=7)
def test_both_readers_agree_on_any_input_however_it_arrives(tmp_path, body, chunk):
    def outcome(read) -> Parts | str:
        try:
            return read()
        except MultipartError as error:
            return str(error)

    in_memory = outcome(lambda: by_splitting(body, b"b"))
    arriving = outcome(lambda: by_streaming(body, b"b", tmp_path, chunk))
    assert arriving == in_memory
    assert list(tmp_path.iterdir()) == []


def test_a_part_that_may_stay_in_memory_makes_no_file(tmp_path):
    body = BytesIO(b"--b\r\n" + HEAD + b"four\r\n--b\r\n" + HEAD + b"fives\r\n--b--")
    small, large = [], []
    for part in stream(body.read, b"b", tmp_path, 1000, in_memory=4):
        (small if isinstance(part, Part) else large).append(bytes(part.view()))
        assert len(list(tmp_path.iterdir())) == len(large)
    assert (small, large) == ([b"four"], [b"fives"])


@pytest.mark.parametrize("length", [0, 5, 3_000_000])
def test_a_body_without_parts_is_spooled_whole_with_its_first_bytes_zeroed(tmp_path, length):
    data = b"\xff" * length
    (part,) = [
        (part.content_type, bytes(part.view()))
        for part in spool(BytesIO(data).read, DICOM, tmp_path, length, zero_first=4)
    ]
    assert part == (DICOM, bytes(min(4, length)) + data[4:])
    assert list(tmp_path.iterdir()) == []


def test_a_spooled_body_over_the_limit_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(TooLarge, match="9 bytes"):
        list(spool(BytesIO(b"0123456789").read, DICOM, tmp_path, 9))
    assert list(tmp_path.iterdir()) == []
