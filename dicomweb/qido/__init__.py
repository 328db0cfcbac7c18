"""Search (PS3.18 10.6)."""
