"""Keys can be read back, and none leads out of a store."""

import os.path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from storage.keys import InstanceKey, instance_key, is_key, parse_instance_key, require_key

names = st.text(min_size=1) | st.text("./_%-\\~\0 a1", min_size=1)
instances = st.builds(
    InstanceKey, names, names, names, names, st.integers(min_value=0, max_value=2**63 - 1)
)


@given(instances)
@example(InstanceKey("..", ".", "..", "_1.dcm", 0))
@example(InstanceKey("%2E", "a/b", "a%2Fb", "1_2", 3))
def test_a_key_can_be_read_back(instance):
    assert parse_instance_key(instance_key(*instance)) == instance


@given(instances)
@example(InstanceKey("..", "..", "..", "..", 1))
@example(InstanceKey(".uploads", "/etc", "\0", "..\\..", 1))
def test_no_instance_leads_out_of_the_store(instance):
    key = instance_key(*instance)
    assert is_key(key)
    assert key.isascii()
    names = key.split("/")
    assert len(names) == 4
    assert all(name and not name.startswith(".") for name in names)
    assert os.path.normpath(f"/root/{key}") == f"/root/{key}"


@given(st.text("./a\0\n") | st.text())
def test_what_is_taken_for_a_key_stays_in_the_store(text):
    assume(is_key(text))
    assert os.path.normpath(f"/root/{text}") == f"/root/{text}"
    assert "\0" not in text


@given(st.from_regex(r"[^/]+/[^/]+/[^/]+/[^/]+_[0-9]+\.dcm", fullmatch=True) | st.text())
@example("p/s/s/i_007.dcm")
@example("p/s/s/i_\u0661.dcm")
@example("%2e/s/s/i_7.dcm")
@example("%41/s/s/i_7.dcm")
@example("p/s/s/%FF_7.dcm")
@example("p/s/s/i_" + "9" * 5000 + ".dcm")
def test_a_key_is_parsed_only_if_it_would_be_made_so(text):
    parsed = parse_instance_key(text)
    assert parsed is None or instance_key(*parsed) == text


def test_uids_and_usual_partitions_are_spelt_as_they_are():
    key = instance_key("Microsoft.Default", "1.2.3", "1.2.3.4", "1.2.3.4.5", 42)
    assert key == "Microsoft.Default/1.2.3/1.2.3.4/1.2.3.4.5_42.dcm"


@pytest.mark.parametrize(
    ("partition", "spelt"),
    [
        (".", "%2E"),
        ("..", "%2E."),
        ("...", "%2E.."),
        (".uploads", "%2Euploads"),
        ("a.b-c_D", "a.b-c_D"),
        ("%2E", "%252E"),
        ("a/b", "a%2Fb"),
    ],
)
def test_a_partition_that_means_something_to_a_file_system_is_escaped(partition, spelt):
    assert instance_key(partition, "1", "2", "3", 4) == f"{spelt}/1/2/3_4.dcm"


@pytest.mark.parametrize(
    "key", ["p/1/2/3.dcm", "p/1/2/3_4.dcm.tmp", "p/1/2/3_-4.dcm", "1/2/3_4.dcm", "p/./2/3_4.dcm"]
)
def test_a_file_of_another_program_is_not_an_instance(key):
    assert parse_instance_key(key) is None


@pytest.mark.parametrize("position", range(4))
def test_an_empty_name_makes_no_key(position):
    names = ["p", "1", "2", "3"]
    names[position] = ""
    with pytest.raises(ValueError, match="empty name"):
        instance_key(*names, 4)


def test_a_key_is_returned_and_what_is_none_is_named():
    assert require_key("p/a") == "p/a"
    with pytest.raises(ValueError, match=r"not a key: '\.\./a'"):
        require_key("../a")
