"""Attribute matching (PS3.4 C.2.2.2): one function per rule, and the form in which text is stored.

Case and accents are decided here, once, by folding what is stored and what is asked for, so that
every database compares plain code points. A rule's SQL depends on the rule and on how many values
it compares with, not on the values: that is what lets a search be compiled once.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

from peewee import SQL, NodeList, fn

from index.statements import parameter, parameters

TEXT_LENGTH = 64  # of a folded column, and of the longest value that fits its VR
NAME_LENGTH = 255

_UID = re.compile(r"[0-9.]{1,64}", re.ASCII)
_SEPARATORS = re.compile(r"[\s^=]+")
_WILDCARD = re.compile(r"[*?]")
_LITERAL = str.maketrans({"%": "!%", "_": "!_", "!": "!!"})
_WILD = _LITERAL | str.maketrans({"*": "%", "?": "_"})
_LAST = "\U0010ffff"  # is in no text: whatever begins with a prefix comes before prefix + _LAST


@lru_cache(maxsize=4096)
def fold(value: str) -> str:
    """Text without case, and without the blanks and NULs that pad it."""
    return _without_case(value)[:TEXT_LENGTH]


@lru_cache(maxsize=4096)
def fold_name(value: str) -> str:
    """A person's name without case and accents, and without empty trailing components.

    Several component groups are stored as ``=a=b=c=``: all such names lie together in an index, and
    each group stands between two delimiters.
    """
    groups = [group.strip(" ").rstrip("^ ") for group in _without_accents(value).split("=")]
    while len(groups) > 1 and not groups[-1]:
        groups.pop()
    name = groups[0] if len(groups) == 1 else "={}=".format("=".join(groups))
    return name[:NAME_LENGTH]


@lru_cache(maxsize=4096)
def name_words(value: str) -> str:
    """The words of all groups of a name, each after a blank: what fuzzy matching looks into."""
    return "".join(f" {word}" for word in _words(value))[:NAME_LENGTH]


def _without_case(value: str) -> str:
    return unicodedata.normalize("NFC", value.strip("\0 ").casefold()).replace("\0", "")


def _without_accents(value: str) -> str:
    decomposed = unicodedata.normalize("NFKD", _without_case(value))
    bare = "".join(char for char in decomposed if not unicodedata.combining(char)).casefold()
    return unicodedata.normalize("NFC", bare)  # Hangul was decomposed, too: a syllable is one


def _words(value: str) -> list[str]:
    return [word for word in _SEPARATORS.split(_without_accents(value)) if word]


class Selectivity(IntEnum):
    """How the rows that satisfy a rule are found, the narrowest first."""

    FEW = 1
    """By what is unique, at one or several places of an index."""
    ONE_VALUE = 2
    """At one place of an index, where they are in the order of their age."""
    RANGE = 3
    """In parts of an index."""
    SCAN = 4
    """By looking at all."""


@dataclass(frozen=True, slots=True, eq=False)  # each rule is one object
class Rule:
    """The SQL of a matching rule, with placeholders for its values."""

    expression: Callable[[Any, int], Any]
    """Makes the expression from the column and the number of values."""
    selectivity: Selectivity


class Alternative(NamedTuple):
    """A rule, and the values to compare with."""

    rule: Rule
    values: tuple[str | int, ...] = ()


Condition = tuple[Alternative, ...]
"""What is asked of one column; one alternative has to hold, so that none holds for nothing."""


def _all(*expressions: Any) -> Any:
    return NodeList(expressions, glue=" AND ", parens=True)


def _like(column: Any) -> Any:
    """LIKE as SQL has it: Peewee's is GLOB on SQLite, and a backslash is not plain everywhere.

    COALESCE hides the pattern from SQLite, which would compile the statement anew for each one.
    """
    pattern = fn.COALESCE(parameter(), SQL("''"))
    return NodeList((column, SQL("LIKE"), pattern, SQL("ESCAPE '!'")))


def _prefix_like(column: Any) -> Any:
    return _all(column >= parameter(), column < parameter(), _like(column))


def _like_in_groups(column: Any) -> Any:
    """LIKE among the names of several groups; see :func:`fold_name`."""
    return _all(column >= SQL("'='"), column < SQL("'>'"), _like(column))


_EVERYTHING = Rule(lambda _column, _count: SQL("1 = 1"), Selectivity.SCAN)
_UNIQUE = Rule(lambda column, _: column == parameter(), Selectivity.FEW)
_EQUAL = Rule(lambda column, _: column == parameter(), Selectivity.ONE_VALUE)
_ONE_OF = Rule(lambda column, count: column.in_(parameters(count)), Selectivity.FEW)
_FROM = Rule(lambda column, _: column >= parameter(), Selectivity.RANGE)
_UNTIL = Rule(lambda column, _: column <= parameter(), Selectivity.RANGE)
_WITHIN = Rule(
    lambda column, _: _all(column >= parameter(), column <= parameter()), Selectivity.RANGE
)
_LIKE = Rule(lambda column, _: _like(column), Selectivity.SCAN)
_ALL_LIKE = Rule(
    lambda column, count: _all(*(_like(column) for _ in range(count))), Selectivity.SCAN
)
_PREFIX_LIKE = Rule(lambda column, _: _prefix_like(column), Selectivity.RANGE)
_LIKE_IN_GROUPS = Rule(lambda column, _: _like_in_groups(column), Selectivity.RANGE)

NOTHING: Condition = ()
"""Of a value that no stored one can match."""
UNIVERSAL: Condition = (Alternative(_EVERYTHING),)
"""Universal Matching (PS3.4 C.2.2.2.3): also of what has no value."""


def selectivity(condition: Condition) -> Selectivity:
    """How the rows that satisfy a condition are found."""
    widest = max(each.rule.selectivity for each in condition)
    return widest if len(condition) == 1 else max(widest, Selectivity.RANGE)


def single_value(value: str) -> Condition:
    """Single Value Matching (PS3.4 C.2.2.2.1): the whole value, in any case."""
    return (Alternative(_EQUAL, (fold(value),)),) if len(value) <= TEXT_LENGTH else NOTHING


def uid_list(uids: Iterable[str]) -> Condition:
    """List of UID Matching (PS3.4 C.2.2.2.2); a single UID is a list, too."""
    possible = list(dict.fromkeys(uid for uid in uids if _UID.fullmatch(uid)))
    if len(possible) < 2:
        return (Alternative(_UNIQUE, tuple(possible)),) if possible else NOTHING
    size = 1 << (len(possible) - 1).bit_length()  # few sizes, so that few statements are compiled
    return (Alternative(_ONE_OF, (*possible, *possible[-1:] * (size - len(possible)))),)


def any_of(conditions: Iterable[Condition]) -> Condition:
    """At least one of several conditions."""
    asked = list(conditions)
    return UNIVERSAL if UNIVERSAL in asked else tuple(chain.from_iterable(asked))


def wild_card(pattern: str) -> Condition:
    """Wild Card Matching (PS3.4 C.2.2.2.4): ``*`` is any run, ``?`` one character; in any case."""
    return _wild_card(_without_case(pattern), TEXT_LENGTH)


def date_range(first: str | None, last: str | None) -> Condition:
    """Range Matching (PS3.4 C.2.2.2.5) of dates YYYYMMDD, both included; None is an open end."""
    if first is None:
        return (Alternative(_UNTIL, (last,)),) if last is not None else UNIVERSAL
    if last is None:
        return (Alternative(_FROM, (first,)),)
    return (
        Alternative(_EQUAL, (first,)) if first == last else Alternative(_WITHIN, (first, last)),
    )


def name_value(name: str) -> Condition:
    """Single Value Matching of a person's name: all of it, or all of one component group."""
    folded = fold_name(name)
    if len(name) > NAME_LENGTH or not folded:
        return NOTHING
    return _or_group((Alternative(_EQUAL, (folded,)),), folded, _LITERAL)


def name_wild_card(pattern: str) -> Condition:
    """Wild Card Matching of a person's name: of all of it, or of one component group."""
    folded = fold_name(pattern)
    condition = _wild_card(folded, NAME_LENGTH)
    if condition in (NOTHING, UNIVERSAL):
        return condition
    return _or_group(condition, folded, _WILD)


def name_words_match(words: str, *, wildcards: bool) -> Condition:
    """Fuzzy matching: each word begins a word of the name, in any order.

    To be asked of what :func:`name_words` made of the name.
    """
    table = _WILD if wildcards else _LITERAL
    patterns = tuple(f"% {word.translate(table)}%" for word in dict.fromkeys(_words(words)))
    return (
        (Alternative(_ALL_LIKE, patterns),) if patterns and len(words) <= NAME_LENGTH else NOTHING
    )


def has_wildcard(value: str) -> bool:
    """Whether the value is a pattern."""
    return _WILDCARD.search(value) is not None


def _wild_card(folded: str, length: int) -> Condition:
    """The condition of a folded pattern.

    :param length: characters that a stored value has at most.
    """
    if not folded.strip("*"):
        return UNIVERSAL
    if len(folded.replace("*", "")) > length:
        return NOTHING
    pattern = folded.translate(_WILD)
    wildcard = _WILDCARD.search(folded)
    prefix = folded[: wildcard.start()] if wildcard else folded
    if prefix:
        return (Alternative(_PREFIX_LIKE, (prefix, prefix + _LAST, pattern)),)
    return (Alternative(_LIKE, (pattern,)),)


def _or_group(condition: Condition, folded: str, table: dict[int, str]) -> Condition:
    """The condition, or that one group of a name of several is this; unless this has several."""
    if folded.startswith("="):
        return condition
    return (*condition, Alternative(_LIKE_IN_GROUPS, (f"%={folded.translate(table)}=%",)))
