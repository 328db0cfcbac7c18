"""An index of a million instances, made by the database itself in a few seconds.

Blocks of four studies: the first has two series of 98 instances, the others one series of one or
two. After 5,000 blocks comes a study of a single series of 10,000 instances. Later blocks have
later dates; every tenth block is of another partition.
"""

from index.database import Index

BLOCKS = 5_000
STUDIES = 4 * BLOCKS + 1
SERIES = 5 * BLOCKS + 1
LARGE = 10_000
INSTANCES = 200 * BLOCKS + LARGE

STUDY_UID, SERIES_UID, SOP_UID = "1.2.840.99999.1.", "1.2.840.99999.2.", "1.2.840.99999.3."
"""Each UID ends with the number of its row."""
EXTERNAL = 0x00191201
"""Tag of an external attribute that all studies have."""

_PARTITION = "CASE WHEN {block} % 10 = 9 THEN 2 ELSE 1 END"
_DATE = """CAST({first} + {block} / 500 * 10000 + ({block} / 42 % 12 + 1) * 100 + n % 28 + 1
    AS VARCHAR(8))"""
_STUDY = f"""
    INSERT INTO study (
        partition_id, study_instance_uid, study_date, study_description, accession_number,
        patient_id, patient_name, patient_name_words,
        referring_physician_name, referring_physician_name_words, patient_birth_date, attributes)
    SELECT {_PARTITION}, '{STUDY_UID}' || n, {_DATE.format(first=20150000, block="{block}")},
        'description ' || (n % 200), 'a' || n,
        'p' || (n * 7919 % 10000), 'family' || (n % 1000) || '^given' || (n % 97),
        ' family' || (n % 1000) || ' given' || (n % 97),
        'roe^' || (n % 50), ' roe ' || (n % 50), '19700101', {{members}}
    FROM {{numbers}}""".replace("{block}", "((n - 1) / 4)")
_SERIES = f"""
    INSERT INTO series (
        partition_id, study_id, series_instance_uid, modality,
        performed_procedure_step_start_date, manufacturer_model_name, attributes)
    SELECT {_PARTITION}, {{block}} * 4 + CASE {{place}} WHEN 0 THEN 1 ELSE {{place}} END,
        '{SERIES_UID}' || n,
        CASE {{place}}
            WHEN 2 THEN 'cr'
            WHEN 3 THEN CASE WHEN {{block}} % 2500 = 1 THEN 'xa' ELSE 'us' END
            WHEN 4 THEN CASE WHEN {{block}} % 50 = 0 THEN NULL ELSE 'dx' END
            ELSE CASE {{block}} % 5 WHEN 3 THEN 'mr' WHEN 4 THEN 'pt' ELSE 'ct' END
        END,
        {_DATE.format(first=20150000, block="{block}")}, 'model ' || (n % 30), {{{{members}}}}
    FROM {{{{numbers}}}}""".format(block="((n - 1) / 5)", place="((n - 1) % 5)")
_EXTERNAL = f"""
    INSERT INTO external_attribute (study_id, tag, partition_id, vr, value, element)
    SELECT id, {EXTERNAL}, partition_id, 'LO',
        CASE WHEN id % 5000 = 9 THEN 'rare' ELSE 'common' END, {{members}}
    FROM study"""
_ANSWER = """
    INSERT INTO answer (digest, v1, v2) SELECT {digest}, {members}, {members} FROM {numbers}"""
_INSTANCE = """
    INSERT INTO instance (
        watermark, partition_id, study_id, series_id, sop_instance_uid, sop_class_uid,
        transfer_syntax_uid, blob_length, blob_digest, study_answer, series_answer, attributes)
    SELECT n, {partition}, study, series, '{uid}' || n,
        '1.2.840.10008.5.1.4.1.1.' || CASE WHEN n % 1000 = 0 THEN 7 ELSE 2 END,
        '1.2.840.10008.1.2.1', 1000, {{digest}},
        CAST('d' || study AS {{binary}}), CAST('d' || series AS {{binary}}), {{members}}
    FROM (
        SELECT n,
            CASE WHEN n > {plain} THEN {studies} ELSE block * 4 + CASE
                WHEN place < 196 THEN 1 WHEN place = 196 THEN 2 WHEN place = 197 THEN 3 ELSE 4
            END END AS study,
            CASE WHEN n > {plain} THEN {series} ELSE block * 5 + CASE
                WHEN place < 98 THEN 1 WHEN place < 196 THEN 2
                WHEN place = 196 THEN 3 WHEN place = 197 THEN 4 ELSE 5
            END END AS series
        FROM (SELECT n, (n - 1) / 200 AS block, (n - 1) % 200 AS place FROM {{numbers}}) AS placed
    ) AS parents""".format(
    partition=_PARTITION.format(block="((study - 1) / 4)"),
    uid=SOP_UID,
    plain=200 * BLOCKS,
    studies=STUDIES,
    series=SERIES,
)
_STATEMENTS = (
    (_STUDY, STUDIES),
    (_EXTERNAL, 1),
    (_SERIES, SERIES),
    (_ANSWER, SERIES),
    (_INSTANCE, INSTANCES),
)
_NUMBERS = """(
    WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {count})
    SELECT n FROM number
) AS numbers"""

_INDEXES = {
    "sqlite": """
        SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL
        AND tbl_name IN ('study', 'series', 'instance', 'external_attribute')""",
    "postgresql": """
        SELECT indexname, indexdef FROM pg_indexes WHERE indexdef LIKE 'CREATE INDEX%'
        AND tablename IN ('study', 'series', 'instance', 'external_attribute')""",
}
_UNCHECKED = {
    "sqlite": ("PRAGMA foreign_keys = 0", "PRAGMA synchronous = 0"),
    "postgresql": ("SET session_replication_role = replica", "SET statement_timeout = 0"),
}


def fill(index: Index) -> None:
    """Fill an empty index. Its indexes are made last, which is many times faster."""
    for statement in _UNCHECKED[index.dialect]:
        index.execute(statement)
    indexes = index.execute(_INDEXES[index.dialect])
    for name, _ in indexes:
        index.execute(f"DROP INDEX {name}")
    index.execute("INSERT INTO partition (name, created_us) VALUES ('other', 0)")
    binary = {"sqlite": "BLOB", "postgresql": "BYTEA"}[index.dialect]
    for statement, count in _STATEMENTS:
        index.execute(
            statement.format(
                numbers=_NUMBERS.format(count=count),
                binary=binary,
                digest=f"CAST('d' || n AS {binary})",
                members=f"CAST('{'m' * 100}' AS {binary})",
            )
        )
    for _, definition in indexes:
        index.execute(definition)
