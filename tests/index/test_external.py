"""External metadata: how they come, are found, and go."""

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from index import matching
from index.batch import NewInstance, Outcome
from index.committer import Committer
from index.database import Index
from index.delete import delete_instances
from index.external import (
    MOST_OF_STUDY,
    ExternalRefused,
    NewExternal,
    external_condition,
    external_of_studies,
    external_of_study,
    external_vrs,
)
from index.instances import Reference, find
from index.partitions import Partitions
from index.search import Level, Part, Search, search
from index.store import store_instances
from tests.index.rows import new_instance

TAG = 0x00191201
STUDY = Reference(1, "1.1")


def external(value: str, vr: str = "LO", tag: int = TAG) -> NewExternal:
    return NewExternal(tag, vr, value, f"{vr} {value}".encode())


def an_instance(uid: str = "1", study: str = "1.1", *given: NewExternal, **changes: Any):
    return new_instance(study, f"{study}.1", f"{study}.1.{uid}", external=given, **changes)


def store(index: Index, *instances: NewInstance) -> None:
    assert set(store_instances(index, list(instances))) == {Outcome.STORED}


def elements(index: Index, study: str = "1.1", partition: int = 1) -> dict[int, bytes]:
    found = external_of_study(index, Reference(partition, study))
    return {tag: bytes(element) for tag, element in found}


def studies(index: Index, *conditions, partition: int = 1) -> int:
    condition = external_condition(partition, TAG, conditions)
    wanted = Search(
        Level.STUDY, partition, (), (("study_id", condition),), (Part.STUDY_ID,), limit=10
    )
    return len(search(index, wanted).rows)


def test_they_are_of_the_study_of_what_was_stored(index):
    store(index, an_instance("1", "1.1", external("a")), an_instance("1", "1.2"))
    assert elements(index, "1.1") == {TAG: b"LO a"}
    assert elements(index, "1.2") == {}


def test_each_study_of_a_batch_has_its_own(index):
    store(index, an_instance("1", "1.1", external("a")), an_instance("1", "1.2", external("b")))
    assert [elements(index, study) for study in ("1.1", "1.2")] == [{TAG: b"LO a"}, {TAG: b"LO b"}]


def test_a_later_one_takes_the_place_of_one_of_the_same_tag(index):
    store(index, an_instance("1", "1.1", external("a"), external("x", tag=TAG + 1)))
    store(index, an_instance("2", "1.1", external("b")), an_instance("3", "1.1", external("c")))
    assert elements(index) == {TAG: b"LO c", TAG + 1: b"LO x"}


@pytest.mark.parametrize("together", [False, True])
def test_another_vr_refuses_all_that_came_with_it(index, together):
    batch = [an_instance("1", "1.1", external("a"))]
    if not together:
        store(index, *batch)
        batch.clear()
    batch += [an_instance("2", "1.1", external("5", "IS")), an_instance("1", "1.2")]
    with pytest.raises(ExternalRefused) as refused:
        store_instances(index, batch)
    assert refused.value.tag == TAG
    assert elements(index) == ({} if together else {TAG: b"LO a"})
    assert find(index, Reference(1, "1.2")) == []


def test_who_is_refused_in_a_group_commit_spoils_it_for_nobody_else(index):
    store(index, an_instance("1", "1.1", external("a")))
    committer = Committer(index)
    bad, good = an_instance("2", "1.1", external("5", "IS")), an_instance("3", "1.1")
    results: dict[str, Any] = {}

    def commit(name: str, new: NewInstance) -> None:
        try:
            results[name] = committer.store([new])
        except ExternalRefused as error:
            results[name] = error
        index.close()

    with ThreadPoolExecutor(2) as pool:
        with committer._turn:
            work = [pool.submit(commit, "bad", bad), pool.submit(commit, "good", good)]
            while len(committer._waiting) < 2:
                time.sleep(0)
        for future in work:
            future.result(60)
    assert isinstance(results["bad"], ExternalRefused)
    assert results["good"] == [Outcome.STORED]


def test_of_two_who_give_a_tag_different_vrs_at_once_one_is_refused(index):
    together, refused = threading.Barrier(2), []

    def work(vr: str) -> None:
        for turn in range(20):
            together.wait(60)
            new = an_instance(vr, f"1.{turn}", external("5", vr))
            try:
                store(index, new)
            except ExternalRefused:
                refused.append(turn)
        index.close()

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(work, vr) for vr in ("LO", "IS")]:
            future.result(120)
    assert sorted(refused) == list(range(20))
    assert index.execute("SELECT COUNT(*) FROM instance") == [(20,)]
    assert index.execute("SELECT COUNT(*) FROM external_attribute") == [(20,)]


def test_a_study_has_a_bounded_number_of_them(index):
    given = [external("a", tag=0x00191000 + n) for n in range(MOST_OF_STUDY)]
    store(index, an_instance("1", "1.1", *given))
    store(index, an_instance("2", "1.1", *given))
    with pytest.raises(ExternalRefused, match=str(MOST_OF_STUDY)):
        store_instances(index, [an_instance("3", "1.1", external("a", tag=0x00211000))])
    assert len(elements(index)) == MOST_OF_STUDY


def test_what_is_not_stored_brings_none(index):
    store(index, an_instance())
    repeat = an_instance("1", "1.1", external("a"))
    assert store_instances(index, [repeat]) == [Outcome.IDENTICAL]
    assert elements(index) == {}


def test_what_replaces_brings_them(index):
    store(index, an_instance())
    put = an_instance("1", "1.1", external("a"), blob_key=str)
    assert store_instances(index, [put]) == [Outcome.REPLACED]
    assert elements(index) == {TAG: b"LO a"}


@pytest.mark.parametrize("level", [1, 2, 3])
def test_they_go_with_the_last_instance_of_their_study(index, level):
    store(index, an_instance("1", "1.1", external("a")), an_instance("2", "1.1"))
    delete_instances(index, Reference(1, "1.1", "1.1.1", "1.1.1.2"), lambda *_: "key")
    assert elements(index) == {TAG: b"LO a"}
    uids = ("1.1", "1.1.1", "1.1.1.1")[:level]
    delete_instances(index, Reference(1, *uids), lambda *_: "key")
    assert index.execute("SELECT COUNT(*) FROM external_attribute") == [(0,)]
    store(index, an_instance("1", "1.1", external("5", "IS")))
    assert elements(index) == {TAG: b"IS 5"}


def test_partitions_share_none(index):
    other = Partitions(index).ensure("other")
    store(index, an_instance("1", "1.1", external("a")))
    store(index, an_instance("1", "1.1", external("b", "SH"), partition_id=other))
    assert [elements(index, partition=each) for each in (1, other)] == [
        {TAG: b"LO a"},
        {TAG: b"SH b"},
    ]
    assert [external_vrs(index, each, TAG) for each in (1, other)] == [["LO"], ["SH"]]
    condition = ("LO", "value", matching.single_value("A"))
    assert [studies(index, condition, partition=each) for each in (1, other)] == [1, 0]


def test_the_vrs_of_a_tag_are_those_of_all_studies(index):
    store(
        index,
        an_instance("1", "1.1", external("a")),
        an_instance("1", "1.2", external("5", "IS")),
        an_instance("1", "1.3", external("x", "SH", TAG + 1)),
    )
    assert external_vrs(index, 1, TAG) == ["IS", "LO"]
    assert external_vrs(index, 1, TAG + 2) == []


def test_those_of_a_page_are_read_at_once(index):
    store(
        index,
        an_instance("1", "1.1", external("a"), external("x", tag=TAG + 1)),
        an_instance("1", "1.2", external("b")),
    )
    ((first,), (second,)) = index.execute("SELECT id FROM study ORDER BY id")
    found = external_of_studies(index, [second, first, second], [TAG])
    assert sorted(found) == [(first, TAG, b"LO a"), (second, TAG, b"LO b")]


def test_studies_are_found_by_a_value_of_any_vr(index):
    store(
        index,
        an_instance("1", "1.1", external("Berlin")),
        an_instance("1", "1.2", external("007", "IS")),
        an_instance("1", "1.3", external("Müller^Jane", "PN")),
        an_instance("1", "1.4", external("20240131", "DA")),
        an_instance("1", "1.5", external("")),
    )
    assert studies(index, ("LO", "value", matching.single_value("BERLIN"))) == 1
    assert studies(index, ("LO", "value", matching.wild_card("b*n"))) == 1
    assert studies(index, ("SH", "value", matching.single_value("BERLIN"))) == 0
    assert studies(index, ("IS", "value", matching.single_value("7"))) == 1
    words = matching.name_words_match("jan mul", wildcards=False)
    assert studies(index, ("PN", "words", words)) == 1
    dates = matching.date_range("20240101", None)
    assert studies(index, ("DA", "value", dates)) == 1
    assert studies(index, ("LO", "value", matching.single_value("berlin")), ("DA", "value", dates))
    assert studies(index) == 0
    assert studies(index, ("LO", "value", matching.UNIVERSAL)) == 5
    assert studies(index, ("LO", "value", matching.NOTHING)) == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "conditions",
    [
        [("LO", "value", matching.single_value("a"))],
        [("PN", "value", matching.name_value("a"))],
        [("IS", "value", matching.single_value("5")), ("LO", "value", matching.wild_card("a*"))],
    ],
)
def test_a_search_finds_values_by_their_index(index, monkeypatch, conditions):
    store(index, an_instance("1", "1.1", external("a")))
    statements = []
    execute = index.execute

    def noting(sql, values=()):
        statements.append((sql, values))
        return execute(sql, values)

    monkeypatch.setattr(index, "execute", noting)
    studies(index, *conditions)
    ((sql, values),) = statements
    plan = [row[-1] for row in execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    found = [step for step in plan if "external_attribute_by_value" in step]
    assert len(found) == sum(len(condition) for _, _, condition in conditions)
    assert all("value" in step.partition("(")[2] for step in found)
    scanned = [step for step in plan if step.startswith("SCAN")]
    assert not [step for step in scanned if not re.match(r"SCAN (page|few|\(subquery)", step)]
