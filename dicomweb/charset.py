"""Decoding text by Specific Character Set (0008,0005): PS3.3 C.12.1.1.2, PS3.5 6.1.

The tables are pydicom's. Its decoding functions are not used because they warn about what they have
to guess, and take any codec of Python for a character set; here nothing warns and nothing fails.
"""

import re
from functools import lru_cache

from pydicom.charset import (
    CODES_TO_ENCODINGS,
    STAND_ALONE_ENCODINGS,
    default_encoding,
    handled_encodings,
    python_encoding,
)

Encodings = tuple[str, ...]
"""Python's names for the values of Specific Character Set; the first one is in force at first."""

DEFAULT_ENCODINGS: Encodings = (default_encoding,)

MOST_TERM_BYTES = 256
"""There are not more character sets to name than fit."""
_MOST_ESCAPES = 10_000
"""What switches character sets more often is no text, and is not worth the time."""
_ESCAPE = b"\x1b"
_FRAGMENT = re.compile(rb"^[^\x1b]+|\x1b[^\x1b]*")
_FOUR_BYTE_ESCAPES = (b"\x1b$(", b"\x1b$)")
_KNOW_THEIR_ESCAPES = frozenset(handled_encodings) - {"iso_ir_58"}  # that is GB 2312 to Python
# A code extension ends with its line (PS3.5 6.1.2.5.3). It should end with its value or its part of
# a name too; as in pydicom it does not: text that forgot to switch again is read as it was meant.
_LINE_END = re.compile(rb"[\t\n\f\r]")


@lru_cache(maxsize=256)
def encodings_of(character_sets: bytes) -> Encodings:
    """The encodings for a value of Specific Character Set, of which the first 256 bytes count.

    Misspelt terms are understood as pydicom understands them; unknown ones stand for the default.
    """
    text = character_sets[:MOST_TERM_BYTES].decode("latin-1")
    terms = [term.strip(" \0") for term in text.split("\\")]
    known = [(term, _encoding(term)) for term in terms]
    if terms[0] in STAND_ALONE_ENCODINGS:
        return (known[0][1],)
    return (
        known[0][1],
        *(encoding for term, encoding in known[1:] if term not in STAND_ALONE_ENCODINGS),
    )


def _encoding(term: str) -> str:
    if term in python_encoding:
        return python_encoding[term]
    if re.match("ISO[^_]IR", term):
        term = "ISO_IR" + term[6:]
    elif re.match("ISO.2022.IR.", term):
        term = "ISO 2022 IR " + term[12:]
    return python_encoding.get(term, default_encoding)


def decode(value: bytes, encodings: Encodings) -> str:
    """The text of all values of an element; bytes that mean nothing become U+FFFD."""
    if _ESCAPE not in value or value.count(_ESCAPE) > _MOST_ESCAPES:
        return value.decode("ascii" if value.isascii() else encodings[0], "replace")
    return "".join(_decode_fragment(part, encodings) for part in _FRAGMENT.findall(value))


def _decode_fragment(fragment: bytes, encodings: Encodings) -> str:
    if not fragment.startswith(_ESCAPE):
        return fragment.decode(encodings[0], "replace")
    escape_bytes = 4 if fragment.startswith(_FOUR_BYTE_ESCAPES) else 3
    encoding = CODES_TO_ENCODINGS.get(fragment[:escape_bytes])
    if encoding is None or (encoding not in encodings and encoding != default_encoding):
        return fragment.decode(encodings[0], "replace")
    if encoding in _KNOW_THEIR_ESCAPES:
        return fragment.decode(encoding, "replace")
    text = fragment[escape_bytes:]
    end = _LINE_END.search(text)
    if end is None:
        return text.decode(encoding, "replace")
    return text[: end.start()].decode(encoding, "replace") + text[end.start() :].decode(
        encodings[0], "replace"
    )
