"""How text is compared: the form in which it is stored for matching.

Case and accents are decided here, once, so that every database compares plain code points.
"""

import re
import unicodedata
from functools import lru_cache

TEXT_LENGTH = 64  # of a folded column; longer values are refused or dropped before they get here
NAME_LENGTH = 255

_SEPARATORS = re.compile(r"[\s^=]+")


@lru_cache(maxsize=4096)
def fold(value: str) -> str:
    """Text without case, and without the trailing blanks and NULs that pad it (PS3.5 6.2)."""
    return unicodedata.normalize("NFC", value.rstrip("\0 ").casefold()).replace("\0", "")


@lru_cache(maxsize=4096)
def fold_name(value: str) -> str:
    """A person's name without case and accents, and without empty trailing components."""
    decomposed = unicodedata.normalize("NFKD", fold(value))
    bare = "".join(char for char in decomposed if not unicodedata.combining(char)).casefold()
    return "=".join(group.rstrip("^ ") for group in bare.split("=")).rstrip("=")[:NAME_LENGTH]


@lru_cache(maxsize=4096)
def name_words(value: str) -> str:
    """The words of all groups of a name, each after a blank: what fuzzy matching looks into."""
    words = [word for word in _SEPARATORS.split(fold_name(value)) if word]
    return "".join(f" {word}" for word in words)[:NAME_LENGTH]
