"""Finds passages by their words, with tantivy; who may read is part of the query.

One scored field holds the context line and the passage, cut into words by `words`;
access set, source, kind, status, day, document and row are fields for filters. Scores
are the share of the highest score that any passage could have (0..1). Knows no vectors.
"""

import json
import math
import os
import shutil
import tempfile
import weakref
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tantivy

from dunegpt.errors import IndexBrokenError
from dunegpt.index.vectors import Rows, Scores
from dunegpt.index.words import words
from dunegpt.ingest.blobs import link

__all__ = ["Clause", "Facts", "LexicalIndex", "LexicalWriter", "Rows", "Scores"]

_Doubles = npt.NDArray[np.float64]

_K1 = 1.2
_WRITER_BYTES = 64 << 20
_MAX_WORDS = 64
_CACHED_CLAUSES = 64
_CACHED_WORDS = 50_000
_LAST_DAY = 4_000_000
_SAMPLE = 32
_LEAST_SAMPLED = 0.03
_LEAST_SHARE = 0.2
_FACTS = ("document", "access", "source", "kind", "status", "day")


@dataclass(frozen=True, slots=True)
class Clause:
    """What a passage must fulfil to be found at all.

    Attributes:
        access: Numbers of the access sets that the reader may read.
        documents: Numbers of the documents to look in; None for all.
        public: Numbers of the access sets that are public.
        stale: Numbers of the sources of which only what is public is to be found.
        without: Rows that are not to be found.
        without_documents: Numbers of documents that are not to be found.
        sources: Numbers of the sources to look in; None for all. Likewise ``kinds``
            and ``statuses``.
        since: First day, as an ordinal; ``until`` likewise the last one. An undated
            document passes neither.
        visible: How many rows may be found by all this.
        rows: For each row, whether it may be found by all this: the same truth as a
            mask. None if nobody worked it out; then only the queries are asked.
    """

    access: tuple[int, ...]
    documents: tuple[int, ...] | None = None
    public: tuple[int, ...] = ()
    stale: tuple[int, ...] = ()
    without: tuple[int, ...] = ()
    without_documents: tuple[int, ...] = ()
    sources: tuple[int, ...] | None = None
    kinds: tuple[int, ...] | None = None
    statuses: tuple[int, ...] | None = None
    since: int | None = None
    until: int | None = None
    visible: int = 0
    rows: npt.NDArray[np.bool_] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the index is told of a passage beside its words; all are numbers.

    Attributes:
        day: Ordinal of the document's day; 0 if it has none.
    """

    document: int
    access: int
    source: int = 0
    kind: int = 0
    status: int = 0
    day: int = 0


class LexicalWriter:
    """Writes the index of a new snapshot; rows are added in order."""

    def __init__(self, folder: Path, base: Path | None = None) -> None:
        """Begin an index.

        Args:
            folder: To write; must not exist.
            base: Begin with the passages of this one. Its files never change, so they
                are shared by hard links.
        """
        folder.mkdir(parents=True)
        if base is None:
            index = tantivy.Index(_schema(), path=str(folder))
        else:
            for path in base.iterdir():
                if path.suffix != ".lock":
                    link(path, folder / path.name)
            index = tantivy.Index.open(str(folder))
        _register(index)
        # One thread, so that equal input gives equal segments.
        self._writer = index.writer(_WRITER_BYTES, 1)
        self._is_closed = False

    def add(self, row: int, own: Iterable[str], facts: Facts) -> None:
        """Add one passage with the words, as indexed, of its context line and text."""
        entry = tantivy.Document()
        entry.add_unsigned("row", row)
        for name in _FACTS:
            entry.add_unsigned(name, getattr(facts, name))
        entry.add_text("body", " ".join(own))
        self._writer.add_document(entry)

    def remove(self, document: int) -> None:
        """Take out the passages of a document."""
        gone = tantivy.Query.term_set_query(_schema(), "document", [document])
        self._writer.delete_documents_by_query(gone)

    def close(self) -> None:
        """Commit what was added, and wait until it is on the disk."""
        self._writer.commit()
        self._writer.wait_merging_threads()
        self._is_closed = True

    def discard(self) -> None:
        """Stop writing, so that the folder can be removed."""
        if not self._is_closed:
            self._writer.rollback()
            self._writer.wait_merging_threads()
            self._is_closed = True


class LexicalIndex:
    """The index of a snapshot, opened."""

    def __init__(self, folder: Path) -> None:
        """Open the index.

        Raises:
            IndexBrokenError: It is missing or damaged.
        """
        if folder.is_dir() and not os.access(folder, os.W_OK):
            folder = _links_to(folder)
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        try:
            index = tantivy.Index.open(str(folder))
            _register(index)
            index.reload()
            self._searcher = index.searcher()
            meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
            self._ever = sum(segment["max_doc"] for segment in meta["segments"])
        except (ValueError, OSError, KeyError, TypeError) as error:
            raise IndexBrokenError(f"The lexical index {folder}: {error}") from error
        self._schema = _schema()
        self._clauses = lru_cache(_CACHED_CLAUSES)(self._queries)
        self._known = lru_cache(_CACHED_WORDS)(self._stands_in)

    def __len__(self) -> int:
        return int(self._searcher.num_docs)

    def search(self, query: str, clause: Clause, k: int) -> tuple[Rows, Scores]:
        """Return rows and scores (0..1) of the best passages, best first.

        Raises:
            IndexBrokenError: The index is damaged.
        """
        return self._run(query, clause, k)

    def scores(
        self, query: str, clause: Clause, rows: Sequence[int]
    ) -> dict[int, float]:
        """Return the scores of just these rows; a row without any word is left out.

        They are equal to those that `search` gives with the same clause.
        """
        if clause.rows is not None:
            rows = [row for row in rows if clause.rows[row]]
        # Some hundred terms one by one are three times as fast as a set of terms.
        own = [tantivy.Query.term_query(self._schema, "row", int(row)) for row in rows]
        only = tantivy.Query.boolean_query([(tantivy.Occur.Should, q) for q in own])
        found, scores = self._run(query, clause, max(len(rows), 1), only)
        return dict(zip(found.tolist(), scores.tolist(), strict=True))

    def newest_with_all(self, text: str, clause: Clause, k: int) -> list[int]:
        """Return the rows that have all words of a text, the newest days first.

        Words by which passages are found beside their own count, too.

        Raises:
            IndexBrokenError: The index is damaged.
        """
        own = dict.fromkeys(words(text)[:_MAX_WORDS])
        if not own or not all(self._known(word, clause) for word in own):
            return []
        must = [
            tantivy.Query.term_query(self._schema, "body", word, "freq") for word in own
        ]
        asked = tantivy.Query.boolean_query(
            [(tantivy.Occur.Must, q) for q in (*must, *self._clauses(clause))]
        )
        try:
            hits = self._searcher.search(
                asked, k, count=False, order_by_field="day"
            ).hits
            places = [place for _, place in hits]
            rows = self._searcher.fast_field_values("row", places) if hits else []
            return [int(row) for row in np.array(rows, np.int64)]
        except (ValueError, OSError) as error:
            raise IndexBrokenError(
                f"The lexical index cannot be read: {error}"
            ) from error

    def weights(self, text: str, clause: Clause) -> dict[str, float]:
        """Return the inverse document frequency of each word of a text.

        A word that stands only in what a reader may not find weighs as one that no
        passage has.
        """
        weights = {}
        for word in words(text)[:_MAX_WORDS]:
            known = self._known(word, clause)
            weights[word] = self.idf(word) if known else self._idf(0)
        return weights

    def idf(self, word: str) -> float:
        """Return the inverse document frequency of a word as `words` gives it.

        Source: Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and
        Beyond (2009), with the 1 inside the logarithm that Lucene and tantivy add. As
        in tantivy, passages that were taken out count until their segment is merged.
        """
        return self._idf(self._searcher.doc_freq("body", word))

    def _idf(self, n: int) -> float:
        return math.log(1 + (self._ever - n + 0.5) / (n + 0.5))

    def _stands_in(self, word: str, clause: Clause) -> bool:
        """Return whether any passage that may be found has a word."""
        count = self._searcher.doc_freq("body", word)
        if count == 0 or count > self._ever - clause.visible:
            return bool(count)  # all rows that may not be found cannot have it
        if clause.rows is not None and clause.visible > _LEAST_SAMPLED * self._ever:
            sample, _ = self._best(self._query({word: 1}, []), _SAMPLE)
            if clause.rows[sample].any():
                return True
        query = self._query({word: 1}, self._clauses(clause))
        return bool(self._searcher.search(query, 1, count=False).hits)

    def _run(
        self,
        query: str,
        clause: Clause,
        k: int,
        only: tantivy.Query | None = None,
    ) -> tuple[Rows, Scores]:
        counts = Counter(words(query)[:_MAX_WORDS])
        try:
            known = {w: n for w, n in counts.items() if self._known(w, clause)}
            highest = (_K1 + 1) * sum(n * self.idf(w) for w, n in known.items())
            if highest <= 0:
                return np.empty(0, np.int64), np.empty(0, np.float32)
            found = None if only else self._among_all(known, clause, k)
            if found is None:
                is_masked = only and clause.rows is not None
                must = [] if is_masked else self._clauses(clause)
                asked = self._query(known, [*must, only] if only else must)
                found = self._best(asked, k)
        except (ValueError, OSError) as error:
            raise IndexBrokenError(
                f"The lexical index cannot be read: {error}"
            ) from error
        rows, scores = found
        return rows, np.asarray(scores / highest, np.float32)

    def _best(self, asked: tantivy.Query, k: int) -> tuple[Rows, _Doubles]:
        hits = self._searcher.search(asked, k, count=False).hits
        places = [place for _, place in hits]
        rows = self._searcher.fast_field_values("row", places) if places else []
        return np.array(rows, np.int64), np.array([score for score, _ in hits])

    def _among_all(
        self, known: dict[str, int], clause: Clause, k: int
    ) -> tuple[Rows, _Doubles] | None:
        """Return what the clause would give, taken from the best of all; None if not.

        Where a reader may find much, the first few hundred of all passages hold the
        first k of theirs, and tantivy gives those in a third of the time, since it can
        skip what scores low. Scores and order are the same either way.
        """
        share = clause.visible / max(self._ever, 1)
        if clause.rows is None or share < _LEAST_SHARE or share == 1:
            return None
        wanted = int(k / share * 1.3) + _SAMPLE
        rows, scores = self._best(self._query(known, []), wanted)
        kept = np.flatnonzero(clause.rows[rows])[:k]
        if len(kept) < k and len(rows) == wanted:
            return None
        return rows[kept], scores[kept]

    def _query(self, known: dict[str, int], must: list[tantivy.Query]) -> tantivy.Query:
        query = tantivy.Query
        terms = [
            query.boost_query(
                query.term_query(self._schema, "body", word, "freq"), float(n)
            )
            for word, n in known.items()
        ]
        any_word = query.boolean_query([(tantivy.Occur.Should, t) for t in terms])
        if not must:
            return any_word  # within another query it takes a fifth longer
        unscored = [query.const_score_query(clause, 0.0) for clause in must]
        return query.boolean_query(
            [(tantivy.Occur.Must, clause) for clause in [any_word, *unscored]]
        )

    def _queries(self, clause: Clause) -> list[tantivy.Query]:
        if clause.visible == len(self):
            return []
        must = [self._among("access", clause.access)]
        for name, values in (
            ("document", clause.documents),
            ("source", clause.sources),
            ("kind", clause.kinds),
            ("status", clause.statuses),
        ):
            if values is not None:
                must.append(self._among(name, values))
        if clause.since is not None or clause.until is not None:
            kind = tantivy.FieldType.Unsigned
            first, last = clause.since or 1, clause.until or _LAST_DAY
            days = tantivy.Query.range_query(self._schema, "day", kind, first, last)
            must.append(days)
        if clause.stale:
            current = self._not(self._among("source", clause.stale))
            public = self._among("access", clause.public)
            should = [(tantivy.Occur.Should, query) for query in (public, current)]
            must.append(tantivy.Query.boolean_query(should))
        if clause.without:
            must.append(self._not(self._among("row", clause.without)))
        if clause.without_documents:
            held = self._among("document", clause.without_documents)
            must.append(self._not(held))
        return must

    def _among(self, field: str, values: tuple[int, ...]) -> tantivy.Query:
        return tantivy.Query.term_set_query(self._schema, field, list(values))

    def _not(self, query: tantivy.Query) -> tantivy.Query:
        everything = tantivy.Query.all_query()
        return tantivy.Query.boolean_query(
            [(tantivy.Occur.Must, everything), (tantivy.Occur.MustNot, query)]
        )


def _links_to(folder: Path) -> Path:
    """Return a folder of links to the files of an index that cannot be written.

    Opening an index makes a lock file beside it, for readers too.
    """
    stand_in = Path(tempfile.mkdtemp(prefix="dunegpt-"))
    for path in folder.iterdir():
        if path.suffix != ".lock":
            (stand_in / path.name).symlink_to(path.resolve())
    return stand_in


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("row", indexed=True, fast=True)
    for name in _FACTS:
        builder.add_unsigned_field(name, indexed=True, fast=name == "day")
    builder.add_text_field("body", tokenizer_name="words", index_option="freq")
    return builder.build()


def _register(index: tantivy.Index) -> None:
    """Teach the index to cut at white space only: `words` has done the rest."""
    plain = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
    index.register_tokenizer("words", plain)
