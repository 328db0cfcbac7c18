"""Store (PS3.18 10.5): HTTP in and out."""

from flask import Blueprint

bp = Blueprint("stow", __name__)
