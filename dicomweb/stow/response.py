"""The answer to a store: what became of each instance (PS3.18 10.5.3)."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import orjson

from dicomweb.urls import Scope
from dicomweb.versions import ApiVersion


class FailureReason(IntEnum):
    """Failure Reason (0008,1197): PS3.18 Table I.2-1 and codes of this API."""

    PROCESSING_FAILURE = 0x0110
    VALIDATION_FAILURE = 0xA900
    INSTANCE_EXISTS = 45070


class WarningReason(IntEnum):
    """Warning Reason (0008,1196): codes of this API."""

    ATTRIBUTES_DROPPED = 1
    IMPLICIT_VR = 45063


@dataclass(frozen=True, slots=True)
class Stored:
    """An instance that is stored."""

    sop_class_uid: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    warning: WarningReason | None
    comments: list[str]
    has_many_values: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """A part of the request that is not stored; UIDs where they could be read."""

    reason: FailureReason
    sop_class_uid: str | None = None
    sop_instance_uid: str | None = None
    comments: list[str] = field(default_factory=list)


def status(api: ApiVersion, results: list[Stored | Refused]) -> int:
    """Status of the answer to a request with these results."""
    if not results:
        return 204
    stored = [result for result in results if isinstance(result, Stored)]
    if not stored:
        return 409
    if len(stored) < len(results):
        return 202
    warned = any(result.warning is not None for result in stored)
    return 202 if warned and api.implicit_vr_makes_accepted else 200


def body(scope: Scope, study: str | None, results: list[Stored | Refused]) -> bytes:
    """The answer's data set as DICOM JSON.

    :param study: the study of the URL, if it named one.
    """
    failed = [_failed_item(result) for result in results if isinstance(result, Refused)]
    stored = [_stored_item(scope, result) for result in results if isinstance(result, Stored)]
    dataset: dict[str, Any] = {}
    if study is not None and stored:
        dataset["00081190"] = _element("UR", scope.url(study))
    if failed:
        dataset["00081198"] = _sequence(failed)
    if stored:
        dataset["00081199"] = _sequence(stored)
    return orjson.dumps(dataset)


def _stored_item(scope: Scope, stored: Stored) -> dict[str, Any]:
    url = scope.url(stored.study_instance_uid, stored.series_instance_uid, stored.sop_instance_uid)
    item = {
        "00081150": _element("UI", stored.sop_class_uid),
        "00081155": _element("UI", stored.sop_instance_uid),
        "00081190": _element("UR", url),
    }
    if stored.warning is not None:
        item["00081196"] = _element("US", int(stored.warning))
    if scope.api.names_failed_attributes_of_stored:
        item["00741048"] = _sequence([_comment_item(comment) for comment in stored.comments])
    return item


def _failed_item(refused: Refused) -> dict[str, Any]:
    item = {}
    if refused.sop_class_uid:
        item["00081150"] = _element("UI", refused.sop_class_uid)
    if refused.sop_instance_uid:
        item["00081155"] = _element("UI", refused.sop_instance_uid)
    item["00081197"] = _element("US", int(refused.reason))
    if refused.comments:
        item["00741048"] = _sequence([_comment_item(comment) for comment in refused.comments])
    return item


def _comment_item(comment: str) -> dict[str, Any]:
    return {"00000902": _element("LO", comment)}


def _element(vr: str, value: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]}


def _sequence(items: list[dict[str, Any]]) -> dict[str, Any]:
    """A sequence; without items it has no ``Value``."""
    return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}
