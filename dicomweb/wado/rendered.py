"""Retrieve rendered instances and thumbnails (PS3.18 10.4).

What can be refused without decoding is refused first: decoding, rendering and encoding keep a core
busy, and take their turn at it.
"""

from collections.abc import Sequence
from functools import partial

from dicomweb.caching import Conditions
from dicomweb.errors import BadRequest, NotAcceptable, NotFound
from dicomweb.frames import FrameTable
from dicomweb.header import decode_header
from dicomweb.imaging.decode import NotDecodable
from dicomweb.imaging.icc import NoProfile
from dicomweb.imaging.picture import HOLD_PROFILES
from dicomweb.imaging.pixels import NotAnImage
from dicomweb.imaging.rendering import NotRenderable
from dicomweb.media import GIF, IMAGES
from dicomweb.urls import Scope
from dicomweb.wado.answer import Answer, Body, not_found
from dicomweb.wado.blobs import OpenedAhead, blob_key
from dicomweb.wado.drawing import draw
from dicomweb.wado.parameters import IccProfile, Parameters
from dicomweb.wado.representative import representative
from dicomweb.wado.storedimage import StoredImage
from dicomweb.wado.webformats import WebFormat, as_stored, document, video
from index import instances
from index.instances import Reference, StoredInstance

Found = tuple[StoredInstance, bytes, bytes | None]
"""An instance, its encoded header and frame table."""


def retrieve_rendered(
    scope: Scope,
    reference: Reference,
    frame: int | None,
    acceptable: Sequence[str],
    *,
    asked: Parameters,
    conditions: Conditions,
) -> Answer:
    """What stands for a study, a series, an instance or a frame, in a format of the web.

    :param frame: None for all of an instance: the first of its frames, or a cine of them.
    :param acceptable: the media types that the request accepts, most welcome first.
    :raise NotFound: it is not stored, or there is nothing to be shown.
    :raise NotAcceptable: not in an acceptable media type, or it cannot be rendered.
    :raise BadRequest: a parameter does not fit the image.
    :raise NotModified: the client has it.
    """
    instance, encoded_header, encoded_table = _find(scope, reference)
    table = FrameTable.decode(encoded_table) if encoded_table else None
    whole = frame is None and not asked.is_thumbnail
    stored = _web_format(scope, instance, table, encoded_header) if whole else None
    if stored:
        _choose(acceptable, (stored.media_type,))
        return as_stored(instance, stored, conditions)
    if table is None:
        raise NotFound("The instance has no pixel data to be shown.")
    if (frame or 1) > table.count:
        raise NotFound(
            f"The specified frame cannot be found: the instance has {table.count} frames."
        )
    media_type = _choose(acceptable, IMAGES)
    if asked.icc_profile not in (None, IccProfile.NO) and media_type not in HOLD_PROFILES:
        raise BadRequest(
            f"{media_type} is given without ICC profile: ask with iccprofile=no, or for "
            f"{' or '.join(sorted(HOLD_PROFILES))}."
        )
    etag = f'W/"{instance.watermark};{media_type}"'
    conditions.require_news(etag)
    image = StoredImage(
        scope.archive.blobs,
        blob_key(scope, instance),
        instance.transfer_syntax_uid,
        decode_header(encoded_header),
        table,
        scope.archive.settings.max_transcode_bytes,
    )
    shows_all = whole and media_type == GIF
    numbers = range(1, table.count + 1) if shows_all else [frame or 1]
    try:
        (content,) = scope.archive.codecs.in_order(
            [partial(draw, image, numbers, media_type, asked)]
        )
    except (NotAnImage, NotDecodable, NotRenderable, NoProfile) as error:
        raise NotAcceptable(f"The image cannot be rendered. {error}") from error
    return Answer(
        media_type, len(content), Body(iter((content,)), OpenedAhead(())), headers={"ETag": etag}
    )


def _find(scope: Scope, reference: Reference) -> Found:
    """The instance that stands for what is asked for.

    :raise NotFound: there is none.
    """
    index = scope.archive.index
    shown = representative(scope, reference)
    found = instances.with_header(index, shown) if shown else None
    if found:
        return found
    if reference.level < 3 and instances.version(index, reference):
        raise NotFound("There is nothing to be shown: no instance has pixel data.")
    raise not_found(reference)


def _web_format(
    scope: Scope, instance: StoredInstance, table: FrameTable | None, encoded_header: bytes
) -> WebFormat | None:
    """What is given out as it is stored."""
    if table:
        return video(scope, instance, table)
    return document(scope, instance, decode_header(encoded_header))


def _choose(acceptable: Sequence[str], on_offer: Sequence[str]) -> str:
    """The most welcome media type.

    :raise NotAcceptable: none is on offer.
    """
    for media_type in acceptable:
        if media_type in on_offer:
            return media_type
    raise NotAcceptable(
        f"Accept names nothing that is on offer for this instance. On offer: {', '.join(on_offer)}."
    )
