"""Retrieve Capabilities (PS3.18 8.9): HTTP out."""

from flask import Response, current_app, request


def options() -> Response:
    """Answer OPTIONS: the methods that a resource has (RFC 9110 9.3.7).

    Only the route counts: whether the UIDs and the partition of a path are right, and whether
    anything is stored there, is not looked at.
    """
    methods = current_app.url_map.bind_to_environ(request.environ).allowed_methods()
    return Response(status=204, headers={"Allow": ", ".join(sorted(methods))})
