"""Encoders: embed passages in batches for the index, and queries one by one."""
