"""The settings: one frozen record, read once from the environment and an optional TOML file.

A variable ``GANTRY_NAME`` sets ``name``; it wins over the file that ``GANTRY_CONFIG`` names. A
setting that is wrong or unknown stops the start with a message that names it.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

PREFIX = "GANTRY_"
CONFIG = f"{PREFIX}CONFIG"

_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]*):(?P<port>[0-9]{1,5})", re.ASCII)
_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", re.ASCII)
"""As browsers write it: in lower case."""
_PASSWORD = re.compile(r"(?<=://)([^:@/]*:).*@")
_SECRET_OPTION = re.compile(
    r"(?<=[?&])([^=&]*(?:pass|secret|token|key|cred)[^=&]*=)[^&]*", re.IGNORECASE
)

MIB = 2**20
GIB = 2**30


class SettingsError(ValueError):
    """A setting is unknown or wrong; the message names it and says what would be right."""


def _cores() -> int:
    return len(os.sched_getaffinity(0))


Count = Annotated[int, Field(ge=1)]
Bytes = Annotated[int, Field(ge=1)]


class Settings(BaseModel):
    """All settings with their defaults; the description of each says its unit."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    bind: str = Field("127.0.0.1:8080", description="Address and port to listen on.")
    trusted_proxies: str = Field(
        "127.0.0.1,::1",
        description="Addresses of reverse proxies whose `X-Forwarded-` headers (For, Host, Proto) "
        "are believed, separated by commas; `*`: of all.",
    )
    data: Path = Field(
        Path("data"),
        description="Folder of the embedded index and store, and of uploads on their way.",
    )
    database_url: str = Field(
        "",
        repr=False,
        description="The index: `sqlite:///absolute/path` or `postgresql://user@host:port/name`. "
        "Empty: an SQLite file in the data folder.",
    )
    storage_url: str = Field(
        "",
        repr=False,
        description="The blobs: `file:///absolute/folder` or `s3://bucket/prefix?endpoint=...`. "
        "Empty: a folder in the data folder.",
    )
    partitions: bool = Field(False, description="Whether data partitions are on.")
    public_url: str = Field(
        "",
        description="Scheme, host and path prefix under which clients reach the service, such as "
        "`https://pacs.example.org`. Empty: as each request says.",
    )
    workers: Count = Field(
        default_factory=lambda: _cores() + 1,
        description="Worker processes. Default: cores + 1.",
    )
    threads: Count = Field(
        8,
        description="Requests that one worker process serves at a time. Those that wait for a "
        "codec hold a thread as well.",
    )
    timeout_s: Count = Field(
        120, description="Seconds without progress after which a worker process is replaced."
    )
    graceful_timeout_s: Count = Field(
        30, description="Seconds that running requests have to end when the service stops."
    )
    keepalive_s: Count = Field(
        75, description="Seconds that an idle connection is kept open, also in mid request."
    )
    max_request_bytes: Bytes = Field(4 * GIB, description="Largest body of a store, in bytes.")
    max_buffered_bytes: Bytes = Field(
        16 * MIB,
        description="Largest body held in memory, in bytes; a larger one goes through a file. "
        "Workers x threads x this bounds the memory of bodies.",
    )
    max_header_bytes: Bytes = Field(
        64 * MIB, description="Largest header of an instance (all but bulk values), in bytes."
    )
    max_transcode_bytes: Bytes = Field(
        100 * MIB,
        description="Largest file that is sent in another transfer syntax than it is stored in, "
        "and largest frame that is decoded, in bytes.",
    )
    codec_threads: Count = Field(
        2,
        description="Threads of each worker process that decode and encode pixels, at a low "
        "priority.",
    )
    metadata_cache_bytes: Annotated[int, Field(ge=0)] = Field(
        32 * MIB, description="Memory of each worker process for finished metadata, in bytes."
    )
    full_validation: bool = Field(
        False,
        description="Whether an instance is refused for any element that is invalid, at any depth, "
        "in both versions.",
    )
    metadata_bulkdata_uri: bool = Field(
        False,
        description="Whether metadata show bulk values, long ones by their URL, without being "
        "asked by `bulkdata=uri`.",
    )
    external_metadata_creator: str = Field(
        "Gantry",
        description="Private Creator with which external metadata are shown; the service that "
        "Gantry follows says `Microsoft`.",
        pattern=r"^[!-\[\]-~]([ -\[\]-~]{0,62}[!-\[\]-~])?$",
    )
    qido_wildcards: bool = Field(
        True, description="Whether `*` and `?` in a search value are wildcards."
    )
    cors_origins: str = Field(
        "",
        description="Origins whose pages may use the service from a browser, such as "
        "`https://viewer.example.org`, separated by commas; `*`: any. Empty: none.",
    )
    cors_methods: str = Field(
        "GET, HEAD, POST, PUT, PATCH, DELETE",
        description="Methods that such pages may use.",
        pattern=r"^[A-Z]+( *, *[A-Z]+)*$",
    )
    cors_headers: str = Field(
        "*",
        description="Request headers that such pages may send, separated by commas; `*`: any.",
        pattern=r"^(\*|[A-Za-z0-9-]+( *, *[A-Za-z0-9-]+)*)$",
    )
    cors_max_age_s: Annotated[int, Field(ge=0)] = Field(
        3600, description="Seconds that a browser may remember what such pages may do."
    )
    cors_credentials: bool = Field(
        False,
        description="Whether such pages may send cookies and client certificates. Needs origins "
        "by name.",
    )
    log_level: str = Field(
        "info",
        description="Least severe log line: debug, info, warning or error.",
        pattern="^(debug|info|warning|error)$",
    )

    @field_validator("bind", mode="after")
    @classmethod
    def _bindable(cls, bind: str) -> str:
        address = _ADDRESS.fullmatch(bind)
        if not bind.startswith("unix:/") and not (address and int(address["port"]) < 2**16):
            raise ValueError("it is host:port, [IPv6 address]:port or unix:/absolute/path")
        return bind

    @field_validator("data", mode="after")
    @classmethod
    def _absolute(cls, data: Path) -> Path:
        return data.absolute()

    @field_validator("public_url", mode="after")
    @classmethod
    def _without_slash(cls, url: str) -> str:
        if url and urlsplit(url).scheme not in {"http", "https"}:
            raise ValueError("a public URL starts with http:// or https://")
        return url.rstrip("/")

    @field_validator("cors_origins", mode="after")
    @classmethod
    def _origins(cls, origins: str) -> str:
        names = [name.strip() for name in origins.split(",")]
        if origins not in {"", "*"} and not all(map(_ORIGIN.fullmatch, names)):
            raise ValueError("it is * or a list of origins: http[s]://host[:port], nothing after")
        return ",".join(names)

    @field_validator("cors_credentials", mode="after")
    @classmethod
    def _not_for_all(cls, credentials: bool, info: ValidationInfo) -> bool:
        if credentials and info.data.get("cors_origins") == "*":
            raise ValueError("credentials are not for all origins: name those in cors_origins")
        return credentials

    @property
    def effective_database_url(self) -> str:
        """The database URL, that of the embedded index where none is set."""
        return self.database_url or f"sqlite://{quote(str(self.data))}/index.sqlite"

    @property
    def effective_storage_url(self) -> str:
        """The storage URL, that of the embedded folder where none is set."""
        return self.storage_url or f"file://{quote(str(self.data))}/blobs"

    def effective(self) -> dict[str, str | int | bool]:
        """Every setting as it takes effect, without secrets."""
        return self.model_dump(mode="json") | {
            "database_url": _without_secrets(self.effective_database_url),
            "storage_url": _without_secrets(self.effective_storage_url),
            "public_url": _without_secrets(self.public_url),
        }


def load_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings of this process. An empty variable counts as not set.

    :raise SettingsError: names every setting that is unknown or wrong.
    """
    file = environment.get(CONFIG)
    given = _from_file(file) if file else {}
    sources = dict.fromkeys(given, f" in {file}")
    for name, value in environment.items():
        if name.startswith(PREFIX) and name != CONFIG and value:
            setting = name.removeprefix(PREFIX).lower()
            given[setting] = value
            sources[setting] = " in the environment"
    try:
        return Settings(**given)
    except ValidationError as error:
        mistakes = [_mistake(one, sources[str(one["loc"][0])]) for one in error.errors()]
        raise SettingsError("; ".join(mistakes)) from None


def _from_file(path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{CONFIG}: cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{CONFIG}: {path} is not TOML: {error}") from error


def _mistake(error: Any, source: str) -> str:
    name = str(error["loc"][0])
    if error["type"] == "extra_forbidden":
        known = ", ".join(Settings.model_fields)
        return f"{PREFIX}{name.upper()}{source} is not a setting (settings: {known})"
    return f"{PREFIX}{name.upper()}{source} is wrong: {error['msg'].removeprefix('Value error, ')}"


def _without_secrets(url: str) -> str:
    """A URL whose password, and options that sound like secrets, cannot be read.

    It may be malformed, so it is not taken apart: rather too much is hidden than too little.
    """
    return _SECRET_OPTION.sub(r"\1***", _PASSWORD.sub(r"\1***@", url))
