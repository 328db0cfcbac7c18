"""Blobs: Part 10 files under predictable keys, in a folder or an S3-compatible bucket."""
