"""Pixels: what a header says of them, decoding and encoding. Bytes and arrays, nothing else."""
