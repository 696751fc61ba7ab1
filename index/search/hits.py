"""Turns ranked rows into hits: drops old versions and near-duplicates.

Uses only what the reader may see: the newest version is the newest one that they may
open, and a hidden document is never listed as a duplicate.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from dunegpt.errors import IndexBrokenError
from dunegpt.index.search.duplicates import SeenTexts
from dunegpt.index.search.lookup import DocumentLookup
from dunegpt.index.search.reader_view import ReaderView
from dunegpt.index.snapshot.document_store import StoredDocument
from dunegpt.index.snapshot.snapshot import Snapshot
from dunegpt.index.snapshot.vectors import Rows, Scores
from dunegpt.types import FoundBy, Hit, Passage

_MIN_OLD_VERSION_RATIO = 0.85
"""An old version is shown only if the newest one scores less than this share of it."""

_MIN_SCANNED = 16
"""Rows that are checked for duplicates of the hits, at least."""


@dataclass(frozen=True, slots=True)
class RankedRows:
    """Rows in the order in which they are shown.

    Attributes:
        rows: Row numbers, best first.
        scores: Scores of the rows; not necessarily descending.
        found_by: How the rows were found, except the reranked ones.
        reranked: Rows that were rescored by a cross-encoder.
    """

    rows: Rows
    scores: Scores
    found_by: FoundBy
    reranked: frozenset[int] = field(default_factory=frozenset)

    def get_found_by(self, row: int) -> FoundBy:
        """Return how a row was found."""
        return FoundBy.RERANKED if row in self.reranked else self.found_by


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The result of a search.

    Attributes:
        hits: The hits, best first.
        unknown: Names in the question that look like document identifiers, but name no
            document that the reader may open.
        asked: The question without the names of documents that were found; empty if
            nothing else is asked.
        named: Ids of the documents that the question names.
        question: The question without its typed filters; empty if it has only those.
        notes: Messages for the reader about how the search was done.
    """

    hits: tuple[Hit, ...] = ()
    unknown: tuple[str, ...] = ()
    asked: str = ""
    named: tuple[str, ...] = ()
    question: str = ""
    notes: tuple[str, ...] = ()


class HitBuilder:
    """Builds the hits of one search."""

    def __init__(
        self, snapshot: Snapshot, view: ReaderView, lookup: DocumentLookup
    ) -> None:
        self._snapshot = snapshot
        self._view = view
        self._lookup = lookup
        self._hits: list[Hit] = []
        self._seen_texts = SeenTexts()
        self._shown_passages: set[tuple[int, str]] = set()

    def build(self, found: RankedRows, k: int) -> tuple[Hit, ...]:
        """Return the first k hits.

        For documents that the question names, only repeated passages of one document
        are dropped. Otherwise near-duplicates are dropped across documents, and listed
        in `Hit.also_in` of the hit that is kept.
        """
        is_named = found.found_by is FoundBy.ID
        newest_scores = {} if is_named else self._collect_best_scores(found)
        last = max(k * 2, _MIN_SCANNED)
        for position, row in enumerate(found.rows.tolist()):
            full = len(self._hits) == k
            if full and (is_named or position >= last):
                break
            if not self._view.rows[row]:
                continue
            number, passage = self._snapshot.store.get_passage(row)
            if number != int(self._snapshot.row_document[row]):
                raise IndexBrokenError(f"Row {row} belongs to two documents.")
            [stored] = self._lookup.get_documents([number])
            score = float(found.scores[position])
            newest = self._lookup.find_newest(stored)
            is_old = newest.number != number
            if is_old and score * _MIN_OLD_VERSION_RATIO <= newest_scores.get(
                newest.number, -1.0
            ):
                continue
            if self._is_duplicate(passage, stored, is_named=is_named) or full:
                continue
            self._hits.append(
                Hit(
                    row,
                    passage,
                    self._lookup.redact_document(stored),
                    score,
                    len(self._hits) + 1,
                    found.get_found_by(row),
                    newest.document.id if is_old else "",
                    newest.document.date if is_old else None,
                )
            )
            if not is_named:
                self._seen_texts.add(passage.text)
        return tuple(self._hits)

    def _is_duplicate(
        self, passage: Passage, stored: StoredDocument, *, is_named: bool
    ) -> bool:
        """Return whether a hit has the same text; list the document there if so."""
        if is_named:
            key = (stored.number, passage.text)
            is_shown = key in self._shown_passages
            self._shown_passages.add(key)
            return is_shown
        number = self._seen_texts.find(passage.text)
        if number is None:
            return False
        hit, other_id = self._hits[number], stored.document.id
        if other_id != hit.document.id and other_id not in hit.also_in:
            self._hits[number] = replace(hit, also_in=(*hit.also_in, other_id))
        return True

    def _collect_best_scores(self, found: RankedRows) -> dict[int, float]:
        """Return the best score of each document among the rows."""
        best: dict[int, float] = {}
        for row, score in zip(found.rows.tolist(), found.scores.tolist(), strict=True):
            number = int(self._snapshot.row_document[row])
            best[number] = max(score, best.get(number, -1.0))
        return best


def find_first_rows(
    snapshot: Snapshot, view: ReaderView, documents: Sequence[int]
) -> list[int]:
    """Return the first visible row of each document that has one, in order."""
    first = []
    for number in documents:
        rows = snapshot.store.get_rows(number)
        first += [row for row in rows if view.rows[row]][:1]
    return first
