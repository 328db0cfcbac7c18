"""What the routes of a store take and answer."""

from dicomweb.errors import NotAcceptable, TooLarge, UnsupportedMediaType
from dicomweb.external import STORE_HEADER
from dicomweb.media import DICOM, MULTIPART
from dicomweb.openapi import ACCEPT, BYTES, ONE_DATA_SET, Answer, Operation, Operations
from dicomweb.settings import Settings
from dicomweb.stow.response import FailureReason, WarningReason
from dicomweb.versions import ApiVersion


def operations(api: ApiVersion, settings: Settings) -> Operations:
    """The store of any instances, and of those of one study."""
    reasons = ", ".join(f"{code.value} {code.name}" for code in FailureReason)
    warnings = ", ".join(
        f"{code.value} {code.name}"
        for code in WarningReason
        if api.drops_invalid_optional or code is not WarningReason.ATTRIBUTES_DROPPED
    )
    external = (
        f" Headers {STORE_HEADER}{{VR}}-{{tag}} give private attributes of the studies."
        if api.has_external_metadata
        else ""
    )
    warned = ", or all are, some with a warning" if api.implicit_vr_makes_accepted else ""

    def store(summary: str) -> Operation:
        return Operation(
            summary,
            description=f"One instance as {DICOM}, or one in each part of {MULTIPART}. "
            f"At most {settings.max_request_bytes} bytes.{external}",
            parameters=(ACCEPT,),
            body={DICOM: BYTES, MULTIPART: BYTES},
            answers={
                200: Answer(
                    f"All are stored. Warning Reason (0008,1196) may be {warnings}.",
                    ONE_DATA_SET,
                    ("Warning",),
                ),
                202: Answer(f"Some are stored{warned}.", ONE_DATA_SET, ("Warning",)),
                204: Answer("The request has no instance."),
                409: Answer(
                    f"None is stored. Failure Reason (0008,1197) is {reasons}.", ONE_DATA_SET
                ),
            },
            refusals=(NotAcceptable, TooLarge, UnsupportedMediaType),
        )

    return {
        "POST /studies": store("Store instances"),
        "POST /studies/{study}": store("Store instances of a study"),
        "PUT /studies": store("Store instances, replacing those that are there"),
        "PUT /studies/{study}": store("Store instances of a study, replacing those that are there"),
    }
