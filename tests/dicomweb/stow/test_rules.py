"""Each rule at its borders: values that it takes, and values that it does not."""

import pytest

from dicomweb.stow.rules import FULL, MINIMUM, wrong_by

LONGEST_UID = "1." + "2" * 62


def words(text: str) -> list[str]:
    return text.split(" ")


MINIMUM_RULES = {
    "AE": (["", "A", "x" * 16, "a\x01"], ["x" * 17]),
    "AS": (["045Y", "abcd"], ["", "45Y", "0045Y"]),
    "CS": (["", "CT", "ct-1", "X" * 16], ["X" * 17]),
    "DA": (
        ["", *words("20240229 19000101 99991231")],
        words(
            "20230229 20240001 20241301 20240100 20240132 00000101 2024010 202401011 2024.01.01 "
            "20240101- 20240101-20240201 2024010a 2024010\u0661"
        ),
    ),
    "DT": (
        ["", "2024", "20240131101112.123456+0100"],
        ["202", "20240131-20240201", "2024013110111", "x"],
    ),
    "IS": (
        ["", "0", "-1", "+7", " 12 ", "2147483647", "-2147483648", "0" * 5000],
        ["2147483648", "-2147483649", "1.0", "a", "+", "1 2", "9" * 5000],
    ),
    "LO": (["", "x" * 64, "ä" * 64, "a\x1bb"], ["x" * 65, "a\\b", "a\x00", "\tb", "a\x7f"]),
    "PN": (
        ["", "a^b^c^d^e", "a=b=c", "x" * 64 + "=" + "y" * 64, "^^^^", "a\x1bb"],
        ["a^b^c^d^e^f", "a=b=c=d", "x" * 65, "a=" + "x" * 65, "a\x00", "a=b^c^d^e^f^g"],
    ),
    "SH": (["", "x" * 16, "a\x00b"], ["x" * 17]),
    "TM": (["", "10", "1011", "101112.5"], ["1", "24", "10:11:12", "1011-1012"]),
    "UI": (
        ["1", "0", "1.02.3", "1..2", "0.0", LONGEST_UID],
        ["", "1.", "abc.123", "11|", LONGEST_UID + "2", "1.2 3", "1.\u0662"],
    ),
}
FULL_RULES = {
    "AE": (["", "A", " A", "x" * 16, "a b"], ["x" * 17, "   ", "a\x00b", "a\x1bb", "a\n"]),
    "AS": (
        ["", "045Y", "000D", "999W", "012M"],
        ["45Y", "045y", "045", "0045Y", "045X", "a45Y"],
    ),
    "CS": (["", "CT", "A_1 B", "X" * 16], ["X" * 17, "ct", "A-B", "A\x00B", "Ä", "A.B"]),
    "DA": (
        [
            *("", "20210131 ", "-"),
            *words("20240131 20210231 20210001 20211200 20211231"),
            *words("20210101-20210201 20210101- -20210101"),
        ],
        [
            *words("20211301 20210132 2021 2021.01.31 2021-01-31 NotAValidStudyDate"),
            *words("20210101-20211301 20210101-2021 20210101-20210102-20210103"),
            " 20210131",
        ],
    ),
    "DS": (
        ["", "0", "-1.5", "+.5", "5.", "1e10", "1.5E-03", " 12 ", "1" * 16],
        ["1" * 17, "a", ".", "1,5", "   ", "1 2", "1e", "e5", "--1", "NaN", "0x10", "1\x00"],
    ),
    "DT": (
        [
            *("", "20240131 "),
            *words("2024 202401 20240131 2024013110 202401311011 20240131101112 20240231"),
            *words("20240131101160 20240131101112.1 20240131101112.123456"),
            *words("2024+0100 2024-0100 2024-1200 2024+1400 20240131101112.5-0330"),
            *words("2023-2024 2023- -2024 20230101-20240101+0100 2023+0100-2024-0100"),
            *words("2023-0100-2024-0100 20240131101112.123456+0100-20250131101112.123456+0100"),
        ],
        [
            *words("202 20241 20241301 20240001 20240100 20240132 2024013124 202401311060"),
            *words("20240131101161 20240131101112. 20240131101112.1234567 2024013110.5"),
            *words("2024-0000 2024+1401 2024+1500 2024+1260 2024-0060 2024-1201x 2024+01"),
            *words("2024-01-31 x - 2024-2025-2026 20240131T1011"),
            "2" * 60,
        ],
    ),
    "IS": (
        ["", "0", "-0", "+7", " 12 ", "2147483647", "-2147483648", "000000000000012"],
        ["2147483648", "-2147483649", "99999999999", "1.0", "a", "+", "1 2", "   ", "1\x00"],
    ),
    "LO": (["", "x" * 64, "ä" * 64, "a\x1bb", " "], ["x" * 65, "X\x00X", "a\n", "a\x7f", "\x1f"]),
    "LT": (["", "x" * 10240, "a\\b\r\n\x0c\x00"], ["x" * 10241]),
    "PN": (
        ["", "a^b^c^d^e", "a=b=c", "x" * 64 + "=" + "y" * 64, "=", "a\x1bb"],
        ["a^b^c^d^e^f", "a=b=c=d", "x" * 65, "=" + "x" * 65, "a\x00b", "a=b^c^d^e^f^g"],
    ),
    "SH": (["", "x" * 16, "ä" * 16, "a\x1b"], ["x" * 17, "a\x00b", "a\t"]),
    "ST": (["", "x" * 1024, "a\\b\r\n"], ["x" * 1025]),
    "TM": (
        [
            *("", "1011 ", "-"),
            *words("00 23 2359 235960 101112.1 101112.123456 10-11 1011- -1011"),
        ],
        [
            *words("24 1060 101161 101112. 101112.1234567 1 101 10.5 10:11:12 1011Z"),
            *words("10-24 10-11-12"),
            "1011 12",
        ],
    ),
    "UI": (
        ["", "1", "1.0.3", "1.2.840.10008.1.2", LONGEST_UID],
        [
            *words("0 0.1 1.02 1.00 1..2 .1 1. 1.a 11| 1.²"),
            *("1.2\x00", "1 2", LONGEST_UID + "2"),
        ],
    ),
}


def cases(rules: dict, *, valid: bool) -> list:
    return [
        pytest.param(vr, value, id=f"{vr}-{value[:40]!a}-{len(value)}")
        for vr, examples in rules.items()
        for value in examples[0 if valid else 1]
    ]


def test_every_rule_has_its_examples():
    assert set(MINIMUM_RULES) == set(MINIMUM)
    assert set(FULL_RULES) == set(FULL)


@pytest.mark.parametrize(("vr", "value"), cases(MINIMUM_RULES, valid=True))
def test_the_minimum_rules_take_a_valid_value(vr, value):
    assert wrong_by(MINIMUM, vr, value) is None


@pytest.mark.parametrize(("vr", "value"), cases(MINIMUM_RULES, valid=False))
def test_the_minimum_rules_say_what_an_invalid_value_must_be(vr, value):
    assert wrong_by(MINIMUM, vr, value).startswith("must ")


@pytest.mark.parametrize(("vr", "value"), cases(FULL_RULES, valid=True))
def test_the_full_rules_take_a_valid_value(vr, value):
    assert wrong_by(FULL, vr, value) is None


@pytest.mark.parametrize(("vr", "value"), cases(FULL_RULES, valid=False))
def test_the_full_rules_say_what_an_invalid_value_must_be(vr, value):
    assert wrong_by(FULL, vr, value).startswith("must ")


@pytest.mark.parametrize("vr", ["UC", "UR", "UT", "OB", "OW", "UN", "SQ", "US", "FD", "AT"])
@pytest.mark.parametrize("value", ["", "x" * 100_000, "\x00", "\\"])
def test_the_other_vrs_are_not_looked_into(vr, value):
    assert wrong_by(FULL, vr, value) is None


@pytest.mark.parametrize(
    ("vr", "value", "wanted"),
    [
        ("CS", "x" * 17, "must have at most 16 characters"),
        ("CS", "ct", "must have only upper case letters, digits, spaces and underscores"),
        ("DA", "20211301", "must have a month between 0 and 12"),
        ("DT", "2024013124", "must have an hour between 0 and 23"),
        ("IS", "2147483648", "must be an integer between -2147483648 and 2147483647"),
        ("PN", "a=" + "x" * 65, "must have at most 64 characters in each group"),
        ("TM", "101161", "must have a second between 0 and 60"),
        ("UI", "1.02", "must be a UID, whose components do not start with 0"),
    ],
)
def test_the_first_rule_that_is_broken_speaks(vr, value, wanted):
    assert wrong_by(FULL, vr, value) == wanted
