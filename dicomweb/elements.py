"""Data Element headers: tag, VR and length, in the encodings of PS3.5 section 7.1.

Reading a header costs a slice and a dictionary look-up: the same few hundred combinations of tag,
VR and length come back in every instance, so what eight bytes mean is worked out once and kept.
"""

from collections import defaultdict
from collections.abc import Callable
from functools import lru_cache
from struct import Struct

# The tables themselves: dictionary_VR takes 10 us to say that it does not know a tag, which is too
# much for a file that consists of such tags.
from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary
from pydicom.datadict import private_dictionary_VR

UNDEFINED_LENGTH = 0xFFFFFFFF
INLINE_BYTES = 1024
"""The longest value of a bulk VR that stays in the header."""

SPECIFIC_CHARACTER_SET = 0x00080005
PIXEL_REPRESENTATION = 0x00280103
PIXEL_DATA_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
"""Float Pixel Data, Double Float Pixel Data and Pixel Data."""

BULK_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
TEXT_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
"""The VRs that Specific Character Set applies to (PS3.5 6.1.2.3)."""
ONE_VALUE_VRS = frozenset({"LT", "ST", "UR", "UT"})
"""Text in which a backslash is nothing but a backslash (PS3.5 6.4)."""
NUMBERS = {
    "FD": Struct("<d"), "FL": Struct("<f"), "SL": Struct("<i"), "SS": Struct("<h"),
    "SV": Struct("<q"), "UL": Struct("<I"), "US": Struct("<H"), "UV": Struct("<Q"),
}  # fmt: skip
"""The VRs of binary numbers, and one value of each."""

# What a header announces. Up to CONTEXT its value is kept and stepped over without a further look.
PLAIN = 0
CHARACTER_SET = 1
"""Specific Character Set: changes how the text after it is decoded."""
CONTEXT = 2
"""Implicit VR, and the VR depends on another element of the data set ("US or SS", private elements)
or another's on this one."""
LONG = 3
"""Explicit VR whose 32-bit length follows the eight bytes."""
IMPLICIT = 4
"""Implicit VR and more than a plain value: a sequence, a bulk value or an undefined length."""
ITEM = 5
ITEM_END = 6
SEQUENCE_END = 7
IMPLICIT_IN_EXPLICIT = 8
"""No VR where one is due: some writers switch to Implicit VR in the middle of a data set."""
UNREADABLE = 9

ElementHeader = tuple[int, int, int, str]
"""Tag, bytes up to the next element (if plain), one of the kinds above, VR."""

# PS3.5 7.1.2: the VRs whose length is a 16-bit number, and those that have a 32-bit one.
_SHORT_VRS = "AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US"
LONG_VRS = BULK_VRS | {"SQ", "SV", "UC", "UR", "UT", "UV"}
_VR_KIND = {vr.encode(): (vr, PLAIN) for vr in _SHORT_VRS.split()} | {
    vr.encode(): (vr, LONG) for vr in LONG_VRS
}
SIMPLE_VRS = frozenset(_SHORT_VRS.split()) | LONG_VRS - BULK_VRS - {"SQ"}
"""The VRs of values that are kept, shown and not made of items."""
_DELIMITERS = {0xFFFEE000: ITEM, 0xFFFEE00D: ITEM_END, 0xFFFEE0DD: SEQUENCE_END}
_AMBIGUOUS = frozenset({"US or SS", "US or OW"})
_REPEATING: dict[int, dict[int, tuple[str, str, str, str, str]]] = defaultdict(dict)
"""Entries of repeating groups (60xx,3000) and elements, by the bits of the tag that count."""
for _tag, _entry in RepeatersDictionary.items():
    _mask = int("".join("0" if digit == "x" else "F" for digit in _tag), 16)
    _REPEATING[_mask][int(_tag.replace("x", "0"), 16)] = _entry
_MAX_HEADERS = 16384

_TAG_LENGTH = Struct("<HHI").unpack
_TAG_VR_LENGTH = {"<": Struct("<HH2sH").unpack, ">": Struct(">HH2sH").unpack}
_BIG_TAG_LENGTH = Struct(">HHI").unpack


class NotReadable(ValueError):
    """The bytes are no DICOM file that this service can read; says what is wrong and where.

    The message names tags and byte positions, never values.
    """


class ElementHeaders(dict[bytes, ElementHeader]):
    """What eight bytes at the start of an element mean; bounded, shared by all threads."""

    __slots__ = ("_parse",)

    def __init__(self, parse: Callable[[bytes], ElementHeader]) -> None:
        super().__init__()
        self._parse = parse

    def __missing__(self, header: bytes) -> ElementHeader:
        if len(self) >= _MAX_HEADERS:
            self.clear()
        parsed = self[header] = self._parse(header)
        return parsed


def tag_text(tag: int) -> str:
    """``(gggg,eeee)`` as people write it."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def is_vr(code: bytes) -> bool:
    """Whether two bytes could be a VR, so that Explicit VR can be told from Implicit.

    In Implicit VR they are of a length, of some 16,705 bytes or more if they look like this.
    """
    return code.isalpha() and code.isupper()


def is_private(tag: int) -> bool:
    """Whether the group number is odd (PS3.5 7.8)."""
    return bool(tag & 0x10000)


def is_private_creator(tag: int) -> bool:
    """Whether the element reserves a block of private elements (PS3.5 7.8.1)."""
    return is_private(tag) and 0x10 <= tag & 0xFFFF <= 0xFF


def known_vr(tag: int) -> str:
    """The VR that the data dictionary gives a standard element; ``UN`` if it has none.

    OW where the dictionary leaves open which bulk VR it is.
    """
    if tag & 0xFFFF == 0:
        return "UL"
    if is_private(tag):
        return "LO" if is_private_creator(tag) else "UN"
    entry = _dictionary_entry(tag)
    vr = entry[0] if entry else "UN"
    return vr if len(vr) == 2 or vr in _AMBIGUOUS else "OW"


def known_multiplicity(tag: int) -> str:
    """The Value Multiplicity of the data dictionary (``1``, ``1-3``, ``2-2n``); none if unknown."""
    entry = None if is_private(tag) else _dictionary_entry(tag)
    return entry[1] if entry else ""


def _dictionary_entry(tag: int) -> tuple[str, str, str, str, str] | None:
    """VR, multiplicity, name, retired or not, keyword."""
    entry = DicomDictionary.get(tag)
    if entry is None:
        found = (entries.get(tag & mask) for mask, entries in _REPEATING.items())
        entry = next(filter(None, found), None)
    return entry


def unknown_vr(tag: int, length: int) -> str:
    """The VR of an element that is encoded as UN (PS3.5 6.2.2).

    A standard element whose VR its sender did not know is what the dictionary says; one too long
    for its VR's 16-bit length, and any private one, stays UN. Undefined length: a sequence.
    """
    if length == UNDEFINED_LENGTH:
        return "SQ"
    vr = known_vr(tag) if length < 0xFFFF else "UN"
    return vr if vr not in _AMBIGUOUS else "UN"


@lru_cache(maxsize=4096)
def private_vr(tag: int, creator: str) -> str:
    """The VR that pydicom's dictionary of private elements gives; ``UN`` if it has none."""
    try:
        return private_dictionary_VR(tag, creator)
    except KeyError:
        return "UN"


def _explicit(order: str) -> Callable[[bytes], ElementHeader]:
    unpack = _TAG_VR_LENGTH[order]
    delimiter = _TAG_LENGTH if order == "<" else _BIG_TAG_LENGTH

    def parse(header: bytes) -> ElementHeader:
        if len(header) < 8:
            return 0, 0, UNREADABLE, ""
        group, element, code, length = unpack(header)
        tag = group << 16 | element
        if group == 0xFFFE:
            return tag, delimiter(header)[2], _DELIMITERS.get(tag, UNREADABLE), ""
        vr, kind = _VR_KIND.get(code, ("", UNREADABLE))
        if kind == LONG:
            return tag, 12, LONG, vr
        if tag == SPECIFIC_CHARACTER_SET and vr:
            kind = CHARACTER_SET
        if not is_vr(code):
            kind = IMPLICIT_IN_EXPLICIT
        return tag, 8 + length, kind, vr

    return parse


def _implicit(header: bytes) -> ElementHeader:
    if len(header) < 8:
        return 0, 0, UNREADABLE, ""
    group, element, length = _TAG_LENGTH(header)
    tag = group << 16 | element
    if group == 0xFFFE:
        return tag, length, _DELIMITERS.get(tag, UNREADABLE), ""
    vr = known_vr(tag)
    kind = PLAIN
    if vr in _AMBIGUOUS or is_private(tag) or tag == PIXEL_REPRESENTATION:
        kind = CONTEXT
    if tag == SPECIFIC_CHARACTER_SET:
        kind = CHARACTER_SET
    long_bulk = vr in BULK_VRS and (length > INLINE_BYTES or tag in PIXEL_DATA_TAGS)
    if vr == "SQ" or length == UNDEFINED_LENGTH or long_bulk:
        kind = IMPLICIT
    return tag, 8 + length, kind, vr


EXPLICIT_HEADERS = ElementHeaders(_explicit("<"))
IMPLICIT_HEADERS = ElementHeaders(_implicit)
BIG_ENDIAN_HEADERS = ElementHeaders(_explicit(">"))
