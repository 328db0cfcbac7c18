"""Data partitions."""
