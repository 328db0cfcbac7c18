"""What the descriptions of the service themselves answer."""

from dicomweb.media import JSON, YAML
from dicomweb.openapi import IF_NONE_MATCH, NOT_MODIFIED, Answer, Operation, Operations
from dicomweb.settings import Settings
from dicomweb.versions import ApiVersion


def operations(_api: ApiVersion, _settings: Settings) -> Operations:
    """The OpenAPI document, in both its forms."""
    return {
        f"GET /api.{form}": Operation(
            f"This description, in {form.upper()}",
            parameters=(IF_NONE_MATCH,),
            answers={
                200: Answer("OpenAPI 3.1.", {media_type: {"type": "object"}}, ("ETag",)),
                304: NOT_MODIFIED,
            },
        )
        for form, media_type in (("json", JSON), ("yaml", YAML))
    }
