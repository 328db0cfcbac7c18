"""Numbered, forward-only changes of the schema; each module holds ``STATEMENTS``."""
