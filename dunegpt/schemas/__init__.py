"""Pydantic models of the JSON that the command line prints and receipts store."""
