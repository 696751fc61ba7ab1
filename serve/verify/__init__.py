"""Verification: whether the cited passages support a sentence."""
