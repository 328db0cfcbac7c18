"""How many statements a search takes, and how often they are compiled."""

from collections.abc import Iterator

import pytest

from index import matching
from index.search import Part, _statement, count_instances, count_series
from tests.index.searches import CT, INSTANCE, ONE, STUDY, found


@pytest.fixture
def executed(index) -> Iterator[list[tuple]]:
    """The statements that the index runs, with their values."""
    statements: list[tuple] = []
    run = index.execute

    def execute(sql, values=()):
        statements.append((sql, values))
        return run(sql, values)

    index.execute = execute
    yield statements
    index.execute = run


def test_a_search_that_finds_few_is_one_statement_whatever_it_answers(stored, executed):
    parts = (Part.STUDY_V1, Part.SERIES_V2, Part.INSTANCE_V1, Part.HEADER, Part.STUDY_ID)
    conditions = ONE | CT | {"patient_name": matching.UNIVERSAL}
    assert len(found(stored, INSTANCE, parts=parts)) == 8
    assert len(found(stored, INSTANCE, parts=parts, conditions=conditions)) == 2
    assert found(stored, INSTANCE, "9", parts=parts) == []
    assert len(executed) == 3


def test_counts_are_one_statement_for_a_whole_page(stored, executed):
    numbers = list(range(1, 201))
    count_instances(stored, STUDY, numbers)
    count_series(stored, numbers)
    assert len(executed) == 2


def test_a_statement_is_compiled_once_for_all_values(stored, executed):
    before = _statement.cache_info()
    for value in ("P1", "P2", "P3"):
        condition = {"patient_id": matching.single_value(value)}
        found(stored, STUDY, conditions=condition, limit=len(value), offset=0)
    assert len({sql for sql, _ in executed}) == 1
    assert _statement.cache_info().misses - before.misses <= 1


def test_values_never_become_part_of_the_statement(stored, executed):
    value = "x'; DROP TABLE study; --"
    for condition in (matching.single_value(value), matching.wild_card(f"*{value}*")):
        assert found(stored, STUDY, conditions={"patient_id": condition}) == []
    assert not any("DROP" in sql for sql, _ in executed)
    assert len(found(stored, STUDY)) == 2


def test_what_matches_everything_or_nothing_takes_no_part_in_a_search(stored, executed):
    assert len(found(stored, STUDY, conditions={"patient_id": matching.UNIVERSAL})) == 2
    assert len(found(stored, STUDY)) == 2
    assert found(stored, STUDY, conditions=ONE | {"study_date": matching.NOTHING}) == []
    (everything, plain) = executed
    assert everything == plain
