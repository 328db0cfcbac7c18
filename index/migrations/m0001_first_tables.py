"""The tables of the first release.

``{text}`` after a VARCHAR asks for comparison by code point, ``{blob}`` is the type of byte
strings of any length, ``{identity}`` that of a key the database hands out, ``{key}`` that of a
primary key that is a number of ours.
"""

STATEMENTS = (
    """
    CREATE TABLE "partition" (
        id {identity},
        name VARCHAR(64) {text} NOT NULL UNIQUE,
        created_us BIGINT NOT NULL
    )""",
    """
    CREATE TABLE study (
        id {identity},
        partition_id BIGINT NOT NULL REFERENCES "partition" (id),
        study_instance_uid VARCHAR(64) {text} NOT NULL,
        study_date VARCHAR(8) {text},
        study_description VARCHAR(64) {text},
        accession_number VARCHAR(64) {text},
        patient_id VARCHAR(64) {text},
        patient_name VARCHAR(255) {text},
        patient_name_words VARCHAR(255) {text},
        referring_physician_name VARCHAR(255) {text},
        referring_physician_name_words VARCHAR(255) {text},
        patient_birth_date VARCHAR(8) {text},
        attributes {blob} NOT NULL,
        revision INTEGER NOT NULL DEFAULT 0,
        UNIQUE (partition_id, study_instance_uid)
    )""",
    "CREATE INDEX study_newest ON study (partition_id, id)",
    "CREATE INDEX study_by_date ON study (partition_id, study_date, id)",
    "CREATE INDEX study_by_description ON study (partition_id, study_description, id)",
    "CREATE INDEX study_by_accession_number ON study (partition_id, accession_number, id)",
    "CREATE INDEX study_by_patient_id ON study (partition_id, patient_id, id)",
    "CREATE INDEX study_by_patient_name ON study (partition_id, patient_name, id)",
    "CREATE INDEX study_by_physician ON study (partition_id, referring_physician_name, id)",
    "CREATE INDEX study_by_birth_date ON study (partition_id, patient_birth_date, id)",
    """
    CREATE TABLE series (
        id {identity},
        partition_id BIGINT NOT NULL REFERENCES "partition" (id),
        study_id BIGINT NOT NULL REFERENCES study (id),
        series_instance_uid VARCHAR(64) {text} NOT NULL,
        modality VARCHAR(64) {text},
        performed_procedure_step_start_date VARCHAR(8) {text},
        manufacturer_model_name VARCHAR(64) {text},
        attributes {blob} NOT NULL,
        UNIQUE (study_id, series_instance_uid)
    )""",
    "CREATE INDEX series_newest ON series (partition_id, id)",
    "CREATE INDEX series_by_uid ON series (partition_id, series_instance_uid)",
    "CREATE INDEX series_by_modality ON series (partition_id, modality, id)",
    "CREATE INDEX series_by_modality_in_study ON series (partition_id, modality, study_id)",
    """
    CREATE INDEX series_by_start_date
        ON series (partition_id, performed_procedure_step_start_date, id)""",
    "CREATE INDEX series_by_model ON series (partition_id, manufacturer_model_name, id)",
    """
    CREATE TABLE answer (
        digest {digest} NOT NULL PRIMARY KEY,
        v1 {blob} NOT NULL,
        v2 {blob} NOT NULL
    )""",
    """
    CREATE TABLE instance (
        watermark {key} NOT NULL PRIMARY KEY,
        partition_id BIGINT NOT NULL REFERENCES "partition" (id),
        study_id BIGINT NOT NULL REFERENCES study (id),
        series_id BIGINT NOT NULL REFERENCES series (id),
        sop_instance_uid VARCHAR(64) {text} NOT NULL,
        sop_class_uid VARCHAR(64) {text} NOT NULL,
        transfer_syntax_uid VARCHAR(64) {text} NOT NULL,
        blob_length BIGINT NOT NULL,
        blob_digest {blob} NOT NULL,
        study_answer {digest} NOT NULL REFERENCES answer (digest),
        series_answer {digest} NOT NULL REFERENCES answer (digest),
        attributes {blob} NOT NULL,
        UNIQUE (series_id, sop_instance_uid)
    )""",
    "CREATE INDEX instance_newest ON instance (partition_id, watermark)",
    "CREATE INDEX instance_by_uid ON instance (partition_id, sop_instance_uid)",
    "CREATE INDEX instance_by_class ON instance (partition_id, sop_class_uid, watermark)",
    "CREATE INDEX instance_of_study ON instance (study_id, watermark)",
    "CREATE INDEX instance_of_series ON instance (series_id, watermark)",
    """
    CREATE TABLE external_attribute (
        study_id BIGINT NOT NULL REFERENCES study (id) ON DELETE CASCADE,
        tag BIGINT NOT NULL,
        partition_id BIGINT NOT NULL REFERENCES "partition" (id),
        vr VARCHAR(2) {text} NOT NULL,
        value VARCHAR(255) {text},
        words VARCHAR(255) {text},
        element {blob} NOT NULL,
        PRIMARY KEY (study_id, tag)
    )""",
    """
    CREATE INDEX external_attribute_by_value
        ON external_attribute (partition_id, tag, vr, value, study_id)""",
    """
    CREATE TABLE instance_header (
        watermark {key} NOT NULL PRIMARY KEY,
        frame_table {blob},
        header {blob} NOT NULL
    )""",
    """
    CREATE TABLE change_feed_entry (
        sequence {key} NOT NULL PRIMARY KEY,
        created_us BIGINT NOT NULL,
        action SMALLINT NOT NULL,
        partition_id BIGINT NOT NULL REFERENCES "partition" (id),
        study_instance_uid VARCHAR(64) {text} NOT NULL,
        series_instance_uid VARCHAR(64) {text} NOT NULL,
        sop_instance_uid VARCHAR(64) {text} NOT NULL,
        watermark BIGINT NOT NULL
    )""",
    "CREATE INDEX change_feed_entry_by_time ON change_feed_entry (created_us, sequence)",
    """
    CREATE TABLE deleted_blob (
        id {identity},
        blob_key VARCHAR(512) {text} NOT NULL,
        deleted_us BIGINT NOT NULL,
        attempts INTEGER NOT NULL
    )""",
    "CREATE INDEX deleted_blob_by_time ON deleted_blob (deleted_us, id)",
    """
    CREATE TABLE counter (
        name VARCHAR(64) {text} NOT NULL PRIMARY KEY,
        value BIGINT NOT NULL
    )""",
    """INSERT INTO counter (name, value) VALUES ('process', 0)""",
    """
    INSERT INTO "partition" (id, name, created_us)
    VALUES (1, 'Microsoft.Default', {now_us})""",
    "{restart_partition_identity}",
)
