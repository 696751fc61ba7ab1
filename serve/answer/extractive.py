"""Chooses the sentences of passages that answer a question; no language model.

Words choose which candidates are read, a reader or the encoder of the index reads them,
and a fitted judgement makes a probability of it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from dunegpt.index.encoder.onnx import Encoder
from dunegpt.index.passage_text import format_hit, format_metadata
from dunegpt.serve.answer.candidates import Candidate, Kind, extract_candidates
from dunegpt.serve.answer.features import (
    Features,
    Question,
    describe,
    describe_answer,
    lacks_exact_kind,
    relate,
)
from dunegpt.serve.answer.judgement import Judgement, load_judgement, load_prefilter
from dunegpt.serve.answer.reader import Reader
from dunegpt.text.analyzer import tokenize
from dunegpt.text.patterns import compile_re
from dunegpt.text.quantities import Quantity, find_quantities, have_same_dimension
from dunegpt.text.sentences import split_sentences
from dunegpt.types import Hit

READ = 14
"""Candidates of a question that a model reads."""
_ALONE = 0.5
"""A sentence that answers with at least this probability stands alone."""
_MIN_RATIO = 0.4
_CLEAR_RATIO = 0.25
_CLEAR_SHARE = 0.5
"""The best candidate is not doubted if it has this share of the question's words, and
no other one is as near to it as this."""
_QUOTED = 0.5
"""What a quoted earlier message counts: the reply may have decided otherwise."""
_MAX_SENTENCES = 3
_CARD_WORDS = frozenset(tokenize("version page entry"))
_CLOCK = compile_re(r"\d{1,2}:\d\d(?::\d\d)?")


class SentenceScorer:
    """Judges which sentences answer one question, and whether any does.

    Attributes:
        question: The question, analysed.
        answer_type: The kind of answer that it asks for, if its wording tells.
        last_probability: The last result of `probability`; None before the first.
    """

    def __init__(
        self,
        question: str,
        weights: Mapping[str, float],
        encoder: Encoder,
        reader: Reader | None = None,
    ) -> None:
        """Prepare to judge.

        Args:
            question: As asked.
            weights: Of its words, as `dunegpt.text.analyzer` gives them.
            encoder: Of the index.
            reader: Reads the candidates; None to compare vectors.
        """
        self.question = Question(question, weights)
        self.answer_type = self.question.answer_type
        self._encoder = encoder
        self._reader = reader
        self._ranked: dict[tuple[int, ...], list[Candidate]] = {}
        self._said: dict[str, Features] = {}
        self.last_probability: float | None = None

    @property
    def judgement(self) -> Judgement:
        """The fitted models in use."""
        return load_judgement("reader" if self._reader else "vectors")

    def word_share(self, text: str) -> float:
        """Return the share of the question's words, by weight, that a text has."""
        return self.question.share(tokenize(text))

    def find_missing_words(self, hits: Sequence[Hit]) -> list[str]:
        """Return the question's words that no hit has, as asked, weightiest first.

        A word of several parts (``m1.md``) is named once.
        """
        gone = self.question.find_missing(
            word for hit in hits for word in tokenize(format_hit(hit))
        )
        asked = {form: w for w in self.question.text.split() for form in tokenize(w)}
        named = (asked.get(word, word).strip("?.,;:!\"'()") for word in gone)
        return list(dict.fromkeys(named))

    def rank_sentences(self, hits: Sequence[Hit]) -> list[Candidate]:
        """Return the candidates of the hits with their probabilities, best first.

        Those about another thing of the kind that is asked for are left out. Those that
        no model reads come behind the others.
        """
        if (rows := tuple(hit.row for hit in hits)) not in self._ranked:
            self._ranked[rows] = self._rank(hits)
        return self._ranked[rows]

    def _rank(self, hits: Sequence[Hit]) -> list[Candidate]:
        rated = [
            (load_prefilter().predict(features), features, candidate)
            for candidate, features in _drop_overruled(self.describe_candidates(hits))
            if not features["other_subject"]
        ]
        rated.sort(key=lambda each: (-each[0], each[2].hit.rank))
        chosen = rated[:READ]
        said = self.read([candidate for *_, candidate in chosen])
        found = []
        for (_, features, candidate), models in zip(chosen, said, strict=True):
            self._said[candidate.with_context] = models
            score = self.judgement.sentence.predict(features | models)
            if candidate.is_quoted and not self.question.is_open:
                score *= _QUOTED
            found.append(replace(candidate, score=score))
        found.sort(key=lambda c: (-c.score, c.hit.rank))
        least = found[-1].score if found else 0.0
        return found + [
            replace(candidate, score=min(score, least))
            for score, _, candidate in rated[READ:]
        ]

    def describe_candidates(
        self, hits: Sequence[Hit]
    ) -> Iterator[tuple[Candidate, Features]]:
        """Yield the candidates of the hits, each text once, with their features."""
        seen: set[str] = set()
        top_score = max((hit.score for hit in hits), default=0.0)
        for hit in hits:
            known = {*tokenize(format_metadata(hit)), *_CARD_WORDS}
            for candidate in extract_candidates(hit):
                is_none = candidate.shown.endswith("?") or candidate.is_bare_heading
                if is_none or _repeats_card(candidate, known):
                    continue
                if (text := candidate.with_context.casefold()) not in seen:
                    seen.add(text)
                    yield candidate, describe(self.question, candidate, top_score)

    def read(self, candidates: Sequence[Candidate]) -> list[Features]:
        """Return what a model says of each candidate: the reader, or the encoder."""
        if not candidates:
            return []
        if self._reader:
            logits = self._reader.read(self.question.text, candidates)
            return relate("reader", logits)
        vector = self._encoder.embed_queries([self.question.text])[0]
        texts = [candidate.with_context for candidate in candidates]
        cosines = self._encoder.embed_documents(texts, batch_size=4) @ vector
        return relate("cosine", cosines.tolist())

    def probability(self, hits: Sequence[Hit]) -> float:
        """Return the probability that the best candidate of the hits answers."""
        ranked = self.rank_sentences(hits)
        if not ranked:
            return 0.0
        models = self._said[ranked[0].with_context]
        features = describe_answer(self.question, ranked, models)
        self.last_probability = round(self.judgement.answer.predict(features), 3)
        return self.last_probability

    def answers(self, hits: Sequence[Hit]) -> bool:
        """Return whether the best candidate of the hits is likely enough to be shown.

        One without the number, time or version that is asked for has to be likelier.
        """
        probability = self.probability(hits)
        ranked = self.rank_sentences(hits)
        if not ranked or probability < self.judgement.threshold:
            return False
        is_lacking = lacks_exact_kind(self.question, ranked[0])
        return not is_lacking or probability >= self.judgement.doubt

    def is_doubtful(self, hits: Sequence[Hit]) -> bool:
        """Return whether the best candidate of the hits is told with a doubt.

        It is not if it is likely, nor if it has half of the question's words, by
        weight, and no other candidate is nearly as likely.
        """
        if self.probability(hits) >= self.judgement.doubt:
            return False
        ranked = self.rank_sentences(hits)
        if not ranked or self.word_share(ranked[0].with_context) < _CLEAR_SHARE:
            return True
        return any(c.score >= _CLEAR_RATIO * ranked[0].score for c in ranked[1:])

    def select_quote(self, hit: Hit) -> str:
        """Return the sentence of a hit that has most of the question's words."""
        own = split_sentences(hit.passage.text)
        return max(own, key=self.word_share, default=hit.passage.text)


def _repeats_card(candidate: Candidate, known: set[str]) -> bool:
    """Return whether a line only names its document: the head or foot of a page.

    A sentence may stand in the title, as in that of a log entry, and yet answer.
    """
    own = [word for word in tokenize(candidate.shown) if not _CLOCK.fullmatch(word)]
    return candidate.kind is not Kind.SENTENCE and known.issuperset(own)


def _drop_overruled(
    described: Iterable[tuple[Candidate, Features]],
) -> Iterator[tuple[Candidate, Features]]:
    """Yield candidates but amounts of quoted messages that the reply gives, too.

    What a reply says of an amount holds, not what was proposed before.
    """
    pairs = list(described)
    if not any(candidate.is_quoted for candidate, _ in pairs):
        yield from pairs
        return
    replied: dict[str, list[Quantity]] = {}
    for candidate, _ in pairs:
        if not candidate.is_quoted:
            own = replied.setdefault(candidate.hit.document.id, [])
            own += find_quantities(candidate.shown)
    for candidate, features in pairs:
        own = replied.get(candidate.hit.document.id, [])
        is_overruled = candidate.is_quoted and any(
            one.unit and other.unit and have_same_dimension(one, other)
            for one in find_quantities(candidate.shown)
            for other in own
        )
        if not is_overruled:
            yield candidate, features


def select_answers(found: Sequence[Candidate]) -> Iterator[Candidate]:
    """Yield the few sentences that answer a question, best first.

    One that answers plainly stands alone; one that may answer is followed by others
    that may as well.

    Args:
        found: All, best first.
    """
    said: set[str] = set()
    best = found[0].score if found else 0.0
    for candidate in found:
        text = candidate.shown.casefold()
        is_first = not said
        if not is_first and (best >= _ALONE or candidate.score < _MIN_RATIO * best):
            break
        if text not in said:
            said.add(text)
            yield candidate
        if len(said) == _MAX_SENTENCES:
            break
