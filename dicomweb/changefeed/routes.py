"""Change feed: HTTP in and out."""

from flask import Blueprint

bp = Blueprint("changefeed", __name__)
