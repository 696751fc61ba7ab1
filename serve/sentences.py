"""Sentences of passages, and how well each answers a question.

A sentence here is what can stand alone as a quote: a sentence, a line of a list, a row
of a table. Knows no model of language.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dunegpt.index.encoder import Encoder
from dunegpt.index.texts import context
from dunegpt.index.words import words
from dunegpt.serve.wanted import Wanted, wanted
from dunegpt.types import Hit

MAX_QUOTE = 400
_LEAST_WORDS = 3
_LEAST_NEW_WORDS = 3
_END = re.compile(
    r"(?<=[.!?])[\"')\]]?\s+(?=[A-Z0-9(\[*\-])|\n{2,}|\n(?=\s*(?:[-*•]|\d+[.)])\s)"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|cf|Figs?|Eqs?|Refs?|Sec|Tab|vs|Dr|Prof|[Nn]o|approx|ca|et al)"
    r"|(?<!\d\s)(?<!\d)\b[A-Z])\.$"
)
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
_FORMULA = re.compile(
    r"\b(?:stands? for|is short for|abbreviations? for|(?-i:may|might|must|shall))\b"
    r"|^\W*(?:may|might|must|shall)\b(?!\s+\d)",
    re.I,
)
"""Asks, and stands in no answer; the month is written with a capital."""
_NUMBER = re.compile(r"\d")
_SPELT_OUT = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    " fifteen sixteen seventeen eighteen nineteen twenty"
)
_NUMERALS = {
    one: other
    for number, word in enumerate(_SPELT_OUT.split(), start=1)
    for one, other in ((*words(word), str(number)), (str(number), *words(word)))
}
_MEANING = 0.3
"""What the cosine with the question counts of a sentence's score."""
_NEAR = 0.85
"""Sentences that score less than this share of the best one are of no use."""
_AT_ONCE = 16
_ROWS = re.compile(r"\|[^\n]*\n[^\n]*\|")
"""Rows of a table: each stands for itself."""
LEAST_SENTENCE = 0.30
"""A sentence that scores less is no answer."""
PLAIN = 0.45
"""A best sentence that scores less is told with a doubt: of 9 such on DUNE texts 2 were
right, of 69 others most. Source: docs/decisions/0038-answers-read.md."""
_NEAR_BEST = 0.85
_MOST_SENTENCES = 3


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


def ends_with_abbreviation(text: str) -> bool:
    """Return whether the full stop at the end of a text ends no sentence."""
    return bool(_ABBREVIATION.search(text))


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a passage, verbatim, without white space around them."""
    start = 0
    for gap in _END.finditer(text):
        before = text[start : gap.start()]
        if "\n\n" not in gap[0] and ends_with_abbreviation(before):
            continue
        yield from _bounded(text[start : gap.start() + _closing(gap[0])])
        start = gap.end()
    yield from _bounded(text[start:])


def _closing(gap: str) -> int:
    """Return 1 if a gap begins with a quotation mark or bracket that closes."""
    return 1 if gap[0] in "\"')]" else 0


def _bounded(sentence: str) -> Iterator[str]:
    """Yield a sentence, by lines if it is a table or too long to be a quote."""
    sentence = sentence.strip()
    if len(sentence) <= MAX_QUOTE and not _ROWS.search(sentence):
        parts = [sentence]
    else:
        parts = [part[:MAX_QUOTE].strip() for part in sentence.split("\n")]
    yield from (part for part in parts if part)


class Judge:
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
            weights: Of its words, as `dunegpt.index.words` gives them.
            encoder: Of the index.
        """
        self._encoder = encoder
        self._question = question
        formal = _ABOUT_WRITING | set(words(" ".join(_FORMULA.findall(question))))
        self._idf = {w: idf for w, idf in weights.items() if w not in formal}
        self._total = sum(self._idf.values())
        self._wants_number = bool(_QUANTITY.search(question))
        self.wanted = wanted(question)

    def share(self, text: str) -> float:
        """Return the share of the question's words, by weight, that a text has.

        A word that no document has weighs most, so a question about something that
        the documents never name cannot reach a high share.
        """
        if not self._total:
            return 0.0
        found = _with_numbers(words(text))
        return sum(w for word, w in self._idf.items() if word in found) / self._total

    def share_of_all(self, hits: Sequence[Hit]) -> float:
        """Return the share of the question's words that the hits have together."""
        return self.share("\n".join(map(framed, hits)))

    def missing(self, hits: Sequence[Hit]) -> list[str]:
        """Return the question's words that no hit has, as asked, weightiest first."""
        found = _with_numbers(word for hit in hits for word in words(framed(hit)))
        asked = {form: w for w in self._question.split() for form in words(w)}
        gone = [word for word in self._idf if word not in found]
        gone.sort(key=lambda word: -self._idf[word])
        return [asked.get(word, word).strip("?.,;:!\"'()") for word in gone]

    def best(self, hits: Sequence[Hit]) -> list[Candidate]:
        """Return the sentences of the hits that may answer, best first.

        Only those are embedded that could come near the best one by their words.
        """
        rated = [
            (self._by_words(hit, text), hit, text)
            for hit in hits
            for text in dict.fromkeys(sentences(hit.passage.text))
        ]
        rated.sort(key=lambda each: (-each[0], each[1].rank))
        vector = self._encoder.queries([self._question])[0]
        found: list[Candidate] = []
        best = 0.0
        for start in range(0, len(rated), _AT_ONCE):
            part = rated[start : start + _AT_ONCE]
            if part[0][0] + _MEANING < _NEAR * best:
                break
            texts = [text for *_, text in part]
            cosines = self._encoder.documents(texts, batch_size=4) @ vector
            for (score, hit, text), cosine in zip(part, cosines, strict=True):
                whole = min(score + _MEANING * max(float(cosine), 0.0), 1.0)
                found.append(Candidate(hit, text, whole))
            best = max(candidate.score for candidate in found)
        return sorted(found, key=lambda c: (-c.score, c.hit.rank))

    def quote(self, hit: Hit) -> str:
        """Return the sentence of a hit that has most of the question's words."""
        own = sentences(hit.passage.text)
        return max(own, key=self.share, default=hit.passage.text)

    def _by_words(self, hit: Hit, text: str) -> float:
        """Return what a sentence scores without its meaning.

        One that says nothing new is no answer.

        Args:
            hit: That the sentence stands in.
            text: The sentence.
        """
        head = context(hit.document.title, hit.passage.heading)
        share = 0.7 * self.share(text) + 0.3 * self.share(f"{head} {text}")
        score = 0.4 * share + 0.3 * min(hit.score, 1.0)
        if self.wanted.is_in(text) if self.wanted else self._has_number(text):
            score += 0.05
        if not self._says_something(hit, text):
            score -= 0.4
        return score

    def _has_number(self, text: str) -> bool:
        """Return whether a number is asked for and there."""
        return self._wants_number and bool(_NUMBER.search(text))

    def _says_something(self, hit: Hit, text: str) -> bool:
        """Return whether a sentence adds to the question and to the document's card.

        A title, a footer or the line of the authors adds nothing; a number adds more
        than a word.
        """
        own = words(text)
        known = {*words(about(hit)), *words(self._question), "version", "page"}
        new = set(own) - known
        has_number = any(_NUMBER.search(word) for word in new)
        least = _LEAST_NEW_WORDS - has_number
        return len(own) >= _LEAST_WORDS and len(new) >= least


def answering(
    found: Sequence[Candidate], kind: Wanted | None = None
) -> Iterator[Candidate]:
    """Yield the few sentences that answer a question, best first; none if none does.

    Args:
        found: All, best first.
        kind: What an answer must have.
    """
    fit = [each for each in found if kind is None or kind.is_in(each.text)]
    least = max(LEAST_SENTENCE, _NEAR_BEST * (fit[0].score if fit else 0.0))
    said: set[str] = set()
    for candidate in fit:
        text = " ".join(candidate.text.casefold().split())
        if candidate.score < least or len(said) == _MOST_SENTENCES:
            break
        if text not in said:
            said.add(text)
            yield candidate


def _with_numbers(found: Iterable[str]) -> set[str]:
    """Return words with the digits of numbers that are spelt out, and back."""
    own = set(found)
    return own | {_NUMERALS[word] for word in own & _NUMERALS.keys()}


def framed(hit: Hit) -> str:
    """Return all that a hit says: title, heading, date, authors, id and text."""
    return f"{about(hit)}\n{hit.passage.text}"


def about(hit: Hit) -> str:
    """Return what a document says of itself: title, heading, date, authors, id."""
    document = hit.document
    head = context(document.title, hit.passage.heading)
    number = f"{document.id} {document.id.replace(':', ' ')}"
    facts = [str(document.date or ""), ", ".join(document.authors), number]
    return "\n".join([head, *facts])
