"""Checks a generated sentence against the passages that it cites.

First form, without a second model: the marks must name passages that were given; every
number, identifier and address in the sentence must stand in a cited passage; and most
of its words must. What fails is marked with the reason, never silently passed.
"""

import re
from collections.abc import Sequence

from dunegpt.index.words import words
from dunegpt.serve.sentences import framed
from dunegpt.types import Citation, Sentence

_MARK = re.compile(r"\s*\[(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\]")
_ADDRESS = re.compile(r"https?://\S+|www\.\S+|\S+@\S+\.\S+")
_TOKEN_WITH_DIGIT = re.compile(r"(?<![\w.])[+\-\u2212]?[\w./:\-]*\d[\w./:\-]*")
_LEAST_SHARE = 0.5
_ATTACHED_SHARE = 0.7


def verified(text: str, citations: Sequence[Citation]) -> Sentence:
    """Return a sentence without its marks, with the citations that back it.

    Args:
        text: As the model wrote it, marks included.
        citations: What the model was given.
    """
    given = {citation.number: citation for citation in citations}
    marks = [int(n) for match in _MARK.findall(text) for n in re.findall(r"\d+", match)]
    plain = re.sub(r"\s+([.,;!?])", r"\1", _MARK.sub("", text)).strip()
    known = [number for number in dict.fromkeys(marks) if number in given]
    if not known:
        return _attached(plain, citations, wrong=bool(marks))
    cited = "\n".join(framed(given[number].hit) for number in known)
    reason = objection(plain, cited, _LEAST_SHARE)
    return Sentence(plain, tuple(known), supported=not reason, reason=reason)


def objection(sentence: str, source: str, least_share: float) -> str:
    """Return why a source does not back a sentence; empty if nothing speaks against it.

    Args:
        sentence: Without marks.
        source: All text that it may rest on.
        least_share: Of the sentence's words that the source must have.
    """
    flat = _flat(source)
    for address in _ADDRESS.findall(sentence):
        if _flat(address.rstrip(".,;)")) not in flat:
            return f"the address {address} is not in the source"
    tokens = set(_tokens(source))
    missing = [token for token in _tokens(sentence) if token not in tokens]
    if missing:
        return f"{missing[0]} is not in the source"
    own = words(sentence)
    found = set(words(source))
    if not own:
        return "it says nothing that can be checked"
    share = sum(word in found for word in own) / len(own)
    if share < least_share:
        return f"the source has only {share:.0%} of its words"
    return ""


def _attached(sentence: str, citations: Sequence[Citation], *, wrong: bool) -> Sentence:
    """Return a sentence that cites nothing given, with a passage that backs it, if any.

    A passage found after the fact must back it better than one that the model named.
    """
    for citation in citations:
        if not objection(sentence, framed(citation.hit), _ATTACHED_SHARE):
            return Sentence(sentence, (citation.number,))
    reason = "it cites a passage that was not given" if wrong else "it cites nothing"
    return Sentence(sentence, (), supported=False, reason=reason)


def _tokens(text: str) -> list[str]:
    """Return the numbers and identifiers of a text, in one spelling."""
    found = _TOKEN_WITH_DIGIT.findall(text.replace("\u2212", "-"))
    return [token.strip(".:/-+").casefold() for token in found]


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text).casefold()
