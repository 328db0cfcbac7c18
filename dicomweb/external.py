"""External metadata: private attributes of a study that came in headers of a store.

Whoever wants to see them or to search by them says so in a header of the request.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import xxhash

from dicomweb.charset import encodings_of
from dicomweb.elements import is_private
from dicomweb.jsonvalues import json_values
from dicomweb.versions import ApiVersion

REQUEST_HEADER = "msdicom-request-meta"
STORE_HEADER = "msdicom-meta-"
"""What the names of headers that bring them start with: VR and tag follow."""
FIRST_GROUP, LAST_GROUP = 0x0009, 0xFFFD
FIRST_PRIVATE_ELEMENT = 0x1000

_UTF_8 = encodings_of(b"ISO_IR 192")


def are_asked_for(api: ApiVersion, header: str | None) -> bool:
    """Whether a request wants to see external metadata.

    :param header: its :data:`REQUEST_HEADER`.
    """
    return api.has_external_metadata and (header or "").strip().lower() == "true"


def can_be_external(tag: int) -> bool:
    """Whether it is the tag of a private attribute (PS3.5 7.8), or of what reserves a block."""
    group, element = tag >> 16, tag & 0xFFFF
    return (
        is_private(tag)
        and FIRST_GROUP <= group <= LAST_GROUP
        and (0x10 <= element <= 0xFF or element >= FIRST_PRIVATE_ELEMENT)
    )


def creator_of(tag: int) -> int | None:
    """Tag of the Private Creator of a private attribute; none if it is one itself."""
    return tag & 0xFFFF0000 | tag >> 8 & 0xFF if tag & 0xFFFF >= FIRST_PRIVATE_ELEMENT else None


def element(tag: int, vr: str, raw: bytes) -> bytes:
    """The member of a DICOM JSON object.

    :param raw: the value as a file in UTF-8 would have it; it fits the VR.
    """
    values = json_values(vr, raw, _UTF_8)
    shown = b',"Value":[%b]' % values if values else b""
    return b'"%08X":{"vr":"%b"%b}' % (tag, vr.encode(), shown)


@dataclass(slots=True)
class External:
    """What is added to a data set of a study: members of a DICOM JSON object by their tags."""

    elements: dict[int, bytes] = field(default_factory=dict)
    creators: dict[int, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, elements: Iterable[tuple[int, bytes]], creator: str) -> "External":
        """Attributes of a study with the Private Creators that they need.

        :param creator: the value of these.
        """
        found = cls({tag: bytes(member) for tag, member in elements})
        for tag in filter(None, map(creator_of, found.elements)):
            found.creators[tag] = element(tag, "LO", creator.encode())
        return found

    @property
    def suffix(self) -> str:
        """What the entity tag of an answer that has it ends with; nothing if it is nothing."""
        members = self.elements | self.creators
        content = b",".join(members[tag] for tag in sorted(members))
        return f"-m{xxhash.xxh3_64_hexdigest(content)}" if members else ""

    def add_to(self, members: dict[int, bytes]) -> None:
        """Add it to the members of a data set, whose own Private Creators stay."""
        members.update(self.elements)
        for tag, creator in self.creators.items():
            members[tag] = members.get(tag) or creator
