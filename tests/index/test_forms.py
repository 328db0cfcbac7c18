import pytest

from index.forms import FORMS


@pytest.mark.parametrize(
    ("vr", "one", "other"),
    [
        ("LO", "Abc", "aBC"),
        ("PN", "Müller^Jane^^", "muller^jane"),
        ("IS", "0003", "+3"),
        ("SS", "-0", "0"),
        ("UL", "007", "7"),
        ("FD", "1.50", "15e-1"),
        ("FD", "-0.0", "0"),
        ("FL", "0.1", "0.10000000149011612"),
        ("TM", "1015", "101500.000"),
        ("DT", "2024", "20240101000000"),
        ("DT", "20240131101112.5+0100", "20240131101112.50"),
        ("UI", "1.2.3", "1.2.3 "),
    ],
)
def test_values_that_mean_the_same_have_the_same_form(vr, one, other):
    assert FORMS[vr](one) == FORMS[vr](other)


@pytest.mark.parametrize(
    ("vr", "ascending"),
    [
        ("DA", ["19991231", "20240101", "20240131"]),
        ("TM", ["10", "1000000001".replace("0001", ".0001"), "1001", "11", "110000.5"]),
        ("DT", ["2023", "2024", "20240101000000.1", "202402", "20240202-0500", "2025"]),
    ],
)
def test_forms_of_dates_and_times_sort_as_these_do(vr, ascending):
    forms = [FORMS[vr](value) for value in ascending]
    assert forms == sorted(forms)
    assert len(set(forms)) == len(forms)


def test_a_number_beyond_the_range_of_its_vr_is_infinite():
    assert FORMS["FL"]("1e39") == "inf"
    assert FORMS["FD"]("1e39") == "1e+39"
