"""Receipts: records of how answers were made, stored, replayed and counted."""
