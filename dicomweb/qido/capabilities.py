"""What the routes of a search take and answer."""

from pydicom.datadict import dictionary_VR, keyword_for_tag

from dicomweb.errors import NotAcceptable
from dicomweb.openapi import (
    ACCEPT,
    DATA_SETS,
    EXTERNAL_METADATA,
    Answer,
    Operation,
    Operations,
    Parameter,
    boolean,
    number,
)
from dicomweb.qido.parameters import (
    CURSOR,
    FILTERS,
    KEY_MAXIMUM,
    LIMIT_DEFAULT,
    LIMIT_MAXIMUM,
    OFFSET_MAXIMUM,
)
from dicomweb.settings import Settings
from dicomweb.versions import ApiVersion
from index.search import Level

DATES = "^([0-9]{8}(-([0-9]{8})?)?|-[0-9]{8})$"
SERIES = "/studies/{study}/series"
RESOURCES = {
    "/studies": (Level.STUDY, 0, "studies"),
    "/series": (Level.SERIES, 0, "series"),
    "/instances": (Level.INSTANCE, 0, "instances"),
    SERIES: (Level.SERIES, 1, "the series of a study"),
    "/studies/{study}/instances": (Level.INSTANCE, 1, "the instances of a study"),
    f"{SERIES}/{{series}}/instances": (Level.INSTANCE, 2, "the instances of a series"),
}
"""Level of what is searched for, and how many UIDs the path fixes."""


def operations(api: ApiVersion, settings: Settings) -> Operations:
    """All searches."""
    external = (EXTERNAL_METADATA,) if api.has_external_metadata else ()
    return {
        f"GET {path}": Operation(
            f"Search for {what}",
            description=f"Answered without being asked for: {_defaults(api, level, within)}.",
            parameters=(*_filters(settings, level, within), *PARAMETERS, *external),
            answers={
                200: Answer("The matches, newest first.", DATA_SETS, ("Link", "Warning")),
                204: Answer("Nothing matches."),
            },
            refusals=(NotAcceptable,),
        )
        for path, (level, within, what) in RESOURCES.items()
    }


PARAMETERS = (
    Parameter(
        "includefield",
        "More attributes to answer: keywords or tags in eight hexadecimal digits, separated by "
        "commas or repeated; or `all`.",
        {"type": "string"},
    ),
    boolean("fuzzymatching", "Whether words of names match by their beginnings.", default=False),
    number("limit", "Most results of an answer.", LIMIT_DEFAULT, 1, LIMIT_MAXIMUM),
    number("offset", "How many results to skip.", 0, 0, OFFSET_MAXIMUM),
    Parameter(
        CURSOR,
        "Where the page before ended; as the Link of its answer has it.",
        {"type": "integer", "minimum": 0, "maximum": KEY_MAXIMUM},
    ),
    ACCEPT,
)


def _defaults(api: ApiVersion, level: Level, within: int) -> str:
    of_level = (api.default_study, api.default_series, api.default_instance)
    tags = [tag for each in of_level[within:level] for tag in each]
    return ", ".join(f"{keyword_for_tag(tag)} {tag:08X}" for tag in tags)


def _filters(settings: Settings, level: Level, within: int) -> list[Parameter]:
    return [
        _filter(tag, wildcards=settings.qido_wildcards)
        for tag, (its, _) in FILTERS.items()
        if within < its <= level
    ]


def _filter(tag: int, *, wildcards: bool) -> Parameter:
    schema = {"type": "string", "minLength": 1}
    match dictionary_VR(tag):
        case "DA":
            how = "a day or a range of days: yyyymmdd, a-b, a- or -b"
            schema = {"type": "string", "pattern": DATES}
        case "UI":
            how = "a UID, or a list of them separated by commas"
        case _ if wildcards:
            how = "a value, in which * stands for any text and ? for a character"
        case _:
            how = "a whole value"
    return Parameter(keyword_for_tag(tag), f"{tag:08X}: {how}.", schema)
