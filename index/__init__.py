"""The index: what is stored, in a portable SQL database."""
