"""Diversifies a ranking, so that no single document fills the top of the list.

Works on scores and document numbers; does not depend on the index or on access.
"""

from collections import Counter, deque
from collections.abc import Sequence

import numpy as np

from dunegpt.index.snapshot.vectors import Rows, Scores

MAX_CONSECUTIVE = 3
"""Passages of one document in a row before others with a near score come first."""

NEAR_SCORE = 0.05
"""Scores are near each other if they differ by less."""


def spread_documents(documents: Sequence[int], scores: Scores) -> Rows:
    """Return an order of passages that mixes documents with near scores.

    After `MAX_CONSECUTIVE` passages of a document, its further ones are held back while
    other documents score within `NEAR_SCORE` of them. The ranking of documents by their
    first passage does not change.

    Args:
        documents: Document number of each passage, best passage first.
        scores: Scores in the same order, descending.

    Returns:
        Positions in the given order.
    """
    order: list[int] = []
    waiting: deque[int] = deque()
    taken: Counter[int] = Counter()
    for position, document in enumerate(documents):
        while waiting and scores[waiting[0]] > scores[position] + NEAR_SCORE:
            order.append(waiting.popleft())
        if taken[document] >= MAX_CONSECUTIVE:
            waiting.append(position)
            continue
        taken[document] += 1
        order.append(position)
    return np.array([*order, *waiting], np.int64)


def interleave_documents(documents: Sequence[int], places: Sequence[int]) -> Rows:
    """Return the positions reordered so that documents take turns, one passage each."""
    seen: Counter[int] = Counter()
    turns = []
    for position in places:
        turns.append(seen[documents[position]])
        seen[documents[position]] += 1
    return np.asarray(np.array(places)[np.argsort(turns, kind="stable")], np.int64)
