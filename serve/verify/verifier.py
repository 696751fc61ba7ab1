"""Checks a generated sentence against the passages that it cites.

Links, code, identifiers, numbers with their units, dates and names in a sentence must
stand in the cited passages, read together: nothing excuses one that does not. Whether
they say what the sentence says of them is estimated from its words, its claims and, if
there is one, a judge. What fails is told with the reason, never silently passed.
``docs/answers.md`` says what each check catches.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from dunegpt.index.encoder.onnx import Encoder
from dunegpt.serve.question.answer_type import detect_answer_type
from dunegpt.serve.verify import context, limits, numbers, statement
from dunegpt.serve.verify.combination import (
    Combination,
    load_combination,
    weigh_judge,
)
from dunegpt.serve.verify.marks import split_marks
from dunegpt.serve.verify.support import SupportScorer, is_exact_conflict
from dunegpt.text import literals
from dunegpt.text.analyzer import tokenize
from dunegpt.text.patterns import compile_re
from dunegpt.text.quantities import Quantity, find_quantities
from dunegpt.types import Check, Citation, Sentence

_MIN_SHARE = 0.4
"""Of a sentence's words in a passage, for it to be tried instead of the cited one."""
_MIN_ABOUT = 0.6
"""Of a sentence's words in what it cites, for that to be about the same thing: what it
says otherwise, no other passage is asked for."""
_MAX_ALTERNATIVES = 3
_MIN_QUESTION_SHARE = 0.5
_LONG_GAP = compile_re(r"\s{40,}")
"""Without these, no pattern here takes longer than in proportion to a text."""
_REASONS = {
    "denial": "one of it and its source says no where the other does not",
    "certainty": "the source has it as planned or proposed, not as done",
    "demand": "what must be, may be or is differs in the source",
    "cause": "the source does not give this reason",
    "no_cause": "the source gives no reason",
    "universal": "the source does not say it of all, or only of these",
    "comparison": "the source does not compare so",
    "order": "the source has it the other way round",
    "new_tail": "its last part is not in the source",
    "new_clause": "a part of it is not in the source",
}


class Judge(Protocol):
    """Reads a sentence and its passages, and says how probably they back it."""

    @property
    def trust(self) -> float:
        """How far it is trusted against the rules, from 0 to 1."""

    def submit(self, sentence: str, cited: Sequence[Citation]) -> bool:
        """Begin to judge; return whether that is done."""

    def estimate(self, sentence: str, cited: Sequence[Citation]) -> float | None:
        """Return a probability, or None if it does not judge."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say of a sentence with some passages.

    Attributes:
        check: That failed; None if the sentence passes.
        reason: Why; empty if it passes.
        values: What was measured, by name; empty if a hard check failed.
    """

    check: Check | None = None
    reason: str = ""
    values: Mapping[str, float] | None = None


class Verifier:
    """Checks the sentences of one answer, in order."""

    def __init__(
        self,
        citations: Sequence[Citation],
        encoder: Encoder | None = None,
        question: str = "",
        judges: Sequence[Judge] = (),
    ) -> None:
        """Prepare to check.

        Args:
            citations: What the model was given.
            encoder: Of the index; without one, meaning is judged by words alone.
            question: As asked.
            judges: Asked of what passes the hard checks.
        """
        self._citations = {c.number: c for c in citations}
        self._judges = judges
        self._support = SupportScorer([c.hit for c in citations], encoder)
        self._question = question
        self._combination: Combination = load_combination()
        self._failed: dict[str, bool] = {}
        self._previous: Sentence | None = None
        self._submitted = ""
        self._asked: dict[str, str] = {}

    def verify(self, text: str) -> Sentence:
        """Return a sentence without its marks, with the citations that back it.

        A sentence that takes up the one before is measured together with it, and has
        its citations if it gives none; one that was not backed backs nothing.

        Args:
            text: As the model wrote it, marks included.
        """
        plain, marks = split_marks(_LONG_GAP.sub(" ", text))
        known = [number for number in dict.fromkeys(marks) if number in self._citations]
        before, previous = "", self._previous
        if previous and previous.supported and context.leans(plain):
            before = previous.text
            known = known or ([] if marks else list(previous.citations))
        found = self._verify_plain(plain, known, before, has_marks=bool(marks))
        self._previous = found
        return found

    def follow(self, previous: Sentence | None) -> None:
        """Let the next sentence stand behind another one, or begin an answer."""
        self._previous = previous

    def submit(self, text: str) -> bool:
        """Let the judges begin with a sentence; return whether none is at work on it.

        Args:
            text: As the model wrote it, marks included.
        """
        plain, marks = split_marks(_LONG_GAP.sub(" ", text))
        known = [n for n in dict.fromkeys(marks) if n in self._citations]
        before = self._join_for_judges(plain)
        if not known or not self._judges:
            return True
        if plain not in self._failed:
            verdict = self._check_literally(plain, known, before)
            self._failed[plain] = bool(verdict.check)
        if self._failed[plain]:
            return True
        given = [self._citations[number] for number in known]
        asked = self._asked[plain]
        return all([judge.submit(asked, given) for judge in self._judges])

    def _join_for_judges(self, plain: str) -> str:
        """Keep what judges are asked of a sentence; return what it leans on."""
        if plain not in self._asked:
            before = self._submitted if context.leans(plain) else ""
            self._asked[plain] = f"{before} {plain}".strip()
            self._submitted = plain
        return self._asked[plain].removesuffix(plain).strip()

    def _verify_plain(
        self, plain: str, known: Sequence[int], before: str, *, has_marks: bool
    ) -> Sentence:
        if known:
            verdict = self.judge(plain, known, before)
            if verdict.check is None:
                return Sentence(plain, tuple(known))
            check, reason = verdict.check, verdict.reason
            if verdict.values and verdict.values["words"] >= _MIN_ABOUT:
                return Sentence(plain, tuple(known), False, reason, check)
        else:
            given = "it cites a passage that was not given"
            check, reason = Check.CITATION, given if has_marks else "it cites nothing"
        further = ""
        for number in self._find_alternatives(plain, known):
            # A passage found after the fact must back it better than one named.
            verdict = self.judge(plain, [number], before, is_attached=True)
            if verdict.check is None:
                return Sentence(plain, (number,))
            further = further or verdict.reason
        if not known:
            hits = [c.hit for c in self._citations.values()]
            nothing = statement.find_fault(plain, self._question, hits)
            nothing = nothing or "no passage has most of its words"
            reason = f"{reason}, and {further or nothing}"
        return Sentence(plain, tuple(known), False, reason, check)

    def _find_alternatives(self, sentence: str, tried: Sequence[int]) -> list[int]:
        """Return the passages that have most of a sentence's words, but one tried."""
        if statement.says_nothing(sentence):
            return []
        shares = {n: self._support.word_share(sentence, [n]) for n in self._citations}
        others = [n for n in shares if [n] != list(tried) and shares[n] >= _MIN_SHARE]
        return sorted(others, key=lambda n: -shares[n])[:_MAX_ALTERNATIVES]

    def judge(
        self,
        sentence: str,
        cited: Sequence[int],
        before: str = "",
        *,
        is_attached: bool = False,
    ) -> Verdict:
        """Return what rules and judges say of a sentence and some passages.

        Args:
            sentence: Without marks.
            cited: Numbers of the passages.
            before: The sentence that it leans on; empty if it leans on none.
            is_attached: Whether they were found for it, and not named.
        """
        verdict = self._check_literally(sentence, cited, before)
        lead, plain = context.split_lead(sentence)
        if verdict.check is None and context.contradicts_lead(
            lead, plain, self._question
        ):
            return Verdict(Check.DENIAL, f"it says {lead}, and then the opposite")
        hits = [self._citations[number].hit for number in cited]
        is_settled = (
            statement.says_absent(sentence)
            or statement.compares_dates(sentence, hits)
            or statement.is_bare_amount(sentence)
        )
        if verdict.check is not None or is_settled:
            return verdict
        values = self._support.measure(plain, cited, before)
        least = self._combination.threshold
        if is_attached:
            least = self._combination.attached_threshold
        estimate = self._combination.estimate(values)
        given = [self._citations[number] for number in cited]
        asked = self._asked.get(sentence, sentence) if before else sentence
        is_by_rules = True
        for judge in self._judges:
            judged = judge.estimate(asked, given)
            if judged is not None and weigh_judge(judged, judge.trust):
                estimate = self._combination.estimate_judged(
                    values, judged, judge.trust
                )
                least, is_by_rules = self._combination.judge_threshold, False
                if estimate < least and judged < 0.5:
                    reason = f"the judge backs it by {judged:.0%} only"
                    return Verdict(Check.READING, reason, values)
        if estimate >= least and not (is_by_rules and is_exact_conflict(values)):
            return Verdict(values=values)
        return self._explain(plain, cited, values, estimate)

    def _explain(
        self,
        sentence: str,
        cited: Sequence[int],
        values: Mapping[str, float],
        estimate: float,
    ) -> Verdict:
        """Return the verdict on a sentence that the rules do not let pass."""
        name = self._combination.find_weightiest(values)
        if name.startswith("rival"):
            rivals = self._support.find_rivals(sentence, cited)
            rival = max(rivals, key=lambda r: r.match - r.same)
            reason = f"the source says {rival.other.text}, not {rival.claim.text}"
            is_number = isinstance(rival.claim.value, Quantity)
            return Verdict(Check.NUMBER if is_number else Check.DENIAL, reason, values)
        if name == "denial":
            return Verdict(Check.DENIAL, _REASONS[name], values)
        reason = _REASONS.get(name, f"the source backs it by {estimate:.0%} only")
        return Verdict(Check.SUPPORT, reason, values)

    def _check_literally(
        self, sentence: str, cited: Sequence[int], before: str = ""
    ) -> Verdict:
        """Return what a sentence says that must stand in its source, and does not."""
        hits = [c.hit for c in self._citations.values()]
        if reason := statement.find_fault(sentence, self._question, hits):
            return Verdict(Check.STATEMENT, reason)
        source = self._support.get_text(cited)
        if statement.is_repetitive(sentence, source):
            return Verdict(Check.STATEMENT, "it says the same over and over")
        parts = self._support.get_sentences(cited)
        if expansion := statement.find_wrong_expansion(sentence, source):
            return Verdict(Check.NAME, f"{expansion} is not in the source")
        for check, missing in _find_missing(sentence, source, parts, before):
            return Verdict(check, f"{missing} is not in the source")
        if reason := self._check_numbers(sentence, parts):
            return Verdict(Check.NUMBER, reason)
        if statement.says_absent(sentence):
            every = self._support.get_sentences(list(self._citations))
            if not statement.is_absent(sentence, every):
                return Verdict(Check.DENIAL, "a passage does say so")
        return Verdict()

    def _check_numbers(self, sentence: str, parts: Sequence[str]) -> str:
        """Return why a number that the source has is not what a sentence makes of it.

        Empty if nothing speaks against it.
        """
        if kind := self._check_answer_type(sentence):
            return f"the question asks for {kind}, and it gives another"
        if number := limits.find_wrong_limit(sentence, parts):
            return f"{number} is limited otherwise in the source"
        return ""

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


def _find_missing(
    sentence: str, source: str, parts: Sequence[str], before: str
) -> Iterator[tuple[Check, str]]:
    """Yield what must stand in a source literally, and does not."""
    for text in literals.find_missing_addresses(sentence, source):
        yield Check.ADDRESS, text
    for text in literals.find_missing_code(sentence, source):
        yield Check.CODE, text
    if number := numbers.find_missing_number(sentence, source, parts, before):
        yield Check.NUMBER, number
    for text in literals.find_missing_identifiers(sentence, source):
        yield Check.IDENTIFIER, text
    for text in literals.find_missing_names(sentence, source):
        yield Check.NAME, text


def _remove_quantities(text: str, amounts: Sequence[Quantity]) -> str:
    for amount in amounts:
        text = text.replace(amount.text, " ")
    return text


def verify_sentence(
    text: str, citations: Sequence[Citation], encoder: Encoder | None = None
) -> Sentence:
    """Return one sentence, checked; see `Verifier`."""
    return Verifier(citations, encoder).verify(text)
