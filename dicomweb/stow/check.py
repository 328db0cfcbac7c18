"""Whether an instance can be stored, and which of its attributes cannot be shown or searched for.

Identifiers and what searches filter by have rules of their own. Version 1 of the API refuses an
instance that breaks one of them; version 2 refuses it for identifiers only, but looks at every
element and drops the invalid ones.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from pydicom.datadict import dictionary_VR

from dicomweb.charset import DEFAULT_ENCODINGS, decode
from dicomweb.dicomjson import values
from dicomweb.elements import PLAIN, TEXT_VRS
from dicomweb.header import Header
from dicomweb.stow.comments import bounded, comment, fails_minimum, has_other_vr, is_missing
from dicomweb.stow.plain import plain_elements
from dicomweb.stow.rules import MINIMUM, wrong_by
from dicomweb.stow.walk import invalid_attributes
from dicomweb.versions import ApiVersion

SOP_CLASS_UID = 0x00080016
SOP_INSTANCE_UID = 0x00080018
STUDY_DATE = 0x00080020
ACCESSION_NUMBER = 0x00080050
MODALITY = 0x00080060
REFERRING_PHYSICIAN_NAME = 0x00080090
STUDY_DESCRIPTION = 0x00081030
MANUFACTURER_MODEL_NAME = 0x00081090
PATIENT_NAME = 0x00100010
PATIENT_ID = 0x00100020
PATIENT_BIRTH_DATE = 0x00100030
STUDY_INSTANCE_UID = 0x0020000D
SERIES_INSTANCE_UID = 0x0020000E
PERFORMED_PROCEDURE_STEP_START_DATE = 0x00400244

REQUIRED_UIDS = (SOP_CLASS_UID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, SOP_INSTANCE_UID)
STUDY_VALUES = {
    "study_date": STUDY_DATE,
    "study_description": STUDY_DESCRIPTION,
    "accession_number": ACCESSION_NUMBER,
    "patient_id": PATIENT_ID,
    "patient_name": PATIENT_NAME,
    "referring_physician_name": REFERRING_PHYSICIAN_NAME,
    "patient_birth_date": PATIENT_BIRTH_DATE,
}
SERIES_VALUES = {
    "modality": MODALITY,
    "performed_procedure_step_start_date": PERFORMED_PROCEDURE_STEP_START_DATE,
    "manufacturer_model_name": MANUFACTURER_MODEL_NAME,
}
INDEXED = (*STUDY_VALUES.values(), *SERIES_VALUES.values())

CORE = (*REQUIRED_UIDS, PATIENT_ID)
"""What identifies an instance and its patient, in the order in which it is missed."""
EXPECTED_VRS = {tag: dictionary_VR(tag) for tag in (*CORE, *INDEXED)}


@dataclass(slots=True)
class Verdict:
    """What checking an instance found.

    ``failures`` refuse it; ``warnings`` came with dropping attributes. Both are ErrorComments.
    """

    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    dropped: frozenset[int] = frozenset()
    """Top-level attributes that are not to be shown."""
    unsearchable: frozenset[int] = frozenset()
    """Attributes whose values the index cannot take: those dropped, and dates that are none."""
    has_many_values: bool = False
    """An indexed attribute has more than one value; the first is indexed."""


def check(header: Header, api: ApiVersion, study: str | None, *, full: bool = False) -> Verdict:
    """Check an instance that is to be stored.

    :param study: UID of the study it must belong to; None if any will do.
    :param full: every element is looked at, and whatever is found refuses the instance.
    """
    failure = _missing(header, api) or _other_study(header, study)
    if failure:
        return Verdict([failure])
    lenient = api.drops_invalid_optional
    suspect = [tag for tag in EXPECTED_VRS if not _is_plain(header, tag)]
    below = {tag: said for tag in suspect if (said := _below_minimum(header, tag, lenient))}
    failures = {tag: said for tag, said in below.items() if not lenient or tag in CORE}
    invalid = _invalid(header, below) if full or (lenient and not failures) else {}
    if full:
        failures = invalid | failures
    if failures:
        return Verdict(bounded(failures.values()))
    dropped = _droppable(header, invalid)
    return Verdict(
        warnings=bounded(invalid.values()),
        dropped=dropped,
        unsearchable=dropped.union(below),
        has_many_values=any(len(values(header, tag) or ()) > 1 for tag in suspect),
    )


def first_value(header: Header, tag: int) -> str | None:
    """An attribute's first value without padding; None if it is absent or empty."""
    found = values(header, tag)
    return found[0].strip("\0 ") or None if found else None


def _missing(header: Header, api: ApiVersion) -> str | None:
    for tag in CORE:
        found = values(header, tag)
        may_be_empty = tag == PATIENT_ID and not api.requires_patient_id_value
        if found is None or not (may_be_empty or (len(found) == 1 and found[0].strip("\0 "))):
            return is_missing(tag)
    return None


def _other_study(header: Header, study: str | None) -> str | None:
    if study is None or first_value(header, STUDY_INSTANCE_UID) == study:
        return None
    return comment(
        STUDY_INSTANCE_UID,
        "The StudyInstanceUID of the instance is not the one of the URL it was sent to.",
    )


def _is_plain(header: Header, tag: int) -> bool:
    """Whether the attribute is not there or can be seen to have its VR and one valid value."""
    at = header.offsets.get(tag)
    if at is None:
        return True
    data = header.data
    start = data[at : at + 8]
    step, kind, fit = plain_elements(header.headers)[start]
    if kind != PLAIN or header.headers[start][3] != EXPECTED_VRS[tag]:
        return False
    return not fit or bool(fit(data, at + 8, at + step))


def _below_minimum(header: Header, tag: int, lenient: bool) -> str | None:
    """What is wrong with an identifier or an attribute that searches filter by.

    :param lenient: NULs may pad it; there may not be several values.
    """
    vr, raw = header.element(tag) or ("", b"")
    if vr != EXPECTED_VRS[tag]:
        return has_other_vr(tag, vr)
    text = decode(raw, header.encodings if vr in TEXT_VRS else DEFAULT_ENCODINGS)
    value = text if lenient else text.split("\\", 1)[0]
    value = value.rstrip("\0 " if lenient or vr == "UI" else " ")
    wanted = wrong_by(MINIMUM, vr, value)
    return fails_minimum(tag, value, wanted) if wanted else None


def _invalid(header: Header, below: dict[int, str]) -> dict[int, str]:
    """What is wrong with any element, by tag."""
    invalid = invalid_attributes(header)
    for tag, said in below.items():
        if (header.element(tag) or [""])[0] != EXPECTED_VRS[tag]:
            invalid.setdefault(tag, said)
    if not first_value(header, PATIENT_ID):
        invalid[PATIENT_ID] = is_missing(PATIENT_ID)
    return invalid


def _droppable(header: Header, invalid: Collection[int]) -> frozenset[int]:
    """The attributes of these that are at top level and do not identify the instance."""
    dropped = header.offsets.keys() & invalid
    kept = CORE if first_value(header, PATIENT_ID) else REQUIRED_UIDS
    return frozenset(dropped.difference(kept))
