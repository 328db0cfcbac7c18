"""The WSGI entry point: ``gunicorn wsgi:application``; the ``flask`` command finds it by itself."""

import sys

from app import create_app
from dicomweb.settings import SettingsError, load_settings

try:
    application = create_app(load_settings())
except SettingsError as error:
    sys.exit(f"gantry: {error}")
