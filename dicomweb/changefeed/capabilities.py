"""What the routes of the change feed take and answer."""

from dicomweb.changefeed.entries import ACTIONS
from dicomweb.changefeed.parameters import LARGEST_OFFSET
from dicomweb.errors import NotAcceptable
from dicomweb.media import JSON
from dicomweb.openapi import (
    DATA_SET,
    Answer,
    Operation,
    Operations,
    Parameter,
    Schema,
    boolean,
    number,
)
from dicomweb.settings import Settings
from dicomweb.versions import ApiVersion

ENTRY: Schema = {
    "type": "object",
    "required": ["sequence", "sopInstanceUid", "action", "timestamp", "state"],
    "properties": {
        "sequence": {"type": "integer", "minimum": 1},
        "partitionName": {"type": "string"},
        "studyInstanceUid": {"type": "string"},
        "seriesInstanceUid": {"type": "string"},
        "sopInstanceUid": {"type": "string"},
        "action": {"enum": list(ACTIONS.values())},
        "timestamp": {"type": "string", "format": "date-time"},
        "state": {"enum": ["Current", "Replaced", "Deleted"]},
        "metadata": DATA_SET,
    },
    "additionalProperties": False,
}
INCLUDE_METADATA = boolean("includemetadata", "Whether entries have metadata.", default=True)
TIME: Schema = {"type": "string", "format": "date-time"}


def operations(api: ApiVersion, _settings: Settings) -> Operations:
    """The feed and its newest entry."""
    limit = number(
        "limit", "Most entries.", api.change_feed_limit, 1, api.change_feed_limit_maximum
    )
    return {
        "GET /changefeed": Operation(
            "What happened to instances",
            parameters=(*_where(api), limit, INCLUDE_METADATA),
            answers={200: Answer("Entries.", {JSON: {"type": "array", "items": ENTRY}})},
            refusals=(NotAcceptable,),
        ),
        "GET /changefeed/latest": Operation(
            "The newest entry of the change feed",
            parameters=(INCLUDE_METADATA,),
            answers={
                200: Answer("The entry.", {JSON: ENTRY}),
                204: Answer("There is none."),
            },
            refusals=(NotAcceptable,),
        ),
    }


def _where(api: ApiVersion) -> tuple[Parameter, ...]:
    if not api.change_feed_by_time:
        return (number("offset", "The last sequence number seen.", 0, 0, LARGEST_OFFSET),)
    return (
        Parameter("startTime", "The earliest time of an entry, with its zone.", TIME),
        Parameter("endTime", "The time before which entries are, with its zone.", TIME),
        number("offset", "How many entries to skip.", 0, 0, LARGEST_OFFSET),
    )
