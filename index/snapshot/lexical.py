"""Lexical search (BM25) with tantivy; access filters are part of the query.

Scores are divided by the highest score that any passage could have (0..1). Does not
depend on vectors.
"""

import json
import math
import os
import shutil
import tempfile
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tantivy

from dunegpt.errors import IndexBrokenError
from dunegpt.files import damaged
from dunegpt.index.snapshot.lexical_filter import LexicalFilter, build_filter_queries
from dunegpt.index.snapshot.lexical_writer import build_schema, register_tokenizer
from dunegpt.index.snapshot.vectors import Rows, Scores
from dunegpt.text.analyzer import tokenize
from dunegpt.text.variants import Alternative, find_alternatives

_Doubles = npt.NDArray[np.float64]

_K1 = 1.2
_MAX_WORDS = 64
_CACHED_CLAUSES = 64
_CACHED_WORDS = 50_000
_CACHED_QUERIES = 1_000
_MAX_SCORE = 1.001
_PANIC = "PanicException"
_SAMPLE = 32
_MIN_IDF = 1e-6
_MIN_SAMPLED_SHARE = 0.03
_MIN_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class _AskedWord:
    """A word of a query, with the forms of it that the reader may find.

    Attributes:
        count: How often the query has it.
        idf: Its weight: that of its commonest form.
        forms: Each one word, or several that have to stand together.
    """

    word: str
    count: int
    idf: float
    forms: tuple[Alternative, ...]


class LexicalIndex:
    """The lexical index of a snapshot, opened for reading."""

    def __init__(self, folder: Path) -> None:
        """Open the index.

        Raises:
            IndexBrokenError: The index is missing or damaged.
        """
        if folder.is_dir() and not os.access(folder, os.W_OK):
            folder = _link_files(folder)
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._folder = folder
        with self._translate_errors():
            index = tantivy.Index.open(str(folder))
            register_tokenizer(index)
            index.reload()
            self._searcher = index.searcher()
            meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
            self._total_documents = sum(
                segment["max_doc"] for segment in meta["segments"]
            )
        self._schema = build_schema()
        self._cached_filters = lru_cache(_CACHED_CLAUSES)(self._build_filters)
        self._is_known_word = lru_cache(_CACHED_WORDS)(self._has_word)
        self._select_known = lru_cache(_CACHED_QUERIES)(self._find_known_among)

    def __len__(self) -> int:
        return int(self._searcher.num_docs)

    def search(self, query: str, clause: LexicalFilter, k: int) -> tuple[Rows, Scores]:
        """Return rows and scores (0..1) of the best passages, best first.

        Raises:
            IndexBrokenError: The index is damaged.
        """
        return self._score(query, clause, k)

    def score_rows(
        self, query: str, clause: LexicalFilter, rows: Sequence[int]
    ) -> dict[int, float]:
        """Return the scores of the given rows; rows with no query word are left out.

        The scores equal those of `search` with the same clause.
        """
        if clause.rows is not None:
            rows = [row for row in rows if clause.rows[row]]
        # For some hundred rows, single terms are three times as fast as a term set.
        terms = [
            tantivy.Query.term_query(self._schema, "row", int(row)) for row in rows
        ]
        only = tantivy.Query.boolean_query([(tantivy.Occur.Should, q) for q in terms])
        matching_rows, scores = self._score(query, clause, max(len(rows), 1), only)
        return dict(zip(matching_rows.tolist(), scores.tolist(), strict=True))

    def find_newest(self, text: str, clause: LexicalFilter, k: int) -> list[int]:
        """Return the k newest rows that have all words of a text, newest day first.

        Words added by document expansion count, too.

        Raises:
            IndexBrokenError: The index is damaged.
        """
        words = dict.fromkeys(tokenize(text)[:_MAX_WORDS])
        with self._translate_errors():
            is_known = all(self._is_known_word(word, clause) for word in words)
        if not words or not is_known:
            return []
        must = [
            tantivy.Query.term_query(self._schema, "body", word, "freq")
            for word in words
        ]
        query = tantivy.Query.boolean_query(
            [(tantivy.Occur.Must, q) for q in (*must, *self._cached_filters(clause))]
        )
        with self._translate_errors():
            hits = self._searcher.search(
                query, k, count=False, order_by_field="day"
            ).hits
            addresses = [place for _, place in hits]
            rows = self._searcher.fast_field_values("row", addresses) if hits else []
            return [int(row) for row in np.array(rows, np.int64)]

    def find_all(self, text: str, clause: LexicalFilter, k: int) -> list[int]:
        """Return up to k rows that have all words of a text, each in any form.

        Words added by document expansion count, too.

        Raises:
            IndexBrokenError: The index is damaged.
        """
        words = set(tokenize(text)[:_MAX_WORDS])
        with self._translate_errors():
            known = self._find_known(text, clause)
            if not words or words != {word.word for word in known}:
                return []
            must = [self._match_word(word) for word in known]
            must += self._cached_filters(clause)
            query = tantivy.Query.boolean_query(
                [
                    (tantivy.Occur.Must, tantivy.Query.const_score_query(q, 0.0))
                    for q in must
                ]
            )
            rows, _ = self._search_top_k(query, k)
            return sorted(row for row in rows.tolist())

    def find_word(self, word: str, clause: LexicalFilter, k: int) -> list[int]:
        """Return the k best rows that have a word exactly as it is in the index.

        Raises:
            IndexBrokenError: The index is damaged.
        """
        with self._translate_errors():
            asked = _AskedWord(word, 1, 1.0, ((word,),))
            query = self._build_query([asked], self._cached_filters(clause))
            return [int(row) for row in self._search_top_k(query, k)[0]]

    def get_word_weights(self, text: str, clause: LexicalFilter) -> dict[str, float]:
        """Return the inverse document frequency of each word of a text.

        A word that occurs only in passages the filter excludes is weighted like a word
        that occurs nowhere, so that weights reveal nothing about hidden passages.
        """
        weights = {}
        with self._translate_errors():
            known = {asked.word: asked.idf for asked in self._find_known(text, clause)}
            for word in tokenize(text)[:_MAX_WORDS]:
                weights[word] = known.get(word, self._compute_idf(0))
        return weights

    def select_known(self, words: Sequence[str], clause: LexicalFilter) -> list[str]:
        """Return the words of `tokenize` that any passage has which passes the filter.

        Raises:
            IndexBrokenError: The index is damaged.
        """
        with self._translate_errors():
            return list(self._select_known(tuple(words), clause))

    def get_unknown_weight(self) -> float:
        """Return the weight of a word that no passage has."""
        return self._compute_idf(0)

    def get_idf(self, word: str) -> float:
        """Return the inverse document frequency of a token of `tokenize`.

        Source: Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and
        Beyond (2009), with the 1 inside the logarithm that Lucene and tantivy add. As
        in tantivy, removed passages count until their tantivy segment is merged.
        """
        return self._compute_idf(self._searcher.doc_freq("body", word))

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Turn the errors of tantivy on damaged files into `IndexBrokenError`."""
        try:
            yield
        except (ValueError, OSError, TypeError, LookupError, OverflowError) as error:
            message = f"The lexical index {self._folder}: {error}"
            raise damaged(error, message, path=self._folder) from error
        except BaseException as error:
            # A panic in Rust: its class is not importable, and no `Exception`.
            if type(error).__name__ != _PANIC:
                raise
            raise IndexBrokenError(
                f"The lexical index {self._folder} is damaged: {error}"
            ) from None

    def _compute_idf(self, n: int) -> float:
        return math.log(1 + (self._total_documents - n + 0.5) / (n + 0.5))

    def _find_known_among(
        self, words: tuple[str, ...], clause: LexicalFilter
    ) -> tuple[str, ...]:
        """Return the words that the reader may find, by halving sets that have any.

        Few of many spellings exist, so one search mostly settles a whole set; words of
        hidden passages take the same searches as words that are nowhere.
        """
        if len(words) < 2 or self._total_documents == clause.visible:
            return tuple(w for w in words if self._is_known_word(w, clause))
        asked = _AskedWord("", 1, 1.0, tuple((word,) for word in words))
        query = self._build_query([asked], self._cached_filters(clause))
        if not self._searcher.search(query, 1, count=False).hits:
            return ()
        middle = len(words) // 2
        return tuple(
            known
            for half in (words[:middle], words[middle:])
            for known in self._find_known_among(half, clause)
        )

    def _has_word(self, word: str, clause: LexicalFilter) -> bool:
        """Return whether any passage that passes the filter has a word."""
        count = self._searcher.doc_freq("body", word)
        excluded = self._total_documents - clause.visible
        if count > excluded or not excluded:
            return count > 0  # more passages have it than the filter excludes
        asked = _AskedWord(word, 1, 1.0, ((word,),))
        # A word that no passage has takes the same path as one of hidden passages.
        if (
            clause.rows is not None
            and clause.visible > _MIN_SAMPLED_SHARE * self._total_documents
        ):
            sample, _ = self._search_top_k(self._build_query([asked], []), _SAMPLE)
            if clause.rows[sample].any():
                return True
        query = self._build_query([asked], self._cached_filters(clause))
        return bool(self._searcher.search(query, 1, count=False).hits)

    def _find_known(self, query: str, clause: LexicalFilter) -> list[_AskedWord]:
        """Return the words of a query of which the reader may find any form.

        Forms that only hidden passages have do not count. A word written apart stands
        for one written together only where nothing else does.
        """
        counts = Counter(tokenize(query)[:_MAX_WORDS])
        alternatives = find_alternatives(query)
        single = {
            word: [
                word,
                *sorted(f[0] for f in alternatives.get(word, ()) if len(f) == 1),
            ]
            for word in counts
        }
        known = set(self._select_known(_flatten(single.values()), clause))
        apart = {
            word: [f for f in sorted(alternatives.get(word, ())) if len(f) > 1]
            for word, forms in single.items()
            if known.isdisjoint(forms)
        }
        parts = _flatten(form for forms in apart.values() for form in forms)
        known.update(self._select_known(parts, clause))
        found = []
        for word, count in counts.items():
            forms: list[Alternative]
            forms = [(form,) for form in single[word] if form in known]
            forms += [form for form in apart.get(word, ()) if known.issuperset(form)]
            if forms:
                idf = min(sum(map(self.get_idf, form)) for form in forms)
                found.append(_AskedWord(word, count, idf, tuple(forms)))
        return found

    def _match_word(self, word: _AskedWord) -> tantivy.Query:
        """Return a query that scores the best form of a word, all as equally rare."""
        query = tantivy.Query
        forms = [
            query.boost_query(
                self._match_all_words(form),
                word.count * word.idf / max(sum(map(self.get_idf, form)), _MIN_IDF),
            )
            for form in word.forms
        ]
        return forms[0] if len(forms) == 1 else query.disjunction_max_query(forms)

    def _match_all_words(self, words: Alternative) -> tantivy.Query:
        query = tantivy.Query
        terms = [query.term_query(self._schema, "body", w, "freq") for w in words]
        if len(terms) == 1:
            return terms[0]
        return query.boolean_query([(tantivy.Occur.Must, term) for term in terms])

    def _score(
        self,
        query: str,
        clause: LexicalFilter,
        k: int,
        only: tantivy.Query | None = None,
    ) -> tuple[Rows, Scores]:
        with self._translate_errors():
            known_words = self._find_known(query, clause)
            highest = (_K1 + 1) * sum(word.count * word.idf for word in known_words)
            if highest <= 0:
                return np.empty(0, np.int64), np.empty(0, np.float32)
            result = None if only else self._filter_top_k(known_words, clause, k)
            if result is None:
                is_masked = only and clause.rows is not None
                must = [] if is_masked else self._cached_filters(clause)
                full_query = self._build_query(
                    known_words, [*must, only] if only else must
                )
                result = self._search_top_k(full_query, k)
            rows, scores = result[0], np.asarray(result[1] / highest, np.float32)
            if clause.rows is not None and not clause.rows[rows].all():
                raise ValueError("it finds rows that the filter excludes")
        if len(scores) and not 0 <= scores.min() <= scores.max() <= _MAX_SCORE:
            raise IndexBrokenError("A score of the lexical index is out of range.")
        return rows, scores

    def _search_top_k(self, asked: tantivy.Query, k: int) -> tuple[Rows, _Doubles]:
        hits = self._searcher.search(asked, k, count=False).hits
        addresses = [place for _, place in hits]
        rows = self._searcher.fast_field_values("row", addresses) if addresses else []
        return np.array(rows, np.int64), np.array([score for score, _ in hits])

    def _filter_top_k(
        self, known: Sequence[_AskedWord], clause: LexicalFilter, k: int
    ) -> tuple[Rows, _Doubles] | None:
        """Return the top k by filtering an unfiltered search; None if it is too short.

        If the filter lets most rows pass, the first few hundred of all passages contain
        the top k that pass. The unfiltered search takes a third of the time, because
        tantivy can skip low scores. Scores and order are the same either way.
        """
        share = clause.visible / max(self._total_documents, 1)
        if clause.rows is None or share < _MIN_SHARE or share == 1:
            return None
        fetch_count = int(k / share * 1.3) + _SAMPLE
        rows, scores = self._search_top_k(self._build_query(known, []), fetch_count)
        passing = np.flatnonzero(clause.rows[rows])[:k]
        if len(passing) < k and len(rows) == fetch_count:
            return None
        return rows[passing], scores[passing]

    def _build_query(
        self, known: Sequence[_AskedWord], must: list[tantivy.Query]
    ) -> tantivy.Query:
        query = tantivy.Query
        terms = [self._match_word(word) for word in known]
        any_word = query.boolean_query([(tantivy.Occur.Should, t) for t in terms])
        if not must:
            return any_word  # nesting it in another query takes a fifth longer
        unscored = [query.const_score_query(clause, 0.0) for clause in must]
        return query.boolean_query(
            [(tantivy.Occur.Must, clause) for clause in [any_word, *unscored]]
        )

    def _build_filters(self, clause: LexicalFilter) -> list[tantivy.Query]:
        return [] if clause.visible == len(self) else build_filter_queries(clause)


def _link_files(folder: Path) -> Path:
    """Return a temporary folder of links to the files of a read-only index.

    tantivy creates a lock file in the folder even for readers.
    """
    links = Path(tempfile.mkdtemp(prefix="dunegpt-"))
    for path in folder.iterdir():
        if path.suffix != ".lock":
            (links / path.name).symlink_to(path.resolve())
    return links


def _flatten(groups: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Return the words of some groups, each once, in order."""
    return tuple(dict.fromkeys(word for group in groups for word in group))
