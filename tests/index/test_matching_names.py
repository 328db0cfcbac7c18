"""How names of persons match: by the whole name, by a component group, by words."""

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given

from index import matching
from index.matching import fold_name
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
def names(index) -> Callable[..., Find]:
    """Finds among studies with these PatientNames."""
    return lambda *values: finder(index, "patient_name", list(values))


@pytest.fixture
def words(index) -> Callable[..., Find]:
    """Finds by words among studies with these PatientNames."""
    return lambda *values: finder(index, "patient_name", list(values), "patient_name_words")


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("Doe^Jane", "DOE^JANE"),
        ("José^Peña", "jose^pena"),
        ("jose^pena", "JOSÉ^PEÑA"),
        (unicodedata.normalize("NFD", "Müller^Zoë"), "muller^zoe"),
        ("Straße^Anna", "STRASSE^anna"),
        ("Ωνάσης^Αριστοτέλης", "ΩΝΑΣΗΣ^αριστοτελης"),
        ("Андрей^Семён", "АНДРЕИ^семен"),
        ("Doe^Jane^^^", "Doe^Jane"),
        ("Doe^Jane", "Doe^Jane^^"),
        ("Doe^Jane \0", "Doe^Jane"),
        ("ﬁsher^A", "Fisher^A"),
    ],
)
def test_a_name_matches_in_any_case_and_with_any_accents(names, stored, asked):
    assert names(stored, "Roe^Richard")(matching.name_value(asked)) == [stored]


@pytest.mark.parametrize("asked", ["Doe", "Jane", "Doe^", "oe^Jane", "Doe^Jan", "Jane^Doe", "^"])
def test_a_part_of_a_name_is_not_the_name(names, asked):
    assert names("Doe^Jane", "X=Doe^Jane")(matching.name_value(asked)) == []


GROUPS = "Yamada^Tarou=山田^太郎=やまだ^たろう"


@pytest.mark.parametrize("asked", ["yamada^tarou", "山田^太郎", "やまだ^たろう", GROUPS.upper()])
def test_a_name_matches_by_each_of_its_component_groups_and_as_a_whole(names, asked):
    assert names(GROUPS, "Suzuki^Ichirou=鈴木^一郎")(matching.name_value(asked)) == [GROUPS]


def test_a_name_without_an_alphabetic_group_matches_by_the_others(names):
    find = names("=山田^太郎", "山田^太郎", "==やまだ^たろう")
    assert find(matching.name_value("山田^太郎")) == ["=山田^太郎", "山田^太郎"]
    assert find(matching.name_value("=山田^太郎")) == ["=山田^太郎"]
    assert find(matching.name_value("やまだ^たろう")) == ["==やまだ^たろう"]


def test_a_part_of_a_component_group_is_not_the_group(names):
    assert names(GROUPS)(matching.name_value("山田")) == []
    assert names(GROUPS)(matching.name_value("太郎=やまだ")) == []


@pytest.mark.parametrize("special", ["*", "?", "%", "_", "!", "\\"])
def test_a_name_takes_every_character_as_it_is(names, special):
    find = names(f"a{special}b", "axb", f"X=a{special}b", "X=axb", "aab")
    assert find(matching.name_value(f"a{special}b")) == [f"a{special}b", f"X=a{special}b"]


@pytest.mark.parametrize("asked", ["", "^", " ", "=", "=^=", "a" * 256])
def test_what_is_no_name_matches_nothing(names, asked):
    assert names("Doe^Jane", None)(matching.name_value(asked)) == []


def test_a_name_pattern_matches_the_whole_name_in_any_case_and_with_any_accents(names):
    find = names("Doe^Jane", "Döe^John", "Roe^Jane", "Doeber^Jim")
    assert find(matching.name_wild_card("dOé^*")) == ["Doe^Jane", "Döe^John"]
    assert find(matching.name_wild_card("*^jane")) == ["Doe^Jane", "Roe^Jane"]
    assert find(matching.name_wild_card("?oe^Jane")) == ["Doe^Jane", "Roe^Jane"]
    assert find(matching.name_wild_card("*oe*")) == [
        "Doe^Jane",
        "Döe^John",
        "Roe^Jane",
        "Doeber^Jim",
    ]


@pytest.mark.parametrize(
    "pattern", ["山*", "*太郎", "*やまだ^?ろう", "?amada^tarou", "yamada*=山田*", "yam*", "*田*"]
)
def test_a_name_pattern_matches_a_component_group_or_the_whole(names, pattern):
    assert names(GROUPS, "Suzuki^Ichirou=鈴木^一郎")(matching.name_wild_card(pattern)) == [GROUPS]


@pytest.mark.parametrize("pattern", ["田*", "太*", "*山田", "tarou*", "=*x", "yamada^?arouu"])
def test_a_name_pattern_does_not_match_a_piece_of_a_group(names, pattern):
    assert names(GROUPS)(matching.name_wild_card(pattern)) == []


HANGUL = "Hong^Gildong=洪^吉洞=홍^길동"


@pytest.mark.parametrize("pattern", ["홍^?동", "?^길동", "홍^길?", "홍*", "*길*"])
def test_a_hangul_syllable_is_one_character(names, pattern):
    find = names(HANGUL, "Kim^Minsu=金^民秀=김^민수")
    assert find(matching.name_wild_card(pattern)) == [HANGUL]
    decomposed = unicodedata.normalize("NFD", pattern)
    assert find(matching.name_wild_card(decomposed)) == [HANGUL]


@pytest.mark.parametrize("pattern", ["호*", "홍^길도?", "홍^???동"])
def test_a_piece_of_a_hangul_syllable_is_not_in_a_name(names, pattern):
    assert names(HANGUL)(matching.name_wild_card(pattern)) == []


def test_a_star_matches_every_name_even_none(names):
    assert names("Doe^Jane", GROUPS, None)(matching.name_wild_card("*")) == [
        "Doe^Jane",
        GROUPS,
        None,
    ]


def test_the_longest_name_is_stored_and_found(names):
    longest = "=".join(["x" * 31 + "^" + "y" * 32] * 3)
    growing = "ﷺ" * 64
    find = names(longest, growing)
    assert find(matching.name_value(longest)) == [longest]
    assert find(matching.name_value(growing)) == [growing]


# Fuzzy matching


def test_a_word_begins_with_a_hangul_syllable_not_with_a_piece_of_it(words):
    find = words(HANGUL)
    assert find(matching.name_words_match("길 홍", wildcards=True)) == [HANGUL]
    assert find(matching.name_words_match("호", wildcards=True)) == []


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("joh do", True),
        ("do joh", True),
        ("John^Doe", True),
        ("DOÉ", True),
        ("j=d", True),
        ("john  ^ doe", True),
        ("ohn", False),
        ("oe joh", False),
        ("john doe x", False),
        ("johnn", False),
    ],
)
def test_each_word_begins_some_word_of_the_name_in_any_order(words, asked, found):
    find = words("Doe^John", "Roe^Richard")
    expected = ["Doe^John"] if found else []
    assert find(matching.name_words_match(asked, wildcards=True)) == expected


def test_words_are_looked_for_in_all_component_groups(words):
    assert words(GROUPS)(matching.name_words_match("山田 tar やまだ", wildcards=True)) == [GROUPS]
    assert words(GROUPS)(matching.name_words_match("田", wildcards=True)) == []


def test_wildcards_still_work_in_words(words):
    find = words("Doe^John", "Roe^Joan", "Poe^Edgar")
    assert find(matching.name_words_match("*oe j?hn", wildcards=True)) == ["Doe^John"]
    assert find(matching.name_words_match("*oe*", wildcards=True)) == [
        "Doe^John",
        "Roe^Joan",
        "Poe^Edgar",
    ]


@pytest.mark.parametrize("special", ["*", "?", "%", "_", "!", "\\"])
def test_words_take_every_character_as_it_is(words, special):
    find = words(f"a{special}b", "axb", "aab")
    assert find(matching.name_words_match(f"a{special}", wildcards=False)) == [f"a{special}b"]


@pytest.mark.parametrize("asked", ["^", " ", "=", "", "a " * 128])
def test_a_query_without_words_or_longer_than_a_name_matches_nothing(words, asked):
    assert words("Doe^John", "A")(matching.name_words_match(asked, wildcards=True)) == []


def test_a_query_of_many_words_is_answered(words):
    many = " ".join(chr(0x4E00 + number) for number in range(100))
    assert words(many, "x")(matching.name_words_match(many, wildcards=True)) == [many]


@bounded
@given(values=TEXTS, pattern=PATTERNS)
def test_databases_agree_with_python_on_every_pattern_of_a_name(index, values, pattern):
    find = finder_of_fresh_rows(index, "patient_name", values)
    folded = fold_name(pattern)
    regex = as_regex(folded)

    def matches(value: str) -> bool:
        name = fold_name(value)
        groups = name.strip("=").split("=") if "=" in name and "=" not in folded else []
        return bool(regex.fullmatch(name)) or any(map(regex.fullmatch, groups))

    found = find(matching.name_wild_card(pattern))
    for value in values:
        if not folded.strip("*") or matches(value):
            assert value in found
        elif "=" not in value:
            assert value not in found
