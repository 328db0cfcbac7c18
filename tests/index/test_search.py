"""What a search finds, in which order, and what it answers."""

from dataclasses import replace

import pytest

from index import matching
from index.database import Index
from index.partitions import Partitions
from index.search import Level, Part, count_instances, count_series
from index.store import store_instances
from tests.index.rows import new_instance, series_attributes, study_attributes
from tests.index.searches import CT, INSTANCE, ONE, SERIES, STUDY, found, uids

# What is found


def test_studies_are_found_newest_row_first(stored):
    assert uids(stored, STUDY) == ["1.2.2.2", "1.1.2.2"]


def test_series_are_found_newest_row_first(stored):
    assert uids(stored, SERIES) == ["1.2.2.2", "1.2.1.2", "1.1.2.2", "1.1.1.2"]


def test_instances_are_found_in_the_opposite_order_of_their_storing(stored):
    assert uids(stored, INSTANCE) == [
        "1.2.2.2",
        "1.2.1.2",
        "1.1.2.2",
        "1.1.1.2",
        "1.2.2.1",
        "1.2.1.1",
        "1.1.2.1",
        "1.1.1.1",
    ]


def test_a_study_stored_into_again_keeps_its_place(stored):
    store_instances(stored, [new_instance("1.1", "1.1.3", "1.1.3.1")])
    assert uids(stored, STUDY) == ["1.2.2.2", "1.1.3.1"]


def test_a_search_within_a_study_finds_what_is_in_it(stored):
    assert uids(stored, SERIES, "1.1") == ["1.1.2.2", "1.1.1.2"]
    assert uids(stored, INSTANCE, "1.1") == ["1.1.2.2", "1.1.1.2", "1.1.2.1", "1.1.1.1"]


def test_a_search_within_a_series_finds_what_is_in_it(stored):
    assert uids(stored, INSTANCE, "1.1", "1.1.2") == ["1.1.2.2", "1.1.2.1"]


@pytest.mark.parametrize("within", [("9",), ("1.1", "9"), ("9", "1.1.1"), ("1.2", "1.1.1")])
def test_a_search_within_what_is_not_stored_finds_nothing(stored, within):
    assert uids(stored, INSTANCE, *within) == []


def test_a_partition_sees_only_its_own(stored):
    other = Partitions(stored).ensure("other")
    store_instances(stored, [new_instance("1.1", "1.1.1", "9.9", partition_id=other)])
    for level, within in (
        (STUDY, ()),
        (SERIES, ()),
        (INSTANCE, ()),
        (SERIES, ("1.1",)),
        (INSTANCE, ("1.1",)),
        (INSTANCE, ("1.1", "1.1.1")),
    ):
        assert uids(stored, level, *within, partition_id=other) == ["9.9"]
        assert "9.9" not in uids(stored, level, *within)


@pytest.mark.parametrize(
    "conditions",
    [
        {"patient_name": matching.name_value("Doe^J")},
        {"patient_name": matching.name_wild_card("Doe*")},
        {"patient_name": matching.name_wild_card("*e*")},
        {"study_instance_uid": matching.uid_list(["1.1", "1.2"])},
        {"modalities_in_study": matching.single_value("CT")},
        {"modalities_in_study": matching.wild_card("C*")},
    ],
)
def test_a_partition_sees_only_its_own_whatever_is_asked(index, conditions):
    attributes = {
        "study": study_attributes(patient_name="Doe^J=Doe^J"),
        "series": series_attributes(modality="CT"),
    }
    other = Partitions(index).ensure("other")
    store_instances(
        index,
        [
            new_instance("1.1", "1.1.1", "1", **attributes),
            new_instance("1.1", "1.1.1", "2", partition_id=other, **attributes),
        ],
    )
    assert uids(index, STUDY, conditions=conditions) == ["1"]
    assert uids(index, STUDY, conditions=conditions, partition_id=other) == ["2"]
    assert uids(index, INSTANCE, conditions=conditions, partition_id=other) == ["2"]


def test_conditions_of_higher_levels_limit_series_and_instances(stored):
    assert uids(stored, SERIES, conditions=ONE) == ["1.1.2.2", "1.1.1.2"]
    assert uids(stored, INSTANCE, conditions=ONE) == ["1.1.2.2", "1.1.1.2", "1.1.2.1", "1.1.1.1"]
    assert uids(stored, INSTANCE, conditions=CT) == ["1.2.1.2", "1.1.1.2", "1.2.1.1", "1.1.1.1"]


def test_all_conditions_have_to_hold(stored):
    assert uids(stored, SERIES, conditions=ONE | CT) == ["1.1.1.2"]
    assert uids(stored, INSTANCE, conditions=ONE | CT) == ["1.1.1.2", "1.1.1.1"]
    second = {"sop_class_uid": matching.uid_list(["1.2.2"])}
    assert uids(stored, INSTANCE, conditions=ONE | CT | second) == ["1.1.1.2"]
    both = {"sop_instance_uid": matching.uid_list(["1.1.1.1", "1.2.1.1"])}
    assert uids(stored, INSTANCE, conditions=ONE | both) == ["1.1.1.1"]
    assert uids(stored, INSTANCE, conditions=both) == ["1.2.1.1", "1.1.1.1"]
    assert uids(stored, INSTANCE, conditions=both | {"patient_id": matching.NOTHING}) == []


def test_conditions_hold_within_a_study_and_a_series(stored):
    assert uids(stored, SERIES, "1.1", conditions=CT) == ["1.1.1.2"]
    assert uids(stored, INSTANCE, "1.1", conditions=CT) == ["1.1.1.2", "1.1.1.1"]
    one = {"sop_instance_uid": matching.uid_list(["1.1.1.1"])}
    assert uids(stored, INSTANCE, "1.1", conditions=one) == ["1.1.1.1"]
    assert uids(stored, INSTANCE, "1.1", conditions=one | CT) == ["1.1.1.1"]
    assert uids(stored, INSTANCE, "1.2", conditions=one) == []
    assert uids(stored, INSTANCE, "1.1", "1.1.1", conditions=one) == ["1.1.1.1"]
    assert uids(stored, INSTANCE, "1.1", "1.1.2", conditions=one) == []


@pytest.fixture
def modalities(index) -> Index:
    """Studies 1 of CT and CT, 2 of MR and of none, 3 of CT and MR."""
    stored = [("1", "CT"), ("1", "ct"), ("2", "MR"), ("2", None), ("3", "CT"), ("3", "MR")]
    store_instances(
        index,
        [
            new_instance(
                study,
                f"{study}.{number}",
                f"{study}.{number}.1",
                study=study_attributes(patient_id="P" + study),
                series=series_attributes(**({"modality": modality} if modality else {})),
            )
            for number, (study, modality) in enumerate(stored)
        ],
    )
    return index


@pytest.mark.parametrize(
    ("condition", "studies"),
    [
        (matching.single_value("ct"), ["3", "1"]),
        (matching.single_value("MR"), ["3", "2"]),
        (matching.single_value("C"), []),
        (matching.wild_card("*r"), ["3", "2"]),
        (matching.wild_card("?T"), ["3", "1"]),
        (matching.wild_card("C*"), ["3", "1"]),
        (matching.wild_card("*"), ["3", "2", "1"]),
        (matching.NOTHING, []),
    ],
)
def test_a_modality_in_study_finds_each_study_with_such_a_series_once(
    modalities, condition, studies
):
    asked = {"modalities_in_study": condition}
    assert [uid[0] for uid in uids(modalities, STUDY, conditions=asked)] == studies
    beside = asked | {"patient_id": matching.wild_card("P*")}
    assert [uid[0] for uid in uids(modalities, STUDY, conditions=beside)] == studies


def test_a_modality_in_study_finds_all_series_and_instances_of_the_study(modalities):
    asked = {"modalities_in_study": matching.single_value("mr")}
    assert uids(modalities, SERIES, conditions=asked) == ["3.5.1", "3.4.1", "2.3.1", "2.2.1"]
    assert uids(modalities, INSTANCE, conditions=asked) == ["3.5.1", "3.4.1", "2.3.1", "2.2.1"]


# Pages


PAGED = [
    *((level, {}) for level in Level),
    *((level, {"modalities_in_study": matching.single_value("CT")}) for level in Level),
    *((level, {"study_instance_uid": matching.uid_list(["1.1", "1.2"])}) for level in Level),
    *((level, {"study_date": matching.date_range("20240101", None)}) for level in Level),
    (SERIES, CT),
    (INSTANCE, CT),
]


@pytest.mark.parametrize(("level", "conditions"), PAGED)
def test_pages_by_offset_and_by_key_are_the_whole_in_pieces(stored, level, conditions):
    whole = found(stored, level, conditions=conditions)
    assert len(whole) >= 2
    by_offset = [
        row
        for offset in range(len(whole) + 1)
        for row in found(stored, level, limit=1, offset=offset, conditions=conditions)
    ]
    assert by_offset == whole
    by_key, before = [], None
    while page := found(stored, level, limit=1, before=before, conditions=conditions):
        by_key += page
        before = page[-1][0]
    assert by_key == whole


def test_a_page_by_key_is_not_moved_by_what_is_stored_meanwhile(stored):
    first = found(stored, INSTANCE, limit=3)
    rest = found(stored, INSTANCE, before=first[-1][0])
    store_instances(stored, [new_instance("1.3", "1.3.1", "1.3.1.1")])
    assert found(stored, INSTANCE, before=first[-1][0]) == rest


# What is answered


def test_studies_and_series_answer_the_parts_of_their_newest_instance(index):
    store_instances(
        index,
        [
            new_instance(
                "1",
                series,
                uid,
                study=study_attributes(b'"study":[%b]' % uid.encode()),
                series=series_attributes(b'"series":[%b]' % uid.encode()),
                attributes=b'"own":[%b]' % uid.encode(),
                transfer_syntax_uid="1.2." + uid,
            )
            for series, uid in (("1.1", "1"), ("1.2", "2"), ("1.1", "3"))
        ],
    )
    parts = (
        Part.STUDY_V1,
        Part.STUDY_V2,
        Part.SERIES_V1,
        Part.SERIES_V2,
        Part.INSTANCE_V1,
        Part.SOP_INSTANCE_UID,
        Part.TRANSFER_SYNTAX_UID,
        Part.HEADER,
    )

    def parts_of(uid: str) -> tuple[str, ...]:
        study, series = f'"study":[{uid}]', f'"series":[{uid}]'
        own = (f'"own":[{uid}]', uid, f"1.2.{uid}", f"header of {uid}")
        return study, study, series, series, *own

    assert [row[1:] for row in found(index, STUDY, parts=parts)] == [parts_of("3")]
    assert [row[1:] for row in found(index, SERIES, parts=parts)] == [parts_of("2"), parts_of("3")]
    assert [row[1:] for row in found(index, INSTANCE, parts=parts)] == [
        parts_of("3"),
        parts_of("2"),
        parts_of("1"),
    ]


def test_the_two_versions_sets_are_answered_apart(index):
    study = study_attributes()
    series = series_attributes()
    store_instances(
        index,
        [
            new_instance(
                "1",
                "1.1",
                "1",
                study=replace(study, v1=b'"study v1":1', v2=b'"study v2":1'),
                series=replace(series, v1=b'"series v1":1', v2=b'"series v2":1'),
            )
        ],
    )
    parts = (Part.STUDY_V1, Part.STUDY_V2, Part.SERIES_V1, Part.SERIES_V2)
    ((_, *answer),) = found(index, INSTANCE, parts=parts)
    assert answer == ['"study v1":1', '"study v2":1', '"series v1":1', '"series v2":1']


def test_the_latest_values_are_those_of_the_rows(index):
    for uid, piece in (("1", b'"a":{"Value":[1]},"b":{"Value":[1]}'), ("2", b'"a":{"Value":[2]}')):
        store_instances(
            index,
            [
                new_instance(
                    "1", "1.1", uid, study=study_attributes(piece), series=series_attributes(piece)
                )
            ],
        )
    latest = '"a":{"Value":[2]},"b":{"Value":[1]}'
    assert [row[1:] for row in found(index, STUDY, parts=(Part.LATEST_STUDY,))] == [(latest,)]
    both = (Part.LATEST_STUDY, Part.LATEST_SERIES, Part.STUDY_V2)
    assert [row[1:] for row in found(index, SERIES, parts=both)] == [
        (latest, latest, '"a":{"Value":[2]}')
    ]


def test_parts_are_answered_in_the_order_asked_for(stored):
    parts = (Part.TRANSFER_SYNTAX_UID, Part.SOP_INSTANCE_UID)
    assert found(stored, STUDY, parts=parts)[0][1:] == ("1.2.840.10008.1.2.1", "1.2.2.2")


# Counts


def test_instances_and_series_are_counted(modalities):
    store_instances(modalities, [new_instance("1", "1.0", "1.0.2"), new_instance("1", "1.0", "x")])
    studies = [row[-1] for row in found(modalities, STUDY, parts=(Part.STUDY_ID,))]
    assert count_series(modalities, studies) == {
        studies[0]: {"CT": 1, "MR": 1},
        studies[1]: {"MR": 1, "": 1},
        studies[2]: {"CT": 2},
    }
    assert count_instances(modalities, STUDY, studies) == dict(zip(studies, [2, 2, 4], strict=True))
    series = found(modalities, SERIES, parts=(Part.STUDY_ID, Part.SERIES_ID))
    assert [study for _, study, _ in series] == [number for number in studies for _ in range(2)]
    numbers = [number for _, _, number in series]
    assert list(count_instances(modalities, SERIES, numbers).values()).count(3) == 1
    assert sum(count_instances(modalities, SERIES, numbers).values()) == 8


def test_an_instance_tells_the_numbers_of_its_study_and_series(modalities):
    series = found(modalities, SERIES, parts=(Part.STUDY_ID, Part.SERIES_ID))
    instances = found(modalities, INSTANCE, parts=(Part.STUDY_ID, Part.SERIES_ID))
    assert [row[1:] for row in instances] == [row[1:] for row in series]


def test_counting_nothing_asks_nothing(index):
    index.close()
    assert count_instances(index, STUDY, []) == {}
    assert count_series(index, []) == {}
