"""What the routes of data partitions take and answer."""

from dicomweb.media import JSON
from dicomweb.openapi import Answer, Operation, Operations, Schema
from dicomweb.settings import Settings
from dicomweb.versions import ApiVersion

PARTITION: Schema = {
    "type": "object",
    "required": ["partitionKey", "partitionName", "createdDate"],
    "properties": {
        "partitionKey": {"type": "integer"},
        "partitionName": {"type": "string"},
        "createdDate": {"type": "string", "format": "date-time"},
    },
    "additionalProperties": False,
}


def operations(_api: ApiVersion, _settings: Settings) -> Operations:
    """The list of partitions."""
    return {
        "GET /partitions": Operation(
            "The data partitions",
            answers={200: Answer("Oldest first.", {JSON: {"type": "array", "items": PARTITION}})},
        ),
    }
