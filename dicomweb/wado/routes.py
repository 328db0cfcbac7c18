"""Retrieve (PS3.18 10.4): HTTP in and out."""

from flask import Blueprint

bp = Blueprint("wado", __name__)
