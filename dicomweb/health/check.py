"""Whether the service can do its work: its index and its blob store answer."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from dicomweb.archive import Archive
from dicomweb.settings import SettingsError
from index.database import IndexFailure
from index.schema import SchemaOutdated
from storage.base import StorageError

KEPT_SECONDS = 5

log = logging.getLogger("gantry.health")


@dataclass(frozen=True)
class Detail:
    """What a check of one part found. The description names no host and no account."""

    name: str
    healthy: bool
    description: str


class Health:
    """The state of an archive, looked at no more often than every :data:`KEPT_SECONDS`."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._lock = threading.Lock()
        self._details: tuple[Detail, ...] = ()
        self._next_check = 0.0

    def details(self) -> tuple[Detail, ...]:
        """What was found; who comes while others look waits for what they find."""
        with self._lock:
            if time.monotonic() >= self._next_check:
                self._details = (
                    _detail("index", self._check_index),
                    _detail("blobs", self._check_blobs),
                )
                self._next_check = time.monotonic() + KEPT_SECONDS
            return self._details

    def _check_index(self) -> None:
        with contextlib.suppress(StorageError):  # the other check's
            self._archive.prepare()
        self._archive.check_index()

    def _check_blobs(self) -> None:
        self._archive.blobs.check()


def _detail(name: str, check: Callable[[], None]) -> Detail:
    try:
        check()
    except (SchemaOutdated, SettingsError) as error:  # their words are for operators
        return Detail(name, False, str(error))
    except (IndexFailure, StorageError) as error:
        log.warning("the check of the %s failed", name, exc_info=error)
        return Detail(name, False, f"It does not answer as it should ({type(error).__name__}).")
    return Detail(name, True, "It answers.")
