"""Delete: HTTP in and out."""

from flask import Blueprint

bp = Blueprint("delete", __name__)
