"""Retrieve (PS3.18 10.4)."""
