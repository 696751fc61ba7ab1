"""Snapshots: the immutable files that a server searches, their reader and writer."""
