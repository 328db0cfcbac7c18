"""The words for what is wrong with an attribute: ErrorComment (0000,0902) of the answer.

They quote values, so they go to the client that sent them and nowhere else.
"""

from collections.abc import Iterable

from pydicom.datadict import dictionary_VR, keyword_for_tag

MOST_COMMENTS = 100
"""A hostile file has more to be said of than an answer should hold."""
_MOST_CHARACTERS = 64
# A comment is of VR LO: control characters are shown by the pictures that Unicode has of them.
_PICTURES = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421}


def tag_text(tag: int) -> str:
    """``(gggg,eeee)`` as comments have it."""
    return f"({tag >> 16:04x},{tag & 0xFFFF:04x})"


def comment(tag: int, message: str) -> str:
    """What an ErrorComment says of an attribute; 100 stands for validation."""
    return f"DICOM100: {tag_text(tag)} - {message}"


def is_missing(tag: int) -> str:
    """A required attribute is not there, empty, or has several values."""
    return comment(tag, f"The required tag '{tag_text(tag)}' is missing.")


def has_other_vr(tag: int, vr: str) -> str:
    """An attribute that is searched for is encoded with another VR than its own."""
    expected = dictionary_VR(tag)
    return comment(
        tag,
        f"The tag '{tag_text(tag)}' ({keyword_for_tag(tag)}) is expected to have VR '{expected}' "
        f"but has '{vr}'.",
    )


def fails_minimum(tag: int, value: str, wanted: str) -> str:
    """A value breaks a rule that it must not break."""
    return comment(
        tag,
        f"Dicom element '{keyword_for_tag(tag)}' failed validation for VR '{dictionary_VR(tag)}': "
        f'the value "{_shortened(value)}" {wanted}.',
    )


def fails(tag: int, vr: str, value: str, wanted: str) -> str:
    """A value does not fit its VR."""
    name = keyword_for_tag(tag) or "the value"
    return comment(
        tag, f'Content "{_shortened(value)}" does not validate VR {vr}: {name} {wanted}.'
    )


def bounded(comments: Iterable[str]) -> list[str]:
    """The first comments, the last of which says how many more there would be."""
    said = list(comments)
    more = len(said) - MOST_COMMENTS
    if more > 0:
        said[MOST_COMMENTS - 1 :] = [
            f"{said[MOST_COMMENTS - 1]} {more} more attributes are at fault."
        ]
    return said


def _shortened(value: str) -> str:
    cut = len(value) > _MOST_CHARACTERS
    shown = value[:_MOST_CHARACTERS].translate(_PICTURES)
    return f"{shown}..." if cut else shown
