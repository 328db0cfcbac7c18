"""Times: microseconds since 1970 UTC inside, ISO 8601 outside."""

import re
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DATE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(T[0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?",
    re.ASCII | re.IGNORECASE,
)


def iso_utc(time_us: int) -> str:
    """A time as a date-time in UTC, with zone ``+00:00`` and six decimals."""
    return (EPOCH + time_us * _MICROSECOND).isoformat(timespec="microseconds")


def parse_iso(text: str) -> tuple[int, bool]:
    """A date-time, or a date for its midnight, and whether it names its zone; else UTC is meant.

    :raise ValueError: it is none.
    """
    if not _DATE_TIME.fullmatch(text):
        raise ValueError("not a date-time of ISO 8601")
    time = datetime.fromisoformat(text.upper())
    named = time.tzinfo is not None
    return ((time if named else time.replace(tzinfo=UTC)) - EPOCH) // _MICROSECOND, named
