"""Measures how far passages support a sentence: by words, meaning and claims.

`measure` gives named numbers from 0 to 1; `combination` makes a probability of them.
``docs/answers.md`` says what they catch and what they cannot.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from dunegpt.index.encoder.onnx import Encoder
from dunegpt.index.passage_text import format_hit, format_metadata
from dunegpt.serve.verify import numbers, wording
from dunegpt.serve.verify.claims import ClaimedText, expand_row, read_claims
from dunegpt.serve.verify.rivals import ClaimedSource, Rival
from dunegpt.text.analyzer import tokenize
from dunegpt.text.patterns import compile_re
from dunegpt.text.quantities import Quantity
from dunegpt.text.sentences import split_sentences
from dunegpt.types import Hit

FEATURES = (
    "words", "meaning", "nearest", "new_clause", "new_tail", "rival_amount",
    "rival_pole", "rival_scope", "denial", "certainty", "demand", "cause", "no_cause",
    "universal", "comparison", "order", "rival_name", "strict_denial", "novelty",
    "clause_meaning", "clause_words", "exact_conflict",
    "currency", "redone",
)  # fmt: skip
"""What `SupportScorer.measure` gives."""
SPEAKS_FOR = ("words", "meaning", "nearest", "clause_meaning", "clause_words", "redone")
"""Those of them that speak for a sentence; the others speak against it."""

_CONFLICTS = {
    "rival_person": 0.2, "rival_amount": 0.25, "rival_pole": 0.15, "rival_scope": 0.2,
    "denial": 0.6, "strict_denial": 0.5, "certainty": 0.5, "demand": 0.5, "order": 0.5,
    "cause": 0.7, "no_cause": 0.5, "new_tail": 0.75, "comparison": 0.5,
}  # fmt: skip
"""What is a conflict if the rest of the sentence stands in the source word for word."""
MIN_EXACT = 0.66
_ALL_NEW = 0.9
_PERSON = compile_re(r"[A-Z][a-z]+ [A-Z][a-z]+")
_WINDOW = 2
_MAX_NEAREST = 4
_BATCH = 4


class SupportScorer:
    """Says how far some passages back sentences; made once for an answer."""

    def __init__(self, hits: Sequence[Hit], encoder: Encoder | None = None) -> None:
        """Prepare to measure.

        Args:
            hits: What may be cited.
            encoder: Of the index; without one, words alone decide.
        """
        self._encoder = encoder
        self._hits = {hit.rank: hit for hit in hits}
        self._sentences = {h.rank: list(_split(h.passage.text)) for h in hits}
        self._texts = {hit.rank: self._read(hit) for hit in hits}
        self._words = {hit.rank: frozenset(tokenize(format_hit(hit))) for hit in hits}
        self._vectors: dict[str, npt.NDArray[np.float32]] = {}
        self._sources: dict[tuple[int, ...], ClaimedSource] = {}

    def get_sentences(self, cited: Sequence[int]) -> list[str]:
        """Return the sentences of passages."""
        return [text for number in cited for text in self._sentences[number]]

    def _read(self, hit: Hit) -> str:
        """Return what a sentence may rest on: a passage, its head, rows with units."""
        rows = [part for part in self._sentences[hit.rank] if part.startswith("|")]
        return "\n".join([format_hit(hit), *rows])

    def get_text(self, cited: Sequence[int]) -> str:
        """Return all that a sentence may rest on if it cites some passages."""
        return "\n".join(self._texts[number] for number in cited)

    def word_share(self, sentence: str, cited: Sequence[int]) -> float:
        """Return the share of a sentence's words that the cited passages have."""
        own = tokenize(sentence)
        present = self._get_words(cited)
        return sum(word in present for word in own) / max(len(own), 1)

    def measure(
        self, sentence: str, cited: Sequence[int], before: str = ""
    ) -> dict[str, float]:
        """Return by name, from 0 to 1, what speaks for a sentence and against it.

        What speaks for one that leans on the sentence before is measured of both
        together, too, and the mean of the two counts, if that is more.

        Args:
            sentence: Without marks.
            cited: Numbers of the passages.
            before: The sentence that it leans on; empty if it leans on none.
        """
        values = self._measure(sentence, cited)
        texts, parts = self.get_text(cited), self.get_sentences(cited)
        values["redone"] = float(numbers.is_redone(sentence, texts, parts, before))
        if before:
            joined = self._measure(f"{before.rstrip('.!')}; {sentence}", cited)
            for name in (
                "words",
                "meaning",
                "nearest",
                "clause_meaning",
                "clause_words",
            ):
                mean = (values[name] + joined[name]) / 2
                values[name] = max(values[name], mean)
        return {name: values[name] for name in FEATURES}

    def _measure(self, sentence: str, cited: Sequence[int]) -> dict[str, float]:
        source = self._get_source(tuple(cited))
        own = read_claims(sentence)
        nearest = _order_by_share(own, source)
        stems = self._get_words(cited)
        new_clause, new_tail = wording.weigh_new_clause(sentence, stems)
        cause, no_cause = wording.weigh_cause(sentence, source)
        best = len(own.stems & nearest[0].stems) if nearest else 0
        values = {
            "words": self.word_share(sentence, cited),
            "meaning": self._compare_meaning(sentence, cited),
            "nearest": best / max(len(own.stems), 1),
            "new_clause": new_clause,
            "new_tail": new_tail,
            "denial": wording.weigh_denial(sentence, source),
            "certainty": wording.weigh_certainty(sentence, nearest),
            "demand": wording.weigh_demand(sentence, nearest),
            "cause": cause,
            "no_cause": no_cause,
            "currency": wording.weigh_currency(sentence, nearest),
            "universal": wording.weigh_universal(sentence, nearest),
            "comparison": wording.weigh_comparison(sentence, stems),
            "order": wording.weigh_order(own, nearest),
            "strict_denial": wording.weigh_strict_denial(own, nearest),
            "novelty": wording.weigh_novelty(own, nearest, stems),
            "clause_meaning": self._compare_clauses(sentence, cited),
            "clause_words": _bind_clauses(sentence, source, stems),
        }
        values |= _weigh_rivals(list(source.find_rivals(own)))
        closeness = min(1.0, max(0.0, 2.5 * values["clause_words"] - 1))
        conflict = any(values[name] >= least for name, least in _CONFLICTS.items())
        closeness = min(closeness, values["words"])
        if (
            values["new_tail"] >= _ALL_NEW
        ):  # the words that are new are those of a clause
            closeness = 1.0
        is_other_cell = max(values["rival_amount"], values["rival_name"]) == 1.0
        values["exact_conflict"] = 1.0 if is_other_cell else closeness * conflict
        return values

    def find_rivals(self, sentence: str, cited: Sequence[int]) -> list[Rival]:
        """Return what the sentence claims and the passages claim otherwise."""
        return list(self._get_source(tuple(cited)).find_rivals(read_claims(sentence)))

    def _get_words(self, cited: Sequence[int]) -> frozenset[str]:
        return frozenset[str]().union(*(self._words[n] for n in cited))

    def _get_source(self, cited: tuple[int, ...]) -> ClaimedSource:
        if cited not in self._sources:
            hits = [self._hits[number] for number in cited]
            heads = [format_metadata(h) for h in hits]
            self._sources[cited] = ClaimedSource(
                [self._sentences[number] for number in cited], heads
            )
        return self._sources[cited]

    def _compare_meaning(self, sentence: str, cited: Sequence[int]) -> float:
        """Return the cosine with the most similar one or two sentences, at least 0."""
        if self._encoder is None or not tokenize(sentence):
            return self.word_share(sentence, cited)
        own = set(tokenize(sentence))
        texts = [text for number in cited for text in self._select_nearest(own, number)]
        known = self._embed([sentence, *texts])
        return max([0.0, *(float(known[text] @ known[sentence]) for text in texts)])

    def _compare_clauses(self, sentence: str, cited: Sequence[int]) -> float:
        """Return the least of the cosines of a sentence's clauses."""
        clauses = wording.split_clauses(sentence)
        return min((self._compare_meaning(c, cited) for c in clauses), default=1.0)

    def _select_nearest(self, own: set[str], number: int) -> list[str]:
        """Return the few parts of a passage that have most of some words."""
        parts = _make_windows(self._sentences[number])
        parts.sort(key=lambda part: -len(own & _tokenize(part)))
        return parts[:_MAX_NEAREST]

    def _embed(self, texts: Sequence[str]) -> dict[str, npt.NDArray[np.float32]]:
        """Return the vectors of texts, and of all before them."""
        assert self._encoder is not None
        new = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        vectors = self._encoder.embed_documents(new, batch_size=_BATCH)
        self._vectors.update(zip(new, vectors, strict=True))
        return self._vectors


def is_exact_conflict(values: Mapping[str, float]) -> bool:
    """Return whether a sentence in its source's words is at odds with it."""
    return values["exact_conflict"] >= MIN_EXACT


def _split(text: str) -> Iterator[str]:
    """Yield the sentences of a passage, and the rows of its tables with their units."""
    head = ""
    for part in split_sentences(text):
        is_row = part.startswith("|")
        head = (head or part) if is_row else ""
        yield expand_row(part, head) if is_row else part


def _bind_clauses(sentence: str, source: ClaimedSource, stems: frozenset[str]) -> float:
    """Return the least share of a clause's known words in one sentence of a source."""
    shares = []
    for clause in wording.split_clauses(sentence):
        own = frozenset(tokenize(clause)) & stems
        if len(own) >= 2:
            total = source.weigh(own)
            best = max(
                (source.weigh(own & s.stems) for s in source.sentences), default=0
            )
            shares.append(best / total)
    return min(shares, default=0.0)


def _order_by_share(own: ClaimedText, source: ClaimedSource) -> list[ClaimedText]:
    return sorted(
        source.sentences, key=lambda other: -source.weigh(own.stems & other.stems)
    )


def _weigh_rivals(rivals: Sequence[Rival]) -> dict[str, float]:
    """Return by how much owners match better elsewhere, for each kind of value."""
    values = dict.fromkeys(
        ("rival_amount", "rival_pole", "rival_scope", "rival_name", "rival_person"), 0.0
    )
    for rival in rivals:
        name = "rival_pole"
        if isinstance(rival.claim.value, Quantity):
            name = "rival_amount"
        elif rival.claim.kind in {"scope", "period"}:
            name = "rival_scope"
        elif rival.claim.kind == "name":
            name = "rival_name"
            if all(_PERSON.fullmatch(c.text) for c in (rival.claim, rival.other)):
                values["rival_person"] = rival.match - rival.same
        values[name] = max(values[name], rival.match - rival.same)
    return values


def _make_windows(own: list[str]) -> list[str]:
    """Return sentences, and each with the one that follows it."""
    pairs = (own[n : n + _WINDOW] for n in range(len(own) - _WINDOW + 1))
    return own + [" ".join(pair) for pair in pairs]


@lru_cache(maxsize=4096)
def _tokenize(part: str) -> frozenset[str]:
    return frozenset(tokenize(part))
