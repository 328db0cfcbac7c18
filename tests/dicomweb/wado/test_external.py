"""External metadata beside the metadata of files."""

import gzip

import orjson
import pytest

from tests.datasets import dataset
from tests.dicomweb.external import ASKED, meta, store_with
from tests.dicomweb.wado.exchange import path

TAG = "00191201"
CREATOR = "00190012"
GANTRY = {"vr": "LO", "Value": ["Gantry"]}


@pytest.fixture
def metadata_of(client):
    """Gets the metadata of a data set's study, series or instance."""

    def metadata_of(ds, level: int = 3, base: str = "v2", query: str = "", **headers: str):
        return client.get(f"/{base}/{path(ds, level)}/metadata{query}", headers=headers)

    return metadata_of


def read(answer) -> list[dict]:
    assert answer.status_code == 200, answer.text
    return orjson.loads(answer.data)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_who_asks_sees_them_in_each_instance_in_the_order_of_tags(client, metadata_of, level):
    ds = store_with(client, meta(LO_00191201="a", IS_00091001="7"))
    other = store_with(
        client, {}, StudyInstanceUID=ds.StudyInstanceUID, SeriesInstanceUID=ds.SeriesInstanceUID
    )
    plain = read(metadata_of(ds, level))
    asked = read(metadata_of(ds, level, **ASKED))
    added = {
        "00090010": GANTRY,
        "00091001": {"vr": "IS", "Value": [7]},
        CREATOR: GANTRY,
        TAG: {"vr": "LO", "Value": ["a"]},
    }
    assert asked == [instance | added for instance in plain]
    assert len(asked) == (1 if level == 3 else 2)
    assert other.SOPInstanceUID in str(asked) or level == 3
    for instance in asked:
        assert list(instance) == sorted(instance)


@pytest.mark.parametrize("value", ["TRUE", " true "])
def test_the_wish_is_taken_in_any_case(client, metadata_of, value):
    ds = store_with(client, meta(LO_00191201="a"))
    (instance,) = read(metadata_of(ds, **{"MSDICOM-Request-Meta": value}))
    assert TAG in instance


@pytest.mark.parametrize("value", ["false", "1", "yes", ""])
def test_without_the_wish_they_are_not_shown(client, metadata_of, value):
    ds = store_with(client, meta(LO_00191201="a"))
    (instance,) = read(metadata_of(ds, **{"msdicom-request-meta": value}))
    assert TAG not in instance


def test_v1_does_not_show_them(client, metadata_of):
    ds = store_with(client, meta(LO_00191201="a"))
    (instance,) = read(metadata_of(ds, base="v1", **ASKED))
    assert TAG not in instance


def test_the_private_creator_is_a_setting(client, archive, metadata_of):
    settings = archive.settings.model_copy(update={"external_metadata_creator": "Microsoft"})
    object.__setattr__(archive, "settings", settings)
    ds = store_with(client, meta(LO_00191201="a"))
    (instance,) = read(metadata_of(ds, **ASKED))
    assert instance[CREATOR] == {"vr": "LO", "Value": ["Microsoft"]}


def test_what_reserves_a_block_has_no_creator_and_may_be_given(client, metadata_of):
    ds = store_with(client, meta(DA_001900FF="20241231", LO_00190012="Own", LO_00191201="a"))
    (instance,) = read(metadata_of(ds, **ASKED))
    private = {tag: element["Value"] for tag, element in instance.items() if tag < "002"}
    private = {tag: value for tag, value in private.items() if tag > "0019"}
    assert private == {CREATOR: ["Own"], "001900FF": ["20241231"], TAG: ["a"]}


def test_they_win_over_the_files_own_attribute_but_its_creator_stays(client, metadata_of):
    ds = dataset()
    block = ds.private_block(0x0019, "Maker", create=True)
    block.add_new(0x01, "LO", "of the file")
    block.add_new(0x02, "LO", "also")
    store_with(client, meta(LO_00191001="beside it", LO_00191201="a"), ds)
    (instance,) = read(metadata_of(ds, **ASKED))
    tags = ("00190010", CREATOR, "00191001", "00191002", TAG)
    values = [instance[tag]["Value"][0] for tag in tags]
    assert values == ["Maker", "Gantry", "beside it", "also", "a"]
    (instance,) = read(metadata_of(ds))
    assert instance["00191001"]["Value"] == ["of the file"]


@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_each_answer_has_its_own_etag_and_is_kept_apart(client, metadata_of, level, encoding):
    accept = {"Accept-Encoding": encoding}
    ds = store_with(client, meta(LO_00191201="a"))
    for _ in range(2):
        plain, asked = metadata_of(ds, level, **accept), metadata_of(ds, level, **accept, **ASKED)
        assert plain.headers["ETag"] != asked.headers["ETag"]
        bodies = [
            gzip.decompress(answer.data) if encoding == "gzip" else answer.data
            for answer in (plain, asked)
        ]
        assert [TAG.encode() in body for body in bodies] == [False, True]
        assert "msdicom-request-meta" in plain.vary
        for answer, headers in ((plain, {}), (asked, ASKED)):
            known = {"If-None-Match": answer.headers["ETag"]}
            assert metadata_of(ds, level, **known, **headers).status_code == 304
            crossed = {} if headers else ASKED
            assert metadata_of(ds, level, **known, **crossed).status_code == 200


def test_a_study_without_any_has_the_same_answer_for_all(client, metadata_of):
    ds = store_with(client, {})
    plain, asked = metadata_of(ds), metadata_of(ds, **ASKED)
    assert (plain.data, plain.headers["ETag"]) == (asked.data, asked.headers["ETag"])


def test_a_new_value_changes_the_etag_of_what_is_not_stored_anew(client, metadata_of):
    ds = store_with(client, meta(LO_00191201="a"))
    before = metadata_of(ds, **ASKED).headers["ETag"]
    store_with(client, meta(LO_00191201="b"), StudyInstanceUID=ds.StudyInstanceUID)
    answer = metadata_of(ds, **ASKED, **{"If-None-Match": before})
    (instance,) = read(answer)
    assert instance[TAG]["Value"] == ["b"]
    assert answer.headers["ETag"] != before


def test_includefield_chooses_among_them(client, metadata_of):
    ds = store_with(client, meta(LO_00191201="a", LO_00211201="b"))
    (instance,) = read(metadata_of(ds, query=f"?includefield={TAG}", **ASKED))
    assert set(instance) == {"00080018", "0020000D", "0020000E", CREATOR, TAG}
    (instance,) = read(metadata_of(ds, query="?includefield=PatientID", **ASKED))
    assert TAG not in instance


def test_who_does_not_ask_costs_no_statement_more(client, archive, metadata_of, monkeypatch):
    ds = store_with(client, meta(LO_00191201="a"))
    statements = []
    execute = archive.index.execute
    monkeypatch.setattr(
        archive.index,
        "execute",
        lambda sql, values=(): statements.append(sql) or execute(sql, values),
    )
    read(metadata_of(ds))
    assert len(statements) == 1
    read(metadata_of(ds, **ASKED))
    assert len(statements) == 3
