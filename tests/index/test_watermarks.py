import threading
import time

from index.database import open_index
from index.watermarks import EPOCH_MS, Watermarks


def test_watermarks_grow_and_fit_into_63_bits(index):
    watermarks = Watermarks(index)
    taken = [watermarks.take() for _ in range(20_000)]
    assert taken == sorted(set(taken))
    assert 0 < taken[0] < taken[-1] < 2**63


def test_a_watermark_begins_with_the_time_it_was_made(index):
    before = time.time_ns() // 1_000_000
    milliseconds = (Watermarks(index).take() >> 22) + EPOCH_MS
    assert before <= milliseconds <= time.time_ns() // 1_000_000


def test_watermarks_grow_when_the_clock_is_set_back(index, monkeypatch):
    watermarks = Watermarks(index)
    first = watermarks.take()
    monkeypatch.setattr(time, "time_ns", lambda: (EPOCH_MS + 1) * 1_000_000)
    assert first < watermarks.take() < watermarks.take()


def test_processes_and_threads_never_take_the_same_watermark(database_url):
    taken: list[int] = []

    def work() -> None:
        index = open_index(database_url)
        watermarks = Watermarks(index)
        taken.extend([watermarks.take() for _ in range(5000)])
        index.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(taken)) == 20_000


def test_threads_of_one_process_never_take_the_same_watermark(index):
    watermarks = Watermarks(index)
    watermarks.take()
    taken: list[int] = []
    threads = [
        threading.Thread(target=lambda: taken.extend([watermarks.take() for _ in range(5000)]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(taken)) == 20_000
