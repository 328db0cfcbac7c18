"""Which instance stands for a study or a series when that is rendered.

Of a study it is one of its first series by Series Number, of a series the middle one by Instance
Number. Images come before documents; what has no number comes last, in the order it was stored.
"""

import math

import orjson

from dicomweb.header import decode_header
from dicomweb.items import Item
from dicomweb.urls import Scope
from index import instances
from index.instances import Reference, Shown, ShownSeries

SERIES_NUMBER = 0x00200011
INSTANCE_NUMBER = "00200013"


def representative(scope: Scope, reference: Reference) -> Reference | None:
    """The instance that stands for what the reference names: itself if that is an instance.

    None if there is nothing under the reference that could be shown.
    """
    series = _series(scope, reference)
    if series is None or series.level == 3:
        return series
    shown = instances.shown(scope.archive.index, series)
    shown = [one for one in shown if one.is_image] or shown
    if not shown:
        return None
    middle = sorted(shown, key=_instance_number)[len(shown) // 2]
    return Reference(
        reference.partition_id, reference.study, series.series, middle.sop_instance_uid
    )


def _series(scope: Scope, reference: Reference) -> Reference | None:
    if reference.level != 1:
        return reference
    shown = instances.shown_series(scope.archive.index, reference)
    if not shown:
        return None
    first = min(shown, key=lambda one: (not one.is_image, _series_number(one)))
    return Reference(reference.partition_id, reference.study, first.series_instance_uid)


def _series_number(series: ShownSeries) -> float:
    numbers = Item.top(decode_header(series.header)).numbers(SERIES_NUMBER, 1)
    return numbers[0] if numbers and math.isfinite(numbers[0]) else math.inf


def _instance_number(instance: Shown) -> float:
    element = orjson.loads(b"{%b}" % instance.attributes).get(INSTANCE_NUMBER, {})
    number = next(iter(element.get("Value", ())), None)
    return number if isinstance(number, int | float) else math.inf
