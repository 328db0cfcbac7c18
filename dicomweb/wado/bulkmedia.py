"""Media types of bulk values (PS3.18 8.7.3.3): what there are, and which one a request gets."""

from collections.abc import Collection, Sequence

from dicomweb.errors import NotAcceptable
from dicomweb.media import (
    ANYTHING,
    AS_STORED,
    FRAMES,
    MULTIPART,
    OCTET_STREAM,
    Form,
    MediaType,
    Offer,
)

DOCUMENTS = ("application/pdf", "model/stl", "model/obj", "model/mtl")
"""Media types that an encapsulated document may be sent in. Others, such as text/xml, may hold
scripts that a browser would run as this service's own: they are sent as octets."""

_FRAME_TYPES = {uid: form.media_type for form in FRAMES.forms for uid in form.carries or ()}
_ALL = tuple(dict.fromkeys((OCTET_STREAM, *DOCUMENTS, *_FRAME_TYPES.values())))

BULKDATA = Offer(
    tuple(Form(media_type, multipart) for media_type in _ALL for multipart in (False, True))
)
"""Of bulk values in general; the value decides which of them it can be sent in."""


def frame_media_type(transfer_syntax_uid: str) -> str:
    """Media type of encapsulated frames or of a video in a transfer syntax."""
    return _FRAME_TYPES.get(transfer_syntax_uid, OCTET_STREAM)


def require_any(asked: Sequence[MediaType]) -> None:
    """Let a request pass that takes some bulk value.

    :raise NotAcceptable: it takes none.
    """
    choose(asked, _ALL, None, single=True)


def choose(
    asked: Sequence[MediaType],
    media_types: Collection[str],
    transfer_syntaxes: Collection[str] | None,
    *,
    single: bool,
) -> Form:
    """The form that a request gets.

    :param asked: most welcome first.
    :param media_types: those that the value can be sent in; the first answers who takes anything.
    :param transfer_syntaxes: those that may be asked for, beside ``*``; None for any.
    :param single: whether it can be sent as a single part; then that answers who takes anything.
    :raise NotAcceptable: the value cannot be sent in any that is asked for.
    """
    for member in asked:
        wanted = member.parameters.get("transfer-syntax", AS_STORED)
        if not (transfer_syntaxes is None or wanted == AS_STORED or wanted in transfer_syntaxes):
            continue
        multipart = member.name == MULTIPART or (member.name == ANYTHING and not single)
        if not (multipart or single):
            continue
        for media_type in media_types:
            if member.includes(media_type):
                return Form(media_type, multipart)
    offer = [f'{MULTIPART}; type="{media_type}"' for media_type in media_types]
    offer += media_types if single else ()
    raise NotAcceptable(
        f"Accept names nothing that is on offer. On offer, as stored: {', '.join(offer)}."
    )
