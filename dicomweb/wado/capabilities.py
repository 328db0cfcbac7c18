"""What the routes of retrieval take and answer."""

from dataclasses import replace

from dicomweb.bulkdata import PATH
from dicomweb.errors import NotAcceptable, NotFound, RangeNotSatisfiable
from dicomweb.imaging.grayscale import Function
from dicomweb.media import FRAMES, IMAGES, INSTANCE, INSTANCES, RENDERED, Offer
from dicomweb.openapi import (
    ACCEPT,
    BYTES,
    DATA_SETS,
    EXTERNAL_METADATA,
    IF_NONE_MATCH,
    IF_RANGE,
    NOT_MODIFIED,
    RANGE,
    Answer,
    Content,
    Operation,
    Operations,
    Parameter,
    forms,
)
from dicomweb.query import INCLUDE
from dicomweb.settings import Settings
from dicomweb.versions import ApiVersion
from dicomweb.wado.bulkmedia import BULKDATA
from dicomweb.wado.metadata import AS_URI
from dicomweb.wado.parameters import BEST_QUALITY, IccProfile

STUDY = "/studies/{study}"
SERIES = f"{STUDY}/series/{{series}}"
SOP_INSTANCE = f"{SERIES}/instances/{{instance}}"
NAMES = {STUDY: "a study", SERIES: "a series", SOP_INSTANCE: "an instance"}

RENDERED_NAMES = {**NAMES, f"{SOP_INSTANCE}/frames/{{frame}}": "a frame"}

FRAME = Parameter(
    "frame", "Number of a frame, from 1.", {"type": "integer", "minimum": 1}, place="path"
)
QUALITY = Parameter(
    "quality",
    "Of image/jpeg.",
    {"type": "integer", "minimum": 1, "maximum": BEST_QUALITY},
)
VIEWPORT_SIZE = Parameter(
    "viewport", "Width and height that the image has to fit in.", {"type": "string"}
)
VIEWPORT = Parameter(
    "viewport",
    "Width and height that the image has to fill, and left, top, width and height of the region "
    "of it: vw,vh,sx,sy,sw,sh. A negative sw or sh flips it.",
    {"type": "string"},
)
WINDOW = Parameter(
    "window",
    f"center,width,function; the function is one of {', '.join(Function)}.",
    {"type": "string"},
)
ICC_PROFILE = Parameter(
    "iccprofile",
    "Whether the image has an ICC profile, or the color space that it is converted to.",
    {"type": "string", "enum": list(map(str, IccProfile))},
)

FRAME_LIST = Parameter(
    "frames",
    "Numbers of frames, from 1, separated by commas.",
    {"type": "string", "pattern": "^0*[1-9][0-9]*(,0*[1-9][0-9]*)*$"},
    place="path",
)


BULK_PATH = Parameter(
    "path",
    "Tag of the element; before it the tags of the sequences that it is in, each followed by the "
    "number of the item from 1 up: 00420010/1/00420011.",
    {"type": "string", "pattern": f"^{PATH.pattern}$"},
    place="path",
)
AS_BULKDATA = Parameter(
    "bulkdata",
    "Shows bulk values, long ones by their URL.",
    {"type": "string", "enum": [AS_URI]},
)
INCLUDED = Parameter(
    INCLUDE,
    "Attributes to answer beside the UIDs: keywords or tags in eight hexadecimal digits, separated "
    "by commas or repeated; or `all`, as without it.",
    {"type": "string"},
)


def operations(api: ApiVersion, _settings: Settings) -> Operations:
    """Retrieval at each level."""
    return {
        f"GET {STUDY}": _retrieve("a study", INSTANCES),
        f"GET {SERIES}": _retrieve("a series", INSTANCES),
        f"GET {SOP_INSTANCE}": _retrieve_file("an instance", INSTANCE),
        f"GET {SOP_INSTANCE}/frames": Operation("Refused: an empty list of frames", answers={}),
        f"GET {SOP_INSTANCE}/frames/{{frames}}": _retrieve(
            "frames of an instance", FRAMES, FRAME_LIST
        ),
        f"GET {SOP_INSTANCE}/bulkdata/{{path}}": _retrieve_file(
            "a bulk value of an instance", BULKDATA, BULK_PATH
        ),
        **{
            f"GET {path}/{form}": _rendered(form, name, path)
            for form in ("rendered", "thumbnail")
            for path, name in RENDERED_NAMES.items()
        },
        **{f"GET {path}/metadata": _metadata(api, name) for path, name in NAMES.items()},
    }


def _retrieve(what: str, offer: Offer, *parameters: Parameter) -> Operation:
    return Operation(
        f"Retrieve {what}",
        parameters=(*parameters, ACCEPT, IF_NONE_MATCH),
        answers={200: Answer("As Accept asks.", forms(offer), ("ETag",)), 304: NOT_MODIFIED},
        refusals=(NotFound, NotAcceptable),
    )


def _retrieve_file(what: str, offer: Offer, *parameters: Parameter) -> Operation:
    """Retrieval of what may be one part, of which ranges of bytes can be had."""
    operation = _retrieve(what, offer, *parameters, RANGE, IF_RANGE)
    single = Offer(tuple(form for form in offer.forms if not form.multipart))
    some = Answer("Some bytes of a single part.", forms(single), ("Content-Range", "ETag"))
    return replace(
        operation,
        answers={**operation.answers, 206: some},
        refusals=(*operation.refusals, RangeNotSatisfiable),
    )


def _rendered(form: str, what: str, path: str) -> Operation:
    """Retrieval in a format of the web."""
    is_thumbnail, is_frame = form == "thumbnail", path not in NAMES
    sizes = (VIEWPORT_SIZE,) if is_thumbnail else (VIEWPORT,)
    number_of = (FRAME,) if is_frame else ()
    images: Content = dict.fromkeys(IMAGES, BYTES)
    answers = {200: Answer("As Accept asks.", images, ("ETag",)), 304: NOT_MODIFIED}
    operation = Operation(
        f"Retrieve {what}, {'as a thumbnail' if is_thumbnail else 'rendered'}",
        parameters=(*number_of, ACCEPT, IF_NONE_MATCH, QUALITY, *sizes, WINDOW, ICC_PROFILE),
        answers=answers,
        refusals=(NotFound, NotAcceptable),
    )
    if is_thumbnail or is_frame:
        return operation
    stored: Content = {media_type: BYTES for media_type in RENDERED if media_type not in images}
    return replace(
        operation,
        parameters=(*operation.parameters, RANGE, IF_RANGE),
        answers={
            **answers,
            200: Answer("As Accept asks.", {**images, **stored}, ("ETag",)),
            206: Answer("Some bytes of what is not rendered.", stored, ("Content-Range", "ETag")),
        },
        refusals=(*operation.refusals, RangeNotSatisfiable),
    )


def _metadata(api: ApiVersion, what: str) -> Operation:
    external = (EXTERNAL_METADATA,) if api.has_external_metadata else ()
    return Operation(
        f"Retrieve the metadata of {what}",
        parameters=(INCLUDED, AS_BULKDATA, ACCEPT, IF_NONE_MATCH, *external),
        answers={
            200: Answer(
                "A data set for each instance, bulk values if asked for.",
                DATA_SETS,
                ("ETag",),
            ),
            304: NOT_MODIFIED,
        },
        refusals=(NotFound, NotAcceptable),
    )
