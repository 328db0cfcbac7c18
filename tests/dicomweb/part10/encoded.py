"""Part 10 files put together from bytes, right or wrong as a test needs them."""

from io import BytesIO
from pathlib import Path
from struct import pack

import pydicom
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
JPEG = "1.2.840.10008.1.2.4.50"

UNDEFINED = 0xFFFFFFFF
ITEM = 0xFFFEE000
ITEM_END = 0xFFFEE00D
SEQUENCE_END = 0xFFFEE0DD
SHORT_VRS = (
    *("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH", "SL"),
    *("SS", "ST", "TM", "UI", "UL", "US"),
)
LONG_VRS = ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")

TEST_FILES = Path(pydicom.__file__).parent / "data"


def tag_bytes(tag: int, order: str = "<") -> bytes:
    return pack(order + "HH", tag >> 16, tag & 0xFFFF)


def explicit(tag: int, vr: str, value: bytes, length: int | None = None, order: str = "<") -> bytes:
    """An element in Explicit VR; ``length`` is what it claims to have."""
    length = len(value) if length is None else length
    if vr in LONG_VRS:
        head = vr.encode() + bytes(2) + pack(order + "I", length)
    else:
        head = vr.encode() + pack(order + "H", length)
    return tag_bytes(tag, order) + head + value


def implicit(tag: int, value: bytes, length: int | None = None) -> bytes:
    """An element in Implicit VR, or an item; ``length`` is what it claims to have."""
    return tag_bytes(tag) + pack("<I", len(value) if length is None else length) + value


def item(content: bytes, *, defined: bool = True) -> bytes:
    if defined:
        return implicit(ITEM, content)
    return implicit(ITEM, content, UNDEFINED) + implicit(ITEM_END, b"")


def sequence(tag: int, *items: bytes, defined: bool = True, vr: str = "SQ") -> bytes:
    content = b"".join(items)
    if defined:
        return explicit(tag, vr, content)
    return explicit(tag, vr, content, UNDEFINED) + implicit(SEQUENCE_END, b"")


def encapsulated(*fragments: bytes, table: bytes = b"", end: bool = True) -> bytes:
    """Pixel Data in fragments, with a Basic Offset Table."""
    items = b"".join(implicit(ITEM, fragment) for fragment in (table, *fragments))
    tail = implicit(SEQUENCE_END, b"") if end else b""
    return explicit(0x7FE00010, "OB", items + tail, UNDEFINED)


def file_meta(syntax: str = EXPLICIT) -> bytes:
    uid = syntax.encode()
    value = uid + b"\0" * (len(uid) % 2)
    return bytes(128) + b"DICM" + explicit(0x00020010, "UI", value)


def part10(data_set: bytes, syntax: str = EXPLICIT) -> memoryview:
    """A file with no more File Meta Information than its Transfer Syntax UID."""
    return memoryview(file_meta(syntax) + data_set)


def written(ds: Dataset, syntax: str = EXPLICIT) -> memoryview:
    """The data set as pydicom writes it."""
    buffer = BytesIO()
    dcmwrite(
        buffer,
        ds,
        implicit_vr=syntax == IMPLICIT,
        little_endian=syntax != BIG_ENDIAN,
        enforce_file_format=False,
    )
    return part10(buffer.getvalue(), syntax)


def pydicom_files() -> list[Path]:
    """Every file that comes with pydicom."""
    return sorted(path for path in TEST_FILES.rglob("*") if is_data(path))


def is_data(path: Path) -> bool:
    return path.is_file() and path.suffix not in (".py", ".pyc", ".json", ".md", ".txt", ".dump")
