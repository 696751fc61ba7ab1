"""Scores the sentences of passages by how well they answer a question.

Uses the words, the numbers and the encoder of the index; no language model.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dunegpt.index.encoder.onnx import Encoder
from dunegpt.index.passage_text import format_hit, format_metadata, make_context_line
from dunegpt.serve.question.answer_type import AnswerType, detect_answer_type
from dunegpt.text.analyzer import tokenize
from dunegpt.text.sentences import split_sentences
from dunegpt.text.variants import add_asked_words, find_alternatives
from dunegpt.types import Hit

_MIN_WORDS = 3
_MIN_NEW_WORDS = 3
_QUANTITY = re.compile(
    r"\bhow (?:much|many|long|far|thick|heavy|large|big|wide|high|deep|often|fast|old"
    r"|hot|cold|tall|small|low)\b|\b(?:what|which)\b.{0,40}\b(?:temperature|pressure"
    r"|voltage|field|flow|rate|thickness|mass|weight|load|length|size|number|value|price"
    r"|cost|current|power|speed|velocity|level|purity|lifetime|volume|frequency|time"
    r"|date|percentage|fraction|ratio|distance|dimension|diameter)",
    re.IGNORECASE,
)
_ABOUT_WRITING = frozenset(
    {"wrote", "written", "write", "author", "publish", "present"}
)
"""Words that ask for a document's authors and date, as they are indexed."""
_QUESTION_FORMULA = re.compile(
    r"\b(?:stands? for|is short for|abbreviations? for|(?-i:may|might|must|shall))\b"
    r"|^\W*(?:may|might|must|shall)\b(?!\s+\d)",
    re.I,
)
"""Asks, and stands in no answer; the month is written with a capital."""
_NUMBER = re.compile(r"\d")
_COSINE_WEIGHT = 0.3
"""What the cosine with the question counts of a sentence's score."""
_MIN_USEFUL_RATIO = 0.85
"""Sentences that score less than this share of the best one are of no use."""
_BATCH = 16
MIN_SCORE = 0.30
"""A sentence that scores less is no answer."""
CONFIDENT_SCORE = 0.45
"""A best sentence that scores less is told with a doubt: of 9 such on DUNE texts 2 were
right, of 69 others most. Source: docs/decisions/0038-answers-read.md."""
_MIN_ANSWER_RATIO = 0.85
_MAX_SENTENCES = 3


@dataclass(frozen=True, slots=True)
class Candidate:
    """One sentence of a hit.

    Attributes:
        text: Verbatim, white space as in the passage.
        score: How well it answers, up to 1; comparable between questions.
    """

    hit: Hit
    text: str
    score: float


class SentenceScorer:
    """Says how well sentences answer one question, by words and by vectors.

    Attributes:
        wanted: The kind of answer that is asked for, if the question tells.
    """

    def __init__(
        self, question: str, weights: Mapping[str, float], encoder: Encoder
    ) -> None:
        """Prepare to judge.

        Args:
            question: As asked.
            weights: Of its words, as `dunegpt.text.analyzer` gives them.
            encoder: Of the index.
        """
        self._encoder = encoder
        self._question = question
        formal = _ABOUT_WRITING | set(
            tokenize(" ".join(_QUESTION_FORMULA.findall(question)))
        )
        self._weights = {w: idf for w, idf in weights.items() if w not in formal}
        self._total = sum(self._weights.values())
        self._wants_number = bool(_QUANTITY.search(question))
        self.answer_type = detect_answer_type(question)
        self._alternatives = find_alternatives(question)

    def word_share(self, text: str) -> float:
        """Return the share of the question's words, by weight, that a text has.

        A word that no document has weighs most, so a question about something that
        the documents never name cannot reach a high share.
        """
        if not self._total:
            return 0.0
        found = add_asked_words(set(tokenize(text)), self._alternatives)
        return (
            sum(w for word, w in self._weights.items() if word in found) / self._total
        )

    def combined_word_share(self, hits: Sequence[Hit]) -> float:
        """Return the share of the question's words that the hits have together."""
        return self.word_share("\n".join(map(format_hit, hits)))

    def find_missing_words(self, hits: Sequence[Hit]) -> list[str]:
        """Return the question's words that no hit has, as asked, weightiest first."""
        present = {word for hit in hits for word in tokenize(format_hit(hit))}
        found = add_asked_words(present, self._alternatives)
        asked = {form: w for w in self._question.split() for form in tokenize(w)}
        gone = [word for word in self._weights if word not in found]
        gone.sort(key=lambda word: -self._weights[word])
        return [asked.get(word, word).strip("?.,;:!\"'()") for word in gone]

    def rank_sentences(self, hits: Sequence[Hit]) -> list[Candidate]:
        """Return the sentences of the hits that may answer, best first.

        Only those are embedded that could come near the best one by their words.
        """
        rated = [
            (self._score_by_words(hit, text), hit, text)
            for hit in hits
            for text in dict.fromkeys(split_sentences(hit.passage.text))
        ]
        rated.sort(key=lambda each: (-each[0], each[1].rank))
        vector = self._encoder.embed_queries([self._question])[0]
        found: list[Candidate] = []
        best = 0.0
        for start in range(0, len(rated), _BATCH):
            part = rated[start : start + _BATCH]
            if part[0][0] + _COSINE_WEIGHT < _MIN_USEFUL_RATIO * best:
                break
            texts = [text for *_, text in part]
            cosines = self._encoder.embed_documents(texts, batch_size=4) @ vector
            for (score, hit, text), cosine in zip(part, cosines, strict=True):
                whole = min(score + _COSINE_WEIGHT * max(float(cosine), 0.0), 1.0)
                found.append(Candidate(hit, text, whole))
            best = max(candidate.score for candidate in found)
        return sorted(found, key=lambda c: (-c.score, c.hit.rank))

    def select_quote(self, hit: Hit) -> str:
        """Return the sentence of a hit that has most of the question's words."""
        own = split_sentences(hit.passage.text)
        return max(own, key=self.word_share, default=hit.passage.text)

    def _score_by_words(self, hit: Hit, text: str) -> float:
        """Return what a sentence scores without its meaning.

        One that says nothing new is no answer.

        Args:
            hit: That the sentence stands in.
            text: The sentence.
        """
        head = make_context_line(hit.document.title, hit.passage.heading)
        share = 0.7 * self.word_share(text) + 0.3 * self.word_share(f"{head} {text}")
        score = 0.4 * share + 0.3 * min(hit.score, 1.0)
        if self.answer_type.is_in(text) if self.answer_type else self._has_number(text):
            score += 0.05
        if not self._is_informative(hit, text):
            score -= 0.4
        return score

    def _has_number(self, text: str) -> bool:
        """Return whether a number is asked for and there."""
        return self._wants_number and bool(_NUMBER.search(text))

    def _is_informative(self, hit: Hit, text: str) -> bool:
        """Return whether a sentence adds to the question and to the document's card.

        A title, a footer or the line of the authors adds nothing; a number adds more
        than a word.
        """
        own = tokenize(text)
        known = {
            *tokenize(format_metadata(hit)),
            *tokenize(self._question),
            "version",
            "page",
        }
        new = set(own) - known
        has_number = any(_NUMBER.search(word) for word in new)
        least = _MIN_NEW_WORDS - has_number
        return len(own) >= _MIN_WORDS and len(new) >= least


def select_answers(
    found: Sequence[Candidate], kind: AnswerType | None = None
) -> Iterator[Candidate]:
    """Yield the few sentences that answer a question, best first; none if none does.

    Args:
        found: All, best first.
        kind: What an answer must have.
    """
    fit = [each for each in found if kind is None or kind.is_in(each.text)]
    least = max(MIN_SCORE, _MIN_ANSWER_RATIO * (fit[0].score if fit else 0.0))
    said: set[str] = set()
    for candidate in fit:
        text = " ".join(candidate.text.casefold().split())
        if candidate.score < least or len(said) == _MAX_SENTENCES:
            break
        if text not in said:
            said.add(text)
            yield candidate
