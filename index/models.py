"""The tables. A column of a DICOM attribute is its keyword in snake_case, with tag and VR.

The models describe, they are not used as objects: queries built from them are compiled once
(``statements.py``) and answer plain tuples. They are bound to no database.

Text that is matched is stored folded (``matching.py``), so that equality, ranges and LIKE mean the
same on every database; what clients see comes from the DICOM JSON beside it. Times are
microseconds since 1970 UTC.
"""

from peewee import (
    BigAutoField,
    BigIntegerField,
    BlobField,
    CharField,
    CompositeKey,
    ForeignKeyField,
    IntegerField,
    Model,
    SmallIntegerField,
)


class IndexModel(Model):
    """What all tables share: nothing but the naming."""

    class Meta:
        legacy_table_names = False


class Partition(IndexModel):
    """A data partition; number 1 is ``Microsoft.Default``."""

    id = BigAutoField()
    name = CharField(64, unique=True)
    created_us = BigIntegerField()


class Study(IndexModel):
    """A study that has instances. Values are those last stored (latest wins)."""

    id = BigAutoField()
    partition = ForeignKeyField(Partition)
    study_instance_uid = CharField(64)  # (0020,000D) UI
    study_date = CharField(8, null=True)  # (0008,0020) DA
    study_description = CharField(64, null=True)  # (0008,1030) LO
    accession_number = CharField(64, null=True)  # (0008,0050) SH
    patient_id = CharField(64, null=True)  # (0010,0020) LO
    patient_name = CharField(255, null=True)  # (0010,0010) PN
    patient_name_words = CharField(255, null=True)  # the words of all its groups
    referring_physician_name = CharField(255, null=True)  # (0008,0090) PN
    referring_physician_name_words = CharField(255, null=True)
    patient_birth_date = CharField(8, null=True)  # (0010,0030) DA
    attributes = BlobField()  # DICOM JSON object: latest value of each study attribute of v2
    revision = IntegerField()  # how many transactions replaced or deleted instances of it

    class Meta:
        indexes = ((("partition", "study_instance_uid"), True),)


class Series(IndexModel):
    """A series that has instances. Values are those last stored (latest wins)."""

    id = BigAutoField()
    partition = ForeignKeyField(Partition)
    study = ForeignKeyField(Study)
    series_instance_uid = CharField(64)  # (0020,000E) UI
    modality = CharField(64, null=True)  # (0008,0060) CS
    performed_procedure_step_start_date = CharField(8, null=True)  # (0040,0244) DA
    manufacturer_model_name = CharField(64, null=True)  # (0008,1090) LO
    attributes = BlobField()  # DICOM JSON object: latest value of each series attribute of v2

    class Meta:
        indexes = ((("study", "series_instance_uid"), True),)


class Instance(IndexModel):
    """One stored version of a SOP instance."""

    watermark = BigIntegerField(primary_key=True)  # names this stored version for ever
    partition = ForeignKeyField(Partition)
    study = ForeignKeyField(Study)
    series = ForeignKeyField(Series)
    sop_instance_uid = CharField(64)  # (0008,0018) UI
    sop_class_uid = CharField(64)  # (0008,0016) UI
    transfer_syntax_uid = CharField(64)  # (0002,0010) UI
    blob_length = BigIntegerField()  # bytes
    blob_digest = BlobField()  # XXH3-128 of the stored bytes
    study_answer = BlobField()  # digest of an Answer
    series_answer = BlobField()  # digest of an Answer
    attributes = BlobField()  # DICOM JSON members: this instance's own part of a v1 answer

    class Meta:
        indexes = ((("series", "sop_instance_uid"), True),)


class Answer(IndexModel):
    """The study or series part of what searches answer for an instance, kept once.

    The instances of a series share these attributes, so a row is found by the digest of its content
    and never changes.
    """

    digest = BlobField(primary_key=True)  # XXH3-128
    v1 = BlobField()  # DICOM JSON members of the v1 default set
    v2 = BlobField()  # DICOM JSON members of the v2 default set


class ExternalAttribute(IndexModel):
    """A private attribute of a study that came beside the files."""

    study = ForeignKeyField(Study)  # with which it goes
    tag = BigIntegerField()
    partition = ForeignKeyField(Partition)
    vr = CharField(2)
    value = CharField(255, null=True)  # to be matched, see forms.py
    words = CharField(255, null=True)  # of a name, to be matched
    element = BlobField()  # DICOM JSON member

    class Meta:
        primary_key = CompositeKey("study", "tag")


class InstanceHeader(IndexModel):
    """What metadata and frame requests need of an instance, beside its search row."""

    watermark = BigIntegerField(primary_key=True)
    frame_table = BlobField(null=True)  # where its frames are, encoded; null: not an image
    header = BlobField()  # the data set without bulk values, compressed


class ChangeFeedEntry(IndexModel):
    """Something that happened to an instance. Written once, never changed, never removed.

    Its state (Current, Replaced, Deleted) follows from what is stored now.
    """

    sequence = BigIntegerField(primary_key=True)  # dense and growing, in order of commit
    created_us = BigIntegerField()
    action = SmallIntegerField()  # changefeed.Action
    partition = ForeignKeyField(Partition)
    study_instance_uid = CharField(64)
    series_instance_uid = CharField(64)
    sop_instance_uid = CharField(64)
    watermark = BigIntegerField()  # the version it is about


class DeletedBlob(IndexModel):
    """A blob that no row refers to any more, to be removed after a grace period."""

    id = BigAutoField()
    blob_key = CharField(512)
    deleted_us = BigIntegerField()
    attempts = IntegerField()


class Counter(IndexModel):
    """A number that only grows, such as how many processes have ever opened the index."""

    name = CharField(64, primary_key=True)
    value = BigIntegerField()
