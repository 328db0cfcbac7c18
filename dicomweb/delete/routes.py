"""Delete: HTTP in and out."""

from functools import partial

from flask import Blueprint, Response

from dicomweb.errors import NotFound
from dicomweb.urls import Scope
from index.delete import delete_instances
from storage.keys import instance_key

bp = Blueprint("delete", __name__)

LEVELS = {1: "study", 2: "series", 3: "instance"}


@bp.delete("/studies/<uid:study>")
@bp.delete("/studies/<uid:study>/series/<uid:series>")
@bp.delete("/studies/<uid:study>/series/<uid:series>/instances/<uid:instance>")
def delete(
    scope: Scope, study: str, series: str | None = None, instance: str | None = None
) -> Response:
    """Delete a study, a series or an instance."""
    reference = scope.reference(study, series, instance)
    blob_key = partial(instance_key, scope.partition_name)
    if not delete_instances(scope.archive.index, reference, blob_key):
        raise NotFound(f"The specified {LEVELS[reference.level]} cannot be found.")
    return Response(status=204)
