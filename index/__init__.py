"""Embedding of passages, snapshots, and search."""
