"""The messages sent to a model server, and how a truncated answer is recognized.

Does not import any client library, so whatever only names these types starts fast.
"""

from collections.abc import Sequence
from dataclasses import dataclass

Messages = Sequence[tuple[str, str]]
"""A prompt, as pairs of role and text."""

TRUNCATION_MARK = "\u2026"
"""Ends an answer that was cut off at ``max_tokens``."""


@dataclass(frozen=True, slots=True)
class YesNo:
    """What a model answers to a question for yes or no.

    Attributes:
        probability: Of yes, from 0 to 1; None if it said neither.
        has_logprobs: Whether the server gave probabilities; without them a yes counts
            for .9 and a no for .1.
        prompt_tokens: That the server read; 0 if it does not say.
        cached_tokens: Those of them that it had read before; None if it does not say.
    """

    probability: float | None
    has_logprobs: bool = False
    prompt_tokens: int = 0
    cached_tokens: int | None = None
