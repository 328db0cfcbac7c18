import os
import threading

import pytest

from dicomweb.codecthreads import NICENESS, CodecThreads


def test_results_come_in_the_order_of_the_jobs():
    turns = [threading.Event() for _ in range(3)]

    def job(number: int):
        def run() -> int:
            if number < 2:  # wait for the one that comes next
                turns[number + 1].wait(10)
            turns[number].set()
            return number

        return run

    assert list(CodecThreads(3).in_order(map(job, range(3)))) == [0, 1, 2]


def test_only_a_few_jobs_are_ahead_of_who_takes_their_results():
    made = []

    def jobs():
        for number in range(100):
            made.append(number)
            yield lambda number=number: number

    results = CodecThreads(2).in_order(jobs())
    assert [next(results), next(results)] == [0, 1]
    assert len(made) == 2 + 2
    results.close()
    assert len(made) == 4


def test_jobs_of_several_callers_share_the_threads():
    threads = CodecThreads(1)
    together = zip(
        threads.in_order([threading.get_native_id] * 3),
        threads.in_order([threading.get_native_id] * 3),
        strict=True,
    )
    ids = {thread for pair in together for thread in pair}
    assert len(ids) == 1
    assert threading.get_native_id() not in ids


def test_what_a_job_raises_comes_in_its_place():
    def fail():
        raise KeyError("broken")

    results = CodecThreads(2).in_order([int, fail, int])
    assert next(results) == 0
    with pytest.raises(KeyError):
        next(results)


def test_the_threads_give_way_to_others():
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, 0)

    here = priority()
    (there,) = CodecThreads(1).in_order([priority])
    assert there == min(here + NICENESS, 19)
    assert priority() == here
