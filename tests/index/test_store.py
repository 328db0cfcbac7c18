import threading

import orjson
import pytest

from index import changefeed, instances, models, store
from index.batch import Outcome
from index.committer import Committer
from index.database import IndexUnavailable, open_index
from index.delete import delete_instances
from index.instances import Reference, Version
from index.partitions import DEFAULT_PARTITION_ID, Partitions
from index.store import store_instances
from tests.index.rows import new_instance, series_attributes, study_attributes

STUDY = Reference(DEFAULT_PARTITION_ID, "1.2")


def member(tag: str, vr: str, *values: str) -> bytes:
    element = {"vr": vr, "Value": list(values)} if values else {"vr": vr}
    return orjson.dumps({tag: element})[1:-1]


def study_row(index) -> dict:
    (row,) = index.fetch_query(models.Study.select())
    return dict(zip([field.name for field in models.Study._meta.sorted_fields], row, strict=True))


def test_a_stored_instance_is_found_at_each_level(index):
    new = new_instance("1.2", "1.2.3", "1.2.3.4")
    assert store_instances(index, [new]) == [Outcome.STORED]
    for path in (("1.2",), ("1.2", "1.2.3"), ("1.2", "1.2.3", "1.2.3.4")):
        reference = Reference(DEFAULT_PARTITION_ID, *path)
        (found,) = instances.find(index, reference)
        assert found.watermark == new.watermark
        assert found[1:4] == ("1.2", "1.2.3", "1.2.3.4")
        assert instances.version(index, reference) == Version.of([new.watermark])
        assert instances.headers(index, reference) == (
            Version.of([new.watermark]),
            [new.header],
        )


def test_nothing_is_found_under_other_uids_or_in_another_partition(index):
    store_instances(index, [new_instance("1.2", "1.2.3", "1.2.3.4")])
    other = Partitions(index).ensure("other")
    for reference in (
        Reference(DEFAULT_PARTITION_ID, "1.3"),
        Reference(DEFAULT_PARTITION_ID, "1.2", "1.2.4"),
        Reference(DEFAULT_PARTITION_ID, "1.2", "1.2.3", "1.2.3.5"),
        Reference(other, "1.2"),
    ):
        assert instances.find(index, reference) == []
        assert instances.version(index, reference) is None
    assert instances.frames(index, Reference(other, "1.2", "1.2.3", "1.2.3.4")) is None


def test_the_same_instance_is_stored_once_and_leaves_no_second_trace(index):
    first = new_instance("1.2", "1.2.3", "1.2.3.4", study=study_attributes(patient_id="first"))
    again = new_instance(
        "1.2",
        "1.2.3",
        "1.2.3.4",
        study=study_attributes(patient_id="again"),
        blob_digest=b"of other bytes..",
    )
    assert store_instances(index, [first]) == [Outcome.STORED]
    assert store_instances(index, [again]) == [Outcome.EXISTS]
    assert [found.watermark for found in instances.find(index, STUDY)] == [first.watermark]
    assert study_row(index)["patient_id"] == "first"
    assert len(changefeed.after(index, 0, 100, with_header=False)) == 1


def test_of_two_same_instances_in_one_batch_the_first_is_stored(index):
    first = new_instance("1.2", "1.2.3", "1.2.3.4")
    second = new_instance("1.2", "1.2.3", "1.2.3.4", blob_length=999)
    assert store_instances(index, [first, second]) == [Outcome.STORED, Outcome.EXISTS]
    assert [found.watermark for found in instances.find(index, STUDY)] == [first.watermark]


def test_a_repeat_with_the_same_bytes_is_told_from_one_with_others(index):
    first = new_instance("1.2", "1.2.3", "1.2.3.4", blob_digest=b"0123456789abcdef")
    same = new_instance("1.2", "1.2.3", "1.2.3.4", blob_digest=b"0123456789abcdef")
    other = new_instance("1.2", "1.2.3", "1.2.3.4", blob_digest=b"fedcba9876543210")
    assert store_instances(index, [first, same]) == [Outcome.STORED, Outcome.IDENTICAL]
    assert store_instances(index, [other, same]) == [Outcome.EXISTS, Outcome.IDENTICAL]
    assert [found.watermark for found in instances.find(index, STUDY)] == [first.watermark]


def test_the_same_sop_instance_uid_in_another_series_is_another_instance(index):
    batch = [new_instance("1.2", series, "1.2.3.4") for series in ("1.2.3", "1.2.5")]
    assert store_instances(index, batch) == [Outcome.STORED, Outcome.STORED]
    assert len(instances.find(index, STUDY)) == 2


def test_a_watermark_that_another_instance_has_does_not_pass_for_a_repeat(index):
    first = new_instance("1.2", "1.2.3", "1.2.3.4")
    clash = new_instance("1.2", "1.2.3", "1.2.3.5", watermark=first.watermark)
    store_instances(index, [first])
    assert store_instances(index, [clash]) == [Outcome.WATERMARK_TAKEN]
    assert [found[3] for found in instances.find(index, STUDY)] == ["1.2.3.4"]


def test_a_study_has_the_values_last_stored_and_keeps_those_that_are_not_given_anew(index):
    def attributes(patient_id: str, **others: str):
        members = member("00100020", "LO", patient_id)
        return study_attributes(members, patient_id=patient_id, **others)

    one = attributes("P1", study_description="Chest", patient_name="Doe^Jane")
    two = attributes("P2", patient_name="Roe^Jane")
    store_instances(index, [new_instance("1.2", "1.2.3", "1", study=one)])
    store_instances(index, [new_instance("1.2", "1.2.3", "2", study=two)])
    row = study_row(index)
    assert row["patient_id"] == "p2"
    assert row["patient_name"] == "roe^jane"
    assert row["patient_name_words"] == " roe jane"
    assert row["study_description"] == "chest"
    assert orjson.loads(b"{%b}" % row["attributes"])["00100020"]["Value"] == ["P2"]


def test_an_attribute_without_value_does_not_replace_one_with_a_value(index):
    full = study_attributes(member("00100020", "LO", "P1") + b"," + member("00081030", "LO", "A"))
    empty = study_attributes(member("00100020", "LO") + b"," + member("00080050", "SH"))
    store_instances(index, [new_instance("1.2", "1.2.3", "1", study=full)])
    store_instances(index, [new_instance("1.2", "1.2.3", "2", study=empty)])
    assert orjson.loads(b"{%b}" % study_row(index)["attributes"]) == {
        "00080050": {"vr": "SH"},
        "00081030": {"vr": "LO", "Value": ["A"]},
        "00100020": {"vr": "LO", "Value": ["P1"]},
    }


def test_within_a_batch_the_last_stored_instance_gives_a_series_its_values(index):
    batch = [
        new_instance("1.2", "1.2.3", str(n), series=series_attributes(modality=modality))
        for n, modality in enumerate(("CT", "MR", "US"))
    ]
    store_instances(index, batch)
    assert index.fetch_query(models.Series.select(models.Series.modality)) == [("us",)]


def test_answers_are_kept_once_for_all_instances_that_share_them(index):
    same = study_attributes(member("00100020", "LO", "P1"))
    store_instances(index, [new_instance("1.2", "1.2.3", str(n), study=same) for n in range(50)])
    assert len(index.fetch_query(models.Answer.select())) == 2


def test_a_batch_over_many_studies_and_beyond_one_statement_is_stored_whole(index):
    batch = [
        new_instance(f"1.{study}", f"1.{study}.{series}", f"1.{study}.{series}.{n}")
        for study in range(1, 16)
        for series in range(1, 4)
        for n in range(1, 8)
    ]
    assert store_instances(index, batch) == [Outcome.STORED] * len(batch)
    entries = changefeed.after(index, 0, 1000, with_header=False)
    assert [entry.sop_instance_uid for entry in entries] == [new.sop_instance_uid for new in batch]
    assert [entry.sequence for entry in entries] == list(range(1, len(batch) + 1))
    assert len(instances.find(index, Reference(DEFAULT_PARTITION_ID, "1.7", "1.7.2"))) == 7


def test_a_batch_costs_the_same_number_of_statements_whatever_its_size(index, monkeypatch):
    counts = []
    run = index.execute

    def counting(sql, values=()):
        counts[-1] += 1
        return run(sql, values)

    monkeypatch.setattr(index, "execute", counting)
    for size in (1, 10, 100, 100):
        counts.append(0)
        store_instances(index, [new_instance("1.2", "1.2.3", f"{size}.{n}") for n in range(size)])
    assert counts[1] == counts[2]
    assert counts[0] - counts[1] == 4  # the study and the series were made by the first
    assert counts[3] <= counts[2]  # repeats take one look-up instead of headers and feed


def test_many_threads_storing_the_same_instances_store_each_exactly_once(database_url):
    index = open_index(database_url)
    committer = Committer(index)
    won: list[str] = []
    barrier = threading.Barrier(6)

    def store() -> None:
        barrier.wait()
        for n in range(20):
            new = new_instance("1.2", f"1.2.{n % 3}", f"1.2.3.{n}")
            if committer.store([new]) == [Outcome.STORED]:
                won.append(new.sop_instance_uid)
        index.close()

    threads = [threading.Thread(target=store) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == sorted(f"1.2.3.{n}" for n in range(20))
    assert len(instances.find(index, STUDY)) == 20
    feed = changefeed.after(index, 0, 1000, with_header=False)
    assert [entry.sequence for entry in feed] == list(range(1, 21))
    index.close()


def test_processes_with_connections_of_their_own_make_a_study_once(database_url):
    barrier = threading.Barrier(4)
    outcomes = []

    def store(number: int) -> None:
        index = open_index(database_url)
        barrier.wait()
        for n in range(10):
            new = new_instance(f"1.{n}", f"1.{n}.1", f"1.{n}.1.{number}")
            outcomes.extend(store_instances(index, [new]))
        index.close()

    threads = [threading.Thread(target=store, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [Outcome.STORED] * 40
    index = open_index(database_url)
    assert len(index.fetch_query(models.Study.select())) == 10
    assert len(index.fetch_query(models.Series.select())) == 10
    index.close()


def test_a_batch_may_have_any_number_of_studies_and_series(index):
    for outcome in (Outcome.STORED, Outcome.IDENTICAL):
        batch = [new_instance(f"1.{n}", f"1.{n}.1", f"1.{n}.1.1") for n in range(1200)]
        assert store_instances(index, batch) == [outcome] * 1200
    for model in (models.Study, models.Series, models.Instance):
        assert len(index.fetch_query(model.select())) == 1200


def test_a_study_that_is_deleted_between_look_up_and_transaction_is_made_anew(index, monkeypatch):
    store_instances(index, [new_instance("1.2", "1.2.3", "1.2.3.4")])
    look_up = store._look_up
    looked = []

    def deleted_right_after(*arguments):
        known = look_up(*arguments)
        if not looked:
            delete_instances(index, STUDY, lambda *_: "key")
        looked.append(known)
        return known

    monkeypatch.setattr(store, "_look_up", deleted_right_after)
    new = new_instance("1.2", "1.2.3", "1.2.3.5")
    assert store_instances(index, [new]) == [Outcome.STORED]
    assert looked[0].studies
    assert not looked[1].studies
    assert [found.watermark for found in instances.find(index, STUDY)] == [new.watermark]


def test_the_number_of_a_study_is_never_used_again(index):
    store_instances(index, [new_instance("1.2", "1.2.3", "1.2.3.4")])
    number = study_row(index)["id"]
    delete_instances(index, STUDY, lambda *_: "key")
    store_instances(index, [new_instance("1.3", "1.3.3", "1.3.3.4")])
    assert study_row(index)["id"] > number


def test_a_transaction_that_fails_half_way_leaves_no_trace(index, monkeypatch):
    def broken(*_):
        raise IndexUnavailable("forced")

    monkeypatch.setattr(changefeed, "append", broken)
    with pytest.raises(IndexUnavailable):
        Committer(index).store([new_instance("1.2", "1.2.3", "1.2.3.4")])
    for model in (models.Study, models.Series, models.Instance, models.InstanceHeader):
        assert index.fetch_query(model.select()) == []


def test_a_database_that_is_away_is_said_to_be_unavailable():
    index = open_index("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(IndexUnavailable):
        store_instances(index, [new_instance("1.2", "1.2.3", "1.2.3.4")])


def test_a_connection_that_the_server_closed_is_replaced_for_transactions_too(
    postgresql_database,
):
    index = open_index(postgresql_database)
    index.in_transaction(lambda: None)
    ((backend,),) = index.execute("SELECT pg_backend_pid()")
    other = open_index(postgresql_database)
    other.execute(f"SELECT pg_terminate_backend({backend}, 5000)")
    other.close()
    with pytest.raises(IndexUnavailable):
        index.in_transaction(lambda: index.execute("SELECT 1"))
    assert index.in_transaction(lambda: index.execute("SELECT 1")) == [(1,)]
    index.close()
