"""Whether what was found can hold an answer at all, and if not, why.

Measured on 46 answerable and 9 unanswerable questions on DUNE texts: the score of the
best passage tells questions from outside the field (AUC .99), not unanswerable ones
inside it (.63); the share of the question's words in the best passage tells those
(.91). Years, versions and numbers that name something are matched exactly.
"""

import re
from collections.abc import Iterator, Sequence

from dunegpt.index.passage_text import format_hit
from dunegpt.serve.answer.extractive import SentenceScorer
from dunegpt.text.analyzer import tokenize
from dunegpt.text.variants import add_asked_words, find_alternatives
from dunegpt.types import FoundBy, Hit

MIN_SCORE = 0.30
MIN_WORD_SHARE = 0.55
MIN_PASSAGE_SHARE = 0.45

_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_NUMBERED = re.compile(
    r"\b(version|ver\.?|v|run|meeting|no\.?|issue|revision|rev\.?)?\s*(#)?\s*(\d+)\b",
    re.IGNORECASE,
)
_COMPOUND = re.compile(r"(?<![\w.-])(?=[\w.-]*\d)[A-Za-z]+\w*(?:[._-]\w+)+\b")


def refusal_reason(
    question: str, hits: Sequence[Hit], judge: SentenceScorer, *, will_be_read: bool
) -> str | None:
    """Return why the hits cannot answer a question, or None if they may.

    A named document may always hold the answer.

    Args:
        question: As asked.
        hits: What was found.
        judge: Of the question.
        will_be_read: Whether a model reads the passages: then other words than the
            question's may carry the answer, and shares of words decide nothing.
    """
    if not hits:
        return "No passage was found."
    if hits[0].found_by is FoundBy.ID:
        return None
    if max(hit.score for hit in hits) < MIN_SCORE:
        return "No passage comes near the question."
    flat = re.sub(r"\s+", " ", "\n".join(map(format_hit, hits))).casefold()
    present = add_asked_words(set(tokenize(flat)), find_alternatives(question))
    for text, spellings in _find_exact_terms(question):
        if not any(
            spelling in flat if " " in spelling else spelling in present
            for spelling in spellings
        ):
            return f"No passage found mentions {text}."
    if will_be_read:
        return None
    if reason := check_answer_type(hits, judge):
        return reason
    passage = max(judge.word_share(format_hit(hit)) for hit in hits)
    if judge.combined_word_share(hits) < MIN_WORD_SHARE or passage < MIN_PASSAGE_SHARE:
        missing = ", ".join(judge.find_missing_words(hits)[:3])
        return f"No passage found mentions {missing or 'enough of the question'}."
    return None


def check_answer_type(hits: Sequence[Hit], judge: SentenceScorer) -> str:
    """Return why no hit has the kind of answer that is wanted; empty if one may.

    A model that widens the search may find one, so this is asked after that.
    """
    kind = judge.answer_type
    if kind and not any(kind.is_in(hit.passage.text) for hit in hits):
        return f"No passage found gives {kind.name}."
    return ""


def _find_exact_terms(question: str) -> Iterator[tuple[str, list[str]]]:
    """Yield what must stand in a passage as asked, each with its spellings."""
    for year in _YEAR.findall(question):
        yield year, [year]
    for written, hash_mark, number in _NUMBERED.findall(question):
        kind = written.casefold().rstrip(".")
        if kind in {"version", "ver", "v"}:
            yield f"version {number}", [f"version {number}", f"v{number}"]
        elif kind or hash_mark:
            spellings = [f"{kind} {number}", f"#{number} ", f"{kind} #{number}", number]
            yield f"{kind} {hash_mark}{number}".strip(), spellings
    for compound in _COMPOUND.findall(question):
        if re.search(r"\d", compound):
            yield compound, [compound.casefold()]
