"""Data partitions: HTTP in and out."""

from flask import Blueprint

bp = Blueprint("partitions", __name__)
