"""What the bucket store says to a server, and what it makes of bad answers."""

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from botocore.awsrequest import AWSResponse

from storage import s3
from storage.base import (
    BlobExists,
    BlobNotFound,
    BlobStore,
    BlobStoreForbidden,
    BlobStoreFull,
    BlobStoreUnavailable,
    StorageError,
)

KEY = "p/1.2/3/4_5.dcm"


METHODS: dict[str, Callable[[BlobStore, Path], object]] = {
    "put": lambda blobs, _: blobs.put(KEY, [b"content"]),
    "adopt": lambda blobs, path: blobs.adopt(KEY, path),
    "open": lambda blobs, _: blobs.open(KEY),
    "range": lambda blobs, _: blobs.open(KEY, 1, 3),
    "length": lambda blobs, _: blobs.length(KEY),
    "delete": lambda blobs, _: blobs.delete([KEY]),
    "list": lambda blobs, _: list(blobs.list()),
    "check": lambda blobs, _: blobs.check(),
}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "upload"
    path.write_bytes(b"content")
    return path


@pytest.mark.parametrize("method", METHODS)
def test_a_wrong_secret_is_refused(rclone_endpoint, open_s3, monkeypatch, path, method):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-wrong-secret")
    blobs = open_s3(rclone_endpoint)
    with pytest.raises(BlobStoreForbidden):
        METHODS[method](blobs, path)
    assert path.exists()


@pytest.mark.parametrize("method", METHODS)
def test_missing_credentials_are_forbidden(rclone_endpoint, open_s3, monkeypatch, path, method):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    blobs = open_s3(rclone_endpoint)
    with pytest.raises(BlobStoreForbidden, match="credentials"):
        METHODS[method](blobs, path)
    assert path.exists()


@pytest.mark.parametrize("method", sorted(METHODS.keys() - {"length"}))
def test_a_missing_bucket_is_not_a_missing_blob(rclone_endpoint, open_s3, path, method):
    blobs = open_s3(rclone_endpoint, bucket="no-such-bucket")
    with pytest.raises(BlobStoreUnavailable, match="NoSuchBucket"):
        METHODS[method](blobs, path)
    assert path.exists()


def test_objects_carry_the_prefix_and_others_are_not_touched(rclone_blobs, bucket_prefix):
    server = rclone_blobs._s3
    server.put_object(Bucket="blobs", Key=f"{bucket_prefix}-other/p/1", Body=b"other")
    rclone_blobs.put("p/1", [b"ours"])
    answer = server.get_object(Bucket="blobs", Key=f"{bucket_prefix}/p/1")
    assert answer["Body"].read() == b"ours"
    assert [info.key for info in rclone_blobs.list()] == ["p/1"]
    rclone_blobs.delete(["p/1"])
    answer = server.get_object(Bucket="blobs", Key=f"{bucket_prefix}-other/p/1")
    assert answer["Body"].read() == b"other"


def test_more_blobs_than_one_answer_holds_are_listed_and_deleted(crowded_blobs):
    keys = [f"p/{number:04}" for number in range(2500)]
    assert [info.key for info in crowded_blobs.list("p/")] == keys
    crowded_blobs.delete(iter(keys[:-1]))
    assert [info.key for info in crowded_blobs.list()] == keys[-1:]


def test_markers_of_folders_and_hidden_names_are_not_listed(moto_blobs, bucket_prefix):
    moto_blobs.put("p/1", [b"content"])
    for name in ("p/", ".hidden", "p/.2.part"):
        moto_blobs._s3.put_object(Bucket="blobs", Key=f"{bucket_prefix}/{name}", Body=b"")
    assert [info.key for info in moto_blobs.list()] == ["p/1"]


@pytest.mark.parametrize("length", [7, 20 << 20], ids=["one request", "in parts"])
def test_encryption_is_asked_for_with_every_object(
    moto_endpoint, open_s3, path, bucket_prefix, length
):
    blobs = open_s3(moto_endpoint, options="&sse=aws:kms&kms_key=a-key")
    blobs._s3.create_bucket(Bucket="blobs")
    path.write_bytes(bytes(length))
    blobs.put("p/put", [b"content"])
    blobs.adopt("p/adopted", path)
    for key in ("p/put", "p/adopted"):
        answer = blobs._s3.head_object(Bucket="blobs", Key=f"{bucket_prefix}/{key}")
        assert (answer["ServerSideEncryption"], answer["SSEKMSKeyId"]) == ("aws:kms", "a-key")


def test_an_upload_that_fails_in_the_middle_is_aborted_and_keeps_the_file(moto_blobs, path):
    path.write_bytes(bytes(40 << 20))
    stored = threading.Event()

    def refuse_second_part(request, **_kwargs):
        if "partNumber=2" not in request.url:
            return None
        assert stored.wait(60)
        return AWSResponse(request.url, 507, {}, _NoBody())

    events = moto_blobs._s3.meta.events
    events.register("before-send.s3.UploadPart", refuse_second_part)
    events.register("after-call.s3.UploadPart", lambda **_kwargs: stored.set())
    with pytest.raises(BlobStoreFull):
        moto_blobs.adopt(KEY, path)
    assert stored.is_set()
    assert path.stat().st_size == 40 << 20
    assert list(moto_blobs.list()) == []
    assert moto_blobs._s3.list_multipart_uploads(Bucket="blobs").get("Uploads", []) == []


class _NoBody:
    """The body of an answer without one."""

    def stream(self, **_kwargs):
        return iter(())


def test_keys_that_a_server_will_not_delete_are_an_error(moto_blobs, bucket_prefix):
    answer = (
        '<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Error>'
        f"<Key>{bucket_prefix}/p/2</Key><Code>AccessDenied</Code><Message>locked</Message>"
        "</Error></DeleteResult>"
    )

    class Body:
        def stream(self, **_kwargs):
            yield answer.encode()

    moto_blobs._s3.meta.events.register(
        "before-send.s3.DeleteObjects",
        lambda request, **_kwargs: AWSResponse(request.url, 200, {}, Body()),
    )
    with pytest.raises(BlobStoreForbidden, match=r"p/2.*AccessDenied"):
        moto_blobs.delete(["p/1", "p/2"])


class Script:
    """A server that answers as it is told, one answer per request; the last is repeated."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.answers: list[tuple[int, bytes, int]] = []

    def says(self, status: int, body: bytes = b"", length: int | None = None) -> None:
        self.answers.append((status, body, len(body) if length is None else length))

    def refuses(self, status: int, code: str) -> None:
        self.says(status, f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode())


@pytest.fixture
def script(monkeypatch) -> Iterator[Script]:
    monkeypatch.setattr(s3, "ATTEMPTS", 2)  # a repetition waits up to a second
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            script.requests.append(self.command)
            turn = min(len(script.requests), len(script.answers)) - 1
            status, body, length = script.answers[turn]
            self.send_response(status)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
            self.close_connection = True

        def log_message(self, *_args) -> None:
            pass

    for method in ("GET", "PUT", "HEAD", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.answer)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        script.endpoint = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield script
        server.shutdown()
        thread.join()


@pytest.fixture
def scripted(script, open_s3):
    """A store on a server that answers as it is told."""
    return open_s3(script.endpoint)


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, "NoSuchKey", BlobNotFound),
        (403, "AccessDenied", BlobStoreForbidden),
        (403, "InvalidAccessKeyId", BlobStoreForbidden),
        (400, "ExpiredToken", BlobStoreForbidden),
        (503, "SlowDown", BlobStoreUnavailable),
        (500, "InternalError", BlobStoreUnavailable),
        (400, "InvalidRequest", BlobStoreUnavailable),
        (409, "ConditionalRequestConflict", BlobStoreUnavailable),
        (507, "XMinioStorageFull", BlobStoreFull),
        (400, "XMinioAdminBucketQuotaExceeded", BlobStoreFull),
        (403, "QuotaExceeded", BlobStoreFull),
    ],
)
def test_a_servers_refusal_has_one_meaning(
    script, scripted, status: int, code: str, error: type[StorageError]
):
    script.refuses(status, code)
    with pytest.raises(error, match=f"{KEY}.*{code}"):
        scripted.open(KEY)


@pytest.mark.parametrize("method", METHODS)
def test_a_server_that_does_not_answer_is_unavailable(open_s3, monkeypatch, path, method):
    monkeypatch.setattr(s3, "READ_SECONDS", 0.2)
    monkeypatch.setattr(s3, "ATTEMPTS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        blobs = open_s3(f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(BlobStoreUnavailable, match="timeout"):
            METHODS[method](blobs, path)
    assert path.exists()


def test_a_server_that_is_down_is_unavailable(open_s3, monkeypatch):
    monkeypatch.setattr(s3, "ATTEMPTS", 1)
    blobs = open_s3("http://127.0.0.1:1")
    with pytest.raises(BlobStoreUnavailable):
        blobs.put(KEY, [b"content"])


def test_an_answer_that_ends_early_is_an_error_and_never_a_short_blob(script, scripted):
    script.says(200, b"only the first bytes", length=100)
    with scripted.open(KEY) as reader:
        assert reader.length == 100
        with pytest.raises(BlobStoreUnavailable):
            reader.read()
    with scripted.open(KEY) as reader, pytest.raises(BlobStoreUnavailable):
        list(reader)


def test_a_put_whose_answer_was_lost_is_repeated_and_found_stored(script, scripted):
    script.refuses(500, "InternalError")
    script.refuses(412, "PreconditionFailed")
    script.says(200, b"content")
    scripted.put(KEY, [b"con", b"tent"])
    assert script.requests == ["PUT", "PUT", "HEAD"]


def test_a_repeated_put_that_meets_another_blob_is_refused(script, scripted):
    script.refuses(500, "InternalError")
    script.refuses(412, "PreconditionFailed")
    script.says(200, b"something else")
    with pytest.raises(BlobExists):
        scripted.put(KEY, [b"con", b"tent"])


def test_a_put_that_is_refused_at_once_asks_no_further(script, scripted):
    script.refuses(412, "PreconditionFailed")
    with pytest.raises(BlobExists):
        scripted.put(KEY, [b"content"])
    assert script.requests == ["PUT"]


def test_a_whole_blob_is_asked_for_without_a_range(moto_blobs):
    asked = []
    moto_blobs._s3.meta.events.register(
        "before-send.s3.GetObject",
        lambda request, **_kwargs: asked.append(request.headers.get("Range")),
    )
    moto_blobs.put(KEY, [b"0123456789"])
    for start, stop in ((0, None), (2, None), (2, 5)):
        moto_blobs.open(KEY, start, stop).close()
    assert asked == [None, b"bytes=2-", b"bytes=2-4"]


def test_a_check_notices_that_other_bytes_come_back(script, scripted):
    script.says(200)
    script.says(200, b"other bytes")
    script.says(204)
    with pytest.raises(BlobStoreUnavailable, match="not what was written"):
        scripted.check()
    assert script.requests == ["PUT", "GET", "DELETE"]
