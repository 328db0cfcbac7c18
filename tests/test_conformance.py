"""The conformance statements say what the code's tables say, for each version of the API."""

import re
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path

import pytest
from flask import Flask
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.uid import UID

from dicomweb.contentcoding import LEAST_BYTES
from dicomweb.cors import EXPOSED
from dicomweb.elements import BULK_VRS, INLINE_BYTES
from dicomweb.errors import STATUS_OF, DicomwebError
from dicomweb.header import Limits
from dicomweb.imaging.decode import DECODABLE, MOST_FRAME_BYTES
from dicomweb.imaging.encode import ENCODABLE
from dicomweb.media import (
    AS_STORED,
    DICOM_JSON,
    FRAMES,
    IMAGES,
    INSTANCE,
    INSTANCES,
    MADE,
    RENDERED,
    Form,
)
from dicomweb.multipart import MAX_PARTS
from dicomweb.qido.capabilities import RESOURCES
from dicomweb.qido.parameters import FILTERS, LIMIT_DEFAULT, LIMIT_MAXIMUM, OFFSET_MAXIMUM
from dicomweb.qido.search import ADDED_BY_ALL, COMPUTED
from dicomweb.settings import Settings
from dicomweb.stow.comments import MOST_COMMENTS
from dicomweb.stow.external import MOST_ATTRIBUTES, MOST_CHARACTERS, RULES
from dicomweb.stow.response import FailureReason, WarningReason
from dicomweb.stow.rules import FULL, MINIMUM
from dicomweb.versions import V1, V2, VERSIONS, ApiVersion
from dicomweb.video import VIDEO
from dicomweb.wado.bulkmedia import BULKDATA, frame_media_type
from dicomweb.wado.drawing import MOST_PIXELS
from dicomweb.wado.parameters import (
    BEST_QUALITY,
    MOST_VIEWPORT_PIXELS,
    THUMBNAIL_PIXELS,
    THUMBNAIL_QUALITY,
    IccProfile,
)
from index.external import MOST_OF_STUDY
from index.forms import FORMS
from index.search import COUNTED, Level

DOCS = Path(__file__).parent.parent / "docs"
LONGEST_LINE = 160
BY_SERVER = {414, 431}
"""Statuses that the HTTP server answers without the application."""
BY_ROUTING = {405}

Row = tuple[str, ...]
Rows = list[Row]

IN_PARTICULAR = {
    "Resources",
    "Answers of a store",
    "Codes of a store",
    "Validation",
    "External metadata",
    "Metadata",
    "Filters",
    "Matching",
    "Answers of a search",
    "Default attributes",
    "Change feed",
    "Limits",
    "Differences from the Azure service",
}
"""Sections in which the versions differ; all others are the same, word for word."""

DIFFERENCES = {
    "segments": "URL",
    "drops_invalid_optional": "store: an invalid attribute that is not required",
    "requires_patient_id_value": "store: PatientID without a value",
    "names_failed_attributes_of_stored": "store: FailedAttributesSequence of a stored instance",
    "implicit_vr_makes_accepted": "store: status if all are stored, some with a warning",
    "has_external_metadata": "external metadata",
    "answers_latest_values": "search: values of studies and series",
    "default_study": "search: default attributes of a study",
    "default_series": "search: default attributes of a series",
    "default_instance": "search: default attributes of an instance",
    "change_feed_by_time": "change feed: paged by",
    "change_feed_limit": "change feed: default of `limit`",
    "change_feed_limit_maximum": "change feed: greatest `limit`",
}
"""What differs between versions: how the overview names it."""


def document(api: ApiVersion) -> str:
    """The statement of a version."""
    return (DOCS / f"conformance-{api.name}.md").read_text()


def sections(text: str) -> dict[str, str]:
    """What stands under each heading, up to the next one."""
    parts = re.split(r"(?m)^#+ (.+)\n", text)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def table(text: str, heading: str) -> Rows:
    """The cells of the first table under a heading, without its head."""
    found = re.search(r"(?m)(^\|.*\n)+", sections(text)[heading])
    assert found, f"no table under {heading}"
    lines = found[0].splitlines()[2:]
    return [tuple(map(str.strip, line[1:-1].split("|"))) for line in lines]


def quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def attributes(tags: Iterable[int]) -> str:
    return ", ".join(f"{keyword_for_tag(tag)} {tag:08X}" for tag in tags) or "nothing"


def yes(condition: bool) -> str:
    return "yes" if condition else "no"


def size(number: int) -> str:
    """Bytes as the table of limits has them."""
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if number % factor == 0:
            return f"{number // factor} {unit}"
    return f"{number:,}"


def codes(api: ApiVersion) -> Rows:
    told = [one for one in WarningReason if one != WarningReason.ATTRIBUTES_DROPPED]
    warnings = list(WarningReason) if api.drops_invalid_optional else told
    return [(f"{one:d} ({one:04X})", "FailureReason") for one in FailureReason] + [
        (f"{one:d} ({one:04X})", "WarningReason") for one in warnings
    ]


def media_types(_api: ApiVersion) -> Rows:
    offers = {"study, series": INSTANCES, "instance": INSTANCE, "frames": FRAMES}
    rows = [(name, *_form(form)) for name, offer in offers.items() for form in offer.forms]
    plain = dict.fromkeys(form.media_type for form in BULKDATA.forms)
    return [
        *rows,
        ("bulk value", quoted(plain), "as stored", "none"),
        ("metadata", quoted([DICOM_JSON]), "", ""),
        ("rendered", quoted(RENDERED), "", ""),
        ("rendered frame, thumbnail", quoted(IMAGES), "", ""),
    ]


def _form(form: Form) -> Row:
    words = ["as stored" if uid == AS_STORED else f"`{uid}`" for uid in form.defaults]
    return f"`{form}`", ", else ".join(words), quoted(sorted(form.made)) or "none"


def transfer_syntaxes(_api: ApiVersion) -> Rows:
    carried = {uid for form in FRAMES.forms for uid in form.carries or ()}
    known = DECODABLE | MADE | carried | VIDEO.keys()
    return [
        (f"`{uid}`", UID(uid).name, yes(uid in DECODABLE), yes(uid in MADE), _frame_type(uid))
        for uid in sorted(known, key=lambda uid: [int(part) for part in uid.split(".")])
    ]


def _frame_type(uid: str) -> str:
    return f"`{frame_media_type(uid)}`"


def level_names(within: int, level: Level) -> str:
    return ", ".join(each.name.lower() for each in Level if within < each <= level)


def searches(_api: ApiVersion) -> Rows:
    return [(f"`{path}`", level_names(within, to)) for path, (to, within, _) in RESOURCES.items()]


def filters(_api: ApiVersion) -> Rows:
    return [
        (keyword_for_tag(tag), f"{tag:08X}", dictionary_VR(tag), level.name.lower())
        for tag, (level, _) in sorted(FILTERS.items(), key=lambda item: (item[1][0], item[0]))
    ]


def default_attributes(api: ApiVersion) -> Rows:
    sets = zip(Level, (api.default_study, api.default_series, api.default_instance), strict=True)
    more = {
        level: set(of_v1 + ADDED_BY_ALL[level])
        for level, of_v1 in zip(
            Level, (V1.default_study, V1.default_series, V1.default_instance), strict=True
        )
    }
    return [
        (level.name.lower(), attributes(tags), attributes(sorted(more[level].difference(tags))))
        for level, tags in sets
    ]


def computed(_api: ApiVersion) -> Rows:
    return [
        (keyword_for_tag(tag), f"{tag:08X}", level.name.lower())
        for tag, (level, _) in COMPUTED.items()
    ]


def change_feed(api: ApiVersion) -> Rows:
    limit = ("`limit`", f"1 to {api.change_feed_limit_maximum}", str(api.change_feed_limit))
    times = [("`startTime`",), ("`endTime`",)] if api.change_feed_by_time else []
    return [*times, ("`offset`", "0 and up", "0"), limit, ("`includemetadata`",)]


def setting(name: str) -> tuple[str, str]:
    return size(Settings.model_fields[name].default), f"`GANTRY_{name.upper()}`"


def limits(api: ApiVersion) -> Rows:
    reading = Limits()
    external = [
        ("external metadata: attributes of a request", f"{MOST_ATTRIBUTES:,}", "fixed"),
        ("external metadata: attributes of a study", f"{MOST_OF_STUDY:,}", "fixed"),
        ("external metadata: characters of a value", f"{MOST_CHARACTERS:,}", "fixed"),
    ]
    return [
        ("body of a store, bytes", *setting("max_request_bytes")),
        ("header of an instance (all but bulk values), bytes", *setting("max_header_bytes")),
        ("file that is transcoded, and frame that is decoded, bytes",
         *setting("max_transcode_bytes")),
        ("parts of a multipart body", f"{MAX_PARTS:,}", "fixed"),
        ("depth of sequences in an instance", f"{reading.depth:,}", "fixed"),
        ("elements and items of an instance", f"{reading.elements:,}", "fixed"),
        ("deflated data set after inflation, bytes", size(reading.inflated_bytes), "fixed"),
        ("ErrorComments of an instance", f"{MOST_COMMENTS:,}", "fixed"),
        *(external if api.has_external_metadata else ()),
        ("frame that is rendered, decoded, bytes", size(MOST_FRAME_BYTES), "fixed"),
        ("pixels of a viewport", f"{MOST_VIEWPORT_PIXELS:,}", "fixed"),
        ("pixels of all pictures of a cine", f"{MOST_PIXELS:,}", "fixed"),
        ("longer side of a thumbnail, pixels", f"{THUMBNAIL_PIXELS:,}", "fixed"),
        ("bulk value shown inline, bytes", size(INLINE_BYTES), "fixed"),
        ("`limit` of a search", f"1 to {LIMIT_MAXIMUM}, default {LIMIT_DEFAULT}", "fixed"),
        ("`offset` of a search", f"{OFFSET_MAXIMUM:,}", "fixed"),
        ("matches of a search counted beyond a page", f"{COUNTED:,}", "fixed"),
        ("`limit` of the change feed",
         f"1 to {api.change_feed_limit_maximum}, default {api.change_feed_limit}", "fixed"),
        ("UID in a path, characters", "64", "fixed"),
        ("name of a partition, characters", "64", "fixed"),
        ("answer that is compressed, least bytes", size(LEAST_BYTES), "fixed"),
        ("request line, bytes", "8,190", "fixed"),
    ]  # fmt: skip


TABLES: dict[str, Callable[[ApiVersion], Rows]] = {
    "Codes of a store": codes,
    "Media types": media_types,
    "Transfer syntaxes": transfer_syntaxes,
    "Search": searches,
    "Filters": filters,
    "Default attributes": default_attributes,
    "Computed attributes": computed,
    "Change feed": change_feed,
    "Limits": limits,
}
"""What the tables of a document have to begin with in each row, by heading."""


@pytest.fixture(params=VERSIONS, ids=lambda api: api.name)
def api(request) -> ApiVersion:
    return request.param


@pytest.mark.parametrize("heading", TABLES)
def test_the_tables_of_a_statement_are_those_of_the_code(api, heading):
    expected = TABLES[heading](api)
    shown = table(document(api), heading)
    assert [row[: len(to_be)] for row, to_be in zip(shown, expected, strict=True)] == expected


def test_a_statement_has_every_route_of_its_version_and_no_other(routes: Flask, api):
    prefix = f"/{api.segments[0]}"
    known = set()
    for rule in routes.url_map.iter_rules():
        path = re.sub(r"<(?:[a-z]+:)?([a-z]+)>", r"{\1}", rule.rule)
        if "/partitions/{partition}" in path or not path.startswith((prefix + "/", "/health")):
            continue
        known |= {
            (method, f"`{path.removeprefix(prefix)}`")
            for method in rule.methods - {"HEAD", "OPTIONS"}
        }
    assert known == {row[:2] for row in table(document(api), "Resources")}


def test_a_statement_names_every_spelling_of_its_version(api):
    for segment in api.segments:
        assert f"`/{segment}`" in sections(document(api))[f"Conformance of API version {api.name}"]


def test_a_statement_has_every_status_of_an_error(api):
    known = {error.status for error in DicomwebError.__subclasses__()} | set(STATUS_OF.values())
    known = {status for status in known if status >= 400} | BY_ROUTING | BY_SERVER
    known -= {409}  # of a store only, which has a table of its own
    assert known == {int(row[0]) for row in table(document(api), "Errors")}


def test_a_statement_has_the_rules_of_every_vr(api):
    shown = table(document(api), "Rules")
    assert [row[0] for row in shown] == sorted(MINIMUM.keys() | FULL.keys())
    assert {row[0] for row in shown if row[1]} == set(MINIMUM)
    assert {row[0] for row in shown if row[2]} == set(FULL)


def test_a_statement_says_how_every_vr_that_can_be_searched_by_matches(api):
    shown = {vr for row in table(document(api), "Matching") for vr in row[0].split(", ")}
    filtered = {dictionary_VR(tag) for tag in FILTERS}
    assert shown == (set(FORMS) if api.has_external_metadata else filtered)


def test_a_statement_has_the_parameters_of_rendering(api):
    shown = dict(row[:2] for row in table(document(api), "Rendered and thumbnails"))
    qualities = f"1 to {BEST_QUALITY}"
    assert shown["`quality`"].startswith(qualities)
    assert f"default {BEST_QUALITY}, of thumbnails {THUMBNAIL_QUALITY}" in shown["`quality`"]
    assert all(f"`{profile}`" in shown["`iccprofile`"] for profile in IccProfile)


def test_a_statement_has_the_headers_that_pages_may_read(api):
    assert quoted(EXPOSED) in sections(document(api))["CORS"].replace("\n", " ")


def test_a_statement_has_the_vrs_that_metadata_leave_out(api):
    assert quoted(sorted(BULK_VRS)) in sections(document(api))["Metadata"].replace("\n", " ")


def test_external_metadata_are_documented_with_their_vrs_where_there_are_any(api):
    text = sections(document(api)).get("External metadata", "").replace("\n", " ")
    assert (quoted(sorted(RULES)) in text) == api.has_external_metadata


def test_what_can_be_made_can_be_encoded():
    assert MADE == ENCODABLE


def test_a_statement_names_only_settings_that_there_are(api):
    named = set(re.findall(r"GANTRY_([A-Z_]+)", document(api)))
    assert named <= {name.upper() for name in Settings.model_fields}


def test_what_a_statement_says_is_not_supported_has_no_route(routes: Flask, api):
    missing = set(re.findall(r"`(/[A-Za-z$/]+)`", sections(document(api))["Not supported"]))
    known = {rule.rule.removeprefix(f"/{api.segments[0]}") for rule in routes.url_map.iter_rules()}
    assert "/workitems" in missing
    assert missing & known == set()


def test_links_within_a_statement_lead_to_a_heading(api):
    text = document(api)
    anchors = {heading.lower().replace(" ", "-") for heading in sections(text)}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors


@pytest.mark.parametrize(("api", "other"), [(V1, V2), (V2, V1)], ids=["v1", "v2"])
def test_a_statement_can_be_read_without_the_other(api, other):
    assert not re.search(rf"\b{other.name}\b", document(api))


def test_what_the_versions_have_in_common_is_said_in_the_same_words():
    of_v1, of_v2 = (sections(document(api)) for api in VERSIONS)
    common = (of_v1.keys() & of_v2.keys()) - IN_PARTICULAR
    assert [heading for heading in common if of_v1[heading] != of_v2[heading]] == []
    assert [heading for heading in IN_PARTICULAR if of_v1.get(heading) == of_v2[heading]] == []
    assert {h for h in of_v1.keys() ^ of_v2.keys() if "API version" not in h} <= IN_PARTICULAR


def test_the_overview_has_every_difference_between_the_versions():
    differing = {
        field.name
        for field in fields(ApiVersion)
        if field.name != "name" and getattr(V1, field.name) != getattr(V2, field.name)
    }
    assert differing == set(DIFFERENCES)
    shown = {row[0]: row[1:] for row in table((DOCS / "conformance.md").read_text(), "Differences")}
    assert set(DIFFERENCES.values()) <= set(shown)
    for name in ("change_feed_limit", "change_feed_limit_maximum"):
        assert shown[DIFFERENCES[name]] == tuple(str(getattr(api, name)) for api in VERSIONS)
    for name in ("default_study", "default_series", "default_instance"):
        assert shown[DIFFERENCES[name]] == tuple(
            " ".join(f"{tag:08X}" for tag in getattr(api, name)) for api in VERSIONS
        )


@pytest.mark.parametrize("name", ["conformance", "conformance-v1", "conformance-v2"])
def test_lines_are_short_enough_to_be_read(name):
    text = (DOCS / f"{name}.md").read_text()
    long = [line for line in text.splitlines() if len(line) > LONGEST_LINE and line[:1] != "|"]
    assert long == []
