"""The WSGI entry point: ``gunicorn wsgi:application``, ``flask --app wsgi``."""

from app import create_app
from dicomweb.settings import load_settings

application = create_app(load_settings())
