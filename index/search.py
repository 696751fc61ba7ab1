"""A question and who asks it, to hits: identifiers first, else words and vectors.

The reader's access and the filters hold inside both searches; nothing that the reader
may not open is counted, compared or named. A hidden id and an unknown one get the same
answer. A broken index raises; it never looks like "no hits".
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from dunegpt.errors import UsageError
from dunegpt.index.fuse import fused
from dunegpt.index.lexical import Rows, Scores
from dunegpt.index.names import SYSTEMS, Mention, mentions
from dunegpt.index.narrowing import Narrowing
from dunegpt.index.snapshot import Snapshot
from dunegpt.index.store import Stored
from dunegpt.index.view import Filters, View
from dunegpt.index.words import words
from dunegpt.types import Access, Document, FoundBy, Hit, parts_of_id

MAX_QUESTION = 4000
"""Characters of a question; an encoder reads about 1,000 of them."""

_CANDIDATES = 200
_NEARLY = 0.85


class Ranking(StrEnum):
    """Which search ranks."""

    LEXICAL = "lexical"
    DENSE = "dense"
    FUSED = "fused"


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search found.

    Attributes:
        hits: Best first.
        unknown: Names in the question that look like identifiers of documents, and
            name none that this reader may open.
        named: Ids of the documents that the question names.
        asked: The question without the names of documents that were found; empty if
            nothing else is asked.
    """

    hits: tuple[Hit, ...] = ()
    unknown: tuple[str, ...] = ()
    asked: str = ""
    named: tuple[str, ...] = ()


class Searcher:
    """Searches one snapshot for any reader.

    Attributes:
        narrowing: What the access overlay takes away from the snapshot.
    """

    def __init__(self, snapshot: Snapshot, narrowing: Narrowing | None = None) -> None:
        self.snapshot = snapshot
        self.narrowing = narrowing or Narrowing()

    def search(
        self,
        question: str,
        reader: Access,
        filters: Filters | None = None,
        k: int = 8,
        ranking: Ranking = Ranking.FUSED,
    ) -> SearchResult:
        """Return the best passages that a reader may open.

        Args:
            question: In words, or the name of a document.
            reader: The reader's principals; ``public`` is added.
            filters: Which documents to look in.
            k: At most so many hits.
            ranking: Which search ranks.

        Raises:
            UsageError: The question is empty or too long.
            IndexBrokenError: A part of the index cannot be read.
        """
        question = _checked(question)
        view = View(self.snapshot, self.narrowing, reader, filters)
        named, unknown, asked = self._named(question, view)
        if unknown and not named:
            return SearchResult(unknown=unknown, asked=asked)
        if named:
            view.restrict(named)
        rows, scores = self._ranked(question, view, ranking, max(k, _CANDIDATES))
        if named:
            rows, scores = self._all_of(named, rows, scores, view)
            order = self._in_turn(rows, in_order=not asked)
            rows, scores = rows[order], scores[order]
        found_by = FoundBy.ID if named else FoundBy(ranking.value)
        hits = self._hits(rows, scores, view, found_by, k)
        stored = self.snapshot.store.documents(named).values()
        return SearchResult(hits, unknown, asked, tuple(s.document.id for s in stored))

    def weights(self, text: str, reader: Access) -> dict[str, float]:
        """Return the weight of each word of a text, as a reader may know it."""
        view = View(self.snapshot, self.narrowing, reader)
        return self.snapshot.lexical.weights(text, view.clause)

    def close(self) -> None:
        """Release the snapshot."""
        self.snapshot.close()

    def find(self, name: str, reader: Access) -> list[tuple[Document, str]]:
        """Return the documents that go by a name, each with its newest version's id.

        Only what the reader may open is returned, and only such files, versions and
        parents are named in it. All versions come if the name says none.
        """
        view = View(self.snapshot, self.narrowing, reader)
        numbers = self.snapshot.store.named(name.strip())
        for mention in mentions(name) if not numbers else ():
            numbers += [
                number
                for called, version in mention.readings
                for number in self.snapshot.store.named(called)
                if version in {None, self._version(number)}
            ]
        stored = self.snapshot.store.documents(numbers).values()
        return [
            (self._as_seen(s, view), self._newest(s, view).document.id)
            for s in stored
            if view.may_see(s)
        ]

    def _version(self, number: int) -> int | None:
        stored = self.snapshot.store.documents([number])[number]
        return parts_of_id(stored.document.id)[2]

    def _as_seen(self, stored: Stored, view: View) -> Document:
        """Return a document without the files and names that a reader may not see."""
        store, document = self.snapshot.store, stored.document

        def visible(name: str) -> str:
            found = store.documents(store.named(name)).values() if name else ()
            return name if any(map(view.may_see, found)) else ""

        return replace(
            view.as_narrowed(stored),
            supersedes=visible(document.supersedes),
            parent=visible(document.parent),
        )

    def _named(
        self, question: str, view: View
    ) -> tuple[list[int], tuple[str, ...], str]:
        """Return documents that a question names, names of none, and what else it asks.

        What else it asks is empty if that has no word that could be searched.
        """
        found: list[int] = []
        unknown: list[str] = []
        asked = question
        for mention in mentions(question):
            numbers = self._documents_called(mention, view)
            if numbers:
                found += numbers
                asked = asked.replace(mention.text, " ")
            elif mention.series and self._is_series(mention, view):
                unknown.append(mention.text)
        searchable = asked if words(asked) else ""
        return list(dict.fromkeys(found)), tuple(dict.fromkeys(unknown)), searchable

    def _documents_called(self, mention: Mention, view: View) -> list[int]:
        for name, version in mention.readings:
            numbers = self.snapshot.store.named(name)
            stored = self.snapshot.store.documents(numbers).values()
            visible = [s for s in stored if view.may_see(s)]
            versions = {s.number: parts_of_id(s.document.id)[2] or 0 for s in visible}
            if version is None and versions:
                version = max(versions.values())  # noqa: PLW2901
            found = [number for number, own in versions.items() if own == version]
            if found:
                return found
        return []

    def _is_series(self, mention: Mention, view: View) -> bool:
        """Return whether documents are numbered in this way, as the reader may see."""
        if mention.series in SYSTEMS:
            return True
        alike = self.snapshot.store.series(mention.series)
        return any(map(view.may_see, self.snapshot.store.documents(alike).values()))

    def _ranked(
        self, question: str, view: View, ranking: Ranking, candidates: int
    ) -> tuple[Rows, Scores]:
        """Return rows and scores, best first: the best of each part, joined."""
        lexical, dense = self.snapshot.lexical, self.snapshot.dense
        nothing = np.empty(0, np.int64), np.empty(0, np.float32)
        by_words = by_vector = nothing
        if not view.rows.any():
            return nothing
        if ranking is not Ranking.DENSE:
            by_words = lexical.search(question, view.clause, candidates)
        if ranking is Ranking.LEXICAL:
            return by_words
        vector = self.snapshot.encoder.queries([question])[0]
        by_vector = dense.search(vector, view.rows, candidates)
        if ranking is Ranking.DENSE:
            return by_vector
        rows = np.union1d(by_words[0], by_vector[0])
        by_row = (
            lexical.scores(question, view.clause, rows.tolist()) if len(rows) else {}
        )
        record = np.asarray(self.snapshot.row_record[rows], np.int64)
        scores = fused(
            np.array([by_row.get(row, 0.0) for row in rows.tolist()], np.float32),
            dense.scores(vector, rows),
            np.asarray(self.snapshot.records[record] @ vector, np.float32),
            record,
        )
        order = np.lexsort((rows, -scores))
        return rows[order], scores[order]

    def _all_of(
        self, named: list[int], rows: Rows, scores: Scores, view: View
    ) -> tuple[Rows, Scores]:
        """Return the ranked rows of named documents, then their others in order."""
        every = [row for number in named for row in self.snapshot.store.rows_of(number)]
        ranked = set(rows.tolist())
        rest = [row for row in every if view.rows[row] and row not in ranked]
        zeros = np.zeros(len(rest), np.float32)
        found = np.concatenate([rows, np.array(rest, np.int64)])
        return found, np.concatenate([scores, zeros])

    def _in_turn(self, rows: Rows, *, in_order: bool) -> Rows:
        """Return an order in which several documents take turns, best first each.

        Args:
            rows: Best first.
            in_order: Take the rows of a document as they stand in it, instead.
        """
        places = np.argsort(rows) if in_order else np.arange(len(rows))
        seen: Counter[int] = Counter()
        turns = []
        for place in places.tolist():
            document = int(self.snapshot.row_document[rows[place]])
            turns.append(seen[document])
            seen[document] += 1
        return np.asarray(places[np.argsort(turns, kind="stable")], np.int64)

    def _hits(
        self, rows: Rows, scores: Scores, view: View, found_by: FoundBy, k: int
    ) -> tuple[Hit, ...]:
        """Return the first k hits, equal texts and outdated versions folded."""
        hits: list[Hit] = []
        texts: set[str] = set()
        chosen = list(zip(rows.tolist(), scores.tolist(), strict=True))
        newest_scores = self._newest_scores(chosen, folds=found_by is not FoundBy.ID)
        for row, score in chosen:
            if len(hits) == k:
                break
            if not view.rows[row]:
                continue
            number, passage = self.snapshot.store.passages([row])[row]
            stored = self.snapshot.store.documents([number])[number]
            newest = self._newest(stored, view)
            is_old = newest.number != number
            if is_old and score * _NEARLY <= newest_scores.get(newest.number, -1.0):
                continue
            if passage.text in texts:
                continue
            texts.add(passage.text)
            rank = len(hits) + 1
            seen = self._as_seen(stored, view)
            newer = newest.document.id if is_old else ""
            hits.append(Hit(row, passage, seen, score, rank, found_by, newer))
        return tuple(hits)

    def _newest_scores(
        self, chosen: Sequence[tuple[int, float]], *, folds: bool
    ) -> dict[int, float]:
        """Return the best score of each document among the candidates."""
        best: dict[int, float] = {}
        for row, score in chosen if folds else ():
            number = int(self.snapshot.row_document[row])
            best[number] = max(score, best.get(number, -1.0))
        return best

    def _newest(self, stored: Stored, view: View) -> Stored:
        """Return the newest version of a document that the reader may see."""
        newest, step, seen = stored, stored, {stored.number}
        while step.superseded_by is not None and step.superseded_by not in seen:
            seen.add(step.superseded_by)
            found = self.snapshot.store.documents([step.superseded_by])
            step = found[step.superseded_by]
            if view.may_see(step):
                newest = step
        return newest


def _checked(question: str) -> str:
    question = question.strip()
    if not question:
        raise UsageError("The question is empty.", hint='dunegpt ask "Why ...?"')
    if len(question) > MAX_QUESTION:
        raise UsageError(
            f"The question has {len(question):,} characters;"
            f" at most {MAX_QUESTION:,} are read.",
            hint="Ask for one thing in a few sentences.",
        )
    return question
