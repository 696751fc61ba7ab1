"""Ranks the rows that a reader may find: lexical and dense search, fused and reranked.

Works on rows of a snapshot and a reader's view; `HitBuilder` turns them into hits.
"""

import os
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import date
from enum import StrEnum

import numpy as np

from dunegpt.index.passage_text import make_context_line
from dunegpt.index.search import diversify
from dunegpt.index.search.code_symbols import find_definitions
from dunegpt.index.search.fusion import fuse_scores
from dunegpt.index.search.hits import RankedRows
from dunegpt.index.search.lookup import DocumentLookup, NamedDocuments
from dunegpt.index.search.priors import compute_prior
from dunegpt.index.search.reader_view import ReaderView
from dunegpt.index.search.rerank import Reranker
from dunegpt.index.snapshot.snapshot import Snapshot
from dunegpt.index.snapshot.vectors import Rows, Scores, Vectors, compute_cosines
from dunegpt.text.analyzer import find_symbols
from dunegpt.types import FoundBy

CANDIDATES = 200
"""Minimum number of rows that each search returns."""

_MAX_PRIORS = 50
_RERANK_OFFSET = 2.0
"""Added to reranked scores, to rank them above all others, which are at most 1."""


class Ranking(StrEnum):
    """The search that ranks."""

    LEXICAL = "lexical"
    DENSE = "dense"
    FUSED = "fused"


class Ranker:
    """Ranks the rows of one snapshot; safe to share between threads.

    Attributes:
        reranker: The cross-encoder that rescores the best passages, or None.
    """

    def __init__(self, snapshot: Snapshot, reranker: Reranker | None = None) -> None:
        self.reranker = reranker
        self._snapshot = snapshot
        # Its threads end when it is garbage-collected.
        self._executor = ThreadPoolExecutor(os.cpu_count(), "by-vector")

    def rank(
        self, question: str, view: ReaderView, ranking: Ranking, candidates: int
    ) -> RankedRows:
        """Return the best rows of the search, or of both searches fused, best first."""
        lexical, dense = self._snapshot.lexical, self._snapshot.dense
        found_by = FoundBy(ranking.value)
        if not view.rows.any():
            return RankedRows(np.empty(0, np.int64), np.empty(0, np.float32), found_by)
        if ranking is Ranking.LEXICAL:
            return RankedRows(
                *lexical.search(question, view.lexical_filter, candidates), found_by
            )
        if ranking is Ranking.DENSE:
            _, by_vector = self._search_by_vector(question, view, candidates)
            return RankedRows(*by_vector, found_by)
        # Run both searches at the same time: both release the GIL.
        dense_search = self._executor.submit(
            self._search_by_vector, question, view, candidates
        )
        try:
            by_words = lexical.search(question, view.lexical_filter, candidates)
        finally:
            wait([dense_search])
        vector, by_vector = dense_search.result()
        rows = np.union1d(by_words[0], by_vector[0])
        by_row = dict(zip(by_words[0].tolist(), by_words[1].tolist(), strict=True))
        if others := np.setdiff1d(rows, by_words[0]).tolist():
            by_row |= lexical.score_rows(question, view.lexical_filter, others)
        record = np.asarray(self._snapshot.row_record[rows], np.int64)
        scores = fuse_scores(
            np.array([by_row.get(row, 0.0) for row in rows.tolist()], np.float32),
            dense.score_rows(vector, rows),
            compute_cosines(self._snapshot.records[record], vector),
            record,
        )
        order = np.lexsort((rows, -scores))
        return RankedRows(rows[order], scores[order], found_by)

    def rank_named(
        self, question: str, named: NamedDocuments, view: ReaderView, ranking: Ranking
    ) -> RankedRows:
        """Return all rows of the named documents in turn, matching rows first.

        If the question asks nothing else, the rows keep the order of the document.

        Args:
            question: Question without typed filters.
            named: The documents that it names.
            view: View of the reader; it is narrowed to the named documents.
            ranking: The search that ranks.
        """
        view.restrict_to(list(named.numbers))
        ranked = self.rank(question, view, ranking, CANDIDATES)
        first = set(ranked.rows.tolist())
        every = (r for n in named.numbers for r in self._snapshot.store.get_rows(n))
        rest = [row for row in every if view.rows[row] and row not in first]
        rows = np.concatenate([ranked.rows, np.array(rest, np.int64)])
        scores = np.concatenate([ranked.scores, np.zeros(len(rest), np.float32)])
        positions = np.arange(len(rows)) if named.remaining_text else np.argsort(rows)
        order = diversify.interleave_documents(
            self._map_to_documents(rows), positions.tolist()
        )
        return RankedRows(rows[order], scores[order], FoundBy.ID)

    def arrange(
        self, question: str, found: RankedRows, lookup: DocumentLookup
    ) -> tuple[RankedRows, tuple[str, ...]]:
        """Return rows in display order, after reranking and priors, and notes."""
        keys = found.scores.copy()
        rescored, notes = self._rerank(question, found, lookup)
        keys[: len(rescored)] = _RERANK_OFFSET + np.array(rescored, np.float32)
        today = date.fromisoformat(self._snapshot.manifest["created_at"][:10])
        documents = self._map_to_documents(found.rows)
        statuses = self._snapshot.manifest["statuses"]
        facts = self._snapshot.documents[documents[:_MAX_PRIORS]]
        for position, fact in enumerate(facts):
            day = date.fromordinal(int(fact["day"])) if fact["day"] else None
            keys[position] += compute_prior(day, statuses[fact["status"]], today)
        for position in self._find_defining(question, found, lookup):
            keys[position] += 2 * _RERANK_OFFSET
        order = np.argsort(-keys, kind="stable")
        spread = diversify.spread_documents(
            [documents[position] for position in order], keys[order]
        )
        order = order[spread]
        reranked = frozenset(found.rows[: len(rescored)].tolist())
        rows, scores = found.rows[order], found.scores[order]
        return RankedRows(rows, scores, found.found_by, reranked), notes

    def _search_by_vector(
        self, question: str, view: ReaderView, candidates: int
    ) -> tuple[Vectors, tuple[Rows, Scores]]:
        """Return the question's vector, and the nearest rows with their scores."""
        vector = self._snapshot.encoder.embed_queries([question])[0]
        return vector, self._snapshot.dense.search(vector, view.rows, candidates)

    def _find_defining(
        self, question: str, found: RankedRows, lookup: DocumentLookup
    ) -> list[int]:
        """Return the positions of rows that define a code symbol of the question."""
        if not find_symbols(question):
            return []
        manifest = self._snapshot.manifest
        code_kinds = set(manifest.get("code_kinds", manifest["kinds"]))
        numbers = [n for n, kind in enumerate(manifest["kinds"]) if kind in code_kinds]
        first = found.rows[:CANDIDATES]
        kinds = self._snapshot.documents["kind"][self._snapshot.row_document[first]]
        positions = np.flatnonzero(np.isin(kinds, numbers))
        rows = first[positions].tolist()
        passages = self._snapshot.store.get_passages(rows)
        owners = {number for number, _ in passages.values()}
        documents = {s.number: s.document for s in lookup.get_documents(owners)}
        defining = find_definitions(question, rows, passages, documents)
        return [int(positions[n]) for n in defining]

    def _rerank(
        self, question: str, found: RankedRows, lookup: DocumentLookup
    ) -> tuple[list[float], tuple[str, ...]]:
        """Return the cross-encoder's scores of the first rows, and notes."""
        if self.reranker is None:
            return [], ()
        rows = found.rows[: self.reranker.passages].tolist()
        texts = []
        for row in rows:
            number, passage = self._snapshot.store.get_passage(row)
            [stored] = lookup.get_documents([number])
            line = make_context_line(stored.document.title, passage.heading)
            texts.append(f"{line}\n{passage.text}")
        scores = self.reranker.score(question, texts)
        if len(scores) == len(texts):
            return scores, ()
        note = (
            f"Only {len(scores)} of the {len(texts)} best passages were reranked in"
            f" {self.reranker.budget_ms:g} ms."
        )
        return scores, (note,)

    def _map_to_documents(self, rows: Rows) -> list[int]:
        return [int(number) for number in self._snapshot.row_document[rows]]
