"""Checks a generated sentence against the passages that it cites.

The marks must name passages that were given. Links, code, identifiers, numbers with
their units, dates and names in the sentence must stand in a cited passage; the passage
must say it rather than deny it, and be about it. What fails is told with the reason,
never silently passed. ``docs/answers.md`` says what each check catches.
"""

import re
from collections.abc import Callable, Sequence

from dunegpt.index.encoder.onnx import Encoder
from dunegpt.index.passage_text import format_hit, format_metadata
from dunegpt.serve.llm.messages import TRUNCATION_MARK
from dunegpt.serve.question.answer_type import detect_answer_type
from dunegpt.serve.verify.number_context import find_limit, find_misplaced
from dunegpt.serve.verify.support import (
    MIN_ATTACHED_SUPPORT,
    MIN_SUPPORT,
    SupportScorer,
)
from dunegpt.text import literals
from dunegpt.text.analyzer import tokenize
from dunegpt.text.quantities import Quantity, find_quantities
from dunegpt.text.quantities import find_missing as missing_quantities
from dunegpt.text.sentences import split_sentences
from dunegpt.types import Check, Citation, Sentence

Objection = Callable[[str, Sequence[Citation]], str]
"""From a sentence and what it cites to an objection, or an empty text."""

_MIN_WORDS = 2
_MIN_SHARE = 0.4
"""Of a sentence's words in a passage, for it to be tried instead of the cited one."""
_MAX_ALTERNATIVES = 3
_MIN_QUESTION_SHARE = 0.5
_META_WORDS = frozenset(tokenize("answer question passage document source"))
_UNDATED = tokenize("undated")
_ASKS = re.compile(
    r"\?\W*$|^\W*(?:where|who|whom|whose|why|how|which|what)\b(?!.*,)", re.IGNORECASE
)
_GIVEN = r"(?:passage|text|source|context)s?"
_NO_STATEMENT = re.compile(
    rf"^#+\s|\bthe question\b|{TRUNCATION_MARK}$"
    rf"|^\W*(?:the|this|each) {_GIVEN} (?:also )?(?:is|are|was|were|does|do|\w+s|quoted"
    r"|given)\b"
    r"|^\W*(?:the|this) documents? do(?:es)? not\b"
    r"|\b(?:not|n[\u2019']t) (?:\w+ )?(?:provided|given|mentioned|stated|specified"
    r"|described|discussed|found|available|included) (?:in|by) (?:the|this|any|these)"
    rf" (?:\w+ )?(?:documents?|{_GIVEN})\b",
    re.IGNORECASE,
)
"""A heading, talk of the question or of the passages, or half a sentence."""
_MAX_DISTINCT_SHARE = 0.6
"""At most so large a share of a sentence's words is each another one if it circles;
of 813 true sentences the one that is so repeats its source word for word."""
_MIN_REPETITION_WORDS = 10
_OPEN_QUESTION = re.compile(
    r"\b(?:what|which|who|whom|whose|when|where|why|how)\b", re.I
)
_LONG_GAP = re.compile(r"\s{40,}")
"""Without these, no pattern here takes longer than in proportion to a text."""
_CITATION_MARK = re.compile(r"\s*\[(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\]")


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
        self._extra_checks = further
        self._sources = {c.number: format_hit(c.hit) for c in citations}
        self._support = SupportScorer([c.hit for c in citations], encoder)
        self._question = question

    def verify(self, text: str) -> Sentence:
        """Return a sentence without its marks, with the citations that back it.

        Args:
            text: As the model wrote it, marks included.
        """
        text = _LONG_GAP.sub(" ", text)
        marks = [
            int(n) for m in _CITATION_MARK.findall(text) for n in re.findall(r"\d+", m)
        ]
        plain = re.sub(r"\s+([.,;!?])", r"\1", _CITATION_MARK.sub("", text)).strip()
        known = [number for number in dict.fromkeys(marks) if number in self._sources]
        if known:
            check, reason = self.find_objection(plain, known, MIN_SUPPORT)
            if check is None:
                return Sentence(plain, tuple(known))
        else:
            given = "it cites a passage that was not given"
            check, reason = Check.CITATION, given if marks else "it cites nothing"
        further = ""
        for number in self._find_alternatives(plain, known):
            # A passage found after the fact must back it better than one named.
            failed, why = self.find_objection(plain, [number], MIN_ATTACHED_SUPPORT)
            if failed is None:
                return Sentence(plain, (number,))
            further = further or why
        if not known:
            nothing = self._check_statement(plain) or "no passage has most of its words"
            reason = f"{reason}, and {further or nothing}"
        return Sentence(plain, tuple(known), False, reason, check)

    def _find_alternatives(self, sentence: str, tried: Sequence[int]) -> list[int]:
        """Return the passages that have most of a sentence's words, but one tried."""
        if self._says_nothing(sentence):
            return []
        shares = {n: self._support.word_share(sentence, [n]) for n in self._sources}
        others = [n for n in shares if [n] != list(tried) and shares[n] >= _MIN_SHARE]
        return sorted(others, key=lambda n: -shares[n])[:_MAX_ALTERNATIVES]

    def find_objection(
        self, sentence: str, cited: Sequence[int], least: float
    ) -> tuple[Check | None, str]:
        """Return what a sentence fails, and why; None if nothing speaks against it.

        Args:
            sentence: Without marks.
            cited: Numbers of the passages.
            least: Support that it must have.
        """
        if reason := self._check_statement(sentence):
            return Check.STATEMENT, reason
        source = "\n".join(self._sources[number] for number in cited)
        if _is_repetitive(sentence, source):
            return Check.STATEMENT, "it says the same over and over"
        for check, missing in (
            (Check.ADDRESS, literals.find_missing_addresses(sentence, source)),
            (Check.CODE, literals.find_missing_code(sentence, source)),
            (Check.NUMBER, missing_quantities(sentence, source)),
            (Check.IDENTIFIER, literals.find_missing_identifiers(sentence, source)),
            (Check.NAME, literals.find_missing_names(sentence, source, self._question)),
        ):
            for gone in missing:
                return check, f"{gone} is not in the source"
        given = [self._citations[number] for number in cited]
        if reason := self._check_number_context(sentence, given):
            return Check.NUMBER, reason
        if self._support.contradicts(sentence, cited):
            no = "one of it and its source says no where the other does not"
            return Check.DENIAL, no
        support = self._support.find_lacking_support(sentence, cited, least)
        if support is not None:
            return Check.SUPPORT, f"the source backs it by {support:.0%} only"
        objections = (objection(sentence, given) for objection in self._extra_checks)
        reason = next(filter(None, objections), "")
        return (Check.READING, reason) if reason else (None, "")

    def _check_number_context(self, sentence: str, given: Sequence[Citation]) -> str:
        """Return why a number that the source has is not what a sentence makes of it.

        Empty if nothing speaks against it.
        """
        if kind := self._check_answer_type(sentence):
            return f"the question asks for {kind}, and it gives another"
        parts = [list(split_sentences(c.hit.passage.text)) for c in given]
        heads = "\n".join(format_metadata(c.hit) for c in given)
        if number := find_misplaced(sentence, parts, heads):
            return f"{number} is said of something else in the source"
        if number := find_limit(sentence, parts):
            return f"{number} is a limit in the source"
        return ""

    def _check_statement(self, sentence: str) -> str:
        """Return why a sentence states nothing; empty if it does."""
        if self._says_nothing(sentence):
            return "it says nothing that can be checked"
        if self._repeats_question(sentence):
            return "it only repeats the question"
        if self._is_heading(sentence):
            return "it is the head of a passage"
        return ""

    def _is_heading(self, sentence: str) -> bool:
        """Return whether a text is what stands above a passage: title, day, id."""
        hits = [c.hit for c in self._citations.values()]
        if any(f"({hit.document.id}," in sentence for hit in hits):
            return True
        own = set(tokenize(sentence)) - _META_WORDS
        is_line = not sentence.endswith((".", "!"))
        return is_line and any(
            own <= {*tokenize(format_metadata(hit)), *_UNDATED} for hit in hits
        )

    def _check_answer_type(self, sentence: str) -> str:
        """Return which kind of amount is asked for, if a sentence gives another one.

        Only of a sentence that takes up the question's words.
        """
        kind = detect_answer_type(self._question)
        bare = _remove_quantities(sentence, find_quantities(self._question))
        if kind is None or not any(amount.unit for amount in find_quantities(bare)):
            return ""
        asked = set(tokenize(self._question))
        taken_up = len(asked & set(tokenize(sentence))) >= _MIN_QUESTION_SHARE * len(
            asked
        )
        return kind.name if taken_up and not kind.is_in(bare) else ""

    def _repeats_question(self, sentence: str) -> bool:
        """Return whether a sentence has no word that its question has not.

        That answers a question for yes or no, but none for what or who.
        """
        own = set(tokenize(sentence)) - _META_WORDS
        is_open = bool(_OPEN_QUESTION.search(self._question))
        return is_open and own <= set(tokenize(self._question))

    @staticmethod
    def _says_nothing(sentence: str) -> bool:
        """Return whether a text is a question or a scrap: right words, no statement."""
        own = [word for word in tokenize(sentence) if word not in _META_WORDS]
        if not own or _ASKS.search(sentence) or _NO_STATEMENT.search(sentence):
            return True
        return len(own) < _MIN_WORDS and not (
            any(quantity.unit for quantity in find_quantities(sentence))
            or any(literals.find_missing_names(sentence, ""))
        )


def _is_repetitive(sentence: str, source: str) -> bool:
    """Return whether a sentence goes round a few words, as its source does not."""
    own = tokenize(sentence)
    if len(own) < _MIN_REPETITION_WORDS or len(set(own)) > _MAX_DISTINCT_SHARE * len(
        own
    ):
        return False
    return " ".join(sentence.split()) not in " ".join(source.split())


def _remove_quantities(text: str, amounts: Sequence[Quantity]) -> str:
    for amount in amounts:
        text = text.replace(amount.text, " ")
    return text


def verify_sentence(
    text: str, citations: Sequence[Citation], encoder: Encoder | None = None
) -> Sentence:
    """Return one sentence, checked; see `Verifier`."""
    return Verifier(citations, encoder).verify(text)
