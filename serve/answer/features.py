"""Describes how a candidate relates to a question, as named features.

The features are words, the kind of answer, and whether both are about the same thing.
What they count is fitted: see `dunegpt.serve.answer.judgement`.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from dunegpt.serve.answer.candidates import Candidate, Kind
from dunegpt.serve.answer.subjects import find_subject_conflict, has_other_side
from dunegpt.serve.question.answer_type import AnswerType, detect_answer_type
from dunegpt.text.analyzer import tokenize
from dunegpt.text.english import MONTHS, NUMBERS, WEEKDAYS
from dunegpt.text.patterns import compile_re
from dunegpt.text.variants import Alternative, add_asked_words, find_alternatives

Features = dict[str, float]

_ABOUT_WRITING = frozenset(
    {"wrote", "written", "write", "author", "publish", "present"}
)
"""Words that ask for a document's authors and date, as they are indexed."""
_QUESTION_FORMULA = compile_re(
    r"\b(?:stands? for|is short for|abbreviations? for|(?-i:may|might|must|shall))\b"
    r"|^\W*(?:may|might|must|shall)\b(?!\s+\d)"
    r"|\bhow (?:long|often)(?= (?:did|does|do|has|have|had|will|would|was|were)\b)",
    re.I,
)
"""Asks, and stands in no answer; the month is written with a capital."""
_NEGATION = compile_re(
    r"\b(?:not?|never|none|nobody|nothing|neither|nor|without|cannot|rejected|declined"
    r"|cancell?ed|nicht|kein\w*)\b|n['\u2019]t\b",
    re.IGNORECASE,
)
_OPEN = compile_re(
    r"\b(?:will|would|planned|plans?|propos\w+|suggest\w*|expected|should|could|might"
    r"|may|if|considered|foreseen|to be)\b",
    re.IGNORECASE,
)
"""What is not, or not yet, a fact."""
_WANTS = {
    "person": compile_re(r"\b(?:who|whom|whose)\b", re.I),
    "time": compile_re(
        r"(?:^\W*|\b(?:and|or|but|since|until|by|from) )when\b"
        r"|\b(?:(?:what|which) (?:day|date|year|month|week|time)|how long ago)\b",
        re.I,
    ),
    "number": compile_re(
        r"\bhow (?:much|many|long|far|thick|heavy|large|big|wide|high|deep|often|fast"
        r"|old|hot|cold|tall|small|low|strong|precisely|well)\b"
        r"|\b(?:temperature|pressure|voltage|rate|thickness|mass|weight|length|size"
        r"|number|value|price|cost|current|power|speed|velocity|level|lifetime|volume"
        r"|frequency|fraction|percentage|ratio|distance|diameter|efficiency|resolution"
        r"|threshold|limit|capacity|energy|momentum|uncertainty)\b",
        re.I,
    ),
    "reason": compile_re(r"\bwhy\b|\bwhat (?:caused|is the (?:reason|cause))\b", re.I),
    "place": compile_re(r"\bwhere\b", re.I),
    "version": compile_re(
        r"\b(?:which|what) (?:\w+ ){0,2}(?:versions?|releases?)\b", re.I
    ),
    "code": compile_re(
        r"\b(?:options?|flags?|parameters?|commands?|variables?|scripts?|suffix"
        r"|director(?:y|ies)|folders?|class|function|method)\b"
        r"|^\W*how (?:do|can) (?:i|we|you|one)\b",
        re.I,
    ),
}
_HAS = {
    "person": compile_re(
        r"(?<![.!?]\s)(?<!^)\b[A-Z][a-zà-ÿ]+\b"
        r"|\b[A-Z][a-zà-ÿ]+ (?:[A-Z]\. ?)*[A-Z][a-zà-ÿ]+"
        r"|\b(?:group|committee|team|board|consortium|manager|coordinator|officer)\b"
    ),
    "time": compile_re(
        rf"\b(?:{'|'.join(MONTHS)}|{'|'.join(WEEKDAYS)}|weeks?|months?|years?|quarter"
        r"|spring|summer|autumn|fall|winter|today|yesterday|tomorrow|noon|midnight"
        r"|morning|evening|after|before|since|until|once|(?:19|20)\d\d)\b"
        r"|\d{1,2}:\d\d|\d{4}-\d\d|\d{1,2}\.\s?\d{1,2}\.",
        re.I,
    ),
    "number": compile_re(
        rf"\d|\b(?:{'|'.join(NUMBERS)}|twice|once|half|third|dozen|hundred|thousand)\b",
        re.I,
    ),
    "reason": compile_re(
        r"\b(?:because|since|as|due to|so that|in order|to|for|therefore|thus|would"
        r"|caused?|reasons?|allows?|avoids?|prevents?|reduces?)\b",
        re.I,
    ),
    "place": compile_re(r"\b(?:in|at|on|near|behind|below|above|under|inside|from)\b"),
    "version": compile_re(r"\bv?\d+(?:[._]\d+)+|\bv\d+\b|\b(?:version|release) \w*\d"),
    "code": compile_re(r"`|(?<!\w)--?[a-z]\w|\w[_/]\w|\w\(\)|\w\.[a-z]{1,4}\b"),
}
_EXACT_KINDS = frozenset({"number", "time", "version"})
"""What can be told for sure; a person or a reason may be worded in any way."""
_IS_CLOSED = compile_re(
    r"^\W*(?:is|are|was|were|does|do|did|has|have|had|can|could|will|would|should|may"
    r"|must)\b",
    re.IGNORECASE,
)
_MAX_WORDS = 60


@dataclass(frozen=True)
class Question:
    """A question, analysed once for all of its candidates.

    Attributes:
        weights: Weights of its words in the index, by token of `tokenize`.
    """

    text: str
    weights: Mapping[str, float]

    @cached_property
    def content(self) -> dict[str, float]:
        """The weights of the words that an answer may have, formulas of asking out."""
        formal = set(tokenize(" ".join(_QUESTION_FORMULA.findall(self.text))))
        formal |= _ABOUT_WRITING
        return {w: idf for w, idf in self.weights.items() if w not in formal}

    @cached_property
    def words(self) -> frozenset[str]:
        """All of its words."""
        return frozenset(tokenize(self.text))

    @cached_property
    def answer_type(self) -> AnswerType | None:
        """The kind of answer that its wording asks for, if it tells."""
        return detect_answer_type(self.text)

    @cached_property
    def wants(self) -> tuple[str, ...]:
        """What an answer has to name: person, time, number, reason, place."""
        return tuple(name for name, asks in _WANTS.items() if asks.search(self.text))

    @cached_property
    def is_closed(self) -> bool:
        """Whether yes or no is an answer."""
        return bool(_IS_CLOSED.search(self.text))

    @cached_property
    def is_negated(self) -> bool:
        """Whether it asks for what is not."""
        return bool(_NEGATION.search(self.text))

    @cached_property
    def is_open(self) -> bool:
        """Whether it asks for what will or may be."""
        return bool(_OPEN.search(self.text))

    def share(self, words: Iterable[str]) -> float:
        """Return the share of its words, by weight, that are among some words.

        A word that no document has weighs most, so a question about something that
        the documents never name cannot reach a high share.
        """
        total = sum(self.content.values())
        found = self._add_asked(words)
        own = sum(w for word, w in self.content.items() if word in found)
        return own / total if total else 0.0

    def find_missing(self, words: Iterable[str]) -> list[str]:
        """Return its words that are not among some words, weightiest first."""
        found = self._add_asked(words)
        gone = [word for word in self.content if word not in found]
        return sorted(gone, key=lambda word: -self.content[word])

    def _add_asked(self, words: Iterable[str]) -> set[str]:
        """Return words, and those of the question that they are other forms of."""
        return add_asked_words(set(words), self._alternatives)

    @cached_property
    def _alternatives(self) -> dict[str, set[Alternative]]:
        return find_alternatives(self.text)

    def heaviest_missing(self, words: Iterable[str]) -> float:
        """Return the weight of its weightiest missing word, as a share of the whole."""
        missing = self.find_missing(words)
        total = sum(self.content.values())
        return self.content[missing[0]] / total if missing and total else 0.0


def describe(question: Question, candidate: Candidate, top_score: float) -> Features:
    """Return the features of a candidate that cost no model.

    Args:
        question: The question.
        candidate: One of its candidates.
        top_score: The highest score of its hits, to which others are related: scores
            themselves depend on the index.
    """
    own = tokenize(candidate.shown)
    around = [*own, *tokenize(candidate.context)]
    near = [*around, *tokenize(candidate.before)]
    hit, kind = candidate.hit, candidate.kind
    told = set(own) - question.words
    new = told - set(tokenize(candidate.context))
    if kind is Kind.SENTENCE and not new:
        new = told  # the title quotes it, as that of a log entry does
    negated = bool(_NEGATION.search(candidate.shown)) and not question.is_negated
    return {
        "share": question.share(own),
        "share_context": question.share(around),
        "share_near": question.share(near),
        "density": len(question.words & set(own)) / math.sqrt(1 + len(own)),
        "missing": question.heaviest_missing(around),
        "hit_share": hit.score / top_score if top_score > 0 else 0.0,
        "rank": 1 / hit.rank,
        "new_words": math.log1p(min(len(new), _MAX_WORDS)),
        "says_nothing": float(not new),
        "length": math.log1p(min(len(own), _MAX_WORDS)),
        "position": 1 / (1 + candidate.position),
        "is_row": float(kind is Kind.ROW),
        "is_item": float(kind is Kind.ITEM),
        "is_line": float(kind is Kind.LINE),
        "is_heading": float(kind is Kind.HEADING),
        "is_question": float(candidate.shown.endswith("?")),
        "negated": float(negated and not question.is_closed),
        "open": float(bool(_OPEN.search(candidate.shown)) and not question.is_open),
        "other_subject": find_subject_conflict(question.text, candidate),
        "other_side": has_other_side(question.text, candidate),
        **_describe_kind(question, candidate.statement),
    }


def _describe_kind(question: Question, text: str) -> Features:
    """Return whether the wanted kind of answer is there, and whether it is lacking."""
    found = [float(bool(_HAS[name].search(text))) for name in question.wants]
    kind = question.answer_type
    is_typed = kind.is_in(text) if kind else False
    return {
        "has_wanted": sum(found) / len(found) if found else 0.0,
        "lacks_wanted": 1 - sum(found) / len(found) if found else 0.0,
        "has_type": float(is_typed),
        "lacks_type": float(bool(kind) and not is_typed),
    }


def lacks_exact_kind(question: Question, candidate: Candidate) -> bool:
    """Return whether a number, time or version is asked for, and none is there."""
    wanted = _EXACT_KINDS.intersection(question.wants)
    return any(not _HAS[name].search(candidate.statement) for name in wanted)


def relate(name: str, values: Sequence[float]) -> list[Features]:
    """Return what a model says of each candidate, alone and against the best."""
    top = max(values, default=0.0)
    return [{name: value, f"{name}_gap": top - value} for value in values]


def describe_answer(
    question: Question, ranked: Sequence[Candidate], models: Features
) -> Features:
    """Return the features of whether the best candidates answer a question at all.

    Args:
        question: The question.
        ranked: Its candidates, best first; not empty.
        models: What models say of the best candidate.
    """
    best = ranked[0]
    others = [c.score for c in ranked[1:] if c.shown != best.shown]
    own = describe(question, best, best.hit.score)
    passage = tokenize(f"{best.context}\n{best.hit.passage.text}")
    return {
        "best": _logit(best.score),
        "margin": _logit(best.score) - _logit(max(others, default=0.0)),
        "passage_share": question.share(passage),
        "passage_missing": question.heaviest_missing(passage),
        "words": math.log1p(len(question.content)),
        **{name: own[name] for name in _KEPT},
        **models,
    }


_KEPT = (
    "share", "share_context", "missing", "has_wanted", "lacks_wanted", "has_type",
    "lacks_type", "negated", "open", "other_subject", "other_side", "rank",
)  # fmt: skip


def _logit(probability: float) -> float:
    clipped = min(max(probability, 1e-4), 1 - 1e-4)
    return math.log(clipped / (1 - clipped))
