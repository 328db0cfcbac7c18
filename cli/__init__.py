"""The maintenance commands of ``flask``."""
