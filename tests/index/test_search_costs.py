"""What searches cost in an index of a million instances, and how they are carried out."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from index import matching, schema
from index.database import Index, open_index
from index.external import external_condition
from index.matching import Condition
from index.search import Level, Part, count_instances, count_series
from tests.index import million
from tests.index.costs import Cost, cost_of
from tests.index.million import LARGE, SERIES_UID, SOP_UID, STUDIES, STUDY_UID
from tests.index.searches import INSTANCE, SERIES, STUDY, found

SQLITE, ANALYZED, POSTGRESQL = "sqlite", "sqlite with statistics", "postgresql"


@pytest.fixture(scope="session")
def sqlite_million(tmp_path_factory) -> Iterator[str]:
    """URL of the index on SQLite."""
    path = tmp_path_factory.mktemp("million") / "index.sqlite"
    _fill(f"sqlite://{path}")
    yield f"sqlite://{path}"
    path.unlink()


@pytest.fixture(scope="session")
def postgresql_million(postgresql_server) -> str:
    """URL of the index on PostgreSQL."""
    maintenance = open_index(postgresql_server)
    maintenance.execute("CREATE DATABASE million")
    maintenance.close()
    url = postgresql_server.replace("/postgres?", "/million?")
    _fill(url)
    index = open_index(url)
    index.execute("VACUUM ANALYZE")
    index.close()
    return url


def _fill(url: str) -> None:
    index = open_index(url)
    schema.upgrade(index)
    million.fill(index)
    index.close()


@pytest.fixture(scope="module", params=[SQLITE, ANALYZED, POSTGRESQL])
def large(request) -> Iterator[Index]:
    """An index of a million instances; on SQLite first without statistics, as it usually is."""
    database = POSTGRESQL if request.param == POSTGRESQL else SQLITE
    index = open_index(request.getfixturevalue(f"{database}_million"))
    if database == SQLITE:
        index.execute(
            "ANALYZE" if request.param == ANALYZED else "DROP TABLE IF EXISTS sqlite_stat1"
        )
        index.close()  # statistics are read when a connection opens
    yield index
    index.close()


# What is searched for, by what it may cost


class Asked(NamedTuple):
    """A search."""

    level: Level
    within: tuple[str, ...]
    conditions: dict[str, Condition]

    def cost(self, index: Index, **more: Any) -> Cost:
        """What it costs to find the first page."""
        return cost_of(
            index,
            lambda: found(
                index,
                self.level,
                *self.within,
                parts=PARTS[self.level],
                conditions=self.conditions,
                limit=101,
                **more,
            ),
        )


PARTS = {
    STUDY: (Part.STUDY_V1,),
    SERIES: (Part.STUDY_V1, Part.SERIES_V1),
    INSTANCE: (Part.STUDY_V1, Part.SERIES_V1, Part.INSTANCE_V1),
}


def studies(**conditions: Condition) -> Asked:
    return Asked(STUDY, (), conditions)


def series(*within: str, **conditions: Condition) -> Asked:
    return Asked(SERIES, within, conditions)


def instances(*within: str, **conditions: Condition) -> Asked:
    return Asked(INSTANCE, within, conditions)


VALUE, DATES = matching.single_value, matching.date_range
NAME, PART = matching.name_value, matching.name_wild_card
DAY = DATES("20190314", "20190314")
WEEK = DATES("20190301", "20190307")
OLD = DATES("20150101", "20151231")
EVER = DATES("20150101", None)


def words(query: str) -> Condition:
    return matching.name_words_match(query, wildcards=True)


def uids(root: str, *numbers: int) -> Condition:
    return matching.uid_list(f"{root}{number}" for number in numbers)


def external(value: str) -> Condition:
    return external_condition(1, million.EXTERNAL, [("LO", "value", VALUE(value))])


CLASS = "1.2.840.10008.5.1.4.1.1."
CT_STUDY, CT_SERIES = f"{STUDY_UID}4001", f"{SERIES_UID}5001"
OF_LARGE = f"{STUDY_UID}{STUDIES}", f"{SERIES_UID}{million.SERIES}"

IN_ORDER = {
    "studies": studies(),
    "series": series(),
    "instances": instances(),
    "series of a study": series(CT_STUDY),
    "instances of a study": instances(CT_STUDY),
    "instances of a series": instances(CT_STUDY, CT_SERIES),
    "instances of a large study": instances(OF_LARGE[0]),
    "instances of a large series": instances(*OF_LARGE),
    "a study": studies(study_instance_uid=uids(STUDY_UID, 4001)),
    "three studies": studies(study_instance_uid=uids(STUDY_UID, 1, 5, 21)),
    "a series": series(series_instance_uid=uids(SERIES_UID, 5001)),
    "a series of a study": series(CT_STUDY, series_instance_uid=uids(SERIES_UID, 5001)),
    "series of some studies": series(study_instance_uid=uids(STUDY_UID, 1, 5, 21)),
    "an instance": instances(sop_instance_uid=uids(SOP_UID, 7)),
    "three instances": instances(sop_instance_uid=uids(SOP_UID, 7, 8, 9)),
    "instances of some series": instances(
        CT_STUDY, series_instance_uid=uids(SERIES_UID, 5001, 5002)
    ),
    "an instance of a study": instances(CT_STUDY, sop_instance_uid=uids(SOP_UID, 200_001)),
    "an instance of a series": instances(
        CT_STUDY, CT_SERIES, sop_instance_uid=uids(SOP_UID, 200_001)
    ),
    "date": studies(study_date=DAY),
    "description": studies(study_description=VALUE("description 7")),
    "accession number": studies(accession_number=VALUE("a7")),
    "patient": studies(patient_id=VALUE("p7")),
    "birth date": studies(patient_birth_date=DATES("19700101", "19700101")),
    "patient since a date": studies(patient_id=VALUE("p7"), study_date=EVER),
    "modality in study": studies(modalities_in_study=VALUE("ct")),
    "rare modality in study": studies(modalities_in_study=VALUE("xa")),
    "modality": series(modality=VALUE("ct")),
    "rare modality": series(modality=VALUE("xa")),
    "start date": series(performed_procedure_step_start_date=DAY),
    "model": series(manufacturer_model_name=VALUE("model 7")),
    "modality since a date": series(modality=VALUE("mr"), study_date=EVER),
    "class": instances(sop_class_uid=uids(CLASS, 2)),
    "rare class": instances(sop_class_uid=uids(CLASS, 7)),
    "class that is not there": instances(sop_class_uid=uids(CLASS, 9)),
}
"""An index has the matches in their order, or a UID finds them."""

FEW = {
    "week": studies(study_date=WEEK),
    "name": studies(patient_name=NAME("family777^given1")),
    "start of a name": studies(patient_name=PART("family77*")),
    "start of a patient id": studies(patient_id=matching.wild_card("p77*")),
    "physician": studies(referring_physician_name=NAME("roe^7")),
    "part of a name in a week": studies(study_date=WEEK, patient_name=PART("*mil*")),
    "modality in study in a week": studies(study_date=WEEK, modalities_in_study=VALUE("ct")),
    "series of a patient": series(patient_id=VALUE("p7")),
    "modality of a patient": series(patient_id=VALUE("p3919"), modality=VALUE("ct")),
    "instances of a patient": instances(patient_id=VALUE("p7")),
    "instances of a rare modality": instances(modality=VALUE("xa")),
    "external value of few studies": studies(study_id=external("rare")),
    "class and modality of a study": instances(
        CT_STUDY, sop_class_uid=uids(CLASS, 2), modality=VALUE("ct")
    ),
}
"""Found by an index and sorted."""

MANY = {
    "year long ago": studies(study_date=OLD),
    "since a date": studies(study_date=EVER),
    "start of all names": studies(patient_name=PART("f*")),
    "part of all names": studies(patient_name=PART("*mil*")),
    "words of all names": studies(patient_name_words=words("giv fam")),
    "series since a date": series(study_date=EVER),
    "modalities in study": studies(modalities_in_study=matching.any_of([VALUE("ct"), VALUE("mr")])),
    "series of a modality in study": series(modalities_in_study=VALUE("ct")),
    "instances of studies with an external value": instances(study_id=external("rare")),
    "instances of a date": instances(study_date=DAY),
    "instances since a date": instances(study_date=EVER),
    "instances of part of all names": instances(patient_name=PART("*mil*")),
    "instances of a modality": instances(modality=VALUE("ct")),
    "instances of a modality in study": instances(modalities_in_study=VALUE("ct")),
    "class and modality of a large study": instances(
        OF_LARGE[0], sop_class_uid=uids(CLASS, 2), modality=VALUE("ct")
    ),
    "class of a large series": instances(*OF_LARGE, sop_class_uid=uids(CLASS, 2)),
    "instances of classes": instances(sop_class_uid=uids(CLASS, 2, 7)),
}
"""Found by going through some matches, and some of the newest rows."""

STUDY_BY_STUDY = {
    "part of few names": studies(patient_name=PART("*ly777*")),
    "part of no name": studies(patient_name=PART("*zz*")),
    "words of few names": studies(patient_name_words=words("giv family777")),
    "words of no name": studies(patient_name_words=words("zz")),
    "instances of part of no name": instances(patient_name=PART("*zz*")),
    "instances of studies with a common external value": instances(study_id=external("common")),
    "common external value": studies(study_id=external("common")),
    "until a date": studies(study_date=DATES(None, "20190314")),
    "modality in study since a date": studies(modalities_in_study=VALUE("ct"), study_date=EVER),
    "rare modality in study since a date": studies(
        modalities_in_study=VALUE("xa"), study_date=EVER
    ),
}
"""Found by looking at all studies once or twice: no index has a part of a name, or the newest match
not."""

MATCHES = {
    "instances of a year long ago": instances(study_date=OLD),
    "instances of a rare class and a modality": instances(
        sop_class_uid=uids(CLASS, 7), modality=VALUE("ct")
    ),
}
"""Found by looking at all matches of one condition, here a tenth of the instances and more."""

MOST = {
    SQLITE: [
        (IN_ORDER, 9_000),
        (FEW, 25_000),
        (MANY, 200_000),
        (STUDY_BY_STUDY, 30 * STUDIES),
        (MATCHES, 4_000_000),
    ],
    POSTGRESQL: [
        (IN_ORDER, 4_000),
        (FEW, 6_000),
        (MANY, 40_000),
        (STUDY_BY_STUDY, 4 * STUDIES),
        (MATCHES, 900_000),
    ],
}
"""The most that each may cost: steps of SQLite, rows of PostgreSQL."""
EVERY = {name: asked for kind, _ in MOST[SQLITE] for name, asked in kind.items()}


@pytest.mark.parametrize("name", EVERY)
def test_a_search_costs_no_more_than_its_kind_may(large, name):
    (most,) = [most for kind, most in MOST[large.dialect] if name in kind]
    cost = EVERY[name].cost(large)
    assert bool(cost.rows) is not any(nothing in name for nothing in (" no ", "not there"))
    assert cost.work <= most, cost.plans


@pytest.mark.parametrize("name", IN_ORDER)
def test_what_an_index_has_in_order_is_neither_scanned_nor_sorted(large, name):
    asked = IN_ORDER[name]
    few = asked.level is SERIES and asked.within
    few = few or any(column.endswith("instance_uid") for column in asked.conditions)
    for steps in asked.cost(large).plans:
        for step in steps:
            assert not re.match(r"Seq Scan|SCAN (?!page)", step), steps
            assert few or not re.match(r"Sort|Incremental Sort|USE TEMP B-TREE", step), steps


@pytest.mark.parametrize("name", [*FEW, *MANY])
def test_what_is_sorted_is_found_by_an_index(large, name):
    for steps in EVERY[name].cost(large).plans:
        for step in steps:
            assert not re.match(r"Seq Scan (series|instance|answer)|SCAN (?!page|few|.subq)", step)


def middle(level: Level) -> int:
    """A key that has as many matches before as after it."""
    return {STUDY: STUDIES, SERIES: million.SERIES, INSTANCE: million.INSTANCES}[level] // 2


@pytest.mark.parametrize("name", [*IN_ORDER, *FEW, *MANY])
def test_a_page_in_the_depth_costs_no_more_than_the_first_page_of_any_search(large, name):
    (most,) = [most for kind, most in MOST[large.dialect] if name in kind]
    asked = EVERY[name]
    cost = asked.cost(large, before=middle(asked.level))
    assert all(key < middle(asked.level) for key, *_ in cost.rows)
    assert cost.work <= most, cost.plans


@pytest.mark.parametrize("asked", [studies(), series(), instances(), instances(*OF_LARGE)])
def test_the_cursor_of_a_page_makes_the_next_one_cost_the_same(large, asked):
    first = asked.cost(large)
    middle_of_all = middle(asked.level) if not asked.within else million.INSTANCES - LARGE // 2
    deep = asked.cost(large, before=middle_of_all)
    assert len(deep.rows) == len(first.rows)
    assert deep.work <= 1.1 * first.work + 100


def test_a_page_far_from_the_start_costs_what_is_skipped(large):
    first, deep = (studies().cost(large, offset=offset) for offset in (0, 5_000))
    assert len(deep.rows) == 101
    assert deep.work - first.work <= 5_000 * 10


def test_instances_are_counted_in_an_index(large):
    cost = cost_of(large, lambda: list(count_instances(large, STUDY, [STUDIES]).items()))
    assert cost.rows == [(STUDIES, LARGE)]
    assert cost.work <= 10 * LARGE
    assert not any("Seq Scan" in step or "SCAN" in step for step in cost.plans[0])


def test_series_are_counted_for_a_page_of_studies_by_an_index(large):
    page = list(range(4000, 4100))
    cost = cost_of(large, lambda: list(count_series(large, page).items()))
    assert len(cost.rows) == 100
    assert cost.work <= 10_000
