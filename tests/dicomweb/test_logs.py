import json
import logging
import os
import threading
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from gunicorn.config import Config

from dicomweb import logs
from dicomweb.accesslog import JsonLogger, access_line
from dicomweb.errors import NotFound
from dicomweb.logs import JsonFormatter, StderrHandler, configure, request_id

PATIENT = "Doe^Jane"


@pytest.fixture(autouse=True)
def _between_requests():
    """Other tests have served requests on this thread."""
    token = request_id.set("")
    yield
    request_id.reset(token)


@pytest.fixture
def line():
    """The line of a record, taken apart."""

    def line(name="gantry", message="text", *arguments, error=None, level=logging.INFO) -> dict:
        info = (type(error), error, error.__traceback__) if error else None
        record = logging.LogRecord(name, level, "/x/y/z.py", 7, message, arguments, info, "work")
        return json.loads(JsonFormatter().format(record))

    return line


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    error.__cause__ = cause
    try:
        raise error
    except type(error) as caught:
        return caught


def response(**changes):
    values = {"status": "200 OK", "status_code": 200, "sent": 10, "response_length": 10}
    return SimpleNamespace(**(values | changes))


def access(uri="/v2/studies", milliseconds=1.5, answer=None, **environ) -> dict:
    values = {"RAW_URI": uri, "REQUEST_METHOD": "GET", "REMOTE_ADDR": "10.1.2.3"}
    duration = timedelta(milliseconds=milliseconds)
    return json.loads(access_line(answer or response(), values | environ, duration))


def test_a_line_says_when_where_how_bad_and_what(line):
    found = line("gantry.stow", "refused %s", "1.2.3", level=logging.WARNING)

    assert datetime.fromisoformat(found["time"]).utcoffset() == timedelta(0)
    assert found["level"] == "warning"
    assert found["logger"] == "gantry.stow"
    assert found["message"] == "refused 1.2.3"
    assert isinstance(found["pid"], int)
    assert "request_id" not in found


def test_a_line_names_the_request_that_its_thread_serves(line):
    found = {}

    def serve(number: str) -> None:
        request_id.set(number)
        found[number] = line()["request_id"]

    threads = [threading.Thread(target=serve, args=(number,)) for number in ("a", "b")]
    for thread in threads:
        thread.start()
        thread.join()
    assert found == {"a": "a", "b": "b"}
    assert "request_id" not in line()


def test_an_error_is_told_with_its_causes_and_places(line):
    error = raised(NotFound("1.2.3 is not stored"), raised(OSError(28, "No space left")))
    found = line(error=error)["exception"]

    assert [one["type"] for one in found] == ["dicomweb.errors.NotFound", "builtins.OSError"]
    assert [one["message"] for one in found] == ["1.2.3 is not stored", "No space left"]
    assert found[0]["stack"][-1].startswith("dicomweb/test_logs.py:")
    assert found[0]["stack"][-1].endswith(" raised")


def test_texts_of_exceptions_that_are_not_ours_stay_out(line):
    for error in (ValueError(PATIENT), KeyError(PATIENT), UnicodeError(PATIENT)):
        found = line(error=raised(error))
        assert PATIENT not in str(found)
        assert found["exception"][0]["type"] == f"builtins.{type(error).__name__}"


@pytest.mark.parametrize(
    ("message", "logged"),
    [
        (f"Error handling request GET /v2/studies?PatientName={PATIENT} x", "GET /v2/studies"),
        (f"Invalid request from ip=1.2.3.4: Invalid HTTP request line: '{PATIENT}'", "line: "),
        (f'Invalid HTTP Header: "{PATIENT}"', "Header: "),
        ("Booting worker with pid: 12", "pid: 12"),
    ],
)
def test_what_the_server_quotes_of_a_request_stays_out(line, message, logged):
    found = line("gunicorn.error", message)
    assert PATIENT not in str(found)
    assert found["message"].endswith(logged)


@pytest.mark.parametrize("message", ["Connection in use: %s", "Can't connect to %s"])
def test_an_address_that_the_server_cannot_listen_on_is_told(line, message):
    address = str(("127.0.0.1", 8080))  # as gunicorn writes it, with quotes
    assert line("gunicorn.error", message, address)["message"] == message % address


def test_of_other_libraries_only_the_place_is_told(line):
    found = line("pydicom", f"Invalid value for VR PN: {PATIENT}")
    assert found["message"] == "from z:7 work"


def test_a_line_is_shorter_than_a_pipe_takes_in_one_piece(line):
    error: BaseException | None = None
    for _ in range(20):
        error = raised(NotFound("ä" * 5000), error)

    def fail_deeper(depth: int) -> None:
        if not depth:
            raise NotFound("x" * 5000) from error
        fail_deeper(depth - 1)

    with pytest.raises(NotFound) as caught:
        fail_deeper(100)
    found = line("gantry", "x" * 5000, error=caught.value)
    assert len(json.dumps(found, ensure_ascii=False).encode()) < 4096
    assert len(found["exception"]) == logs.CAUSES


def test_a_chain_of_errors_that_bites_its_tail_ends(line):
    first, second = NotFound("1"), NotFound("2")
    first.__cause__, second.__cause__ = second, first
    assert len(line(error=first)["exception"]) == 2


@pytest.fixture
def logger():
    return logging.Logger("gantry.test")  # noqa: LOG001 - not to be seen by other tests


def test_a_logger_gets_one_handler_however_often_it_is_configured(logger):
    for _ in range(3):
        configure(logger, "warning")
    assert [type(handler) for handler in logger.handlers] == [StderrHandler]
    assert logger.level == logging.WARNING


def test_lines_go_to_standard_error_and_end(capfd, logger):
    configure(logger, "info")
    logger.info("one")
    logger.debug("two")
    logger.info("three\nfour")

    lines = capfd.readouterr().err.splitlines()
    assert [json.loads(line)["message"] for line in lines] == ["one", "three\nfour"]


def test_a_log_that_cannot_be_written_stops_nothing():
    reading, writing = os.pipe()
    os.close(reading)
    logs.write_line(writing, b"lost")
    os.close(writing)
    logs.write_line(writing, b"lost")


def test_a_request_is_told_with_its_time_sizes_and_client():
    found = access(
        "/v2/studies/1.2/metadata",
        CONTENT_LENGTH="123",
        HTTP_USER_AGENT="curl/8",
        **{logs.REQUEST_ID: "abc"},
    )
    assert datetime.fromisoformat(found.pop("time")).utcoffset() == timedelta(0)
    assert found == {
        "request_id": "abc",
        "client": "10.1.2.3",
        "method": "GET",
        "path": "/v2/studies/1.2/metadata",
        "query": [],
        "status": 200,
        "duration_ms": 1.5,
        "received_bytes": 123,
        "sent_bytes": 10,
        "aborted": False,
        "agent": "curl/8",
    }


def test_of_a_query_only_the_names_are_told():
    found = access(f"/v2/studies?PatientName={PATIENT}&00100020=P1&limit=5&limit=6")
    assert found["path"] == "/v2/studies"
    assert found["query"] == ["PatientName", "00100020", "limit", "limit"]
    assert PATIENT not in str(found)
    assert "P1" not in str(found)


@pytest.mark.parametrize(
    "query", [PATIENT, f"{PATIENT}=", f"%41{PATIENT}=x", f"a b{PATIENT}=", "=x"]
)
def test_what_may_be_a_value_is_not_told_as_a_name(query):
    assert access(f"/v2/studies?{query}")["query"] == ["?"]


def test_a_file_sent_by_the_kernel_counts_with_its_length():
    assert access(answer=response(sent=0, response_length=500))["sent_bytes"] == 500


@pytest.mark.parametrize(
    ("method", "changes"),
    [("HEAD", {}), ("GET", {"status": "304 NOT MODIFIED", "status_code": 304})],
)
def test_an_answer_without_body_sent_nothing(method, changes):
    answer = response(sent=0, response_length=500, **changes)
    assert access(answer=answer, REQUEST_METHOD=method)["sent_bytes"] == 0


def test_an_answer_that_broke_off_says_so():
    def log_while_it_breaks(**answer) -> dict:
        try:
            Path("/nonexistent").stat()
        except OSError:
            return access(answer=response(**answer))

    found = log_while_it_breaks(sent=3)
    assert (found["aborted"], found["sent_bytes"]) == (True, 3)
    assert log_while_it_breaks(sent=0)["sent_bytes"] is None


@pytest.mark.parametrize("length", [None, "", "x", "9" * 100, "-1", "²"])
def test_a_length_that_is_none_is_told_as_none(length):
    environ = {} if length is None else {"CONTENT_LENGTH": length}
    assert access(**environ)["received_bytes"] is None


def test_a_request_that_could_not_be_read_has_a_line_too():
    found = access(None, answer=response(status="400 Bad Request"), REMOTE_ADDR="")
    assert (found["path"], found["status"]) == ("", 400)


def test_the_longest_request_has_a_line_that_a_pipe_takes_in_one_piece():
    query = "&".join("N" * 64 + "=x" for _ in range(500))
    uri = '/"' * 4000 + "?" + query
    agent = '"\t\xff' * 3000
    line = access_line(
        response(sent=10**15),
        {
            "RAW_URI": uri,
            "REQUEST_METHOD": "X" * 20,
            "REMOTE_ADDR": "é" * 8000,
            "HTTP_USER_AGENT": agent,
            "CONTENT_LENGTH": "9" * 19,
            logs.REQUEST_ID: "/" * 128,
        },
        timedelta(days=1),
    )
    assert len(line) < 4096
    json.loads(line)


def own_handlers(logger: JsonLogger) -> list[logging.Handler]:
    """The handlers but those of the test runner."""
    return [h for h in logger.error_log.handlers if getattr(h, "_gunicorn", False)]


class TestTheServersLogger:
    @pytest.fixture
    def server_logger(self):
        kept = logging.getLogger().handlers[:]
        config = Config()
        config.set("accesslog", "-")
        yield JsonLogger(config)
        logging.getLogger().handlers[:] = kept
        logging.getLogger().setLevel(logging.WARNING)

    def test_it_writes_requests_to_standard_output(self, server_logger, capfd):
        environ = {"RAW_URI": "/v2", "REQUEST_METHOD": "GET"}
        server_logger.access(response(), None, environ, timedelta(milliseconds=1))

        out = capfd.readouterr().out
        assert out.endswith("\n")
        assert json.loads(out)["path"] == "/v2"

    def test_it_writes_its_other_lines_as_json(self, server_logger):
        assert [type(handler.formatter) for handler in own_handlers(server_logger)] == [
            JsonFormatter
        ]

    def test_reading_the_settings_anew_adds_no_second_handler(self, server_logger):
        before = len(logging.getLogger().handlers)
        server_logger.setup(server_logger.cfg)
        assert len(logging.getLogger().handlers) == before
        assert len(own_handlers(server_logger)) == 1

    def test_no_access_log_means_none(self, server_logger, capfd):
        server_logger.cfg.set("accesslog", None)
        server_logger.setup(server_logger.cfg)
        server_logger.access(response(), None, {"RAW_URI": "/"}, timedelta(0))
        assert capfd.readouterr().out == ""
