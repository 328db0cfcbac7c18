"""However the matches of a page are come by, they are the same."""

import itertools

import pytest

from index import matching
from index import search as searching
from index.database import Index
from index.external import NewExternal, external_condition
from index.partitions import Partitions
from index.search import Level
from index.store import store_instances
from tests.index.rows import new_instance, series_attributes, study_attributes
from tests.index.searches import INSTANCE, SERIES, STUDY, found

TAG = 0x00191201
MODALITIES = itertools.cycle(["CT", "MR", None, "CT", "US"])


@pytest.fixture
def varied(index) -> Index:
    """Twelve studies of one to three series of one to three instances, stored in turns."""
    other = Partitions(index).ensure("other")
    instances = [
        new_instance(
            f"1.{study}",
            f"1.{study}.{series}",
            f"1.{study}.{series}.{number}",
            partition_id=other if study == 5 else 1,
            study=study_attributes(
                patient_id=f"P{study % 4}",
                patient_name=("Doe^John", "Roe^Jane", "X=Doe^John", "Doe^Jim")[study % 4],
                study_date=f"202401{study + 10}",
            ),
            series=series_attributes(
                **({"modality": modality} if (modality := next(MODALITIES)) else {})
            ),
            sop_class_uid=f"1.2.{number}",
            external=[NewExternal(TAG, "PN", ("Doe", "Roe", "X=Doe")[study % 3], b"")],
        )
        for number in range(3)
        for study in range(12)
        for series in range(study % 3 + 1)
    ]
    store_instances(index, instances)
    return index


CONDITIONS = {
    "patient_id": [matching.single_value("P1"), matching.wild_card("P*"), matching.wild_card("*1")],
    "patient_name": [
        matching.name_value("Doe^John"),
        matching.name_wild_card("doe*"),
        matching.name_wild_card("*j*"),
        matching.UNIVERSAL,
    ],
    "patient_name_words": [matching.name_words_match("jo do", wildcards=True)],
    "study_date": [
        matching.date_range("20240112", "20240112"),
        matching.date_range("20240113", "20240120"),
        matching.date_range(None, "20240118"),
        matching.NOTHING,
    ],
    "modalities_in_study": [
        matching.single_value("CT"),
        matching.wild_card("?R"),
        matching.any_of([matching.single_value("US"), matching.wild_card("M*")]),
    ],
    "modality": [matching.single_value("CT"), matching.wild_card("*S")],
    "sop_class_uid": [matching.uid_list(["1.2.1"]), matching.uid_list(["1.2.0", "1.2.2"])],
    "study_id": [
        external_condition(1, TAG, [("PN", "value", matching.name_value("Doe"))]),
        external_condition(
            1,
            TAG,
            [("PN", "words", matching.name_words_match("d", wildcards=True))],
        ),
    ],
    "study_instance_uid": [matching.uid_list(["1.3", "1.4", "1.5", "1.6"])],
}
LEVELS = dict.fromkeys(CONDITIONS, STUDY) | {"modality": SERIES, "sop_class_uid": INSTANCE}


def asked_of(level: Level, within: tuple[str, ...]) -> list[dict[str, matching.Condition]]:
    """Each condition that may be asked there, and some pairs of conditions of two columns."""
    single = [
        {column: condition}
        for column, conditions in CONDITIONS.items()
        if len(within) < LEVELS[column] <= level
        for condition in conditions
    ]
    return single + [
        one | two for one, two in itertools.combinations(single, 2) if [*one] != [*two]
    ]


PLACES = [
    (STUDY, ()),
    (SERIES, ()),
    (INSTANCE, ()),
    (SERIES, ("1.2",)),
    (INSTANCE, ("1.2",)),
    (INSTANCE, ("1.2", "1.2.0")),
]


def pages(*asked, **more) -> list:
    """All pages of three matches, one after the other."""
    rows = page = found(*asked, limit=3, **more)
    while page:
        page = found(*asked, limit=3, before=rows[-1][0], **more)
        rows += page
    return rows


@pytest.mark.parametrize(("level", "within"), PLACES)
def test_a_search_finds_the_same_by_every_walk(varied, level, within, monkeypatch):
    asked = (varied, level, *within)
    for conditions in asked_of(level, within):
        monkeypatch.setattr(searching, "STEPS", ())
        whole = found(*asked, conditions=conditions)
        assert whole == sorted(whole, reverse=True)
        for steps in ((1000,), (1, 3), (4, 8)):
            monkeypatch.setattr(searching, "STEPS", steps)
            assert found(*asked, conditions=conditions) == whole
            assert found(*asked, conditions=conditions, limit=2, offset=2) == whole[2:4]
            assert pages(*asked, conditions=conditions) == whole
