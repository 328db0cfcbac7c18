"""What a search costs: statements, compilations, and by which index rows are found."""

from collections.abc import Iterator

import pytest

from index import matching
from index.database import Index
from index.search import Part, _statement, count_instances, count_series
from tests.index.searches import CT, INSTANCE, ONE, SERIES, STUDY, found


@pytest.fixture
def executed(index) -> Iterator[list[tuple]]:
    """The statements that the index runs, with their values."""
    statements: list[tuple] = []
    run = index.execute

    def execute(sql, values=()):
        statements.append((sql, values))
        return run(sql, values)

    index.execute = execute
    yield statements
    index.execute = run


def test_a_search_is_one_statement_whatever_it_finds_and_answers(stored, executed):
    parts = (Part.STUDY_V1, Part.SERIES_V2, Part.INSTANCE_V1, Part.HEADER, Part.STUDY_ID)
    conditions = ONE | CT | {"patient_name": matching.UNIVERSAL}
    assert len(found(stored, INSTANCE, parts=parts)) == 8
    assert len(found(stored, INSTANCE, parts=parts, conditions=conditions)) == 2
    assert found(stored, INSTANCE, "9", parts=parts) == []
    assert len(executed) == 3


def test_counts_are_one_statement_for_a_whole_page(stored, executed):
    numbers = list(range(1, 201))
    count_instances(stored, STUDY, numbers)
    count_series(stored, numbers)
    assert len(executed) == 2


def test_a_statement_is_compiled_once_for_all_values(stored, executed):
    before = _statement.cache_info()
    for value in ("P1", "P2", "P3"):
        condition = {"patient_id": matching.single_value(value)}
        found(stored, STUDY, conditions=condition, limit=len(value), offset=0)
    assert len({sql for sql, _ in executed}) == 1
    assert _statement.cache_info().misses - before.misses <= 1


def test_values_never_become_part_of_the_statement(stored, executed):
    value = "x'; DROP TABLE study; --"
    for condition in (matching.single_value(value), matching.wild_card(f"*{value}*")):
        assert found(stored, STUDY, conditions={"patient_id": condition}) == []
    assert not any("DROP" in sql for sql, _ in executed)
    assert len(found(stored, STUDY)) == 2


# Plans

STUDIES = 3000
BINARY = {"sqlite": "BLOB", "postgresql": "BYTEA"}
FILL = {
    "study": """n, 1, '1.' || n, CAST(20200000 + n % 500 AS VARCHAR(8)), 'd' || (n % 500),
        'a' || n, 'p' || n, 'doe^j' || n, ' doe j' || n, 'roe^' || n, ' roe ' || n,
        CAST(19000000 + n AS VARCHAR(8)), CAST('' AS {binary}), 0""",
    "series": """n, 1, (n + 1) / 2, '1.' || n, 'm' || (n % 500),
        CAST(20200000 + n % 500 AS VARCHAR(8)), 'm' || (n % 500), CAST('' AS {binary})""",
    "answer": "CAST('d' || n AS {binary}), CAST('' AS {binary}), CAST('' AS {binary})",
    "instance": """n, 1, (n + 3) / 4, (n + 1) / 2, '1.' || n, '1.2', '1.2', 1,
        CAST('' AS {binary}), CAST('d' || n AS {binary}), CAST('d' || n AS {binary}),
        CAST('' AS {binary})""",
    "instance_header": "n, NULL, CAST('' AS {binary})",
}
COUNT = {"study": STUDIES, "series": 2 * STUDIES}


@pytest.fixture
def large(index) -> Index:
    """An index with rows enough for a scan not to be the best plan."""
    for table, columns in FILL.items():
        index.execute(f"""
            INSERT INTO {table} SELECT {columns.format(binary=BINARY[index.dialect])} FROM (
                WITH RECURSIVE number (n) AS (
                    SELECT 1 UNION ALL
                    SELECT n + 1 FROM number WHERE n < {COUNT.get(table, 4 * STUDIES)}
                )
                SELECT n FROM number
            ) AS numbers""")
    if index.dialect == "postgresql":
        index.execute("ANALYZE")
    return index


def of_study(**conditions):
    return STUDY, (), conditions


VALUE, UID = matching.single_value, matching.uid_list
PLANS = {
    "all studies": (STUDY, (), {}),
    "all series": (SERIES, (), {}),
    "all instances": (INSTANCE, (), {}),
    "series of a study": (SERIES, ("1.7",), {}),
    "instances of a study": (INSTANCE, ("1.7",), {}),
    "instances of a series": (INSTANCE, ("1.7", "1.13"), {}),
    "a study": of_study(study_instance_uid=UID(["1.7"])),
    "studies": of_study(study_instance_uid=UID(["1.7", "1.8", "1.9"])),
    "date": of_study(study_date=matching.date_range("20200007", "20200007")),
    "dates": of_study(study_date=matching.date_range("20200007", "20200008")),
    "description": of_study(study_description=VALUE("d7")),
    "accession number": of_study(accession_number=VALUE("a7")),
    "patient id": of_study(patient_id=VALUE("p7")),
    "start of patient id": of_study(patient_id=matching.wild_card("p77*")),
    "patient name": of_study(patient_name=matching.name_value("doe^j7")),
    "start of patient name": of_study(patient_name=matching.name_wild_card("doe^j77*")),
    "physician": of_study(referring_physician_name=matching.name_value("roe^7")),
    "birth date": of_study(patient_birth_date=matching.date_range("19000007", "19000007")),
    "modality in study": of_study(modalities_in_study=VALUE("m7")),
    "modality in studies of a date": of_study(
        modalities_in_study=VALUE("m7"), study_date=matching.date_range("20200007", "20200007")
    ),
    "a series": (SERIES, (), {"series_instance_uid": UID(["1.7"])}),
    "modality": (SERIES, (), {"modality": VALUE("m7")}),
    "start date": (
        SERIES,
        (),
        {"performed_procedure_step_start_date": matching.date_range("20200007", "20200007")},
    ),
    "model": (SERIES, (), {"manufacturer_model_name": VALUE("m7")}),
    "series of a patient": (SERIES, (), {"patient_id": VALUE("p7")}),
    "modality of a patient": (SERIES, (), {"patient_id": VALUE("p7"), "modality": VALUE("m7")}),
    "a series of a study": (SERIES, ("1.7",), {"series_instance_uid": UID(["1.13", "1.14"])}),
    "an instance": (INSTANCE, (), {"sop_instance_uid": UID(["1.7"])}),
    "some instances": (INSTANCE, (), {"sop_instance_uid": UID(["1.7", "1.8", "1.9"])}),
    "instances of a patient": (INSTANCE, (), {"patient_id": VALUE("p7")}),
    "instances of a patient's modality": (
        INSTANCE,
        (),
        {"patient_id": VALUE("p7"), "modality": VALUE("m7")},
    ),
    "an instance of a study": (INSTANCE, ("1.7",), {"sop_instance_uid": UID(["1.7", "1.8"])}),
    "modality of a study": (
        INSTANCE,
        ("1.7",),
        {"modality": VALUE("m7"), "sop_class_uid": UID(["1.2"])},
    ),
    "an instance of a series": (INSTANCE, ("1.7", "1.13"), {"sop_instance_uid": UID(["1.25"])}),
}
PARTS = {
    STUDY: [(Part.STUDY_V1,), (Part.LATEST_STUDY,), (Part.HEADER,)],
    SERIES: [(Part.STUDY_V1, Part.SERIES_V1), (Part.LATEST_STUDY, Part.LATEST_SERIES)],
    INSTANCE: [(Part.STUDY_V1, Part.SERIES_V1, Part.INSTANCE_V1, Part.HEADER)],
}


def test_every_search_is_carried_out_by_an_index(large, executed):
    if large.dialect == "postgresql":
        large.execute("SET enable_seqscan = off")  # only where nothing else can be done
    explain = {"sqlite": "EXPLAIN QUERY PLAN ", "postgresql": "EXPLAIN "}[large.dialect]
    for name, (level, within, conditions) in PLANS.items():
        for parts in PARTS[level]:
            found(large, level, *within, parts=parts, conditions=conditions, limit=5)
            sql, values = executed[-1]
            plan = [str(row[-1]) for row in large.execute(explain + sql, values)]
            scans = [step for step in plan if "SCAN" in step.replace("Seq Scan", "SCAN")]
            assert [step for step in scans if step != "SCAN page"] == [], (name, plan)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the other has statistics
@pytest.mark.parametrize(
    ("name", "index_name"),
    [
        ("all studies", "study_newest"),
        ("all series", "series_newest"),
        ("all instances", "instance_newest"),
        ("instances of a study", "instance_of_study"),
        ("instances of a series", "instance_of_series"),
        ("dates", "study_by_date"),
        ("patient id", "study_by_patient_id"),
        ("start of patient id", "study_by_patient_id"),
        ("patient name", "study_by_patient_name"),
        ("start of patient name", "study_by_patient_name"),
        ("physician", "study_by_physician"),
        ("modality in study", "series_by_modality_in_study"),
        ("modality in studies of a date", "study_by_date"),
        ("a series", "series_by_uid"),
        ("modality", "series_by_modality"),
        ("modality of a patient", "study_by_patient_id"),
        ("an instance", "instance_by_uid"),
        ("some instances", "instance_by_uid"),
    ],
)
def test_sqlite_finds_the_rows_by_the_index_made_for_them(large, executed, name, index_name):
    level, within, conditions = PLANS[name]
    found(large, level, *within, parts=PARTS[level][0], conditions=conditions)
    sql, values = executed[-1]
    plan = [row[3] for row in large.execute("EXPLAIN QUERY PLAN " + sql, values)]
    searches = [step for step in plan if step.startswith("SEARCH")]
    used = searches[0].split("INDEX ")[1].split(" ")
    assert used[0] == index_name, plan
    if conditions:
        assert searches[0].count("=?") + searches[0].count(">?") >= 2, plan
