"""Ranked rows to hits: old versions fold under the newest, and nothing is said twice.

All within what one reader may see: the newest version is the newest that they may
open, and no hidden document is named as saying the same. Ranks nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from dunegpt.index.diversity import Said
from dunegpt.index.lexical import Rows, Scores
from dunegpt.index.router import Router
from dunegpt.index.snapshot import Snapshot
from dunegpt.index.store import Stored
from dunegpt.index.view import View
from dunegpt.types import FoundBy, Hit, Passage

_NEARLY = 0.85
"""An old version is shown beside the newest if that scores less than this share."""

_LOOK_ON = 16


@dataclass(frozen=True, slots=True)
class Found:
    """Rows in the order in which they are to be shown.

    Attributes:
        scores: Of the rows; they need not fall.
        found_by: How all rows were found but those that were read once more.
        reranked: Rows that a cross-encoder has read.
    """

    rows: Rows
    scores: Scores
    found_by: FoundBy
    reranked: frozenset[int] = field(default_factory=frozenset)

    def way(self, row: int) -> FoundBy:
        """Return how a row was found."""
        return FoundBy.RERANKED if row in self.reranked else self.found_by


class Shown:
    """Makes the hits of one search."""

    def __init__(self, snapshot: Snapshot, view: View, router: Router) -> None:
        self._snapshot = snapshot
        self._view = view
        self._router = router
        self._hits: list[Hit] = []
        self._said = Said()
        self._texts: set[tuple[int, str]] = set()

    def hits(self, found: Found, k: int) -> tuple[Hit, ...]:
        """Return the first k hits.

        Of a document that the question names, each passage is shown once; of all
        others, what is said twice is shown once, and the first hit lists the rest.
        """
        is_named = found.found_by is FoundBy.ID
        newest_scores = {} if is_named else self._best_scores(found)
        last = max(k * 2, _LOOK_ON)
        for position, row in enumerate(found.rows.tolist()):
            full = len(self._hits) == k
            if full and (is_named or position >= last):
                break
            if not self._view.rows[row]:
                continue
            number, passage = self._snapshot.store.passages([row])[row]
            [stored] = self._router.documents([number])
            score = float(found.scores[position])
            newest = self._router.newest(stored)
            is_old = newest.number != number
            if is_old and score * _NEARLY <= newest_scores.get(newest.number, -1.0):
                continue
            if self._is_said(passage, stored, is_named=is_named) or full:
                continue
            self._hits.append(
                Hit(
                    row,
                    passage,
                    self._router.as_seen(stored),
                    score,
                    len(self._hits) + 1,
                    found.way(row),
                    newest.document.id if is_old else "",
                    newest.document.date if is_old else None,
                )
            )
            if not is_named:
                self._said.add(passage.text)
        return tuple(self._hits)

    def _is_said(self, passage: Passage, stored: Stored, *, is_named: bool) -> bool:
        """Return whether a hit says the same; it then lists the passage's document."""
        if is_named:
            key = (stored.number, passage.text)
            was_said = key in self._texts
            self._texts.add(key)
            return was_said
        number = self._said.find(passage.text)
        if number is None:
            return False
        hit, own = self._hits[number], stored.document.id
        if own != hit.document.id and own not in hit.also_in:
            self._hits[number] = replace(hit, also_in=(*hit.also_in, own))
        return True

    def _best_scores(self, found: Found) -> dict[int, float]:
        """Return the best score of each document among the rows."""
        best: dict[int, float] = {}
        for row, score in zip(found.rows.tolist(), found.scores.tolist(), strict=True):
            number = int(self._snapshot.row_document[row])
            best[number] = max(score, best.get(number, -1.0))
        return best


def first_rows(snapshot: Snapshot, view: View, documents: Sequence[int]) -> list[int]:
    """Return the first row of each document that has any to be seen, in their order."""
    first = []
    for number in documents:
        rows = snapshot.store.rows_of(number)
        first += [row for row in rows if view.rows[row]][:1]
    return first
