"""Media types: what a request brings, what it accepts, and what each resource has on offer.

What is on offer is data (PS3.18 8.7.3). A request is judged in two steps, because what can be
answered depends on the stored transfer syntax, and a bad Accept is told before a missing resource:
:meth:`Offer.acceptable` looks at Accept alone, :func:`choose` at what is stored.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from dicomweb.errors import NotAcceptable, UnsupportedMediaType
from dicomweb.video import MP4, MPEG2, VIDEO

DICOM = "application/dicom"
DICOM_JSON = "application/dicom+json"
JSON = "application/json; charset=utf-8"
YAML = "application/yaml"
OCTET_STREAM = "application/octet-stream"
MULTIPART = "multipart/related"

ANYTHING = "*/*"
AS_STORED = "*"
"""Value of the ``transfer-syntax`` parameter that leaves it to what is stored."""

IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
EXPLICIT_VR_BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1.99"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.57"
JPEG_LOSSLESS_FIRST_ORDER = "1.2.840.10008.1.2.4.70"
JPEG_LS_LOSSLESS = "1.2.840.10008.1.2.4.80"
JPEG_LS_NEAR_LOSSLESS = "1.2.840.10008.1.2.4.81"
JPEG_2000_LOSSLESS = "1.2.840.10008.1.2.4.90"
JPEG_2000 = "1.2.840.10008.1.2.4.91"
JPEG_2000_PART_2_LOSSLESS = "1.2.840.10008.1.2.4.92"
JPEG_2000_PART_2 = "1.2.840.10008.1.2.4.93"
HTJ2K_LOSSLESS = "1.2.840.10008.1.2.4.201"
HTJ2K_LOSSLESS_RPCL = "1.2.840.10008.1.2.4.202"
HTJ2K = "1.2.840.10008.1.2.4.203"
RLE_LOSSLESS = "1.2.840.10008.1.2.5"

MADE = frozenset({
    EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, JPEG_2000_LOSSLESS, JPEG_LS_LOSSLESS,
    HTJ2K_LOSSLESS, RLE_LOSSLESS,
})  # fmt: skip
"""Transfer syntaxes that are made of others; all others are only had of what is stored so."""

NATIVE_LITTLE_ENDIAN = frozenset({
    IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
})  # fmt: skip
"""Transfer syntaxes whose frames are the same bytes (PS3.5 8.1)."""

_OLDER_NAMES = {
    "image/x-dicom-rle": "image/dicom-rle", "image/x-jls": "image/jls", "image/jhc": "image/jphc",
}  # fmt: skip
"""Names that clients use for media types of PS3.18 Table 8.7.3-5."""

# A quoted string that is never closed goes to the end, so that any text is scanned once.
_QUOTED = r'"[^"\\]*+(?:\\.[^"\\]*+)*"?'
_LIST_MEMBERS = re.compile(rf'(?:[^,"]++|{_QUOTED})+')
_PIECES = re.compile(rf'(?:[^;"]++|{_QUOTED})+')
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+/[!#$%&'*+.^_`|~0-9a-z-]+")
_UID = re.compile(r"[0-9.]{1,64}", re.ASCII)
_MAX_BOUNDARY = 200
_KEPT_ANSWERS = 256  # clients send the same few Accept headers again and again


@dataclass(frozen=True, slots=True)
class MediaType:
    """A media type or a range of them, with its parameters (RFC 9110 8.3.1 and 12.5.1)."""

    name: str
    """In lower case, without parameters."""
    parameters: Mapping[str, str]
    """Values without quotes, by name in lower case."""

    @property
    def quality(self) -> float:
        """How welcome it is, 0 to 1; what is no such number counts as 1."""
        try:
            quality = float(self.parameters.get("q", "1"))
        except ValueError:
            return 1.0
        return quality if 0 <= quality <= 1 else 1.0

    @property
    def content(self) -> str:
        """The media type of the parts of a message, or of that which comes alone."""
        name = self.parameters.get("type", "").lower() if self.name == MULTIPART else self.name
        return _OLDER_NAMES.get(name, name)

    def includes(self, media_type: str) -> bool:
        """Whether the content may be of a media type: of that one, or of ``image/*`` and so on."""
        return self.content in {ANYTHING, media_type, f"{media_type.partition('/')[0]}/*"}

    def require_boundary(self) -> bytes:
        """The boundary of a message of several parts.

        :raise UnsupportedMediaType: it is missing or malformed.
        """
        boundary = self.parameters.get("boundary", "")
        if not 0 < len(boundary) <= _MAX_BOUNDARY or not boundary.isascii():
            raise UnsupportedMediaType(
                f"The Content-Type {self.name} needs a boundary of 1 to {_MAX_BOUNDARY} characters."
            )
        return boundary.encode("ascii")


def parse_media_type(value: str) -> MediaType | None:
    """A media type and its parameters, quoted or not, in any order; None if it is malformed."""
    name, *pieces = (piece.strip() for piece in _PIECES.findall(value) or [""])
    if not _NAME.fullmatch(name.lower()):
        return None
    parameters: dict[str, str] = {}
    for piece in pieces:
        parameter, _, text = piece.partition("=")
        parameters.setdefault(parameter.strip().lower(), _unquoted(text.strip()))
    return MediaType(name.lower(), parameters)


def accepted(header: str | None, query: str | None) -> list[MediaType]:
    """What a request accepts, most welcome first.

    :param header: all Accept headers joined by commas. None or empty accepts anything.
    :param query: the ``accept`` query parameter, which overrides the header (PS3.18 8.3.3.1).
    """
    welcome = [member for member in _members(header, query) if member.quality > 0]
    return sorted(welcome, key=lambda member: -member.quality)


def _members(header: str | None, query: str | None) -> list[MediaType]:
    """The well-formed members of an Accept header or parameter, in their order."""
    value = (header or "") if query is None else query.replace(" json", "+json")  # unescaped plus
    if not value.strip():
        return [MediaType(ANYTHING, {})]
    members = map(parse_media_type, _LIST_MEMBERS.findall(value))
    return [member for member in members if member]


@lru_cache(_KEPT_ANSWERS)
def welcome(offered: tuple[str, ...], header: str | None, query: str | None) -> tuple[str, ...]:
    """Which of the media types on offer a request accepts, most welcome first.

    How welcome one is tells the member of Accept that describes it most closely (RFC 9110 12.5.1).
    Of equally welcome ones, that which Accept names first comes first, then that offered first.

    :raise NotAcceptable: none is.
    """
    members = _members(header, query)
    ranked = []
    for place, name in enumerate(offered):
        for media_range in (name, f"{name.partition('/')[0]}/*", ANYTHING):
            covering = [at for at, member in enumerate(members) if member.name == media_range]
            if covering:
                quality = members[covering[0]].quality
                ranked.append((-quality, covering[0], place, name))
                break
    found = tuple(name for rank, _, _, name in sorted(ranked) if rank)
    if not found:
        raise NotAcceptable(
            f"Accept names nothing that is on offer. On offer: {', '.join(offered)}."
        )
    return found


def require_dicom_json(header: str | None, query: str | None) -> None:
    """Let a request pass that takes DICOM JSON.

    :raise NotAcceptable: it does not.
    """
    taken = {ANYTHING, "application/*", "application/json", DICOM_JSON}
    if not any(member.name in taken for member in accepted(header, query)):
        raise NotAcceptable(f"Accept names nothing that is on offer. On offer: {DICOM_JSON}.")


@dataclass(frozen=True)
class Form:
    """A form of an answer: one media type, alone or as the type of all parts."""

    media_type: str
    multipart: bool
    defaults: tuple[str, ...] = (EXPLICIT_VR_LITTLE_ENDIAN,)
    """Transfer syntaxes meant by a request that names none, best first."""
    carries: frozenset[str] | None = None
    """Transfer syntaxes that the media type stands for; None for any."""
    as_explicit: frozenset[str] = frozenset({EXPLICIT_VR_LITTLE_ENDIAN})
    """Stored transfer syntaxes whose bytes serve as Explicit VR Little Endian."""
    made: frozenset[str] = MADE
    """Transfer syntaxes that are made of what is stored in others."""

    def __str__(self) -> str:
        return f'{MULTIPART}; type="{self.media_type}"' if self.multipart else self.media_type

    def may_have(self, transfer_syntax: str) -> bool:
        """Whether anything can be asked in that transfer syntax."""
        if transfer_syntax == AS_STORED:
            return True
        if self.carries is None:
            return _UID.fullmatch(transfer_syntax) is not None
        return transfer_syntax in self.carries


@dataclass(frozen=True, slots=True)
class Representation:
    """A form in a transfer syntax."""

    form: Form
    transfer_syntax: str
    """A UID or :data:`AS_STORED`."""

    quality: float = 1.0
    """How welcome it is, above 0 to 1."""

    def is_stored(self, stored: Collection[str]) -> bool:
        """Whether what is stored in these transfer syntaxes is sent as it is."""
        form, wanted = self.form, self.transfer_syntax
        if wanted == AS_STORED:
            return form.carries is None or form.carries.issuperset(stored)
        same = form.as_explicit if wanted == EXPLICIT_VR_LITTLE_ENDIAN else {wanted}
        return bool(stored) and same.issuperset(stored)

    def can_be_made_of(self, stored: Collection[str]) -> bool:
        """Whether what is stored in these transfer syntaxes may be had so: as it is or transcoded.

        Of nothing stored, what could be made of anything can be made.
        """
        return self.transfer_syntax in self.form.made or self.is_stored(stored)


@dataclass(frozen=True, eq=False)  # the same offer is the same object
class Offer:
    """The forms in which a resource can be retrieved."""

    forms: tuple[Form, ...]
    """The first one of several parts answers a request that takes anything."""

    def __str__(self) -> str:
        return ", ".join(map(str, self.forms))

    @lru_cache(maxsize=_KEPT_ANSWERS)  # noqa: B019 - offers live as long as the process
    def acceptable(self, header: str | None, query: str | None) -> tuple[Representation, ...]:
        """What is on offer of what a request accepts, most welcome first.

        Among equally welcome ones, those that are asked as stored come first: they cost nothing.

        :raise NotAcceptable: nothing is.
        """
        asked = accepted(header, query)
        asked.sort(key=lambda member: (-member.quality, not _asks_as_stored(member)))
        found = tuple(one for member in asked for one in self._meeting(member))
        if not found:
            raise NotAcceptable(
                f"Accept names nothing that is on offer. On offer: {self}; each with "
                f"transfer-syntax=*, which is as stored, with the UID of what is stored, or of "
                f"{_listed(self.forms)}."
            )
        return found

    def _meeting(self, member: MediaType) -> list[Representation]:
        multipart = member.name in {MULTIPART, ANYTHING}
        wanted = member.parameters.get("transfer-syntax")
        anything = (AS_STORED,) if member.content == ANYTHING else None
        return [
            Representation(form, syntax, member.quality)
            for form in self.forms
            if form.multipart == multipart and member.includes(form.media_type)
            for syntax in ((wanted,) if wanted else anything or form.defaults)
            if form.may_have(syntax)
        ]


def choices(acceptable: Sequence[Representation], stored: Collection[str]) -> list[Representation]:
    """The representations that what is stored may be had in, most welcome first.

    Among equally welcome ones, those that are stored come first.

    :param stored: transfer syntaxes of the instances; none if there are no instances.
    :raise NotAcceptable: there are none.
    """
    found = [one for one in acceptable if one.can_be_made_of(stored)]
    if not found:
        there = f"Stored is {', '.join(sorted(stored))}. " if stored else ""
        made = _listed(one.form for one in acceptable)
        raise NotAcceptable(
            f"Accept names no transfer syntax that is on offer. {there}On offer is "
            f"transfer-syntax=*, which is as stored{made and f', or one of {made}'}."
        )
    return sorted(found, key=lambda one: (-one.quality, not one.is_stored(stored)))


def _listed(forms: Iterable[Form]) -> str:
    """The transfer syntaxes that are made in any of these forms."""
    return ", ".join(sorted({uid for form in forms for uid in form.made}))


def _asks_as_stored(member: MediaType) -> bool:
    return member.parameters.get("transfer-syntax") == AS_STORED


def _unquoted(text: str) -> str:
    if not text.startswith('"'):
        return text
    return re.sub(r"\\(.)", r"\1", text[1:].removesuffix('"'))


def _octets(*, multipart: bool) -> Form:
    """Uncompressed frames."""
    made = frozenset({EXPLICIT_VR_LITTLE_ENDIAN})
    return Form(OCTET_STREAM, multipart, as_explicit=NATIVE_LITTLE_ENDIAN, made=made)


def _frames(media_type: str, carries: tuple[str, ...]) -> Form:
    """Compressed frames; the first transfer syntax is the default of PS3.18 Table 8.7.3-5."""
    each = frozenset(carries)
    return Form(media_type, True, (AS_STORED, carries[0]), each, made=each & MADE)


def _video(media_type: str) -> Form:
    """Streams that are one frame each, as stored."""
    carries = frozenset(uid for uid, name in VIDEO.items() if name == media_type)
    return Form(media_type, True, (AS_STORED,), carries, made=frozenset())


JPEG = "image/jpeg"
PNG = "image/png"
GIF = "image/gif"
JP2 = "image/jp2"
IMAGES = (JPEG, PNG, GIF, JP2)
"""Rendered images; the first answers a request that takes anything."""
DOCUMENT = "application/pdf"
RENDERED = (*IMAGES, DOCUMENT, MP4)
"""Rendered instances (PS3.18 8.7.4): images, and what is stored in a format of the web."""

INSTANCES = Offer((Form(DICOM, True),))
"""A study or a series."""

INSTANCE = Offer((Form(DICOM, True), Form(DICOM, False)))

FRAMES = Offer(
    (
        _octets(multipart=True),
        _octets(multipart=False),
        _frames("image/jp2", (JPEG_2000_LOSSLESS, JPEG_2000)),
        _frames("image/jpx", (JPEG_2000_PART_2_LOSSLESS, JPEG_2000_PART_2)),
        _frames("image/jphc", (HTJ2K_LOSSLESS, HTJ2K_LOSSLESS_RPCL, HTJ2K)),
        _frames("image/jls", (JPEG_LS_LOSSLESS, JPEG_LS_NEAR_LOSSLESS)),
        _frames("image/dicom-rle", (RLE_LOSSLESS,)),
        _frames(
            "image/jpeg",
            (JPEG_LOSSLESS_FIRST_ORDER, JPEG_BASELINE, JPEG_EXTENDED, JPEG_LOSSLESS),
        ),
        _video(MP4),
        _video(MPEG2),
    )
)
"""Frames: as they are stored, uncompressed, or compressed without loss (PS3.18 Tables
8.7.3-4 and 8.7.3-5)."""
