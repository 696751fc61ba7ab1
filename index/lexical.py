"""Finds passages by their words, with tantivy; who may read is part of the query.

One scored field holds the context line and the passage, cut into words by `words`;
access set, source, document and row are fields for filters. Scores are the share of
the highest score that any passage could have (0..1). Knows no vectors.
"""

import math
import os
import shutil
import tempfile
import weakref
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tantivy

from dunegpt.errors import IndexBrokenError
from dunegpt.index.words import words

Rows = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]

_K1 = 1.2
_WRITER_BYTES = 64 << 20
_MAX_WORDS = 64


@dataclass(frozen=True, slots=True)
class Clause:
    """What a passage must fulfil to be found at all.

    Attributes:
        access: Numbers of the access sets that the reader may read.
        documents: Numbers of the documents to look in; None for all.
        public: Numbers of the access sets that are public.
        stale: Numbers of the sources of which only what is public is to be found.
        without: Rows that are not to be found.
    """

    access: tuple[int, ...]
    documents: tuple[int, ...] | None = None
    public: tuple[int, ...] = ()
    stale: tuple[int, ...] = ()
    without: tuple[int, ...] = ()


class LexicalWriter:
    """Writes the index of a new snapshot; rows are added in order."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        index = tantivy.Index(_schema(), path=str(folder))
        _register(index)
        # One thread, so that equal input gives equal segments.
        self._writer = index.writer(_WRITER_BYTES, 1)

    def add(
        self, row: int, text: str, *, document: int, access: int, source: int
    ) -> None:
        """Add one passage: its context line and text."""
        entry = tantivy.Document()
        entry.add_unsigned("row", row)
        entry.add_unsigned("document", document)
        entry.add_unsigned("access", access)
        entry.add_unsigned("source", source)
        entry.add_text("body", " ".join(words(text)))
        self._writer.add_document(entry)

    def close(self) -> None:
        """Commit what was added, and wait until it is on the disk."""
        self._writer.commit()
        self._writer.wait_merging_threads()


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
        except (ValueError, OSError) as error:
            raise IndexBrokenError(f"The lexical index {folder}: {error}") from error
        self._schema = _schema()

    def __len__(self) -> int:
        return int(self._searcher.num_docs)

    def search(self, query: str, clause: Clause, k: int) -> tuple[Rows, Scores]:
        """Return rows and scores (0..1) of the best passages, best first.

        Raises:
            IndexBrokenError: The index is damaged.
        """
        return self._run(query, self._clause(clause), k)

    def scores(
        self, query: str, clause: Clause, rows: Sequence[int]
    ) -> dict[int, float]:
        """Return the scores of just these rows; a row without any word is left out.

        They are equal to those that `search` gives with the same clause.
        """
        must = self._clause(clause)
        only = tantivy.Query.term_set_query(self._schema, "row", list(map(int, rows)))
        found, scores = self._run(query, must, max(len(rows), 1), only)
        return dict(zip(found.tolist(), scores.tolist(), strict=True))

    def weights(self, text: str, clause: Clause) -> dict[str, float]:
        """Return the inverse document frequency of each word of a text.

        A word that stands only in what a reader may not find weighs as one that no
        passage has.
        """
        weights = {}
        for word in words(text)[:_MAX_WORDS]:
            known = self._is_known(word, self._clause(clause))
            weights[word] = self.idf(word) if known else self._idf(0)
        return weights

    def idf(self, word: str) -> float:
        """Return the inverse document frequency of a word as `words` gives it.

        Source: Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and
        Beyond (2009), with the 1 inside the logarithm that Lucene and tantivy add.
        """
        return self._idf(self._searcher.doc_freq("body", word))

    def _idf(self, n: int) -> float:
        return math.log(1 + (len(self) - n + 0.5) / (n + 0.5))

    def _is_known(self, word: str, must: list[tantivy.Query]) -> bool:
        """Return whether any passage that may be found has a word."""
        if not self._searcher.doc_freq("body", word):
            return False
        query = self._query({word: 1}, must)
        return bool(self._searcher.search(query, 1, count=False).hits)

    def _run(
        self,
        query: str,
        must: list[tantivy.Query],
        k: int,
        only: tantivy.Query | None = None,
    ) -> tuple[Rows, Scores]:
        counts = Counter(words(query)[:_MAX_WORDS])
        try:
            known = {w: n for w, n in counts.items() if self._is_known(w, must)}
            highest = (_K1 + 1) * sum(n * self.idf(w) for w, n in known.items())
            if highest <= 0:
                return np.empty(0, np.int64), np.empty(0, np.float32)
            asked = self._query(known, [*must, only] if only else must)
            hits = self._searcher.search(asked, k, count=False).hits
            places = [place for _, place in hits]
            rows = self._searcher.fast_field_values("row", places) if places else []
        except (ValueError, OSError) as error:
            raise IndexBrokenError(
                f"The lexical index cannot be read: {error}"
            ) from error
        scores = np.array([score / highest for score, _ in hits], dtype=np.float32)
        return np.array(rows, dtype=np.int64), scores

    def _query(self, known: dict[str, int], must: list[tantivy.Query]) -> tantivy.Query:
        query = tantivy.Query
        any_word = query.boolean_query(
            [
                (
                    tantivy.Occur.Should,
                    query.boost_query(
                        query.term_query(self._schema, "body", word, "freq"), float(n)
                    ),
                )
                for word, n in known.items()
            ]
        )
        unscored = [query.const_score_query(clause, 0.0) for clause in must]
        return query.boolean_query(
            [(tantivy.Occur.Must, clause) for clause in [any_word, *unscored]]
        )

    def _clause(self, clause: Clause) -> list[tantivy.Query]:
        must = [self._among("access", clause.access)]
        if clause.documents is not None:
            must.append(self._among("document", clause.documents))
        if clause.stale:
            current = self._not(self._among("source", clause.stale))
            public = self._among("access", clause.public)
            should = [(tantivy.Occur.Should, query) for query in (public, current)]
            must.append(tantivy.Query.boolean_query(should))
        if clause.without:
            must.append(self._not(self._among("row", clause.without)))
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
    builder.add_unsigned_field("document", indexed=True)
    builder.add_unsigned_field("access", indexed=True)
    builder.add_unsigned_field("source", indexed=True)
    builder.add_text_field("body", tokenizer_name="words", index_option="freq")
    return builder.build()


def _register(index: tantivy.Index) -> None:
    """Teach the index to cut at white space only: `words` has done the rest."""
    plain = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
    index.register_tokenizer("words", plain)
