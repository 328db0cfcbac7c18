"""Search (PS3.18 10.6): HTTP in and out."""

from flask import Blueprint

bp = Blueprint("qido", __name__)
