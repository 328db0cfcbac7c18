"""The query of a change feed request. Names are taken in any case; unknown ones are passed over."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dicomweb.errors import BadRequest
from dicomweb.timestamps import iso_utc, parse_iso
from dicomweb.versions import ApiVersion

LARGEST_OFFSET = 10**18
_NUMBER = re.compile(r"[0-9]{1,19}", re.ASCII)
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Page:
    """Which entries are asked for."""

    offset: int
    """The sequence number before the first, or how many entries of the time to skip."""
    limit: int
    include_metadata: bool
    start_us: int = 0
    end_us: int | None = None


def parse_page(query: Iterable[tuple[str, str]], api: ApiVersion) -> Page:
    """Read the query of a page.

    :raise BadRequest: a value is malformed or out of bounds.
    """
    given = _by_name(query)
    page = Page(
        _number(given, "offset", 0, 0, LARGEST_OFFSET),
        _number(given, "limit", api.change_feed_limit, 1, api.change_feed_limit_maximum),
        _boolean(given, "includemetadata"),
    )
    if not api.change_feed_by_time:
        return page
    start_us, end_us = _time(given, "starttime"), _time(given, "endtime")
    if start_us is not None and end_us is not None and end_us <= start_us:
        raise BadRequest(
            f"The start time '{iso_utc(start_us)}' must occur strictly before "
            f"the end time '{iso_utc(end_us)}'."
        )
    return Page(page.offset, page.limit, page.include_metadata, start_us or 0, end_us)


def parse_include_metadata(query: Iterable[tuple[str, str]]) -> bool:
    """Read the query of the latest entry.

    :raise BadRequest: a value is malformed.
    """
    return _boolean(_by_name(query), "includemetadata")


def _by_name(query: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The first value of each name, in lower case."""
    given: dict[str, str] = {}
    for name, value in query:
        given.setdefault(name.lower(), value)
    return given


def _number(given: Mapping[str, str], name: str, default: int, lowest: int, highest: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    if _NUMBER.fullmatch(text) and lowest <= int(text) <= highest:
        return int(text)
    raise BadRequest(
        f"The value '{text[:40]}' of {name} is not a whole number from {lowest} to {highest}."
    )


def _boolean(given: Mapping[str, str], name: str) -> bool:
    text = given.get(name, "true")
    value = _BOOLEANS.get(text.lower())
    if value is None:
        raise BadRequest(f"The value '{text[:40]}' of {name} is neither true nor false.")
    return value


def _time(given: Mapping[str, str], name: str) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    try:
        time_us, has_zone = parse_iso(text)
    except ValueError as error:
        raise BadRequest(
            f"The value '{text[:40]}' of {name} is not a date and time of ISO 8601, such as "
            "2024-01-31T10:11:12Z. In a URL the plus of +01:00 is written %2B."
        ) from error
    if not has_zone:
        raise BadRequest(
            f"The value '{text[:40]}' of {name} must specify a time zone, such as Z or -05:00."
        )
    return time_us
