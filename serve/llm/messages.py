"""What a model server is sent and what marks a truncated answer.

Does not import any client library, so whatever only names these types starts fast.
"""

from collections.abc import Sequence

Messages = Sequence[tuple[str, str]]
"""A prompt, as pairs of role and text."""

TRUNCATION_MARK = "\u2026"
"""Ends an answer that was cut off at ``max_tokens``."""
