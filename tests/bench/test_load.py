"""The load generator must see every wrong answer: a benchmark that cannot fail shows nothing."""

import shutil
import socket
import threading
from io import BytesIO

import pytest
from pydicom import dcmread

from bench.cells import Archive, all_cells
from bench.corpus import TEMPLATES, small
from bench.loadgen import Load, LoadError, build, run_load, sink
from bench.workload import Request, WrongAnswerError, get, parts, same_file, store, write_plan

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;name=value\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: x\r\n\r\n"
)


@pytest.fixture(scope="module", autouse=True)
def compiled():
    if not (shutil.which("make") and shutil.which("cc")):
        pytest.skip("no C compiler")
    build()


@pytest.fixture
def answering():
    """Start a server that answers every request with the same bytes; give its port."""
    listeners = []

    def start(answer, piece=10**6, then_closes=False):
        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    while connection.recv(65536):
                        for at in range(0, len(answer), piece):
                            connection.sendall(answer[at : at + piece])
                        if then_closes:
                            break

        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=serve, daemon=True).start()
        return listener.getsockname()[1]

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.fixture
def load(tmp_path):
    def run(port, requests_each=3, answer_bytes=5):
        request = get("/", "*/*", lambda _: None)
        request.answer_bytes = answer_bytes
        write_plan(tmp_path / "plan", [request])
        how = Load(1, 5, requests_each=requests_each, keep=tmp_path / "kept-")
        return run_load(port, tmp_path / "plan", how)

    return run


@pytest.mark.parametrize("answer", [GOOD, CHUNKED])
@pytest.mark.parametrize("piece", [1, 7, 10**6])
def test_an_answer_is_read_however_it_is_framed_and_cut(answering, load, tmp_path, answer, piece):
    outcome = load(answering(answer, piece))
    assert (outcome.counted, outcome.problems) == (3, [])
    assert (tmp_path / "kept-0").read_bytes() == b"hello"


def test_an_answer_that_ends_with_its_connection_is_read(answering, load, tmp_path):
    outcome = load(answering(b"HTTP/1.1 200 OK\r\n\r\nhello", then_closes=True))
    assert (outcome.counted, outcome.reconnects, outcome.problems) == (3, 3, [])
    assert (tmp_path / "kept-0").read_bytes() == b"hello"


def test_a_status_other_than_200_is_a_problem(answering, load):
    answer = b"HTTP/1.1 409 Conflict\r\nContent-Length: 5\r\n\r\nhello"
    assert load(answering(answer)).problems == ["3 answers with status 409 (status 409: hello)"]


def test_an_answer_of_another_length_is_a_problem(answering, load):
    problems = load(answering(GOOD), answer_bytes=6).problems
    assert problems == ["3 answers of another length than expected"]


def test_a_connection_closed_within_an_answer_is_a_problem(answering, load):
    outcome = load(answering(GOOD[:-1], then_closes=True))
    assert outcome.counted == 0
    assert outcome.problems[0] == "3 connections closed within an answer"


@pytest.mark.parametrize(
    "answer",
    [
        GOOD + b"more",
        b"SIP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 999 Beyond\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 300,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 40_000,
    ],
)
def test_what_is_no_http_is_a_problem(answering, load, answer):
    outcome = load(answering(answer, then_closes=True), requests_each=1)
    assert (outcome.counted, outcome.malformed) == (0, 1)


def test_a_server_that_is_not_there_ends_the_load(load):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(LoadError, match="refused"):
        load(port)


def test_every_request_carries_new_uids_at_the_places_of_the_template(tmp_path):
    template = small()
    received = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as stream:
                for _ in range(2):
                    head = b"".join(iter(stream.readline, b"\r\n"))
                    length = int(head.partition(b"Content-Length: ")[2].split()[0])
                    received.append(stream.read(length))
                    connection.sendall(GOOD)

        server = threading.Thread(target=serve)
        server.start()
        write_plan(tmp_path / "plan", [store("/", template, instances=2)])
        how = Load(1, 5, requests_each=2, first_serial=10**17)
        run_load(listener.getsockname()[1], tmp_path / "plan", how)
        server.join()
    sent = [part for body in received for part in parts(body)]
    assert sent == [template.instance(10**17 + number) for number in range(4)]


def test_the_sink_takes_a_store_and_answers_with_as_many_bytes_as_asked(tmp_path):
    request = store("/", small())
    request.answer_bytes = 700_000
    write_plan(tmp_path / "plan", [request])
    with sink(700_000) as port:
        outcome = run_load(port, tmp_path / "plan", Load(2, 5, requests_each=5))
    assert (outcome.counted, outcome.problems) == (10, [])
    assert outcome.bytes_received > 7_000_000


@pytest.mark.parametrize("name", TEMPLATES)
def test_instances_of_a_template_differ_in_nothing_but_their_uids_and_patient(name):
    template = TEMPLATES[name]()
    one, other = (
        dcmread(BytesIO(template.instance(serial))) for serial in (10**17, 2 * 10**17 + 12345)
    )
    assert one.SOPInstanceUID == one.file_meta.MediaStorageSOPInstanceUID
    assert {element.keyword for element in one if element != other[element.tag]} == {
        "SOPInstanceUID",
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "FrameOfReferenceUID",
        "PatientID",
    }
    assert one.PatientID == template.patient_id(10**17)
    assert one.SeriesInstanceUID == template.series_uid(10**17)


def test_a_file_that_came_back_with_one_other_byte_is_noticed():
    template = small()
    stored = template.instance(10**17)
    same_file(template, 10**17)(stored)
    with pytest.raises(WrongAnswerError, match="other bytes"):
        same_file(template, 10**17)(stored[:-1] + b"\xff")


def test_no_line_of_the_table_has_its_name_twice():
    names = [cell.name for cell in all_cells()]
    assert len(names) == len(set(names))
    stow = [cell for cell in all_cells() if cell.operation.startswith("STOW")]
    assert all(isinstance(cell.requests(Archive([], {}))[0], Request) for cell in stow)
