"""Health: HTTP in and out."""

from flask import Blueprint

bp = Blueprint("health", __name__)
