"""Watermarks: numbers that name one stored version of an instance for ever.

A blob is written under a key with its watermark before the index knows it, so the number cannot
come from a table's sequence. It is made in the process: 63 bits of which the highest 41 are
milliseconds since 2020, so that a later version has a higher number; then 10 bits of a number that
tells processes apart, and 12 bits of a counter.
"""

import os
import threading
import time

from index.database import Index
from index.models import Counter
from index.statements import Statement, parameter

EPOCH_MS = 1_577_836_800_000  # 2020-01-01
PROCESS_BITS = 10
COUNTER_BITS = 12

_NEXT_PROCESS = Statement(
    lambda _: Counter.update(value=Counter.value + 1).where(Counter.name == parameter())
)
_PROCESS = Statement(lambda _: Counter.select(Counter.value).where(Counter.name == parameter()))


class Watermarks:
    """Makes watermarks; safe between threads, and between processes by their numbers.

    The process number is taken from the index at first use in each process. It comes round after
    1,024 processes; should two with one number ever make the same watermark, the primary key
    refuses the second.
    """

    def __init__(self, index: Index) -> None:
        self._index = index
        self._lock = threading.Lock()
        self._pid = 0
        self._process = 0
        self._last = 0

    def take(self) -> int:
        """A number higher than any this process has made, even when its clock is set back."""
        with self._lock:
            if self._pid != os.getpid():
                self._process, self._pid = self._number_of_process(), os.getpid()
            now_ms = time.time_ns() // 1_000_000 - EPOCH_MS
            first = (now_ms << PROCESS_BITS | self._process) << COUNTER_BITS
            self._last = first if first > self._last else self._after_last()
            return self._last

    def _after_last(self) -> int:
        """The next count; in the next millisecond when this one's counts are used up."""
        following = self._last + 1
        if following % (1 << COUNTER_BITS):
            return following
        last_ms = self._last >> (PROCESS_BITS + COUNTER_BITS)
        return (last_ms + 1 << PROCESS_BITS | self._process) << COUNTER_BITS

    def _number_of_process(self) -> int:
        def take_number() -> int:
            self._index.fetch(_NEXT_PROCESS, "process")
            ((number,),) = self._index.fetch(_PROCESS, "process")
            return int(number)

        return self._index.in_transaction(take_number) % (1 << PROCESS_BITS)
