"""External metadata in a search: private attributes of studies that came beside the files.

They are searched by and answered only if the request says so.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace

from dicomweb.errors import BadRequest
from dicomweb.external import External, can_be_external
from dicomweb.qido import parameters
from dicomweb.qido.members import Members, tag_name
from dicomweb.qido.parameters import Parameters, filter_values
from dicomweb.qido.values import ask
from dicomweb.query import Pairs, first_value, known_tag
from dicomweb.urls import Scope
from index.database import Index
from index.external import external_condition, external_of_studies, external_vrs
from index.matching import Condition
from index.search import Level


def parse(scope: Scope, pairs: Pairs, level: Level, within: int) -> Parameters:
    """Check a query in which private attributes are those of external metadata.

    :raise BadRequest: as :func:`dicomweb.qido.parameters.parse`.
    """
    wildcards = scope.archive.settings.qido_wildcards
    ours = [pair for pair in pairs if _is_ours(pair[0])]
    others = [pair for pair in pairs if not _is_ours(pair[0])]
    query = parameters.parse(others, level, within, wildcards=wildcards)
    if ours and within:
        raise BadRequest(
            f"Invalid query: attribute '{ours[0][0]}' is not queryable here. External metadata are "
            "of studies, of which the path names one."
        )
    fuzzy = (first_value(pairs, "fuzzymatching") or "").strip().lower() == "true"
    values = filter_values(ours, lambda name: int(name, 16), lambda _: False)
    conditions = tuple(
        ("study_id", _condition(scope, tag, value, fuzzy=fuzzy, wildcards=wildcards))
        for tag, value in values.items()
    )
    return replace(
        query,
        conditions=query.conditions + conditions,
        external=frozenset(filter(can_be_external, query.include)).union(values),
    )


def _is_ours(name: str) -> bool:
    tag = known_tag(name)
    return tag is not None and can_be_external(tag)


def _condition(scope: Scope, tag: int, value: str, *, fuzzy: bool, wildcards: bool) -> Condition:
    """What is asked of numbers of studies.

    :raise BadRequest: the value fits no VR with which a study has the attribute.
    """
    asked, wrong = [], None
    for vr in external_vrs(scope.archive.index, scope.partition_id, tag):
        try:
            one = ask(f"{tag:08X}", vr, value, fuzzy=fuzzy, wildcards=wildcards)
        except BadRequest as error:
            wrong = error
            continue
        asked.append((vr, "words" if one.of_words else "value", one.condition))
    if wrong and not asked:
        raise wrong
    return external_condition(scope.partition_id, tag, asked)


def of_studies(
    index: Index, numbers: Sequence[int], tags: Collection[int], creator: str
) -> dict[int, External]:
    """What is to be added to the answers about studies, by the numbers of the studies.

    :param creator: value of the Private Creators.
    """
    found: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
    for study, tag, element in external_of_studies(index, numbers, tags):
        found[study].append((tag, element))
    return {study: External.of(elements, creator) for study, elements in found.items()}


def add(found: Members, external: External) -> set[bytes]:
    """Add external metadata to the members of an answer, whose own Private Creators stay.

    :return: the names of what is to be answered of them.
    """
    for tag, member in external.creators.items():
        found.setdefault(tag_name(tag), member)
    for tag, member in external.elements.items():
        found[tag_name(tag)] = member
    return {tag_name(tag) for tag in (*external.creators, *external.elements)}
