"""Deleting rows: what goes with them, what stays, and that concurrent stores lose nothing."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dicomweb.caching import version_tag
from index import changefeed, instances
from index.batch import NewInstance, Outcome
from index.changefeed import Action
from index.database import Index
from index.delete import delete_instances
from index.instances import Reference, Version
from index.partitions import Partitions
from index.store import store_instances
from tests.index.rows import new_instance, study_attributes

TABLES = ("study", "series", "instance", "instance_header")
STUDY = Reference(1, "1.1")


def blob_key(study: str, series: str, sop: str, watermark: int) -> str:
    return f"{study}/{series}/{sop}_{watermark}"


def delete(index: Index, *uids: str) -> int:
    return delete_instances(index, Reference(1, *uids), blob_key)


def stored(index: Index, *uids: str) -> list[str]:
    return [found.sop_instance_uid for found in instances.find(index, Reference(1, *uids))]


def an_instance(sop_uid: str = "1.1.1.1", **changes: Any) -> NewInstance:
    return new_instance("1.1", "1.1.1", sop_uid, **changes)


def rows(index: Index) -> dict[str, int]:
    return {table: index.execute(f"SELECT COUNT(*) FROM {table}")[0][0] for table in TABLES}


@pytest.fixture
def two_series(index):
    """Study 1.1 with series 1.1.1 (instances .1 and .2) and 1.1.2 (instance .1)."""
    instances = [
        new_instance("1.1", "1.1.1", "1.1.1.1"),
        new_instance("1.1", "1.1.1", "1.1.1.2"),
        new_instance("1.1", "1.1.2", "1.1.2.1"),
    ]
    store_instances(index, instances)
    return instances


@pytest.mark.parametrize("uids", [("1.1", "1.1.1"), ("1.1", "1.1.1", "1.1.1.5")])
def test_an_older_upload_in_the_place_of_what_was_deleted_is_told_by_the_etag(index, uids):
    series = Reference(1, "1.1", "1.1.2")
    store_instances(
        index,
        [
            new_instance("1.1", "1.1.1", "1.1.1.5", watermark=5),
            new_instance("1.1", "1.1.2", "1.1.2.6", watermark=6),
            new_instance("1.1", "1.1.2", "1.1.2.7", watermark=7),
        ],
    )
    before = version_tag(STUDY, instances.version(index, STUDY))
    of_series = version_tag(series, instances.version(index, series))
    delete(index, *uids)
    delete(index, "1.1", "1.1.2", "1.1.2.6")
    late = [new_instance("1.1", "1.1.2", f"1.1.2.{each}", watermark=each) for each in (3, 4)]
    store_instances(index, late)
    delete(index, "1.1", "1.1.2", "1.1.2.3")

    after, found = instances.version(index, STUDY), instances.find(index, STUDY)
    assert after == Version.of_instances(found)
    assert of_series.split("-")[:2] == ["7", "2"]
    assert version_tag(series, instances.version(index, series)) != of_series
    store_instances(index, [new_instance("1.1", "1.1.1", "1.1.1.2", watermark=2)])
    again = version_tag(STUDY, instances.version(index, STUDY))
    assert again.split("-")[:2] == before.split("-")[:2]
    assert again != before


def test_deleting_a_study_removes_every_row_of_it(index, two_series):
    assert delete(index, "1.1") == 3

    assert stored(index, "1.1") == []
    assert rows(index) == dict.fromkeys(TABLES, 0)


def test_deleting_a_series_leaves_the_other_series(index, two_series):
    assert delete(index, "1.1", "1.1.1") == 2

    assert stored(index, "1.1") == ["1.1.2.1"]
    assert rows(index) == dict.fromkeys(TABLES, 1)


def test_deleting_an_instance_leaves_its_neighbours(index, two_series):
    assert delete(index, "1.1", "1.1.1", "1.1.1.1") == 1

    assert stored(index, "1.1") == ["1.1.1.2", "1.1.2.1"]
    assert rows(index) == {"study": 1, "series": 2, "instance": 2, "instance_header": 2}


def test_a_series_goes_with_its_last_instance_and_a_study_with_its_last_series(index, two_series):
    delete(index, "1.1", "1.1.2", "1.1.2.1")
    assert rows(index)["series"] == 1

    delete(index, "1.1", "1.1.1", "1.1.1.1")
    delete(index, "1.1", "1.1.1", "1.1.1.2")
    assert rows(index) == dict.fromkeys(TABLES, 0)


@pytest.mark.parametrize(
    "uids", [("9",), ("1.1", "9"), ("1.1", "1.1.1", "9"), ("9", "1.1.1", "1.1.1.1")]
)
def test_deleting_what_is_not_stored_deletes_nothing(index, two_series, uids):
    assert delete(index, *uids) == 0
    assert rows(index)["instance"] == 3
    assert changefeed.latest(index, with_header=False).sequence == 3


def test_the_same_uids_in_another_partition_stay(index, two_series):
    other = Partitions(index).ensure("other")
    store_instances(index, [an_instance(partition_id=other)])

    delete(index, "1.1")

    (found,) = instances.find(index, Reference(other, "1.1"))
    assert found.sop_instance_uid == "1.1.1.1"


def test_the_blobs_of_all_that_is_deleted_are_queued_for_removal(index, two_series):
    delete(index, "1.1", "1.1.1")

    queued = index.execute("SELECT blob_key, attempts FROM deleted_blob ORDER BY blob_key")
    assert [tuple(row) for row in queued] == [
        (f"1.1/1.1.1/1.1.1.1_{two_series[0].watermark}", 0),
        (f"1.1/1.1.1/1.1.1.2_{two_series[1].watermark}", 0),
    ]


def test_every_deleted_instance_has_its_own_delete_entry_in_the_feed(index, two_series):
    delete(index, "1.1")

    entries = changefeed.after(index, 3, 100, with_header=False)
    assert [(entry.action, entry.sop_instance_uid) for entry in entries] == [
        (Action.DELETE, "1.1.1.1"),
        (Action.DELETE, "1.1.1.2"),
        (Action.DELETE, "1.1.2.1"),
    ]


def test_a_large_study_is_deleted_with_few_statements(index, monkeypatch):
    store_instances(index, [an_instance(f"1.1.1.{n}") for n in range(500)])
    statements: list[str] = []
    execute = index.execute
    monkeypatch.setattr(
        index, "execute", lambda sql, values=(): statements.append(sql) or execute(sql, values)
    )

    assert delete(index, "1.1") == 500
    inserts = [sql for sql in statements if sql.startswith("INSERT")]
    assert len(inserts) == 2 * 500 / 100
    assert len(statements) - len(inserts) <= 9


def test_an_instance_may_be_stored_again_at_once(index, two_series):
    delete(index, "1.1")
    again = an_instance()

    assert store_instances(index, [again]) == [Outcome.STORED]
    (found,) = instances.find(index, STUDY)
    assert found.watermark == again.watermark


def test_two_who_delete_the_same_study_share_its_instances_between_them(index):
    for _ in range(20):
        store_instances(index, [an_instance(f"1.1.1.{n}") for n in range(10)])
        together = threading.Barrier(2)

        def delete_study(together=together) -> int:
            together.wait(60)
            count = delete(index, "1.1")
            index.close()
            return count

        with ThreadPoolExecutor(2) as pool:
            counts = [pool.submit(delete_study) for _ in range(2)]
            assert sorted(count.result() for count in counts) == [0, 10]
    queued = index.execute("SELECT COUNT(*), COUNT(DISTINCT blob_key) FROM deleted_blob")
    assert tuple(queued[0]) == (200, 200)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_store_beside_deletes_of_its_study_loses_no_instance(index, level):
    """Whatever is acknowledged is there, or is named by a delete entry of the feed."""
    rounds = 60
    acknowledged: list[int] = []
    storing = threading.Event()
    storing.set()

    def store() -> None:
        try:
            for number in range(rounds):
                new = an_instance(f"1.1.1.{number % 5}")
                if store_instances(index, [new]) == [Outcome.STORED]:
                    acknowledged.append(new.watermark)
        finally:
            storing.clear()
            index.close()

    def delete_again_and_again() -> None:
        uids = ("1.1", "1.1.1", "1.1.1.0")[:level]
        while storing.is_set():
            delete(index, *uids)
        index.close()

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(store), pool.submit(delete_again_and_again)]:
            future.result()

    present = {found.watermark for found in instances.find(index, STUDY)}
    entries = index.execute("SELECT action, watermark FROM change_feed_entry ORDER BY sequence")
    created = [watermark for action, watermark in entries if action == Action.CREATE]
    deleted = [watermark for action, watermark in entries if action == Action.DELETE]
    assert created == acknowledged
    assert len(deleted) == len(set(deleted))
    assert present == set(acknowledged) - set(deleted)
    assert rows(index)["instance_header"] == len(present)
    assert rows(index)["series"] == rows(index)["study"] == bool(present)
    assert index.execute("SELECT COUNT(*) FROM deleted_blob")[0][0] == len(deleted)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has one writer
def test_a_store_that_finds_its_study_deleted_under_it_makes_it_anew(index, monkeypatch):
    """Forced: the delete commits after the store has found the study's row."""
    store_instances(index, [an_instance()])
    fetch, deleted = index.fetch, []

    def fetch_then_delete(statement, *values, **options):
        found = fetch(statement, *values, **options)
        if not deleted and "1.1.1" in values and values[-1] == "1.1.1":
            deleted.append(True)
            with ThreadPoolExecutor(1) as pool:
                pool.submit(lambda: (delete(index, "1.1"), index.close())).result()
        return found

    monkeypatch.setattr(index, "fetch", fetch_then_delete)
    outcome = store_instances(index, [an_instance("1.1.1.2")])

    assert deleted
    assert outcome == [Outcome.STORED]
    assert stored(index, "1.1") == ["1.1.1.2"]


def test_two_who_store_different_values_for_one_study_do_not_wait_in_a_circle(index, monkeypatch):
    retried = []
    transaction = index.transaction
    monkeypatch.setattr(index, "transaction", lambda: retried.append(1) or transaction())
    store_instances(index, [an_instance()])
    together = threading.Barrier(2)

    def store(writer: int) -> None:
        for number in range(20):
            attributes = study_attributes(patient_id=f"{writer} {number}")
            together.wait(60)
            store_instances(index, [an_instance(f"1.1.1.{writer}.{number}", study=attributes)])
        index.close()

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(store, writer) for writer in (2, 3)]:
            future.result()

    assert rows(index)["instance"] == 41
    assert len(retried) == 41


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has one writer
def test_a_transaction_given_up_because_of_a_deadlock_is_run_again(index):
    other = Partitions(index).ensure("other")
    both_hold_one, tries = threading.Barrier(2), []

    def update(first: int, second: int) -> None:
        def work() -> None:
            tries.append(first)
            index.execute(f"UPDATE partition SET created_us = 5 WHERE id = {first}")
            if len(tries) <= 2:
                both_hold_one.wait(60)
            index.execute(f"UPDATE partition SET created_us = 5 WHERE id = {second}")

        index.in_transaction(work)
        index.close()

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(update, 1, other), pool.submit(update, other, 1)]:
            future.result()
    assert len(tries) > 2  # more where the one that tries again is the faster
