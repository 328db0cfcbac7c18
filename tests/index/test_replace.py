"""Storing over what is there: what is replaced, what stays, and that concurrent writers agree."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from index import changefeed, instances, models, replace
from index.batch import NewInstance, Outcome
from index.changefeed import Action, State
from index.database import Index
from index.delete import delete_instances
from index.instances import Reference
from index.store import store_instances
from tests.index.rows import new_instance, series_attributes, study_attributes

UIDS = ("1.1", "1.1.1", "1.1.1.1")
STUDY = Reference(1, "1.1")


def blob_key(study: str, series: str, sop: str, watermark: int) -> str:
    return f"{study}/{series}/{sop}_{watermark}"


def replacing(*uids: str, **changes: Any) -> NewInstance:
    """An instance that takes the place of one with the same UIDs."""
    uids = uids or UIDS
    return new_instance(*uids, blob_key=partial(blob_key, *uids), **changes)


def delete(index: Index, *uids: str) -> int:
    return delete_instances(index, Reference(1, *uids), blob_key)


def present(index: Index) -> list[int]:
    return [found.watermark for found in instances.find(index, STUDY)]


def queued(index: Index) -> list[str]:
    return [key for (key,) in index.execute("SELECT blob_key FROM deleted_blob ORDER BY id")]


def feed(index: Index) -> list[tuple[Action, State]]:
    entries = changefeed.after(index, 0, 1000, with_header=False)
    return [(entry.action, entry.state) for entry in entries]


def values(index: Index, table: str) -> list[Any]:
    column = {"study": "patient_id", "series": "modality"}[table]
    return [value for (value,) in index.execute(f"SELECT {column} FROM {table} ORDER BY id")]


def assert_nothing_is_lost(index: Index, acknowledged: list[int]) -> None:
    """Each acknowledged version is there or its blob queued once, and the feed tells them all."""
    there = present(index)
    gone = [int(key.rpartition("_")[2]) for key in queued(index)]
    assert sorted([*there, *gone]) == sorted(acknowledged)
    entries = index.execute("SELECT action, watermark FROM change_feed_entry ORDER BY sequence")
    stored = [watermark for action, watermark in entries if action != Action.DELETE]
    assert sorted(stored) == sorted(acknowledged)
    headers = index.execute("SELECT watermark FROM instance_header ORDER BY watermark")
    assert [watermark for (watermark,) in headers] == sorted(there)
    for model in (models.Study, models.Series):
        assert len(index.fetch_query(model.select())) == bool(there)


def at_the_same_time(index: Index, *work: Callable[[], None]) -> None:
    together = threading.Barrier(len(work))

    def run(one: Callable[[], None]) -> None:
        together.wait(60)
        try:
            one()
        finally:
            index.close()

    with ThreadPoolExecutor(len(work)) as pool:
        for future in [pool.submit(run, one) for one in work]:
            future.result(120)


# --- one writer ----------------------------------------------------------------------------------


def test_what_is_not_there_is_stored(index):
    new = replacing()
    assert store_instances(index, [new]) == [Outcome.STORED]
    assert present(index) == [new.watermark]
    assert feed(index) == [(Action.CREATE, State.CURRENT)]
    assert queued(index) == []


def test_what_is_there_is_replaced_and_its_blob_queued_for_removal(index):
    first = new_instance(*UIDS, header=b"first")
    second = replacing(header=b"second", blob_length=7, frame_table=b"frames")
    store_instances(index, [first, new_instance("1.1", "1.1.1", "1.1.1.2")])
    assert store_instances(index, [second]) == [Outcome.REPLACED]

    found, table = instances.frames(index, Reference(1, *UIDS))
    assert (found.watermark, found.blob_length, table) == (second.watermark, 7, b"frames")
    assert instances.headers(index, Reference(1, *UIDS))[1] == [b"second"]
    assert queued(index) == [blob_key(*UIDS, first.watermark)]
    assert len(index.execute("SELECT watermark FROM instance_header")) == 2
    assert feed(index) == [
        (Action.CREATE, State.REPLACED),
        (Action.CREATE, State.CURRENT),
        (Action.UPDATE, State.CURRENT),
    ]


def test_a_batch_may_have_instances_that_are_there_and_some_that_are_not(index):
    store_instances(index, [new_instance("1.1", "1.1.1", f"1.1.1.{n}") for n in (1, 3)])
    batch = [replacing("1.1", "1.1.1", f"1.1.1.{n}") for n in (1, 2, 3)]
    outcomes = [Outcome.REPLACED, Outcome.STORED, Outcome.REPLACED]
    assert store_instances(index, batch) == outcomes
    assert present(index) == [new.watermark for new in batch]
    assert [action for action, _ in feed(index)[2:]] == [
        Action.UPDATE,
        Action.CREATE,
        Action.UPDATE,
    ]


@pytest.mark.parametrize("stored_before", [False, True])
def test_of_the_same_instance_in_one_batch_each_replaces_the_one_before(index, stored_before):
    batch = [replacing(header=bytes([n])) for n in range(3)]
    if stored_before:
        store_instances(index, [first := new_instance(*UIDS)])
    outcomes = store_instances(index, batch)

    assert outcomes[1:] == [Outcome.REPLACED] * 2
    assert outcomes[0] is (Outcome.REPLACED if stored_before else Outcome.STORED)
    assert present(index) == [batch[-1].watermark]
    assert instances.headers(index, STUDY)[1] == [batch[-1].header]
    before = [first] if stored_before else []
    assert_nothing_is_lost(index, [new.watermark for new in [*before, *batch]])
    assert [state for _, state in feed(index)][-2:] == [State.REPLACED, State.CURRENT]


def test_who_may_not_replace_is_refused_beside_one_who_may(index):
    """As when a group commit has both."""
    store_instances(index, [new_instance(*UIDS, blob_digest=b"0123456789abcdef")])
    batch = [new_instance(*UIDS), replacing(), new_instance(*UIDS, blob_digest=b"0123456789abcdef")]
    outcomes = [Outcome.EXISTS, Outcome.REPLACED, Outcome.IDENTICAL]
    assert store_instances(index, batch) == outcomes
    assert present(index) == [batch[1].watermark]


def test_one_who_may_replaces_what_came_with_it(index):
    batch = [new_instance(*UIDS), replacing()]
    assert store_instances(index, batch) == [Outcome.STORED, Outcome.REPLACED]
    assert present(index) == [batch[1].watermark]
    assert_nothing_is_lost(index, [new.watermark for new in batch])


def test_a_watermark_that_another_instance_has_replaces_nothing(index):
    first, other = new_instance(*UIDS), new_instance("1.1", "1.1.1", "1.1.1.2")
    store_instances(index, [first, other])
    clash = replacing(watermark=other.watermark)
    assert store_instances(index, [clash]) == [Outcome.WATERMARK_TAKEN]
    assert present(index) == [first.watermark, other.watermark]


def test_study_and_series_have_the_values_of_what_was_stored_last(index):
    def attributes(name: str, **others: str) -> dict[str, Any]:
        return {
            "study": study_attributes(patient_id=name, **others),
            "series": series_attributes(modality=name),
        }

    store_instances(index, [new_instance(*UIDS, **attributes("a", study_description="chest"))])
    store_instances(index, [replacing(**attributes("b")), replacing(**attributes("c"))])
    assert (values(index, "study"), values(index, "series")) == (["c"], ["c"])
    assert index.execute("SELECT study_description FROM study") == [("chest",)]


def test_the_version_of_a_study_changes_though_a_newer_instance_stays(index):
    slow = replacing()
    newest = new_instance("1.1", "1.1.1", "1.1.1.2")
    before = replacing()
    store_instances(index, [before, newest])
    watermarks = {before.watermark, newest.watermark}
    was = instances.version(index, STUDY)
    assert store_instances(index, [slow]) == [Outcome.REPLACED]  # its upload began first

    version = instances.version(index, STUDY)
    assert slow.watermark < min(watermarks)
    assert version.revision != was.revision
    assert instances.headers(index, STUDY)[0] == version


def test_replacing_costs_the_same_number_of_statements_whatever_the_size(index, monkeypatch):
    counts = []
    run = index.execute
    costs = []

    def count(sql, values=()):
        counts.append(1)
        return run(sql, values)

    for size in (1, 10, 100):
        batch = [("1.1", f"1.1.{n % 2}", f"{size}.{n}") for n in range(size)]
        store_instances(index, [new_instance(*uids) for uids in batch])
        with monkeypatch.context() as patch:
            patch.setattr(index, "execute", count)
            outcomes = store_instances(index, [replacing(*uids) for uids in batch])
        assert set(outcomes) == {Outcome.REPLACED}
        costs.append(len(counts))
        counts.clear()
    assert len(set(costs)) == 1


# --- several writers -----------------------------------------------------------------------------


def test_of_many_who_replace_at_once_exactly_one_order_results(index):
    acknowledged: list[NewInstance] = []

    def writer(number: int) -> Callable[[], None]:
        def work() -> None:
            for turn in range(15):
                name = f"{number} {turn}"
                new = replacing(
                    header=name.encode(),
                    study=study_attributes(patient_id=name),
                    series=series_attributes(modality=name),
                )
                assert store_instances(index, [new])[0] in {Outcome.STORED, Outcome.REPLACED}
                acknowledged.append(new)

        return work

    at_the_same_time(index, *map(writer, range(3)))

    assert_nothing_is_lost(index, [new.watermark for new in acknowledged])
    last = changefeed.latest(index, with_header=True)
    assert last.state is State.CURRENT
    name = last.header.decode()
    assert (values(index, "study"), values(index, "series")) == ([name], [name])
    assert [action for action, _ in feed(index)] == [Action.CREATE] + [Action.UPDATE] * 44


def test_one_who_may_replace_wins_over_one_who_may_not_whoever_is_first(index):
    acknowledged: list[int] = []

    def store(make: Callable[..., NewInstance]) -> Callable[[], None]:
        def work() -> None:
            for turn in range(30):
                new = make("1.1", "1.1.1", f"1.1.1.{turn}")
                if store_instances(index, [new])[0] in {Outcome.STORED, Outcome.REPLACED}:
                    acknowledged.append(new.watermark)

        return work

    at_the_same_time(index, store(replacing), store(new_instance))

    assert_nothing_is_lost(index, acknowledged)
    entries = index.execute("SELECT action, watermark FROM change_feed_entry")
    refused = 60 - len(acknowledged)
    assert sum(action == Action.CREATE for action, _ in entries) == 30
    assert sum(action == Action.UPDATE for action, _ in entries) == 30 - refused


@pytest.mark.parametrize("level", [1, 2, 3])
def test_replacing_beside_deletes_loses_no_instance_and_no_blob(index, level):
    acknowledged: list[int] = []
    storing = threading.Event()
    storing.set()

    def store() -> None:
        try:
            for turn in range(60):
                new = replacing("1.1", "1.1.1", f"1.1.1.{turn % 2}")
                store_instances(index, [new])
                acknowledged.append(new.watermark)
        finally:
            storing.clear()

    def delete_again_and_again() -> None:
        while storing.is_set():
            delete(index, *("1.1", "1.1.1", "1.1.1.0")[:level])

    at_the_same_time(index, store, delete_again_and_again)

    assert_nothing_is_lost(index, acknowledged)


def test_writers_with_several_studies_do_not_wait_in_a_circle(index, monkeypatch):
    retried = []
    transaction = index.transaction
    monkeypatch.setattr(index, "transaction", lambda: retried.append(1) or transaction())
    names = ("1", "2", "3")
    store_instances(index, [new_instance(name, name, "1") for name in names])

    def writer(order: tuple[str, ...], make: Callable[..., NewInstance]) -> Callable[[], None]:
        def work() -> None:
            for turn in range(20):
                attributes = {
                    "study": study_attributes(patient_id=f"{order} {turn}"),
                    "series": series_attributes(modality=f"{order} {turn}"),
                }
                others = [make(name, name, f"{order} {turn}", **attributes) for name in order]
                store_instances(index, [replacing(order[0], order[0], "1", **attributes), *others])

        return work

    at_the_same_time(index, writer(names, replacing), writer(names[::-1], new_instance))

    assert len(retried) == 41
    assert len(queued(index)) == 40


# --- forced ---------------------------------------------------------------------------------------

POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
"""SQLite has one writer: nothing comes between the statements of a transaction."""


@POSTGRESQL
@pytest.mark.parametrize("level", [1, 2, 3])
def test_what_is_deleted_before_it_could_be_replaced_is_stored_anew(index, monkeypatch, level):
    store_instances(index, [first := new_instance(*UIDS)])
    lock, deleted = replace._lock, []

    def delete_then_lock(*arguments):
        if not deleted:
            with ThreadPoolExecutor(1) as pool:
                at = pool.submit(lambda: (delete(index, *UIDS[:level]), index.close()))
                deleted.append(at.result(60))
        lock(*arguments)

    monkeypatch.setattr(replace, "_lock", delete_then_lock)
    new = replacing()
    assert store_instances(index, [new]) == [Outcome.STORED]

    assert present(index) == [new.watermark]
    assert_nothing_is_lost(index, [first.watermark, new.watermark])


@POSTGRESQL
@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_delete_waits_for_who_is_replacing_and_removes_the_new_version(index, monkeypatch, level):
    store_instances(index, [first := new_instance(*UIDS)])
    in_the_way, deletes = replace._in_the_way, []

    with ThreadPoolExecutor(1) as pool:

        def let_a_delete_wait(*arguments):
            work = pool.submit(lambda: (delete(index, *UIDS[:level]), index.close()))
            deletes.append(work)
            await_one_who_waits(index)
            return in_the_way(*arguments)

        monkeypatch.setattr(replace, "_in_the_way", let_a_delete_wait)
        new = replacing()
        assert store_instances(index, [new]) == [Outcome.REPLACED]
        assert deletes[0].result(60)[0] == 1

    assert present(index) == []
    assert_nothing_is_lost(index, [first.watermark, new.watermark])


@POSTGRESQL
def test_a_store_that_comes_first_is_replaced_by_who_waited_for_it(index, monkeypatch):
    """The one who replaces finds nothing, then waits for an instance that is about to appear."""
    append, others = changefeed.append, []
    first, second = new_instance(*UIDS), replacing()

    with ThreadPoolExecutor(1) as pool:

        def let_another_wait(*arguments):
            if not others:
                others.append(
                    pool.submit(lambda: (store_instances(index, [second]), index.close()))
                )
                await_one_who_waits(index)
            append(*arguments)

        monkeypatch.setattr(changefeed, "append", let_another_wait)
        assert store_instances(index, [first]) == [Outcome.STORED]
        assert others[0].result(60)[0] == [Outcome.REPLACED]

    assert present(index) == [second.watermark]
    assert_nothing_is_lost(index, [first.watermark, second.watermark])


def await_one_who_waits(index: Index) -> None:
    """Return when a transaction waits for a lock; asked for again and again, so it is soon seen."""
    for _ in range(100_000):
        ((waiting,),) = index.execute("SELECT COUNT(*) FROM pg_locks WHERE NOT granted")
        if waiting:
            return
    raise AssertionError("nobody waits")
