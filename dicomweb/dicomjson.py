"""The DICOM JSON Model (PS3.18 Annex F) of a header, straight from its encoded elements.

The instances of a series share most of their elements, so the JSON of an element is kept under its
encoded bytes: of an instance whose like was seen before, little more than the UIDs is converted.
"""

from collections.abc import Callable, Collection
from typing import Generic, TypeVar

from dicomweb.charset import (
    DEFAULT_ENCODINGS,
    MOST_TERM_BYTES,
    Encodings,
    decode,
    encodings_of,
)
from dicomweb.elements import (
    BULK_VRS,
    CHARACTER_SET,
    CONTEXT,
    EXPLICIT_HEADERS,
    IMPLICIT_HEADERS,
    ITEM_END,
    PIXEL_REPRESENTATION,
    PLAIN,
    SEQUENCE_END,
    SIMPLE_VRS,
    TEXT_VRS,
    UNDEFINED_LENGTH,
    ElementHeaders,
    is_private,
    is_private_creator,
    private_vr,
)
from dicomweb.external import External
from dicomweb.header import Cut, Header, element_at, item_headers
from dicomweb.jsonvalues import json_values, text_values

_KEPT_ELEMENTS = 8192
_KEPT_BYTES = 4 * 1024 * 1024
_KEPT_ELEMENT_BYTES = 264
"""Longer elements are rarely the same in two instances."""

_FIRST_SHOWN = 0x00040000
"""Lower groups are those of commands and of File Meta Information."""
_LUT_DESCRIPTOR = 0x00283002
_NOT_SHOWN = b""
_DEPENDS = b"?"
"""Stands for the fragment of an element whose text depends on Specific Character Set."""

BulkMember = Callable[[str, str, bytes | Cut], bytes]
"""Makes the rest of a bulk value's JSON object, which has the VR already, from its path, its VR and
the value, or from where in the file that is. A path is made of the tags and of the numbers of the
items, 1 and up, that lead to the element: ``00420010/1/00420011``."""

Key = TypeVar("Key")
Value = TypeVar("Value")


class _Memo(dict[Key, Value], Generic[Key, Value]):
    """What was made of elements before; bounded in number and bytes, shared by all threads."""

    __slots__ = ("_bytes",)

    def __init__(self) -> None:
        super().__init__()
        self._bytes = 0

    def keep(self, key: Key, element: bytes, made: Value, size: int) -> None:
        """Remember what was made unless the element is long; forget all when that is too much."""
        if len(element) > _KEPT_ELEMENT_BYTES:
            return
        if len(self) >= _KEPT_ELEMENTS or self._bytes >= _KEPT_BYTES:
            self.forget()
        self._bytes += len(element) + size
        self[key] = made

    def forget(self) -> None:
        self.clear()
        self._bytes = 0


class _PlainFragments(_Memo[bytes, bytes]):
    """By encoded element: what means the same in whatever data set it is."""

    __slots__ = ("_bulk", "_headers")

    def __init__(self, headers: ElementHeaders, bulk: bytes = _NOT_SHOWN) -> None:
        super().__init__()
        self._headers = headers
        self._bulk = bulk

    def __missing__(self, element: bytes) -> bytes:
        tag = self._headers[element[:8]][0]
        vr, value, _ = element_at(element, 0, self._headers)
        raw = element[value:]
        if vr in BULK_VRS:
            fragment = self._bulk
        elif vr in TEXT_VRS and (not raw.isascii() or b"\x1b" in raw):
            fragment = _DEPENDS
        else:
            fragment = _fragment(tag, vr, raw, DEFAULT_ENCODINGS)
        self.keep(element, element, fragment, len(fragment))
        return fragment


_EXPLICIT_FRAGMENTS = _PlainFragments(EXPLICIT_HEADERS)
_IMPLICIT_FRAGMENTS = _PlainFragments(IMPLICIT_HEADERS)
_IMPLICIT_FRAGMENTS_BUT_BULK = _PlainFragments(IMPLICIT_HEADERS, _DEPENDS)
_DEPENDENT_FRAGMENTS: _Memo[tuple[str, Encodings, bytes], bytes] = _Memo()
_VALUES: _Memo[tuple[bool, Encodings, bytes], tuple[str, ...]] = _Memo()


def metadata_json(
    header: Header, bulk: BulkMember | None = None, added: External | None = None
) -> bytes:
    """One DICOM JSON object: every element that is to be shown, at all depths.

    Left out are the elements of bulk VRs, group lengths, and what was dropped when the header was
    encoded. Never raises: a value that does not fit its VR is a string, or its element is left out
    as if it were of VR UN.

    :param bulk: shows the elements of bulk VRs too.
    :param added: is shown beside them.
    """
    level = _Level(header.encodings)
    shown, _ = _Writer(header, bulk).data_set(0, len(header.data), header.headers, level)
    for tag in header.dropped:
        shown.pop(tag, None)
    if added:
        added.add_to(shown)
    return _object(shown)


def members(
    header: Header,
    tags: Collection[int],
    bulk: BulkMember | None = None,
    added: External | None = None,
) -> bytes:
    """Members of a DICOM JSON object, without its braces, for a choice of top-level elements.

    Those that are there and are to be shown, in ascending order of their tags.

    :param bulk: shows the elements of bulk VRs too.
    :param added: is shown beside them.
    """
    writer, level = _Writer(header, bulk), _Level(header.encodings)
    headers = header.headers
    fragments = writer.fragments(headers)
    shown = {}
    for tag in tags:
        at = header.offsets.get(tag)
        if at is None or tag in header.dropped:
            continue
        _, step, kind, _ = headers[header.data[at : at + 8]]
        fragment = _DEPENDS if kind else fragments[header.data[at : at + step]]
        if fragment is _DEPENDS:
            fragment, _ = writer.element(at, headers, level)
        shown[tag] = fragment
    if added:
        added.add_to(shown)
    return _members(shown)


def element_json(
    header: Header,
    tags: Collection[int],
    bulk: BulkMember | None = None,
    added: External | None = None,
) -> bytes:
    """One DICOM JSON object for a choice of top-level elements, as :func:`members`."""
    return b"{%b}" % members(header, tags, bulk, added)


def values(header: Header, tag: int) -> tuple[str, ...] | None:
    """The values of a top-level element as text, with their padding.

    None if the element is not there; nothing if it is empty, a sequence or of a bulk VR. Dropped
    elements have values.
    """
    at = header.offsets.get(tag)
    if at is None:
        return None
    data, headers = header.data, header.headers
    _, step, kind, _ = headers[data[at : at + 8]]
    if kind == PLAIN:
        element = data[at : at + step]
        key = header.implicit, header.encodings, element
        found = _VALUES.get(key)
        if found is not None:
            return found
    vr, start, length = element_at(data, at, headers)
    if vr == "SQ" or vr in BULK_VRS:
        return ()
    found = text_values(vr[:2], data[start : start + length], header.encodings)
    if kind == PLAIN:
        _VALUES.keep(key, element, found, len(element))
    return found


def forget() -> None:
    """Empty the memory of fragments."""
    plain = (_EXPLICIT_FRAGMENTS, _IMPLICIT_FRAGMENTS, _IMPLICIT_FRAGMENTS_BUT_BULK)
    for memo in (*plain, _DEPENDENT_FRAGMENTS, _VALUES):
        memo.forget()


def _object(fragments: dict[int, bytes]) -> bytes:
    return b"{%b}" % _members(fragments)


def _members(fragments: dict[int, bytes]) -> bytes:
    """In ascending order of their tags (PS3.18 F.2.2)."""
    tags = sorted(fragments)
    return b",".join(filter(None, map(fragments.__getitem__, tags)))


def _fragment(tag: int, vr: str, raw: bytes, encodings: Encodings) -> bytes:
    """``"ggggeeee":{"vr":...,"Value":...}``, or nothing if it is not to be shown."""
    if not _is_shown(tag):
        return _NOT_SHOWN
    values = json_values(vr, raw, encodings)
    if values is None:
        return _NOT_SHOWN
    if not values:
        return b'"%08X":{"vr":"%b"}' % (tag, vr.encode())
    return b'"%08X":{"vr":"%b","Value":[%b]}' % (tag, vr.encode(), values)


def _is_shown(tag: int) -> bool:
    """Whether it is neither of a lower group nor a group length."""
    return tag >= _FIRST_SHOWN and tag & 0xFFFF != 0


class _Level:
    """The data set or an item: what its elements tell about others in it."""

    __slots__ = ("encodings", "item", "outer", "told")

    def __init__(
        self, encodings: Encodings, outer: "_Level | None" = None, item: tuple[int, int] = (0, 0)
    ) -> None:
        """:param item: tag of the sequence, and number of the item in it, 1 and up."""
        self.encodings = encodings
        self.outer = outer
        self.item = item
        self.told: dict[int, bytes] = {}

    def path(self, tag: int) -> str:
        """Path of an element that is in it."""
        path, level = f"{tag:08X}", self
        while level.outer:
            path = f"{level.item[0]:08X}/{level.item[1]}/{path}"
            level = level.outer
        return path


class _Writer:
    """Makes the fragments of one header."""

    __slots__ = ("_bulk", "_cuts", "_data", "_header")

    def __init__(self, header: Header, bulk: BulkMember | None = None) -> None:
        self._header = header
        self._bulk = bulk
        self._data = header.data
        self._cuts: dict[int, Cut] | None = None

    def fragments(self, headers: ElementHeaders) -> _PlainFragments:
        """What is known of elements that are encoded so."""
        if headers is EXPLICIT_HEADERS:
            return _EXPLICIT_FRAGMENTS  # has none of bulk VRs, they are not plain
        return _IMPLICIT_FRAGMENTS_BUT_BULK if self._bulk else _IMPLICIT_FRAGMENTS

    def data_set(
        self, at: int, end: int, headers: ElementHeaders, level: _Level
    ) -> tuple[dict[int, bytes], int]:
        """Fragments of the elements from ``at`` to ``end`` or the item's end, and where that is."""
        data = self._data
        fragments = self.fragments(headers)
        shown: dict[int, bytes] = {}
        while at < end:
            tag, step, kind, _ = headers[data[at : at + 8]]
            if kind == PLAIN:
                fragment = fragments[data[at : at + step]]
                if fragment is not _DEPENDS:
                    shown[tag] = fragment
                    at += step
                    continue
            elif kind == ITEM_END:
                return shown, at + 8
            shown[tag], at = self.element(at, headers, level)
        return shown, at

    def element(self, at: int, headers: ElementHeaders, level: _Level) -> tuple[bytes, int]:
        """The fragment of one element, and where the next one begins."""
        data = self._data
        tag, _, kind, _ = headers[data[at : at + 8]]
        vr, value, length = element_at(data, at, headers)
        if vr == "SQ":
            return self._sequence(tag, value, length, headers, level)
        after = value + length
        if not length and (cut := self._cut_out(value)):
            vr = vr if vr in BULK_VRS else "UN"  # too long for the VR that UN stands for
            return self._bulk_fragment(tag, vr, cut, level), after
        raw = data[value:after]
        if kind == CHARACTER_SET and level.outer:
            level.encodings = encodings_of(raw[:MOST_TERM_BYTES])
        elif kind == CONTEXT or len(vr) > 2:
            vr = self._vr_in_context(tag, vr, level)
            level.told[tag] = raw
        if vr in BULK_VRS:
            return self._bulk_fragment(tag, vr, raw, level), after
        element = data[at:after]
        key = vr, level.encodings, element
        fragment = _DEPENDENT_FRAGMENTS.get(key)
        if fragment is None:
            fragment = _fragment(tag, vr, raw, level.encodings)
            _DEPENDENT_FRAGMENTS.keep(key, element, fragment, len(fragment))
        return fragment, after

    def _sequence(
        self, tag: int, at: int, length: int, headers: ElementHeaders, level: _Level
    ) -> tuple[bytes, int]:
        data = self._data
        end = len(data) if length == UNDEFINED_LENGTH else at + length
        items: list[bytes] = []
        while at < end:
            _, length, kind, _ = headers[data[at : at + 8]]
            at += 8
            if kind == SEQUENCE_END:
                break
            inner = item_headers(data, at, headers)
            item_end = len(data) if length == UNDEFINED_LENGTH else at + length
            item = _Level(level.encodings, level, (tag, len(items) + 1))
            shown, at = self.data_set(at, item_end, inner, item)
            items.append(_object(shown))
        if not items:
            return b'"%08X":{"vr":"SQ"}' % tag, at
        return b'"%08X":{"vr":"SQ","Value":[%b]}' % (tag, b",".join(items)), at

    def _bulk_fragment(self, tag: int, vr: str, value: bytes | Cut, level: _Level) -> bytes:
        if self._bulk is None or not _is_shown(tag):
            return _NOT_SHOWN
        member = self._bulk(level.path(tag), vr, value)
        return b'"%08X":{"vr":"%b"%b}' % (tag, vr.encode(), member)

    def _cut_out(self, value: int) -> Cut | None:
        """The value that would be there, if it was left out of the header."""
        if self._cuts is None:
            self._cuts = {cut.position: cut for cut in self._header.cuts}
        return self._cuts.get(value)

    def _vr_in_context(self, tag: int, vr: str, level: _Level) -> str:
        """The VR of an element in Implicit VR that the data dictionary alone does not tell."""
        if vr == "US or SS":
            return "SS" if self._is_signed(level) else "US"
        if vr == "US or OW":
            entries = self._told(_LUT_DESCRIPTOR, level)
            return "US" if entries and entries[:2] == b"\1\0" else "OW"
        if is_private(tag) and not is_private_creator(tag):
            creator = self._told(tag >> 16 << 16 | tag >> 8 & 0xFF, level)
            name = decode(creator or b"", level.encodings).strip(" \0")
            vr = private_vr(tag, name)
            return vr if vr in SIMPLE_VRS else "UN"
        return vr

    def _is_signed(self, level: _Level | None) -> bool:
        """What Pixel Representation says in this or the next data set around it that has one."""
        while level:
            if told := self._told(PIXEL_REPRESENTATION, level):
                return told[:1] == b"\1"
            level = level.outer
        return False

    def _told(self, tag: int, level: _Level) -> bytes | None:
        """The value of another element of the same item, if it came before, or data set."""
        told = level.told.get(tag)
        if told is None and not level.outer and (found := self._header.element(tag)):
            told = found[1]
        return told
