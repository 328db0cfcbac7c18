"""Each rule of PS3.4 C.2.2.2 as the databases carry it out, on the same values."""

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given

from index import matching
from index.matching import NOTHING, UNIVERSAL, Condition, fold
from index.partitions import DEFAULT_PARTITION_ID
from index.search import Level, Part, Search, search
from index.store import store_instances
from tests.index.rows import new_instance, study_attributes
from tests.index.searches import (
    PATTERNS,
    TEXTS,
    Find,
    as_regex,
    bounded,
    finder,
    finder_of_fresh_rows,
)


@pytest.fixture
def ids(index) -> Callable[..., Find]:
    """Finds among studies with these PatientIDs."""
    return lambda *values: finder(index, "patient_id", list(values))


@pytest.fixture
def dates(index) -> Callable[..., Find]:
    """Finds among studies with these StudyDates."""
    return lambda *values: finder(index, "study_date", list(values))


# Single Value Matching


def test_a_single_value_matches_the_whole_value_in_any_case(ids):
    find = ids("Abc", "aBC", "Abcd", "xAbc", "Ab", None)
    assert find(matching.single_value("ABC")) == ["Abc", "aBC"]


def test_a_single_value_respects_accents(ids):
    find = ids("Jose", "José", "JOSÉ")
    assert find(matching.single_value("josé")) == ["José", "JOSÉ"]
    assert find(matching.single_value("jose")) == ["Jose"]


def test_an_accent_is_the_same_composed_or_not(ids):
    find = ids(unicodedata.normalize("NFD", "José"), unicodedata.normalize("NFC", "José"))
    assert len(find(matching.single_value(unicodedata.normalize("NFD", "José")))) == 2
    assert len(find(matching.single_value(unicodedata.normalize("NFC", "José")))) == 2


@pytest.mark.parametrize("special", ["*", "?", "%", "_", "!", "\\", "[a]", "'", '"', ":p0", "%s"])
def test_a_single_value_takes_every_character_as_it_is(ids, special):
    find = ids(f"a{special}b", "axb", "ab", "aab", "a!b!")
    found = find(matching.single_value(f"a{special}b"))
    assert found == [f"a{special}b"]


@pytest.mark.parametrize("stored", ["abc", "abc ", "abc\0", "abc \0 ", " abc"])
@pytest.mark.parametrize("asked", ["abc", "abc ", "abc\0", " abc "])
def test_padding_does_not_count_on_either_side(stored, asked):
    assert fold(stored) == fold(asked)


def test_a_stored_value_with_padding_is_found_without_and_with_it(ids):
    find = ids("abc\0", "abc  ", "abc")
    assert find(matching.single_value("abc")) == ["abc\0", "abc  ", "abc"]
    assert find(matching.single_value("abc\0")) == ["abc\0", "abc  ", "abc"]


def test_a_value_too_long_for_its_attribute_matches_nothing(ids):
    find = ids("a" * 64)
    assert find(matching.single_value("a" * 64)) == ["a" * 64]
    assert find(matching.single_value("a" * 65)) == []


def test_a_value_that_grows_by_folding_is_stored_and_found(ids):
    find = ids("ß" * 64)
    assert find(matching.single_value("ß" * 64)) == ["ß" * 64]


def test_a_value_that_is_not_there_matches_no_single_value(ids):
    assert ids(None)(matching.single_value("")) == []


# List of UID Matching


@pytest.fixture
def uids(index) -> Find:
    """Finds among three studies by UID."""
    for uid in ("1.2.3", "1.2.4", "1.2.30"):
        store_instances(
            index, [new_instance(uid, "1", "1", study=study_attributes(b'"%b":1' % uid.encode()))]
        )

    def find(condition: Condition) -> list[str]:
        wanted = Search(
            Level.STUDY,
            DEFAULT_PARTITION_ID,
            (),
            (("study_instance_uid", condition),),
            (Part.LATEST_STUDY,),
            limit=10,
        )
        return [bytes(members).split(b'"')[1].decode() for _, members in search(index, wanted).rows]

    return find


def test_a_uid_matches_itself_alone(uids):
    assert uids(matching.uid_list(["1.2.3"])) == ["1.2.3"]


def test_a_list_of_uids_matches_each_of_them_once(uids):
    assert uids(matching.uid_list(["1.2.30", "9.9", "1.2.3", "1.2.30", ""])) == ["1.2.30", "1.2.3"]


@pytest.mark.parametrize("asked", ["*", "1.2.*", "1.2.?", "1.2.%", "a", "", "1" * 65, "1.2.3\0"])
def test_what_is_no_uid_matches_nothing(uids, asked):
    assert matching.uid_list([asked]) == NOTHING
    assert uids(matching.uid_list([asked])) == []
    assert uids(matching.uid_list([asked, "1.2.4"])) == ["1.2.4"]


def test_lists_of_many_lengths_make_few_statements():
    sizes = {
        len(matching.uid_list([f"1.{number}" for number in range(count)])[0].values)
        for count in range(2, 129)
    }
    assert sizes == {2, 4, 8, 16, 32, 64, 128}


# Universal Matching and Wild Card Matching


@pytest.mark.parametrize("pattern", ["*", "**"])
def test_a_star_alone_matches_everything_even_no_value(ids, pattern):
    assert matching.wild_card(pattern) == UNIVERSAL
    assert ids("a", None)(matching.wild_card(pattern)) == ["a", None]


def test_a_star_is_any_run_of_characters_even_none(ids):
    find = ids("ab", "axb", "axxb", "abx", "xab", "AXB")
    assert find(matching.wild_card("a*b")) == ["ab", "axb", "axxb", "AXB"]


def test_a_question_mark_is_exactly_one_character(ids):
    find = ids("ab", "axb", "axxb", "aéb", "a\U0001f600b")
    assert find(matching.wild_card("a?b")) == ["axb", "aéb", "a\U0001f600b"]


def test_a_question_mark_alone_is_a_value_of_one_character(ids):
    assert ids("a", "ab", None)(matching.wild_card("?")) == ["a"]


def test_a_wildcard_in_front_finds_ends_and_one_on_both_sides_finds_parts(ids):
    find = ids("abc", "xabc", "abcx", "xabcx")
    assert find(matching.wild_card("*ABC")) == ["abc", "xabc"]
    assert find(matching.wild_card("*aBc*")) == ["abc", "xabc", "abcx", "xabcx"]
    assert find(matching.wild_card("ab*")) == ["abc", "abcx"]


@pytest.mark.parametrize("special", ["%", "_", "!", "\\", "[a]", "'", ":p0", "%s"])
def test_a_wildcard_leaves_every_other_character_as_it_is(ids, special):
    find = ids(f"a{special}b1", "axb1", "ab1", "aab1")
    assert find(matching.wild_card(f"a{special}b*")) == [f"a{special}b1"]
    assert find(matching.wild_card(f"*{special}b1")) == [f"a{special}b1"]


def test_a_prefix_is_followed_by_characters_of_any_plane(ids):
    values = [f"p{char}" for char in ("a", "\x7f", "é", "￿", "\U0001f600", "\U0010fffd")]
    assert ids(*values, "q", "o\U0010fffd")(matching.wild_card("P*")) == values


def test_a_pattern_with_more_characters_than_any_value_matches_nothing(ids):
    find = ids("a" * 64)
    assert find(matching.wild_card("*" + "a" * 64 + "*")) == ["a" * 64]
    assert matching.wild_card("a" * 65 + "*") == NOTHING
    assert matching.wild_card("?" * 65) == NOTHING


def test_a_value_that_is_not_there_matches_no_pattern_but_a_star(ids):
    assert ids(None)(matching.wild_card("*?*")) == []


# Range Matching


def test_a_range_includes_both_its_ends(dates):
    find = dates("20240130", "20240131", "20240201", "20240202", None)
    assert find(matching.date_range("20240131", "20240201")) == ["20240131", "20240201"]


def test_a_range_may_be_open_at_either_end(dates):
    find = dates("20240130", "20240131", "20240201", None)
    assert find(matching.date_range("20240131", None)) == ["20240131", "20240201"]
    assert find(matching.date_range(None, "20240131")) == ["20240130", "20240131"]
    assert find(matching.date_range(None, None)) == ["20240130", "20240131", "20240201", None]


def test_a_range_of_one_day_is_that_day(dates):
    find = dates("20240130", "20240131", "20240201")
    assert find(matching.date_range("20240131", "20240131")) == ["20240131"]


# All of it against plain Python


@bounded
@given(values=TEXTS, pattern=PATTERNS)
def test_databases_agree_with_python_on_every_pattern(index, values, pattern):
    find = finder_of_fresh_rows(index, "patient_id", values)
    expected = [
        value
        for value in values
        if not pattern.strip("\0 *")
        or (fold(value) and as_regex(fold(pattern)).fullmatch(fold(value)))
    ]
    assert find(matching.wild_card(pattern.strip("\0 "))) == expected
