"""Change feed."""
