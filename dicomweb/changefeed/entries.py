"""Entries of the change feed as clients see them."""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from dicomweb.changefeed.parameters import Page
from dicomweb.contentcoding import STREAMED_BYTES, together
from dicomweb.dicomjson import metadata_json
from dicomweb.header import decode_header
from dicomweb.timestamps import iso_utc
from dicomweb.versions import ApiVersion
from index import changefeed
from index.changefeed import Action, Entry
from index.database import Index

ACTIONS = {Action.CREATE: "Create", Action.DELETE: "Delete", Action.UPDATE: "Update"}


def read_page(index: Index, page: Page, api: ApiVersion) -> bytes | Iterator[bytes]:
    """A page of the feed as a JSON array, whole or in pieces."""
    if api.change_feed_by_time:
        entries = changefeed.between(
            index,
            page.start_us,
            page.end_us,
            page.offset,
            page.limit,
            with_header=page.include_metadata,
        )
    else:
        entries = changefeed.after(
            index, page.offset, page.limit, with_header=page.include_metadata
        )
    return together(_json(entries), STREAMED_BYTES)


def read_latest(index: Index, *, include_metadata: bool) -> bytes | None:
    """The newest entry as a JSON object; None for an empty feed."""
    entry = changefeed.latest(index, with_header=include_metadata)
    return entry and orjson.dumps(_members(entry))


def _json(entries: Iterable[Entry]) -> Iterator[bytes]:
    yield b"["
    separator = b""
    for entry in entries:
        yield separator + orjson.dumps(_members(entry))
        separator = b","
    yield b"]"


def _members(entry: Entry) -> dict[str, Any]:
    members: dict[str, Any] = {
        "sequence": entry.sequence,
        "partitionName": entry.partition_name,
        "studyInstanceUid": entry.study_instance_uid,
        "seriesInstanceUid": entry.series_instance_uid,
        "sopInstanceUid": entry.sop_instance_uid,
        "action": ACTIONS[entry.action],
        "timestamp": iso_utc(entry.created_us),
        "state": entry.state,
    }
    if entry.header is not None:
        members["metadata"] = orjson.Fragment(metadata_json(decode_header(entry.header)))
    return members
