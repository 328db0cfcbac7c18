"""The stores, and the S3 servers behind two of them."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from storage.base import BlobStore
from storage.open import open_store

ACCESS_KEY = "tester"
SECRET = "a-secret-of-the-tests"
BUCKET = "blobs"


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Run rclone on the buckets in a folder; yields its URL."""
    beside_python = str(Path(sys.executable).parent)
    command = [
        shutil.which("rclone", path=os.pathsep.join([beside_python, os.environ["PATH"]])),
        *("serve", "s3", "--addr", "127.0.0.1:0", "--config", os.devnull),
        *("--auth-key", f"{ACCESS_KEY},{SECRET}", folder),
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            printed = ""
            for line in server.stderr:
                printed += line
                if found := re.search(r"\[(http://127\.0\.0\.1:\d+)/\]", line):
                    break
            else:
                pytest.fail(f"rclone did not start: {printed}")
            # What else it prints is read, lest it wait for a reader.
            threading.Thread(target=server.stderr.read, daemon=True).start()
            yield found[1]
        finally:
            server.kill()


@pytest.fixture(scope="session")
def rclone_endpoint(tmp_path_factory) -> Iterator[str]:
    """URL of an S3 server that checks signatures, with an empty bucket."""
    folder = tmp_path_factory.mktemp("rclone")
    (folder / BUCKET).mkdir()
    with serve(folder) as endpoint:
        yield endpoint


@pytest.fixture
def crowded_blobs(tmp_path, bucket_prefix, open_s3) -> Iterator[BlobStore]:
    """A store of 2,500 blobs, p/0000 to p/2499, in a bucket of rclone's."""
    folder = tmp_path / "rclone" / BUCKET / bucket_prefix / "p"
    folder.mkdir(parents=True)
    for number in range(2500):
        (folder / f"{number:04}").write_bytes(b"content")
    with serve(tmp_path / "rclone") as endpoint:
        yield open_s3(endpoint)


@pytest.fixture(scope="session")
def moto_endpoint() -> Iterator[str]:
    """URL of an S3 server that obeys If-None-Match and lists unfinished uploads."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket_prefix() -> str:
    """Prefix of this test's keys in a bucket."""
    return uuid.uuid4().hex


@pytest.fixture
def open_s3(monkeypatch, tmp_path, bucket_prefix) -> Iterator[Callable[..., BlobStore]]:
    """Open a bucket of a server, with the credentials of the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    opened = []

    def open_bucket(endpoint: str, bucket: str = BUCKET, options: str = "") -> BlobStore:
        store = open_store(
            f"s3://{bucket}/{bucket_prefix}"
            f"?endpoint={endpoint}&region=us-east-1&addressing=path{options}",
            upload_directory=tmp_path / "uploads",
            connections=4,
        )
        opened.append(store)
        return store

    yield open_bucket
    for store in opened:
        store._s3.close()


@pytest.fixture
def rclone_blobs(rclone_endpoint, open_s3) -> BlobStore:
    """An empty store in a bucket of rclone."""
    return open_s3(rclone_endpoint)


@pytest.fixture
def moto_blobs(moto_endpoint, open_s3) -> BlobStore:
    """An empty store in a bucket of moto."""
    store = open_s3(moto_endpoint)
    store._s3.create_bucket(Bucket=BUCKET)
    return store


@pytest.fixture
def folder(tmp_path) -> Path:
    """The folder of the folder store."""
    return tmp_path / "blobs"


@pytest.fixture
def folder_blobs(folder, tmp_path) -> BlobStore:
    """An empty folder store."""
    return open_store(f"file://{folder}", upload_directory=tmp_path / "uploads", connections=1)


@pytest.fixture
def named_folder_blobs(folder, tmp_path, monkeypatch) -> BlobStore:
    """An empty folder store on a file system whose files must have names."""
    monkeypatch.delattr(os, "O_TMPFILE")
    return open_store(f"file://{folder}", upload_directory=tmp_path / "uploads", connections=1)


@pytest.fixture
def memory_blobs(tmp_path) -> BlobStore:
    """An empty store in memory."""
    return open_store("memory://", upload_directory=tmp_path / "uploads", connections=1)
