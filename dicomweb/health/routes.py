"""Health: HTTP in and out."""

from typing import Any

import orjson
from flask import Blueprint, Response, current_app

from dicomweb.health.check import Health
from dicomweb.media import JSON

bp = Blueprint("health", __name__)

WORDS = {True: "Healthy", False: "Unhealthy"}


@bp.record_once
def _make_health(state: Any) -> None:
    """Give each application its own."""
    state.app.extensions["gantry.health"] = Health(state.app.extensions["gantry"])


@bp.get("/health/check")
def check() -> Response:
    """Say whether the service can do its work."""
    details = current_app.extensions["gantry.health"].details()
    healthy = all(detail.healthy for detail in details)
    content = {
        "overallStatus": WORDS[healthy],
        "details": [
            {
                "name": detail.name,
                "status": WORDS[detail.healthy],
                "description": detail.description,
            }
            for detail in details
        ],
    }
    return Response(orjson.dumps(content), 200 if healthy else 503, content_type=JSON)
