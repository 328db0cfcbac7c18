"""Threads for work that keeps a core busy: codecs, which let go of the interpreter meanwhile.

They are few, and give way to all others: a process that decodes a whole study goes on answering.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Result = TypeVar("Result")

NICENESS = 10
"""How much lower than that of the process their priority is, of 19 levels."""
_LOWEST = 19


class CodecThreads:
    """A number of threads, started when there is work for them."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._pool = ThreadPoolExecutor(number, "codec", initializer=_give_way)

    def in_order(self, jobs: Iterable[Callable[[], Result]]) -> Generator[Result, None, None]:
        """The results of jobs, in their order. Jobs are made in the caller's thread.

        Of those that are begun or done, one more than there are threads is ahead of the caller.
        What a job raises is raised in the place of its result. Closing the iterator drops the jobs
        that are not begun.
        """
        waiting = iter(jobs)
        ahead: deque[Future[Result]] = deque()
        try:
            while True:
                room = self._number + 1 - len(ahead)
                ahead.extend(map(self._pool.submit, islice(waiting, room)))
                if not ahead:
                    return
                yield ahead.popleft().result()
        finally:
            for job in ahead:
                job.cancel()


def _give_way() -> None:
    """Lower the priority of this thread; Linux has one for each."""
    now = os.getpriority(os.PRIO_PROCESS, 0)
    lower = min(now + NICENESS, _LOWEST)
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), lower)
