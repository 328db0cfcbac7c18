"""Retrieve Capabilities (PS3.18 8.9) and the OpenAPI description."""
