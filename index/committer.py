"""Group commit: requests that store at the same time share a transaction.

There is no thread for it. Whoever comes first writes what all the others have put down, who find
their work done when their turn comes. A lone request waits for nobody.
"""

import threading
from dataclasses import dataclass, field

from index.batch import NewInstance, Outcome
from index.database import Index
from index.store import store_instances


@dataclass(slots=True)
class _Job:
    instances: list[NewInstance]
    outcomes: list[Outcome] = field(default_factory=list)
    error: Exception | None = None
    done: bool = False


class Committer:
    """Stores for all threads of a process."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._turn = threading.Lock()
        self._list = threading.Lock()
        self._waiting: list[_Job] = []

    def store(self, instances: list[NewInstance]) -> list[Outcome]:
        """As :func:`index.store.store_instances`, perhaps together with other requests."""
        job = _Job(instances)
        with self._list:
            self._waiting.append(job)
        with self._turn:
            if not job.done:
                self._run(self._take())
        if job.error:
            raise job.error
        return job.outcomes

    def _take(self) -> list[_Job]:
        with self._list:
            jobs, self._waiting = self._waiting, []
        return jobs

    def _run(self, jobs: list[_Job]) -> None:
        """Store for all; where that fails, for each alone: none fails for another's sake."""
        try:
            self._store(jobs)
        except Exception:  # noqa: BLE001 - who is at fault is told below
            for job in jobs:
                self._run_alone(job)

    def _store(self, jobs: list[_Job]) -> None:
        instances = [new for job in jobs for new in job.instances]
        outcomes = iter(store_instances(self._index, instances))
        for job in jobs:
            job.outcomes = [next(outcomes) for _ in job.instances]
            job.done = True

    def _run_alone(self, job: _Job) -> None:
        try:
            self._store([job])
        except Exception as error:  # noqa: BLE001 - raised again by the thread whose job it is
            job.error = error
            job.done = True
