"""Opening the blob store that a URL names."""

from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from storage.base import BlobStore
from storage.filesystem import FilesystemStore
from storage.keys import is_key
from storage.memory import MemoryStore

S3_OPTIONS = ("endpoint", "region", "addressing", "ca", "sse", "kms_key")
CHOICES = {"addressing": ("auto", "path", "virtual"), "sse": ("AES256", "aws:kms")}


def open_store(url: str, *, upload_directory: Path, connections: int) -> BlobStore:
    """Open the blob store of a URL; no server is asked yet.

    ``file:///absolute/folder``
        A folder, made if it is missing.
    ``s3://bucket/prefix?option=value&...``
        A bucket, or a folder of it. Options: ``endpoint`` (URL of a server other than AWS),
        ``region``, ``addressing`` (``path``, ``virtual``, ``auto``), ``ca`` (file of the
        certificates to trust), ``sse`` (``AES256``, ``aws:kms``), ``kms_key``. Credentials come
        from the environment or the files of AWS, never from the URL.
    ``memory://``
        This process's memory, for tests.

    :param upload_directory: for uploads on their way, made if it is missing. A folder keeps its
        own, since an upload can become a blob only on the same disk.
    :param connections: how many connections to a server are kept open.
    :raise ValueError: the URL is wrong; says what, and what would be right.
    :raise StorageError: the folder cannot be made.
    """
    parts = urlsplit(url)
    if parts.fragment:
        raise ValueError("storage URL: '#' must be written as %23")
    if parts.scheme == "file":
        return FilesystemStore(_folder(parts))
    if parts.scheme not in {"s3", "memory"}:
        raise ValueError(
            f"storage URL: unknown scheme {parts.scheme!r}; use file:///absolute/folder, "
            "s3://bucket/prefix or memory://"
        )
    upload_directory.mkdir(mode=0o750, parents=True, exist_ok=True)
    if parts.scheme == "memory":
        _options(parts, ())
        return MemoryStore(upload_directory)
    bucket, prefix, options = _bucket(parts)
    from storage.s3 import S3Store  # noqa: PLC0415 (boto3 takes 0.2 s to import)

    return S3Store(
        bucket, prefix, upload_directory=upload_directory, connections=connections, **options
    )


def _folder(parts: SplitResult) -> Path:
    _options(parts, ())
    folder = Path(unquote(parts.path))
    if parts.netloc or not folder.is_absolute():
        raise ValueError("storage URL: a folder must be absolute, with three slashes: file:///data")
    return folder


def _bucket(parts: SplitResult) -> tuple[str, str, dict[str, Any]]:
    """Bucket, prefix (empty or ending in ``/``) and options."""
    if "@" in parts.netloc:
        raise ValueError(
            "storage URL: credentials do not belong in it; use AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY in the environment, or the files of AWS"
        )
    if not parts.netloc:
        raise ValueError("storage URL: the bucket is missing; use s3://bucket/prefix")
    prefix = unquote(parts.path).strip("/")
    if prefix and not is_key(prefix):
        raise ValueError("storage URL: a name in the prefix is empty or starts with a dot")
    options = _options(parts, S3_OPTIONS)
    for name, choices in CHOICES.items():
        if options.get(name, choices[0]) not in choices:
            raise ValueError(f"storage URL: {name} must be one of {', '.join(choices)}")
    endpoint = urlsplit(options.get("endpoint", "https://aws"))
    if endpoint.scheme not in {"http", "https"} or not endpoint.netloc or "@" in endpoint.netloc:
        raise ValueError("storage URL: endpoint must be like https://host:port")
    if "ca" in options and not Path(options["ca"]).is_file():
        raise ValueError(f"storage URL: ca must be a file, {options['ca']} is none")
    if "kms_key" in options and options.get("sse") != "aws:kms":
        raise ValueError("storage URL: kms_key needs sse=aws:kms")
    return parts.netloc, prefix and prefix + "/", options


def _options(parts: SplitResult, known: tuple[str, ...]) -> dict[str, str]:
    """Options of the query, each once. Values are not repeated in errors: one might be secret."""
    options: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in known:
            allowed = f"use {', '.join(known)}" if known else "there are none"
            raise ValueError(f"storage URL: unknown option {name!r} for {parts.scheme}; {allowed}")
        if name in options or not value:
            raise ValueError(f"storage URL: option {name} must be given once, with a value")
        options[name] = value
    return options
