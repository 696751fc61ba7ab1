"""Checks a generated sentence against the passages that it cites.

The marks must name passages that were given. Links, code, identifiers, numbers with
their units, dates and names in the sentence must stand in a cited passage; the passage
must say it rather than deny it, and be about it. What fails is told with the reason,
never silently passed. ``docs/grounding.md`` says what each check catches.
"""

import re
from collections.abc import Callable, Sequence

from dunegpt.index.encoder import Encoder
from dunegpt.index.words import words
from dunegpt.serve import claims
from dunegpt.serve.llm import CUT
from dunegpt.serve.quantities import Quantity, quantities
from dunegpt.serve.quantities import missing as missing_quantities
from dunegpt.serve.relation import misplaced, no_value
from dunegpt.serve.sentences import about, framed, sentences
from dunegpt.serve.support import ATTACHED_SUPPORT, LEAST_SUPPORT, Support
from dunegpt.serve.wanted import wanted
from dunegpt.types import Check, Citation, Sentence

Objection = Callable[[str, Sequence[Citation]], str]
"""From a sentence and what it cites to an objection, or an empty text."""

_LEAST_WORDS = 2
_LEAST_SHARE = 0.4
"""Of a sentence's words in a passage, for it to be tried instead of the cited one."""
_TRIED = 3
_TAKEN_UP = 0.5
_ABOUT_ANSWERS = frozenset(words("answer question passage document source"))
_UNDATED = words("undated")
_ASKS = re.compile(
    r"\?\W*$|^\W*(?:where|who|whom|whose|why|how|which|what)\b(?!.*,)", re.IGNORECASE
)
_GIVEN = r"(?:passage|text|source|context)s?"
_NO_STATEMENT = re.compile(
    rf"^#+\s|\bthe question\b|{CUT}$"
    rf"|^\W*(?:the|this|each) {_GIVEN} (?:also )?(?:is|are|was|were|does|do|\w+s|quoted"
    r"|given)\b"
    r"|^\W*(?:the|this) documents? do(?:es)? not\b"
    r"|\b(?:not|n[\u2019']t) (?:\w+ )?(?:provided|given|mentioned|stated|specified"
    r"|described|discussed|found|available|included) (?:in|by) (?:the|this|any|these)"
    rf" (?:\w+ )?(?:documents?|{_GIVEN})\b",
    re.IGNORECASE,
)
"""A heading, talk of the question or of the passages, or half a sentence."""
_CIRCLE = 0.6
"""At most so large a share of a sentence's words is each another one if it circles;
of 813 true sentences the one that is so repeats its source word for word."""
_CIRCLE_WORDS = 10
_OPEN = re.compile(r"\b(?:what|which|who|whom|whose|when|where|why|how)\b", re.I)
_LONG_GAP = re.compile(r"\s{40,}")
"""Without these, no pattern here takes longer than in proportion to a text."""
_MARK = re.compile(r"\s*\[(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\]")


class Verifier:
    """Checks the sentences of one answer."""

    def __init__(
        self,
        citations: Sequence[Citation],
        encoder: Encoder | None = None,
        question: str = "",
        further: Sequence[Objection] = (),
    ) -> None:
        """Prepare to check.

        Args:
            citations: What the model was given.
            encoder: Of the index; without one, meaning is judged by words alone.
            question: As asked; its names may be said again.
            further: Asked last, of what passed all else.
        """
        self._citations = {c.number: c for c in citations}
        self._further = further
        self._sources = {c.number: framed(c.hit) for c in citations}
        self._support = Support([c.hit for c in citations], encoder)
        self._question = question

    def verified(self, text: str) -> Sentence:
        """Return a sentence without its marks, with the citations that back it.

        Args:
            text: As the model wrote it, marks included.
        """
        text = _LONG_GAP.sub(" ", text)
        marks = [int(n) for m in _MARK.findall(text) for n in re.findall(r"\d+", m)]
        plain = re.sub(r"\s+([.,;!?])", r"\1", _MARK.sub("", text)).strip()
        known = [number for number in dict.fromkeys(marks) if number in self._sources]
        if known:
            check, reason = self.objection(plain, known, LEAST_SUPPORT)
            if check is None:
                return Sentence(plain, tuple(known))
        else:
            given = "it cites a passage that was not given"
            check, reason = Check.CITATION, given if marks else "it cites nothing"
        further = ""
        for number in self._others(plain, known):
            # A passage found after the fact must back it better than one named.
            failed, why = self.objection(plain, [number], ATTACHED_SUPPORT)
            if failed is None:
                return Sentence(plain, (number,))
            further = further or why
        if not known:
            nothing = self._no_statement(plain) or "no passage has most of its words"
            reason = f"{reason}, and {further or nothing}"
        return Sentence(plain, tuple(known), False, reason, check)

    def _others(self, sentence: str, tried: Sequence[int]) -> list[int]:
        """Return the passages that have most of a sentence's words, but one tried."""
        if self._says_nothing(sentence):
            return []
        shares = {n: self._support.share(sentence, [n]) for n in self._sources}
        others = [n for n in shares if [n] != list(tried) and shares[n] >= _LEAST_SHARE]
        return sorted(others, key=lambda n: -shares[n])[:_TRIED]

    def objection(
        self, sentence: str, cited: Sequence[int], least: float
    ) -> tuple[Check | None, str]:
        """Return what a sentence fails, and why; None if nothing speaks against it.

        Args:
            sentence: Without marks.
            cited: Numbers of the passages.
            least: Support that it must have.
        """
        if reason := self._no_statement(sentence):
            return Check.STATEMENT, reason
        source = "\n".join(self._sources[number] for number in cited)
        if _circles(sentence, source):
            return Check.STATEMENT, "it says the same over and over"
        for check, missing in (
            (Check.ADDRESS, claims.missing_addresses(sentence, source)),
            (Check.CODE, claims.missing_code(sentence, source)),
            (Check.NUMBER, missing_quantities(sentence, source)),
            (Check.IDENTIFIER, claims.missing_identifiers(sentence, source)),
            (Check.NAME, claims.missing_names(sentence, source, self._question)),
        ):
            for gone in missing:
                return check, f"{gone} is not in the source"
        given = [self._citations[number] for number in cited]
        if reason := self._of_what(sentence, given):
            return Check.NUMBER, reason
        if self._support.denies(sentence, cited):
            no = "one of it and its source says no where the other does not"
            return Check.DENIAL, no
        support = self._support.lacking(sentence, cited, least)
        if support is not None:
            return Check.SUPPORT, f"the source backs it by {support:.0%} only"
        objections = (objection(sentence, given) for objection in self._further)
        reason = next(filter(None, objections), "")
        return (Check.READING, reason) if reason else (None, "")

    def _of_what(self, sentence: str, given: Sequence[Citation]) -> str:
        """Return why a number that the source has is not what a sentence makes of it.

        Empty if nothing speaks against it.
        """
        if kind := self._lacks(sentence):
            return f"the question asks for {kind}, and it gives another"
        parts = [list(sentences(c.hit.passage.text)) for c in given]
        heads = "\n".join(about(c.hit) for c in given)
        if number := misplaced(sentence, parts, heads):
            return f"{number} is said of something else in the source"
        if number := no_value(sentence, parts):
            return f"{number} is a limit in the source"
        return ""

    def _no_statement(self, sentence: str) -> str:
        """Return why a sentence states nothing; empty if it does."""
        if self._says_nothing(sentence):
            return "it says nothing that can be checked"
        if self._repeats(sentence):
            return "it only repeats the question"
        if self._is_head(sentence):
            return "it is the head of a passage"
        return ""

    def _is_head(self, sentence: str) -> bool:
        """Return whether a text is what stands above a passage: title, day, id."""
        hits = [c.hit for c in self._citations.values()]
        if any(f"({hit.document.id}," in sentence for hit in hits):
            return True
        own = set(words(sentence)) - _ABOUT_ANSWERS
        is_line = not sentence.endswith((".", "!"))
        return is_line and any(own <= {*words(about(hit)), *_UNDATED} for hit in hits)

    def _lacks(self, sentence: str) -> str:
        """Return which kind of amount is asked for, if a sentence gives another one.

        Only of a sentence that takes up the question's words.
        """
        kind = wanted(self._question)
        bare = _without(sentence, quantities(self._question))
        if kind is None or not any(amount.unit for amount in quantities(bare)):
            return ""
        asked = set(words(self._question))
        taken_up = len(asked & set(words(sentence))) >= _TAKEN_UP * len(asked)
        return kind.name if taken_up and not kind.is_in(bare) else ""

    def _repeats(self, sentence: str) -> bool:
        """Return whether a sentence has no word that its question has not.

        That answers a question for yes or no, but none for what or who.
        """
        own = set(words(sentence)) - _ABOUT_ANSWERS
        is_open = bool(_OPEN.search(self._question))
        return is_open and own <= set(words(self._question))

    @staticmethod
    def _says_nothing(sentence: str) -> bool:
        """Return whether a text is a question or a scrap: right words, no statement."""
        own = [word for word in words(sentence) if word not in _ABOUT_ANSWERS]
        if not own or _ASKS.search(sentence) or _NO_STATEMENT.search(sentence):
            return True
        return len(own) < _LEAST_WORDS and not (
            any(quantity.unit for quantity in quantities(sentence))
            or any(claims.missing_names(sentence, ""))
        )


def _circles(sentence: str, source: str) -> bool:
    """Return whether a sentence goes round a few words, as its source does not."""
    own = words(sentence)
    if len(own) < _CIRCLE_WORDS or len(set(own)) > _CIRCLE * len(own):
        return False
    return " ".join(sentence.split()) not in " ".join(source.split())


def _without(text: str, amounts: Sequence[Quantity]) -> str:
    for amount in amounts:
        text = text.replace(amount.text, " ")
    return text


def verified(
    text: str, citations: Sequence[Citation], encoder: Encoder | None = None
) -> Sentence:
    """Return one sentence, checked; see `Verifier`."""
    return Verifier(citations, encoder).verified(text)
