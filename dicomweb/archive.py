"""The archive: settings, index and blob store. Every transaction is given it."""

import threading
from dataclasses import dataclass, field
from functools import cached_property

from dicomweb.cache import Cache
from dicomweb.codecthreads import CodecThreads
from dicomweb.settings import Settings, SettingsError
from index import schema
from index.committer import Committer
from index.database import Index, open_index
from index.partitions import Partitions
from index.watermarks import Watermarks
from storage.base import BlobStore
from storage.open import open_store


@dataclass(frozen=True)
class Archive:
    """Everything a transaction needs that outlives the request."""

    settings: Settings
    index: Index
    partitions: Partitions
    watermarks: Watermarks
    committer: Committer
    answers: Cache
    _prepared: threading.Event = field(default_factory=threading.Event)

    @cached_property
    def codecs(self) -> CodecThreads:
        """The threads of this process that decode and encode pixels."""
        return CodecThreads(self.settings.codec_threads)

    @cached_property
    def blobs(self) -> BlobStore:
        """The blob store, opened at first use.

        :raise SettingsError: its URL is wrong.
        :raise StorageError: its folder cannot be made.
        """
        try:
            return open_store(
                self.settings.effective_storage_url,
                upload_directory=self.settings.data / "uploads",
                connections=self.settings.threads * 2,
            )
        except ValueError as error:
            raise SettingsError(f"GANTRY_STORAGE_URL is wrong: {error}") from error

    def prepare(self) -> None:
        """Make what the embedded default needs, and see that settings and stored data fit; once.

        The tables of an SQLite index are made or brought up to date here. Those of a database
        server are by ``flask db upgrade``, on purpose.

        :raise SettingsError: a setting is wrong, or does not fit what is stored.
        :raise SchemaOutdated: the tables are not of this version.
        :raise IndexUnavailable: the database does not answer: call again later.
        :raise StorageError: the blob store's folder cannot be made.
        """
        if self._prepared.is_set():
            return
        self.make_data_folder()
        if self.index.dialect == "sqlite":
            schema.upgrade(self.index)
        self.check_index()
        _ = self.blobs
        self._prepared.set()

    def make_data_folder(self) -> None:
        """Make the folder of the embedded index and of uploads.

        :raise SettingsError: it cannot be made.
        """
        try:
            self.settings.data.mkdir(mode=0o750, parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(
                f"GANTRY_DATA is wrong: cannot make {self.settings.data}: {error.strerror}"
            ) from error

    def check_index(self) -> None:
        """See that the database answers and fits this version and its settings.

        :raise IndexUnavailable: it does not answer.
        :raise SchemaOutdated: its tables are not of this version.
        :raise SettingsError: partitions are off, but there are some.
        """
        schema.require_current(self.index)
        if not self.settings.partitions and len(self.partitions.list()) > 1:
            raise SettingsError(
                "GANTRY_PARTITIONS is off, but data is stored in partitions; "
                "turn it on again: GANTRY_PARTITIONS=true"
            )

    def close(self) -> None:
        """Close what this thread holds open."""
        self.index.close()


def open_archive(settings: Settings) -> Archive:
    """The archive that the settings name. Nothing is made and nothing is connected to yet.

    :raise SettingsError: the URL of the database is wrong.
    """
    try:
        index = open_index(settings.effective_database_url)
    except ValueError as error:
        raise SettingsError(f"GANTRY_DATABASE_URL is wrong: {error}") from error
    return Archive(
        settings,
        index,
        Partitions(index),
        Watermarks(index),
        Committer(index),
        Cache(settings.metadata_cache_bytes),
    )
