"""The API versions as data: one frozen record each, asked by what it answers.

Code never compares versions; it asks the record a question. What differs in a new version becomes a
field here.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class ApiVersion:
    """How one version of the API answers."""

    name: str
    """Picks the default answers of searches; otherwise for people only."""
    segments: tuple[str, ...]
    """First segments of a URL that mean this version."""
    drops_invalid_optional: bool
    """Store: an invalid attribute is dropped with a warning, not refused."""
    requires_patient_id_value: bool
    """Store: PatientID must have a value, not only be there."""
    names_failed_attributes_of_stored: bool
    """Store: a stored instance's item always has a FailedAttributesSequence."""
    implicit_vr_makes_accepted: bool
    """Store: a warning about Implicit VR turns the answer into 202."""
    has_external_metadata: bool
    """Store takes private attributes of studies in headers, retrieve and search show them."""
    answers_latest_values: bool
    """Search: studies and series answer the values last stored, not the newest instance's."""
    default_study: tuple[int, ...]
    """Search: attributes of a study that are answered without being asked for."""
    default_series: tuple[int, ...]
    default_instance: tuple[int, ...]
    change_feed_by_time: bool
    """Change feed: paged by time and offset, not by sequence number."""
    change_feed_limit: int
    change_feed_limit_maximum: int


# fmt: off
V1 = ApiVersion(
    name="v1",
    segments=("v1.0-prerelease", "v1", "v1.0"),
    drops_invalid_optional=False,
    requires_patient_id_value=True,
    names_failed_attributes_of_stored=False,
    implicit_vr_makes_accepted=False,
    has_external_metadata=False,
    answers_latest_values=False,
    default_study=(
        0x00080005, 0x00080020, 0x00080030, 0x00080050, 0x00080056, 0x00080090, 0x00080201,
        0x00100010, 0x00100020, 0x00100030, 0x00100040, 0x0020000D, 0x00200010,
    ),
    default_series=(
        0x00080005, 0x00080060, 0x00080201, 0x0008103E, 0x0020000E, 0x00400244, 0x00400245,
        0x00400275,
    ),
    default_instance=(
        0x00080005, 0x00080016, 0x00080018, 0x00080056, 0x00080201, 0x00200013, 0x00280008,
        0x00280010, 0x00280011, 0x00280100,
    ),
    change_feed_by_time=False,
    change_feed_limit=10,
    change_feed_limit_maximum=100,
)
V2 = replace(
    V1,
    name="v2",
    segments=("v2", "v2.0"),
    drops_invalid_optional=True,
    requires_patient_id_value=False,
    names_failed_attributes_of_stored=True,
    implicit_vr_makes_accepted=True,
    has_external_metadata=True,
    answers_latest_values=True,
    default_study=(
        0x00080020, 0x00080050, 0x00080090, 0x00081030, 0x00100010, 0x00100020, 0x00100030,
        0x0020000D,
    ),
    default_series=(0x00080060, 0x00081090, 0x0020000E, 0x00400244),
    default_instance=(0x00080018,),
    change_feed_by_time=True,
    change_feed_limit=100,
    change_feed_limit_maximum=200,
)
# fmt: on

VERSIONS = (V1, V2)

VERSION_OF = {segment: api for api in VERSIONS for segment in api.segments}
"""By the first segment of a URL."""

SUPPORTED = "1.0-prerelease, 1.0, 2.0"
"""Value of the ``api-supported-versions`` header."""
