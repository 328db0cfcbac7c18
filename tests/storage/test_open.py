"""Which store a URL opens, and what is said of a wrong one."""

import os
import subprocess
import sys

import pytest

from storage.filesystem import FilesystemStore
from storage.memory import MemoryStore
from storage.open import open_store


def open_url(url, tmp_path):
    return open_store(url, upload_directory=tmp_path / "uploads", connections=2)


def test_a_file_url_opens_a_folder_and_makes_it(tmp_path):
    store = open_url(f"file://{tmp_path}/a%20b/blobs", tmp_path)
    assert isinstance(store, FilesystemStore)
    store.put("p/a", [b"content"])
    assert (tmp_path / "a b" / "blobs" / "p" / "a").read_bytes() == b"content"


def test_a_memory_url_opens_a_store_in_memory(tmp_path):
    store = open_url("memory://", tmp_path)
    assert isinstance(store, MemoryStore)
    assert store.upload_directory.is_dir()


def test_a_folder_keeps_uploads_on_its_own_disk(tmp_path):
    store = open_url(f"file://{tmp_path}/blobs", tmp_path)
    assert store.upload_directory.is_dir()
    assert store.upload_directory.is_relative_to(tmp_path / "blobs")
    assert not (tmp_path / "uploads").exists()


def test_an_s3_url_opens_a_bucket_with_its_options(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    url = "s3://images/a/b/?endpoint=http://127.0.0.1:9&region=eu-1&addressing=path"
    store = open_url(f"{url}&sse=aws:kms&kms_key=arn:aws:kms:x:1:key/2", tmp_path)
    assert store.upload_directory == tmp_path / "uploads"
    assert store.upload_directory.is_dir()
    signed = store._s3.generate_presigned_url(
        "put_object", Params={"Bucket": store._bucket, "Key": store._name("p/k")}
    )
    assert signed.startswith("http://127.0.0.1:9/images/a/b/p/k?X-Amz-Algorithm=AWS4-HMAC-SHA256")
    assert "%2Feu-1%2Fs3%2Faws4_request" in signed
    assert store._encryption == {
        "ServerSideEncryption": "aws:kms",
        "SSEKMSKeyId": "arn:aws:kms:x:1:key/2",
    }


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "unknown scheme ''; use file:///absolute/folder, s3://bucket/prefix or memory://"),
        ("/data/blobs", "unknown scheme ''"),
        ("flie:///data", "unknown scheme 'flie'"),
        ("https://bucket.example", "unknown scheme 'https'"),
        ("file://data/blobs", "a folder must be absolute, with three slashes"),
        ("file:data", "a folder must be absolute"),
        ("file:///data?sync=off", "unknown option 'sync' for file; there are none"),
        ("file:///data#1", "'#' must be written as %23"),
        ("memory://?size=1", "unknown option 'size' for memory; there are none"),
        ("s3:///prefix", "the bucket is missing; use s3://bucket/prefix"),
        ("s3://b/p//q", "a name in the prefix is empty or starts with a dot"),
        ("s3://b/../q", "a name in the prefix is empty or starts with a dot"),
        ("s3://b?endpont=http://h", "unknown option 'endpont' for s3; use endpoint, region, "),
        ("s3://b?region=", "option region must be given once, with a value"),
        ("s3://b?region=a&region=b", "option region must be given once, with a value"),
        ("s3://b?addressing=paht", "addressing must be one of auto, path, virtual"),
        ("s3://b?sse=AES512", "sse must be one of AES256, aws:kms"),
        ("s3://b?kms_key=k", "kms_key needs sse=aws:kms"),
        ("s3://b?sse=AES256&kms_key=k", "kms_key needs sse=aws:kms"),
        ("s3://b?endpoint=localhost:9000", "endpoint must be like https://host:port"),
        ("s3://b?endpoint=https:///x", "endpoint must be like https://host:port"),
        ("s3://b?ca=/no/such.pem", "ca must be a file, /no/such.pem is none"),
    ],
)
def test_a_wrong_url_is_refused_with_what_would_be_right(url, said, tmp_path):
    with pytest.raises(ValueError, match="storage URL: ") as raised:
        open_url(url, tmp_path)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "s3://key:hunter2@bucket/prefix",
        "s3://bucket?secret_key=hunter2",
        "s3://bucket?region=hunter2&region=hunter2",
        "s3://bucket?endpoint=https://key:hunter2@host",
    ],
)
def test_credentials_in_a_url_are_refused_and_not_repeated(url, tmp_path):
    with pytest.raises(ValueError, match="storage URL: ") as raised:
        open_url(url, tmp_path)
    assert "hunter2" not in str(raised.value)


def test_the_folder_store_does_not_import_boto3(tmp_path):
    program = (
        "import sys, pathlib; from storage.open import open_store; "
        f"open_store('file://{tmp_path}/b', upload_directory=pathlib.Path(), connections=1); "
        "print('boto3' in sys.modules, 'botocore' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
    )
    assert run.stdout == "False False\n"
