"""Searching by external metadata, and answering them."""

import pytest

from tests.datasets import dataset
from tests.dicomweb.external import ASKED, meta, store_with

TAG = "00191201"
CREATOR = "00190012"


@pytest.fixture
def search(client):
    """The matches of a search that asks for external metadata."""

    def search(path: str, base: str = "v2", **headers: str) -> list[dict]:
        answer = client.get(f"/{base}/{path}", headers=ASKED | headers)
        assert answer.status_code in {200, 204}, answer.text
        return answer.get_json(force=True) if answer.status_code == 200 else []

    return search


@pytest.fixture
def refused(client):
    """The message of a search that is refused."""

    def refused(path: str, base: str = "v2", headers: dict[str, str] = ASKED) -> str:
        answer = client.get(f"/{base}/{path}", headers=headers)
        assert answer.status_code == 400
        return answer.text

    return refused


@pytest.mark.parametrize(
    ("vr", "value", "asked"),
    [
        ("AE", "STORE1", (["store1", "STORE*"], ["STORE"])),
        ("AS", "045Y", (["045Y"], ["45Y", "046Y"])),
        ("CS", "ROUTINE", (["routine", "R?UTINE"], ["ROUTIN"])),
        ("LO", "Haus Süd", (["haus süd", "haus*", "*süd"], ["haus sud"])),
        ("SH", "a_b", (["A_B"], ["axb"])),
        ("PN", "Müller^Jane", (["muller^jane", "MÜLLER*"], ["muller", "jane"])),
        ("UI", "1.2.3", (["1.2.3", "1.2.4,1.2.3"], ["1.2", "1.2.*"])),
        ("DA", "20240131", (["20240131", "20240101-20240201"], ["20240130"])),
        ("DA", "20240131", (["-20240131", "20240131-"], ["-20240130", "20240201-"])),
        ("TM", "1011", (["1011", "101100", "10-11", "-1011", "1011-"], ["10", "1012-"])),
        ("DT", "2024013110", (["2024013110", "2024-2025", "20240131-"], ["2024", "20240201-"])),
        ("DT", "20240131101112+0100", (["20240131101112"], ["20240131091112"])),
        ("IS", "007", (["7", "0007", "+7"], ["70", "-7"])),
        ("SL", "-5", (["-5", "-05"], ["5"])),
        ("SS", "5", (["5"], ["6"])),
        ("UL", "4294967295", (["4294967295"], ["1"])),
        ("US", "0", (["0", "-0"], ["1"])),
        ("FL", "0.1", (["0.1", "1e-1", "0.100000001"], ["0.2"])),
        ("FD", "0.1", (["0.1", ".10"], ["0.100000001"])),
    ],
)
def test_a_study_is_found_by_a_value_as_its_vr_is_matched(client, search, vr, value, asked):
    found, missed = asked
    headers = meta(**{f"{vr}_{TAG}": value.encode().decode("latin-1")})
    ds = store_with(client, headers)
    store_with(client, {})
    for one in found:
        (study,) = search(f"studies?{TAG}={one.replace('+', '%2B')}")
        assert study["0020000D"]["Value"] == [ds.StudyInstanceUID]
    for one in missed:
        assert search(f"studies?{TAG}={one}") == []


def test_names_match_fuzzily_if_that_is_asked(client, search):
    store_with(client, meta(PN_00191201="Doe^Jane"))
    assert len(search(f"studies?{TAG}=jan%20do&fuzzymatching=true")) == 1
    assert search(f"studies?{TAG}=ane&fuzzymatching=true") == []


def test_wildcards_may_be_off(client, search, archive):
    settings = archive.settings.model_copy(update={"qido_wildcards": False})
    object.__setattr__(archive, "settings", settings)
    store_with(client, meta(LO_00191201="a*"))
    store_with(client, meta(LO_00191201="ab"))
    assert len(search(f"studies?{TAG}=a*")) == 1


@pytest.mark.parametrize(
    ("vr", "value", "asked"),
    [
        ("DA", "20240131", "2024"),
        ("DA", "20240131", "2024*"),
        ("DA", "20240131", "20240201-20240101"),
        ("DA", "20240131", "-"),
        ("TM", "10", "24"),
        ("TM", "10", "1?"),
        ("DT", "2024", "20240231"),
        ("DT", "2024", "20240131101112%2B0100"),
        ("IS", "1", "one"),
        ("US", "1", "1.5"),
        ("FD", "1", "nan"),
        ("FL", "1", "1*"),
    ],
)
def test_a_value_that_does_not_fit_the_vr_is_refused(client, refused, vr, value, asked):
    store_with(client, meta(**{f"{vr}_{TAG}": value}))
    assert TAG in refused(f"studies?{TAG}={asked}")


def test_of_studies_with_different_vrs_those_are_found_whose_vr_the_value_fits(
    client, search, refused
):
    store_with(client, meta(LO_00191201="7"))
    store_with(client, meta(IS_00191201="007"))
    assert len(search(f"studies?{TAG}=7")) == 2
    assert len(search(f"studies?{TAG}=07")) == 1
    assert search(f"studies?{TAG}=x") == []


def test_all_conditions_must_hold(client, search):
    ds = store_with(client, meta(LO_00191201="a", LO_00191202="b"), PatientID="P1")
    store_with(client, meta(LO_00191201="a"), PatientID="P1")
    store_with(client, meta(LO_00191201="a", LO_00191202="b"), PatientID="P2")
    (study,) = search(f"studies?{TAG}=a&00191202=b&PatientID=P1")
    assert study["0020000D"]["Value"] == [ds.StudyInstanceUID]


@pytest.mark.parametrize("path", ["studies", "series", "instances"])
def test_they_are_of_all_that_is_in_the_study_and_are_answered(client, search, path):
    ds = store_with(client, meta(LO_00191201="a", LO_00191202="b"))
    store_with(client, {}, StudyInstanceUID=ds.StudyInstanceUID)
    store_with(client, meta(LO_00191201="x"))
    found = search(f"{path}?{TAG}=a")
    assert len(found) == (1 if path == "studies" else 2)
    for one in found:
        assert one[TAG] == {"vr": "LO", "Value": ["a"]}
        assert one[CREATOR] == {"vr": "LO", "Value": ["Gantry"]}
        assert "00191202" not in one
        assert list(one) == sorted(one)


def test_the_default_answer_is_the_same_but_for_what_was_asked(client, search):
    store_with(client, meta(LO_00191201="a"))
    for path in ("studies", "series", "instances"):
        (plain,), (asked,) = search(path), search(f"{path}?{TAG}=a")
        assert {tag: asked[tag] for tag in asked if tag not in {TAG, CREATOR}} == plain


def test_a_series_or_instance_of_a_study_can_have_them_included_but_not_filter(
    client, search, refused
):
    ds = store_with(client, meta(LO_00191201="a"))
    study = f"studies/{ds.StudyInstanceUID}"
    for path in (f"{study}/series", f"{study}/instances"):
        (found,) = search(f"{path}?includefield={TAG}")
        assert found[TAG]["Value"] == ["a"]
        assert TAG in refused(f"{path}?{TAG}=a")


def test_a_field_that_is_included_is_that_of_the_study_before_that_of_the_file(client, search):
    ds = dataset()
    block = ds.private_block(0x0019, "Maker", create=True)
    block.add_new(0x01, "LO", "of the file")
    store_with(client, meta(LO_00191001="beside it"), ds)
    other = dataset()
    block = other.private_block(0x0019, "Maker", create=True)
    block.add_new(0x01, "LO", "of the file alone")
    store_with(client, {}, other)
    newest, oldest = search("studies?includefield=00191001")
    assert oldest["00191001"]["Value"] == ["beside it"]
    assert newest["00191001"]["Value"] == ["of the file alone"]
    assert newest["00190010"]["Value"] == oldest["00190010"]["Value"] == ["Maker"]


def test_without_the_wish_a_filter_is_refused_as_any_unknown_attribute(client, refused):
    store_with(client, meta(LO_00191201="a"))
    for headers in ({}, {"msdicom-request-meta": "false"}):
        assert TAG in refused(f"studies?{TAG}=a", headers=headers)
    assert TAG in refused(f"studies?{TAG}=a", base="v1")
    ((study,),) = [client.get(f"/v2/studies?includefield={TAG}").get_json(force=True)]
    assert TAG not in study


def test_a_tag_that_no_study_has_matches_nothing(search):
    assert search(f"studies?{TAG}=a") == []


@pytest.mark.parametrize(
    "query", [f"{TAG}=", f"{TAG}=a&{TAG}=b", "0019120a=1&0019120A=1", "00100011=a", "00190001=a"]
)
def test_a_query_that_is_wrong_stays_wrong(refused, query):
    assert refused(f"studies?{query}")


def test_an_empty_value_is_answered_but_not_found(client, search):
    store_with(client, meta(LO_00191201=""))
    assert search(f"studies?{TAG}=a") == []
    (study,) = search(f"studies?includefield={TAG}")
    assert study[TAG] == {"vr": "LO"}


def test_what_is_replaced_or_deleted_is_no_longer_found(client, search):
    ds = store_with(client, meta(LO_00191201="a"))
    store_with(client, meta(LO_00191201="b"), StudyInstanceUID=ds.StudyInstanceUID)
    assert search(f"studies?{TAG}=a") == []
    assert len(search(f"studies?{TAG}=b")) == 1
    client.delete(f"/v2/studies/{ds.StudyInstanceUID}")
    assert search(f"studies?{TAG}=b") == []


def test_the_next_page_is_asked_for_in_the_same_way(client, search):
    for _ in range(3):
        store_with(client, meta(LO_00191201="a"))
    answer = client.get(f"/v2/studies?{TAG}=a&limit=2", headers=ASKED)
    assert len(answer.get_json(force=True)) == 2
    following = answer.headers["Link"].partition("?")[2].partition(">")[0]
    assert len(search(f"studies?{following}")) == 1


def test_partitions_share_none(client, search, archive):
    settings = archive.settings.model_copy(update={"partitions": True})
    object.__setattr__(archive, "settings", settings)
    bases = [f"v2/partitions/{name}" for name in ("one", "two")]
    store_with(client, meta(LO_00191201="a"), base=bases[0])
    store_with(client, meta(LO_00191201="b"), base=bases[1])
    assert [len(search(f"studies?{TAG}=a", base=base)) for base in bases] == [1, 0]


def test_a_search_costs_as_many_statements_for_one_match_as_for_many(
    client, search, archive, monkeypatch
):
    counts = []
    execute = archive.index.execute
    for matches in (1, 5):
        for _ in range(matches):
            store_with(client, meta(LO_00191201=f"a{matches}"))
        statements = []
        with monkeypatch.context() as patch:
            patch.setattr(
                archive.index,
                "execute",
                lambda sql, values=(), run=statements: run.append(sql) or execute(sql, values),
            )
            assert len(search(f"studies?{TAG}=a{matches}")) == matches
        counts.append(len(statements))
    assert counts == [3, 3]
