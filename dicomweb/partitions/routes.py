"""Data partitions: HTTP in and out."""

import orjson
from flask import Blueprint, Response

from dicomweb.media import JSON
from dicomweb.timestamps import iso_utc
from dicomweb.urls import Scope, require_partitions

bp = Blueprint("partitions", __name__)


@bp.get("/partitions")
def list_partitions(scope: Scope) -> Response:
    """List the partitions, oldest first."""
    require_partitions(scope.archive)
    entries = [
        {
            "partitionKey": partition.id,
            "partitionName": partition.name,
            "createdDate": iso_utc(partition.created_us),
        }
        for partition in scope.archive.partitions.list()
    ]
    return Response(orjson.dumps(entries), content_type=JSON)
