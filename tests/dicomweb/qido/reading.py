"""Reading the answers of searches in tests."""

from typing import Any

from pydicom.datadict import tag_for_keyword

Match = dict[str, Any]


def values(match: Match, keyword: str) -> list[Any] | None:
    """Values of an attribute of a match; None if it is not there."""
    element = match.get(f"{tag_for_keyword(keyword):08X}")
    return None if element is None else element.get("Value", [])


def value(match: Match, keyword: str) -> Any:
    """The only value of an attribute of a match."""
    (only,) = values(match, keyword) or [None]
    return only


def all_of(matches: list[Match], keyword: str) -> list[Any]:
    """The value that each match has of an attribute."""
    return [value(match, keyword) for match in matches]
