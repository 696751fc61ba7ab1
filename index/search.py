"""A question and who asks it, to hits: identifiers first, else words and vectors.

The reader's access and the filters, typed ones too, hold inside both searches; nothing
that the reader may not open is counted, compared or named. A hidden id and an unknown
one get the same answer, and so do hidden and unknown sources. A broken index raises;
it never looks like "no hits".
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

import numpy as np

from dunegpt.errors import UsageError
from dunegpt.index import diversity
from dunegpt.index.definitions import definitions
from dunegpt.index.facets import Facets
from dunegpt.index.fuse import fused
from dunegpt.index.narrowing import Narrowing
from dunegpt.index.priors import prior
from dunegpt.index.query import parsed
from dunegpt.index.related import Related
from dunegpt.index.rerank import Reranker
from dunegpt.index.router import Named, Router
from dunegpt.index.shown import Found, Shown, first_rows
from dunegpt.index.snapshot import Snapshot
from dunegpt.index.texts import context
from dunegpt.index.vectors import Mask, Rows, Scores, Vectors
from dunegpt.index.view import Filters, View
from dunegpt.index.words import symbols, words
from dunegpt.types import Access, Cited, Citing, Document, FoundBy, Hit

MAX_QUESTION = 4000
"""Characters of a question; an encoder reads about 1,000 of them."""

_CANDIDATES = 200
_PRIORS = 50
_ABOVE = 2.0
"""What was read once more stands above all that was not: scores are at most 1."""


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
        question: The question without its typed filters; empty if it has only those.
        notes: What the reader should know of how it was searched.
    """

    hits: tuple[Hit, ...] = ()
    unknown: tuple[str, ...] = ()
    asked: str = ""
    named: tuple[str, ...] = ()
    question: str = ""
    notes: tuple[str, ...] = ()


class Searcher:
    """Searches one snapshot for any reader.

    Attributes:
        narrowing: What the access overlay takes away from the snapshot.
        reranker: Reads the best passages once more; None for none.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        narrowing: Narrowing | None = None,
        reranker: Reranker | None = None,
    ) -> None:
        self.snapshot = snapshot
        self.narrowing = narrowing or Narrowing()
        self.reranker = reranker
        # Its threads end when nobody holds it any more.
        self._beside = ThreadPoolExecutor(os.cpu_count(), "by-vector")

    def search(
        self,
        question: str,
        reader: Access,
        filters: Filters | Sequence[Filters] | None = None,
        k: int = 8,
        ranking: Ranking = Ranking.FUSED,
    ) -> SearchResult:
        """Return the best passages that a reader may open.

        Args:
            question: In words, or the name of a document; with typed filters, which
                narrow the others further. With filters alone, the newest documents
                that pass come, each by its first passage.
            reader: The reader's principals; ``public`` is added.
            filters: Which documents to look in; of several, all must hold.
            k: At most so many hits.
            ranking: Which search ranks.

        Raises:
            UsageError: The question is empty or too long, or a filter has a value that
                means nothing.
            IndexBrokenError: A part of the index cannot be read.
        """
        query = parsed(_checked(question))
        view, router = self._for(reader)
        given = [filters] if isinstance(filters, Filters) else list(filters or ())
        wanted = [self._resolved(o, view, router) for o in (*given, query.filters)]
        unknown = tuple(name for _, names in wanted for name in names)
        if unknown:
            return SearchResult(unknown=unknown, asked=query.text, question=query.text)
        passing = [view.apply(own) for own, _ in wanted]
        shown = Shown(self.snapshot, view, router)
        if not query.text:
            found = self._listed(passing[-1] or [], view, max(k, _CANDIDATES))
            return SearchResult(shown.hits(found, k))
        named = router.read(query.text)
        result = SearchResult(
            unknown=named.unknown, asked=named.asked, question=query.text
        )
        if named.numbers:
            ids = [s.document.id for s in router.documents(named.numbers)]
            found = self._of_named(query.text, named, view, ranking)
            return replace(result, hits=shown.hits(found, k), named=tuple(ids))
        if named.unknown:
            return result
        found = self._ranked(query.text, view, ranking, max(k, _CANDIDATES))
        notes: tuple[str, ...] = ()
        if ranking is Ranking.FUSED:
            found, notes = self._arranged(query.text, found, router)
        return replace(result, hits=shown.hits(found, k), notes=notes)

    def weights(self, text: str, reader: Access) -> dict[str, float]:
        """Return the weight of each word of a text, as a reader may know it."""
        view = View(self.snapshot, self.narrowing, reader)
        return self.snapshot.lexical.weights(text, view.clause)

    def facets(self, reader: Access) -> Facets:
        """Return which authors, sources, kinds and statuses a reader may find."""
        return Facets(self.snapshot, View(self.snapshot, self.narrowing, reader))

    def names_documents(self, question: str, reader: Access) -> bool:
        """Return whether a question names documents, known ones or unknown ones.

        Raises:
            UsageError: The question is empty or too long, or a filter means nothing.
        """
        _, router = self._for(reader)
        named = router.read(parsed(_checked(question)).text)
        return bool(named.numbers or named.unknown)

    def leaves_any(self, reader: Access, *filters: Filters) -> bool:
        """Return whether a reader may find any passage that passes all filters.

        Raises:
            UsageError: A source is not among those that the reader may see.
        """
        view, router = self._for(reader)
        for given in filters:
            own, unknown = self._resolved(given, view, router)
            if unknown:
                return False
            view.apply(own)
        return bool(view.rows.any())

    def newest_with_all(self, text: str, reader: Access, kind: str) -> Hit | None:
        """Return the newest passage of one kind of document that has all words.

        Returns: Of equal days the one whose title, which may end with a time, or else
            whose id is last; None if no passage has all words, synonyms not counted.

        Raises:
            IndexBrokenError: A part of the index cannot be read.
        """
        view, router = self._for(reader)
        view.apply(Filters(kinds=(kind,)))
        wanted = set(words(text))
        if not wanted or not view.rows.any():
            return None
        rows = self.snapshot.lexical.newest_with_all(text, view.clause, _CANDIDATES)
        best: tuple[str, Hit] | None = None
        for row in rows:
            number, passage = self.snapshot.store.passages([row])[row]
            [stored] = router.documents([number])
            document = router.as_seen(stored)
            day = str(document.date or "")
            if best and day < best[0][: len(day)]:
                break
            own = f"{context(document.title, passage.heading)}\n{passage.text}"
            if not view.rows[row] or not wanted <= set(words(own)):
                continue
            key = f"{day} {document.title[-18:]} {document.id:>40}"
            if best is None or key > best[0]:
                hit = Hit(row, passage, document, 1.0, 1, FoundBy.LEXICAL)
                best = key, hit
        return best[1] if best else None

    def close(self) -> None:
        """Release the snapshot."""
        self.snapshot.close()

    def find(self, name: str, reader: Access) -> list[tuple[Document, str]]:
        """Return the documents that go by a name, each with its newest version's id.

        Only what the reader may open is returned, and only such files, versions and
        parents are named in it. All versions come if the name says none.
        """
        _, router = self._for(reader)
        return [
            (router.as_seen(stored), router.newest(stored).document.id)
            for stored in router.every(name)
        ]

    def related(
        self, document_id: str, reader: Access
    ) -> tuple[list[Cited], list[Citing]]:
        """Return what a document cites and what cites it, as far as a reader may see.

        Both are empty for a document that the reader may not open.
        """
        view, router = self._for(reader)
        related = Related(self.snapshot, view, router)
        for stored in router.every(document_id):
            if stored.document.id == document_id:
                return related.cites(stored), related.cited_by(stored)
        return [], []

    def _for(self, reader: Access) -> tuple[View, Router]:
        view = View(self.snapshot, self.narrowing, reader)
        return view, Router(self.snapshot.store, view)

    def _resolved(
        self, filters: Filters, view: View, router: Router
    ) -> tuple[Filters, list[str]]:
        """Return filters with full names and ids, and names of no document.

        Raises:
            UsageError: A source is not among those that the reader may see.
        """
        sources = self._sources(filters.sources, view) if filters.sources else ()
        ids: list[str] = []
        unknown = []
        for name in filters.documents:
            numbers = router.called(name)
            ids += [s.document.id for s in router.documents(numbers)]
            unknown += [] if numbers else [name]
        return replace(filters, sources=tuple(sources), documents=tuple(ids)), unknown

    def _sources(self, asked: tuple[str, ...], view: View) -> list[str]:
        """Return the sources that the reader may see of which names were given.

        A name without what follows its first dots is enough: ``indico``.
        """
        names = self.snapshot.manifest["sources"]
        visible = self.snapshot.documents["source"][self._with_rows(view)]
        known = sorted(names[number] for number in np.unique(visible).tolist())
        found: list[str] = []
        for name in asked:
            fold = name.casefold()
            equal = [own for own in known if own.casefold() == fold]
            own = equal or [o for o in known if o.casefold().startswith(f"{fold}.")]
            if not own:
                there = f"there are: {', '.join(known)}" if known else "there is none"
                raise UsageError(f"No source is called {name!r}; {there}.")
            found += own
        return found

    def _listed(self, documents: list[int], view: View, most: int) -> Found:
        """Return the first row of each of the first documents that has any."""
        inside = self._with_rows(view)
        numbers = [number for number in documents if inside[number]]
        rows = np.array(first_rows(self.snapshot, view, numbers[:most]), np.int64)
        return Found(rows, np.zeros(len(rows), np.float32), FoundBy.FILTER)

    def _of_named(
        self, question: str, named: Named, view: View, ranking: Ranking
    ) -> Found:
        """Return all rows of the named documents, in turn, those that match first.

        They stand as in the document if nothing else is asked.
        """
        view.restrict(list(named.numbers))
        ranked = self._ranked(question, view, ranking, _CANDIDATES)
        first = set(ranked.rows.tolist())
        every = [r for n in named.numbers for r in self.snapshot.store.rows_of(n)]
        rest = [row for row in every if view.rows[row] and row not in first]
        rows = np.concatenate([ranked.rows, np.array(rest, np.int64)])
        scores = np.concatenate([ranked.scores, np.zeros(len(rest), np.float32)])
        places = np.arange(len(rows)) if named.asked else np.argsort(rows)
        order = diversity.in_turn(self._documents(rows), places.tolist())
        return Found(rows[order], scores[order], FoundBy.ID)

    def _ranked(
        self, question: str, view: View, ranking: Ranking, candidates: int
    ) -> Found:
        """Return rows and scores, best first: the best of each part, joined."""
        lexical, dense = self.snapshot.lexical, self.snapshot.dense
        way = FoundBy(ranking.value)
        if not view.rows.any():
            return Found(np.empty(0, np.int64), np.empty(0, np.float32), way)
        if ranking is Ranking.LEXICAL:
            return Found(*lexical.search(question, view.clause, candidates), way)
        if ranking is Ranking.DENSE:
            _, by_vector = self._by_vector(question, view, candidates)
            return Found(*by_vector, way)
        # Words and vectors at the same time: both let go of Python's lock.
        beside = self._beside.submit(self._by_vector, question, view, candidates)
        try:
            by_words = lexical.search(question, view.clause, candidates)
        finally:
            wait([beside])
        vector, by_vector = beside.result()
        rows = np.union1d(by_words[0], by_vector[0])
        by_row = dict(zip(by_words[0].tolist(), by_words[1].tolist(), strict=True))
        if others := np.setdiff1d(rows, by_words[0]).tolist():
            by_row |= lexical.scores(question, view.clause, others)
        record = np.asarray(self.snapshot.row_record[rows], np.int64)
        scores = fused(
            np.array([by_row.get(row, 0.0) for row in rows.tolist()], np.float32),
            dense.scores(vector, rows),
            np.asarray(self.snapshot.records[record] @ vector, np.float32),
            record,
        )
        order = np.lexsort((rows, -scores))
        return Found(rows[order], scores[order], way)

    def _by_vector(
        self, question: str, view: View, candidates: int
    ) -> tuple[Vectors, tuple[Rows, Scores]]:
        """Return a question's vector, and what is nearest to it."""
        vector = self.snapshot.encoder.queries([question])[0]
        return vector, self.snapshot.dense.search(vector, view.rows, candidates)

    def _arranged(
        self, question: str, found: Found, router: Router
    ) -> tuple[Found, tuple[str, ...]]:
        """Return rows as they are to be shown: read once more, nudged, spread."""
        keys = found.scores.copy()
        read, notes = self._reread(question, found, router)
        keys[: len(read)] = _ABOVE + np.array(read, np.float32)
        today = date.fromisoformat(self.snapshot.manifest["created_at"][:10])
        documents = self._documents(found.rows)
        statuses = self.snapshot.manifest["statuses"]
        for place, facts in enumerate(self.snapshot.documents[documents[:_PRIORS]]):
            day = date.fromordinal(int(facts["day"])) if facts["day"] else None
            keys[place] += prior(day, statuses[facts["status"]], today)
        for place in self._defining(question, found, router):
            keys[place] += 2 * _ABOVE
        order = np.argsort(-keys, kind="stable")
        spread = diversity.spread([documents[place] for place in order], keys[order])
        order = order[spread]
        reranked = frozenset(found.rows[: len(read)].tolist())
        rows, scores = found.rows[order], found.scores[order]
        return Found(rows, scores, found.found_by, reranked), notes

    def _defining(self, question: str, found: Found, router: Router) -> list[int]:
        """Return the places of rows that define a name of code in the question."""
        if not symbols(question):
            return []
        manifest = self.snapshot.manifest
        of_code = set(manifest.get("code_kinds", manifest["kinds"]))
        kinds = [n for n, kind in enumerate(manifest["kinds"]) if kind in of_code]
        first = found.rows[:_CANDIDATES]
        own = self.snapshot.documents["kind"][self.snapshot.row_document[first]]
        places = np.flatnonzero(np.isin(own, kinds))
        rows = first[places].tolist()
        passages = self.snapshot.store.passages(rows)
        numbers = {number for number, _ in passages.values()}
        documents = {s.number: s.document for s in router.documents(numbers)}
        defining = definitions(question, rows, passages, documents)
        return [int(places[place]) for place in defining]

    def _reread(
        self, question: str, found: Found, router: Router
    ) -> tuple[list[float], tuple[str, ...]]:
        """Return a cross-encoder's scores of the first rows, and what is to be said."""
        if self.reranker is None:
            return [], ()
        rows = found.rows[: self.reranker.passages].tolist()
        passages = self.snapshot.store.passages(rows)
        texts = []
        for row in rows:
            number, passage = passages[row]
            [stored] = router.documents([number])
            line = context(stored.document.title, passage.heading)
            texts.append(f"{line}\n{passage.text}")
        read = self.reranker.scores(question, texts)
        if len(read) == len(texts):
            return read, ()
        note = (
            f"Only {len(read)} of the {len(texts)} best passages were read once more"
            f" in {self.reranker.budget_ms:g} ms."
        )
        return read, (note,)

    def _with_rows(self, view: View) -> Mask:
        """Return for each document whether the reader may find any row of it."""
        inside = np.zeros(len(self.snapshot.documents), bool)
        inside[self.snapshot.row_document[view.rows]] = True
        return inside

    def _documents(self, rows: Rows) -> list[int]:
        return [int(number) for number in self.snapshot.row_document[rows]]


def _checked(question: str) -> str:
    # What is no text in UTF-8 (half of a pair) can be neither indexed nor embedded.
    question = question.encode("utf-8", "replace").decode().strip()
    if not question:
        raise UsageError("The question is empty.", hint='dunegpt ask "Why ...?"')
    if len(question) > MAX_QUESTION:
        raise UsageError(
            f"The question has {len(question):,} characters;"
            f" at most {MAX_QUESTION:,} are read.",
            hint="Ask for one thing in a few sentences.",
        )
    return question
