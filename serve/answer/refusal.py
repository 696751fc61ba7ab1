"""Decides whether the retrieved passages can answer the question, and why if not.

Years, versions, and numbers and codes that name something are matched exactly. Whether
a sentence answers, a fitted judgement tells (`dunegpt.serve.answer.judgement`).
"""

import re
from collections.abc import Iterator, Sequence

from dunegpt.index.passage_text import format_hit
from dunegpt.serve.answer.extractive import SentenceScorer
from dunegpt.serve.answer.subjects import find_numbered_things
from dunegpt.text.analyzer import tokenize
from dunegpt.text.patterns import compile_re
from dunegpt.text.variants import add_asked_words, find_alternatives
from dunegpt.types import FoundBy, Hit

MIN_SCORE = 0.30
MIN_WORD_SHARE = 0.5
"""If the passages together have less of the question's words, by weight, it is about
something else, and nothing is judged."""

_TELLING_SHARE = 0.25
"""A missing word that weighs less in the question is not told as a reason."""

_YEAR = compile_re(r"\b(?:19|20)\d\d\b")
_NUMBERED = compile_re(
    r"\b(version|ver\.?|v|run|meeting|no\.?|issue|revision|rev\.?)?\s*(#)?\s*(\d+)\b",
    re.IGNORECASE,
)
_COMPOUND = compile_re(r"(?<![\w.-])(?=[\w.-]*\d)[A-Za-z]+\w*(?:[._-]\w+)+\b")


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
            question's may carry the answer, and no sentence is judged.
    """
    if not hits:
        return "No passage was found."
    if hits[0].found_by is FoundBy.ID:
        return None
    is_far = max(hit.score for hit in hits) < MIN_SCORE
    if is_far and max(judge.word_share(format_hit(hit)) for hit in hits) < 1:
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
    return _judge_sentences(hits, judge)


def _judge_sentences(hits: Sequence[Hit], judge: SentenceScorer) -> str | None:
    """Return why no sentence of the hits answers, or None if one may.

    What the passage of the best one lacks is the reason.
    """
    if judge.word_share("\n".join(map(format_hit, hits))) < MIN_WORD_SHARE:
        if thing := _find_missing_thing(judge.question.text, hits):
            return f"No passage found mentions {thing}."
        named = ", ".join(judge.find_missing_words(hits)[:3])
        return f"No passage found mentions {named or 'enough of the question'}."
    if judge.answers(hits):
        return None
    if thing := _find_missing_thing(judge.question.text, hits):
        return f"No passage found mentions {thing}."
    ranked = judge.rank_sentences(hits)
    if not ranked:
        return "No passage found is about exactly what is asked for."
    passage = tokenize(format_hit(ranked[0].hit))
    if judge.question.heaviest_missing(passage) >= _TELLING_SHARE:
        missing = judge.find_missing_words([ranked[0].hit])[0]
        return f"No passage found that is about it mentions {missing}."
    return "No sentence found answers the question."


def _find_missing_thing(question: str, hits: Sequence[Hit]) -> str:
    """Return a numbered thing of the question that no hit names, though others are."""
    present = set(find_numbered_things("\n".join(map(format_hit, hits))))
    nouns = {noun for noun, _ in present}
    for noun, number in find_numbered_things(question):
        if noun in nouns and (noun, number) not in present:
            return f"{noun} {number}"
    return ""


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
