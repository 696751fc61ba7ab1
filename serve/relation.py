"""Whether a source says a number of what the sentence says it of.

The number must stand near some of the sentence's other words: within three sentences
of the source. Knows words, not grammar: two things that stand together can still be
exchanged.
"""

from collections.abc import Sequence
from functools import lru_cache

from dunegpt.index.words import words
from dunegpt.serve.quantities import Quantity, backs, quantities

LEAST_SHARED = 0.2
"""Of the sentence's words beside its numbers, in the best place of the number."""
_RUN = 3
_LEAST_WORDS = 3


def misplaced(sentence: str, parts: Sequence[Sequence[str]], about: str) -> str:
    """Return the first number that the source says of something else; empty if none.

    Args:
        sentence: What is checked; its numbers stand somewhere in the source.
        parts: The sentences of each passage.
        about: Titles and headings above them, which all are about.
    """
    runs = [" ".join(own[n : n + _RUN]) for own in parts for n in range(len(own))]
    own = quantities(sentence)
    bare = sentence
    for quantity in own:
        bare = bare.replace(quantity.text, " ")
    frame = set(words(bare))
    if len(frame) < _LEAST_WORDS:
        return ""
    known = frozenset(words(about))
    for quantity in own:
        places = [part for part in runs if _has(part, quantity)]
        shared = [len(frame & (_words(part) | known)) for part in places]
        if shared and max(shared) < LEAST_SHARED * len(frame):
            return quantity.text
    return ""


def _has(part: str, quantity: Quantity) -> bool:
    return any(backs(quantity, other, part) for other in _quantities(part))


@lru_cache(maxsize=4096)
def _quantities(part: str) -> tuple[Quantity, ...]:
    return tuple(quantities(part))


@lru_cache(maxsize=4096)
def _words(part: str) -> frozenset[str]:
    return frozenset(words(part))
