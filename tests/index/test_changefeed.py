"""The change feed: what is written, what has become of it, and that followers miss nothing."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from index import changefeed
from index.batch import NewInstance
from index.changefeed import Action, Change, State
from index.database import Index, IndexConflict
from index.delete import delete_instances
from index.instances import Reference
from index.partitions import Partitions
from index.store import store_instances
from tests.index.rows import new_instance

STUDY = Reference(1, "1.1")


def blob_key(study: str, series: str, sop: str, watermark: int) -> str:
    return f"{study}/{series}/{sop}_{watermark}"


def an_instance(**changes: Any) -> NewInstance:
    return new_instance("1.1", "1.1.1", "1.1.1.1", **changes)


def change(number: int) -> Change:
    return Change(Action.CREATE, 1, "1.1", "1.1.1", f"1.1.1.{number}", number)


def append(index: Index, *numbers: int) -> None:
    index.in_transaction(lambda: changefeed.append(index, [change(n) for n in numbers]))


def feed(index: Index, with_header: bool = False) -> list[changefeed.Entry]:
    return changefeed.after(index, 0, 1000, with_header=with_header)


def test_an_empty_feed_has_no_entries_and_no_latest(index):
    assert feed(index) == []
    assert changefeed.latest(index, with_header=True) is None
    assert changefeed.between(index, 0, None, 0, 10, with_header=True) == []


def test_entries_are_numbered_from_one_without_gaps_in_their_order(index):
    append(index, 1, 2, 3)
    append(index, *range(4, 351))

    assert [(entry.sequence, entry.sop_instance_uid) for entry in feed(index)] == [
        (number, f"1.1.1.{number}") for number in range(1, 351)
    ]


def test_a_transaction_that_fails_uses_up_no_number(index):
    def fail() -> None:
        changefeed.append(index, [change(1)])
        raise RuntimeError

    with pytest.raises(RuntimeError):
        index.in_transaction(fail)
    append(index, 2)

    assert [entry.sequence for entry in feed(index)] == [1]


def test_times_never_go_back_even_when_the_clock_does(index, monkeypatch):
    append(index, 1)
    monkeypatch.setattr(changefeed.time, "time_ns", lambda: 5_000)
    append(index, 2)

    first, second = feed(index)
    assert second.created_us == first.created_us > 5


def test_a_page_after_a_number_has_the_numbers_that_follow_it(index):
    append(index, *range(1, 8))

    assert [e.sequence for e in changefeed.after(index, 2, 3, with_header=False)] == [3, 4, 5]
    assert changefeed.after(index, 7, 3, with_header=False) == []


def test_a_page_of_a_time_skips_as_many_entries_as_it_is_told(index, monkeypatch):
    for number in range(1, 7):
        monkeypatch.setattr(changefeed.time, "time_ns", lambda number=number: number * 10_000)
        append(index, number)

    def numbers(start, end, offset=0, limit=100):
        page = changefeed.between(index, start, end, offset, limit, with_header=False)
        return [entry.sequence for entry in page]

    assert numbers(20, 50) == [2, 3, 4]
    assert numbers(20, 50, offset=1) == [3, 4]
    assert numbers(20, 50, offset=1, limit=1) == [3]
    assert numbers(20, 50, offset=3) == []
    assert numbers(15, None) == [2, 3, 4, 5, 6]
    assert numbers(61, None) == []


def test_entries_of_a_stored_instance_are_current_and_show_its_header(index):
    store_instances(index, [an_instance(header=b"its header")])

    (entry,) = feed(index, with_header=True)
    assert entry == changefeed.latest(index, with_header=True)
    assert entry.action is Action.CREATE
    assert entry.state is State.CURRENT
    assert entry.partition_name == "Microsoft.Default"
    assert entry[4:7] == ("1.1", "1.1.1", "1.1.1.1")
    assert entry.header == b"its header"
    assert feed(index)[0].header is None


def test_all_entries_of_a_deleted_instance_are_deleted_and_show_no_header(index):
    store_instances(index, [an_instance()])
    delete_instances(index, STUDY, blob_key)

    entries = feed(index, with_header=True)
    assert [entry.action for entry in entries] == [Action.CREATE, Action.DELETE]
    assert [entry.state for entry in entries] == [State.DELETED] * 2
    assert [entry.header for entry in entries] == [None] * 2


def test_earlier_entries_of_an_instance_stored_again_are_replaced_and_show_what_is_now(index):
    store_instances(index, [an_instance(header=b"old")])
    delete_instances(index, STUDY, blob_key)
    store_instances(index, [an_instance(header=b"new")])

    entries = feed(index, with_header=True)
    assert [entry.action for entry in entries] == [Action.CREATE, Action.DELETE, Action.CREATE]
    assert [entry.state for entry in entries] == [State.REPLACED, State.REPLACED, State.CURRENT]
    assert [entry.header for entry in entries] == [b"new"] * 3


def test_an_instance_of_the_same_uids_in_another_partition_is_another_instance(index):
    other = Partitions(index).ensure("other")
    store_instances(index, [an_instance(), an_instance(partition_id=other)])
    delete_instances(index, STUDY, blob_key)

    entries = feed(index)
    assert [(entry.partition_name, entry.state) for entry in entries] == [
        ("Microsoft.Default", State.DELETED),
        ("other", State.CURRENT),
        ("Microsoft.Default", State.DELETED),
    ]


def test_a_follower_by_number_sees_every_entry_of_concurrent_writers_once_and_in_order(index):
    writers, rounds = 4, 25
    done = threading.Event()

    def write(writer: int) -> None:
        for number in range(rounds):
            size = 1 + number % 3
            append(index, *(writer * 1000 + number * 10 + n for n in range(size)))
        index.close()

    def follow() -> list[changefeed.Entry]:
        seen: list[changefeed.Entry] = []
        while True:
            last_round = done.is_set()
            at = seen[-1].sequence if seen else 0
            page = changefeed.after(index, at, 1000, with_header=False)
            seen += page
            if last_round and not page:
                index.close()
                return seen

    with ThreadPoolExecutor(writers + 1) as pool:
        follower = pool.submit(follow)
        try:
            for future in [pool.submit(write, writer) for writer in range(writers)]:
                future.result()
        finally:
            done.set()
        seen = follower.result()

    expected = {
        f"1.1.1.{writer * 1000 + number * 10 + n}"
        for writer in range(writers)
        for number in range(rounds)
        for n in range(1 + number % 3)
    }
    assert [entry.sequence for entry in seen] == list(range(1, len(expected) + 1))
    assert {entry.sop_instance_uid for entry in seen} == expected
    assert [entry.created_us for entry in seen] == sorted(entry.created_us for entry in seen)


def test_a_window_of_time_waits_for_the_entries_that_are_about_to_be_seen_in_it(index):
    written, may_commit = threading.Event(), threading.Event()

    def write_slowly() -> None:
        with index.transaction():
            changefeed.append(index, [change(1)])
            written.set()
            assert may_commit.wait(60)
        index.close()

    def read(end_us: int) -> list[changefeed.Entry]:
        entries = changefeed.between(index, 0, end_us, 0, 10, with_header=False)
        index.close()
        return entries

    with ThreadPoolExecutor(2) as pool:
        writer = pool.submit(write_slowly)
        assert written.wait(60)
        reader = pool.submit(read, time.time_ns() // 1000 + 1)
        try:
            with pytest.raises(TimeoutError):  # if it did not wait, it would answer nothing at once
                reader.result(timeout=0.2)
        finally:
            may_commit.set()
        writer.result()

        assert [entry.sequence for entry in reader.result()] == [1]


def test_an_entry_numbered_twice_is_refused_by_the_database(index):
    append(index, 1)
    columns = "created_us, action, partition_id, study_instance_uid, series_instance_uid"
    again = (
        f"INSERT INTO change_feed_entry (sequence, {columns}, sop_instance_uid, watermark) "
        "VALUES (1, 1, 1, 1, '1', '1', '1', 1)"
    )

    with pytest.raises(IndexConflict):
        index.in_transaction(lambda: index.execute(again))
