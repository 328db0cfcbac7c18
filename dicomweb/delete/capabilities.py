"""What the routes of a delete take and answer."""

from dicomweb.errors import NotFound
from dicomweb.openapi import Answer, Operation, Operations
from dicomweb.settings import Settings
from dicomweb.versions import ApiVersion


def operations(_api: ApiVersion, _settings: Settings) -> Operations:
    """Deletes at each level."""
    paths = {
        "/studies/{study}": "a study",
        "/studies/{study}/series/{series}": "a series",
        "/studies/{study}/series/{series}/instances/{instance}": "an instance",
    }
    return {
        f"DELETE {path}": Operation(
            f"Delete {what}", answers={204: Answer("It is gone.")}, refusals=(NotFound,)
        )
        for path, what in paths.items()
    }
