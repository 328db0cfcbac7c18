"""What an instance must fulfil to be stored: required attributes, and values that can be indexed.

Each rule is a function from a value to what is wrong with it, if anything. A failure is worded
``DICOM100: (gggg,eeee) - ...`` as ErrorComment (0000,0902) of the answer.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pydicom.datadict import dictionary_VR, keyword_for_tag

from dicomweb.dicomjson import values
from dicomweb.header import Header
from dicomweb.urls import UID
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

_CONTROL = re.compile(r"[\x00-\x1a\x1c-\x1f\x7f]")  # all but ESC, which switches character sets
_DATE = re.compile(r"[0-9]{8}", re.ASCII)


@dataclass(slots=True)
class Verdict:
    """What checking an instance found.

    ``failures`` refuse it; ``warnings`` came with dropping attributes. Both are ErrorComments.
    """

    failures: list[str]
    warnings: list[str]
    dropped: frozenset[int]
    has_many_values: bool
    """An indexed attribute has more than one value; the first is indexed."""


def check(header: Header, api: ApiVersion, study: str | None) -> Verdict:
    """Check an instance that is to be stored.

    An invalid PatientID refuses it in every version; only an empty one may be dropped.

    :param study: UID of the study it must belong to; None if any will do.
    """
    failure = _missing(header, api) or _invalid_uid(header) or _other_study(header, study)
    if failure:
        return Verdict([failure], [], frozenset(), False)
    invalid = dict(_invalid_values(header, api))
    many = any(len(values(header, tag) or ()) > 1 for tag in INDEXED)
    if api.drops_invalid_optional and not (
        PATIENT_ID in invalid and first_value(header, PATIENT_ID)
    ):
        return Verdict([], list(invalid.values()), frozenset(invalid), many)
    return Verdict(list(invalid.values()), [], frozenset(), many)


def first_value(header: Header, tag: int) -> str | None:
    """An attribute's first value without padding; None if it is absent or empty."""
    found = values(header, tag)
    return found[0].strip("\0 ") or None if found else None


def _missing(header: Header, api: ApiVersion) -> str | None:
    for tag in REQUIRED_UIDS:
        found = values(header, tag)
        if found is None or len(found) != 1 or not found[0].strip("\0 "):
            return _comment(tag, f"The required tag '{_written(tag)}' is missing.")
    found = values(header, PATIENT_ID)
    if found is None or (api.requires_patient_id_value and (len(found) != 1 or not found[0])):
        return _comment(PATIENT_ID, f"The required tag '{_written(PATIENT_ID)}' is missing.")
    return None


def _invalid_uid(header: Header) -> str | None:
    for tag in REQUIRED_UIDS:
        if wrong := uid(first_value(header, tag) or ""):
            return _comment(tag, _failed(tag, wrong))
    return None


def _other_study(header: Header, study: str | None) -> str | None:
    if study is None or first_value(header, STUDY_INSTANCE_UID) == study:
        return None
    return _comment(
        STUDY_INSTANCE_UID,
        "The StudyInstanceUID of the instance is not the one of the URL it was sent to.",
    )


def _invalid_values(header: Header, api: ApiVersion) -> Iterator[tuple[int, str]]:
    for tag in INDEXED:
        element = header.element(tag)
        if element is None:
            continue
        found = values(header, tag) or ("",)
        if wrong := _wrong(tag, element[0], found, api):
            yield tag, _comment(tag, wrong)
        elif tag == PATIENT_ID and not first_value(header, tag):
            yield tag, _comment(tag, f"The required tag '{_written(tag)}' is missing.")


def _wrong(tag: int, vr: str, found: tuple[str, ...], api: ApiVersion) -> str | None:
    expected = dictionary_VR(tag)
    if vr != expected:
        return f"The tag '{_written(tag)}' is expected to have VR '{expected}' but has '{vr}'."
    if api.drops_invalid_optional and len(found) > 1:
        return f"Number of items {len(found)} does not match ValueMultiplicity 1."
    padding = "\0 " if api.drops_invalid_optional else " "
    wrong = RULES[expected](found[0].rstrip(padding))
    return _failed(tag, wrong) if wrong else None


def uid(value: str) -> str | None:
    """Digits and dots, at most 64, a digit last."""
    if UID.fullmatch(value):
        return None
    return "A UID has at most 64 characters, only digits and dots, and ends with a digit."


def at_most_16(value: str) -> str | None:
    """Code strings and short strings."""
    return "Value length exceeds maximum length of 16." if len(value) > 16 else None


def long_string(value: str) -> str | None:
    """At most 64 characters, none of them a control character."""
    if len(value) > 64:
        return "Value length exceeds maximum length of 64."
    return "Value contains invalid character." if _CONTROL.search(value) else None


def date(value: str) -> str | None:
    """Empty or a day of the calendar."""
    if not value:
        return None
    try:
        if _DATE.fullmatch(value):
            dt.date(int(value[:4]), int(value[4:6]), int(value[6:]))
            return None
    except ValueError:
        pass
    return "Value cannot be parsed as a valid date."


def person_name(value: str) -> str | None:
    """At most three groups of 64 characters, with five components each."""
    groups = value.split("=")
    if len(groups) > 3:
        return "Value contains more than 3 groups."
    if any(len(group) > 64 for group in groups):
        return "One or more group of person name exceeds maximum length of 64."
    if any(group.count("^") > 4 for group in groups):
        return "Value contains more than 5 components."
    return "Value contains invalid character." if _CONTROL.search(value) else None


RULES: dict[str, Callable[[str], str | None]] = {
    "CS": at_most_16,
    "DA": date,
    "LO": long_string,
    "PN": person_name,
    "SH": at_most_16,
    "UI": uid,
}


def _written(tag: int) -> str:
    return f"({tag >> 16:04x},{tag & 0xFFFF:04x})"


def _failed(tag: int, wrong: str) -> str:
    name, vr = keyword_for_tag(tag), dictionary_VR(tag)
    return f"Dicom element '{name}' failed validation for VR '{vr}': {wrong}"


def _comment(tag: int, message: str) -> str:
    return f"DICOM100: {_written(tag)} - {message}"
