import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb.qido.members import member, members, with_uids

UIDS = b",".join((member(0x0020000D, "UI", "1.2"), member(0x0020000E, "UI", "1.2.3")))
AWKWARD = ['"', "\\", '},"002', '"SQ"', '"00200013":{"vr":', ',"00200013":{', "é", "\n", "}", "{"]
SEQUENCE = '"00400275":{"vr":"SQ","Value":[{"00080018":{"vr":"UI"},"00200013":{"vr":"IS"}}]}'


def piece_of(elements: dict) -> bytes:
    return orjson.dumps(elements)[1:-1]


@pytest.mark.parametrize("text", [*AWKWARD, "".join(AWKWARD)])
def test_members_are_told_apart_whatever_their_values_are(text):
    elements = {
        "00080050": {"vr": "SH", "Value": [text, text]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": text}, {"Ideographic": text}]},
        "00100020": {"vr": "LO", "Value": [None, text]},
        "00280008": {"vr": "IS"},
        "00280010": {"vr": "US", "Value": [1, 2]},
    }
    found = members(piece_of(elements))
    assert {tag.decode(): orjson.loads(b"{%b}" % found[tag]) for tag in found} == {
        tag: {tag: element} for tag, element in elements.items()
    }


def test_members_of_items_stay_in_their_sequence():
    piece = b'"0020000E":{"vr":"UI","Value":["1"]},' + SEQUENCE.encode()
    found = members(piece)
    assert list(found) == [b"0020000E", b"00400275"]
    assert orjson.loads(b"{%b}" % found[b"00400275"]) == orjson.loads("{" + SEQUENCE + "}")


def test_nothing_has_no_members():
    assert members(b"") == {}


@given(
    st.dictionaries(
        st.sampled_from(["00080005", "00080016", "00080056", "00080201", "00200013", "00280100"]),
        st.one_of(
            st.just({"vr": "US"}),
            st.builds(
                lambda texts: {"vr": "LO", "Value": texts},
                st.lists(st.one_of(st.text(), st.sampled_from(AWKWARD)), min_size=1),
            ),
            st.just({"vr": "SQ", "Value": [{"00200013": {"vr": "IS"}}]}),
        ),
    )
)
def test_the_uids_of_study_and_series_are_put_in_where_they_belong(elements):
    own = dict(sorted((elements | {"00080018": {"vr": "UI", "Value": ["1"]}}).items()))
    together = orjson.loads(b"{%b}" % with_uids(piece_of(own), UIDS))
    uids = orjson.loads(b"{%b}" % UIDS)
    assert together == own | uids
    assert list(together) == sorted(together)


def test_a_member_has_its_values_escaped():
    made = orjson.loads(b"{%b}" % member(0x00080061, "CS", 'a"b', "\\"))
    assert made == {"00080061": {"vr": "CS", "Value": ['a"b', "\\"]}}
