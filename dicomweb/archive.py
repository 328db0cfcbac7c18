"""The archive: settings, index and blob store. Every transaction is given it."""

from dataclasses import dataclass

from dicomweb.cache import Cache
from dicomweb.settings import Settings
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
    blobs: BlobStore
    partitions: Partitions
    watermarks: Watermarks
    committer: Committer
    answers: Cache

    def close(self) -> None:
        """Close what this thread holds open."""
        self.index.close()


def open_archive(settings: Settings) -> Archive:
    """The archive that the settings name. Nothing is connected to yet.

    The embedded default makes what it needs: the data folder, and the tables of an SQLite index.
    Tables of a database server are made by ``flask db upgrade``, on purpose.

    :raise ValueError: a URL of the settings is of no known kind.
    """
    settings.data.mkdir(mode=0o750, parents=True, exist_ok=True)
    index = open_index(settings.effective_database_url)
    if index.dialect == "sqlite":
        schema.upgrade(index)
    blobs = open_store(
        settings.effective_storage_url,
        upload_directory=settings.data / "uploads",
        connections=settings.threads * 2,
    )
    return Archive(
        settings,
        index,
        blobs,
        Partitions(index),
        Watermarks(index),
        Committer(index),
        Cache(settings.metadata_cache_bytes),
    )
