"""Delete."""
