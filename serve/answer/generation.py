"""Streams the answer of a model by sentence; each is verified before it is yielded.

Thoughts and Markdown are taken out. A judge reads the sentences while the next ones are
written. What is not backed is tried once more, with the reason, before it is shown as
unsupported. Knows neither the search nor which servers there are.
"""

import re
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing

from dunegpt.config import Settings
from dunegpt.errors import ModelError, ModelFault
from dunegpt.index.encoder.onnx import Encoder
from dunegpt.llm_settings import LLMSettings
from dunegpt.serve.answer.plain_text import clean_sentence, is_reference_list
from dunegpt.serve.answer.prompt import REFUSAL, build_messages, build_repair
from dunegpt.serve.answer.trace import AnswerTrace
from dunegpt.serve.llm.messages import TRUNCATION_MARK, Messages
from dunegpt.serve.llm.pool import AskYesNoFunction, StreamFunction
from dunegpt.serve.llm.reasoning import FORGET, strip_reasoning
from dunegpt.serve.verify.entailment import EntailmentModel
from dunegpt.serve.verify.llm_judge import LLMJudge
from dunegpt.serve.verify.marks import split_marks
from dunegpt.serve.verify.verifier import Judge, Verifier
from dunegpt.text.patterns import compile_re
from dunegpt.text.sentences import split_stream
from dunegpt.types import Check, Citation, Notice, Sentence

_YES_OR_NO = compile_re(r"^\W*(?:yes|no)\W*$", re.IGNORECASE)
_CANNOT_FIND = compile_re(
    r"\b(?:could not|cannot|can[\u2019']?t|couldn[\u2019']t|unable to)\s(?:find"
    r"|answer|determine)\b.*\b(?:passages?|documents?|context|sources?|information)\b"
    r"|\b(?:passages?|documents?|context|sources?)\b.*\b(?:do(?:es)? not|don[\u2019']t)"
    r"\s(?:contain|hold|provide|include)\b.*\b(?:answer|information)\b",
    re.IGNORECASE,
)
_CONNECTIVE = compile_re(
    r"^(?:however|therefore|thus|hence|moreover|furthermore|in addition|additionally"
    r"|also"
    r"|consequently|as a result|for this reason|because of this|similarly"
    r"|in contrast|on the other hand|finally|then),?\s+(?=\S)",
    re.IGNORECASE,
)
_REPAIRED = compile_re(r"^\W*(\d{1,2})\W{1,3}\s*(.+)$")
_DROPPED = compile_re(r"^\W*drop\b", re.IGNORECASE)


class AnswerWriter:
    """Lets model servers answer one question.

    Attributes:
        refused: Whether one said that the documents do not hold the answer.
    """

    def __init__(
        self,
        question: str,
        settings: Settings,
        encoder: Encoder,
        stream: StreamFunction,
        trace: AnswerTrace,
        ask_yes_no: AskYesNoFunction | None = None,
    ) -> None:
        """Prepare to write.

        Args:
            question: As it is to be answered.
            settings: By which checks the sentences go.
            encoder: Of the index.
            stream: Asks a server.
            trace: Of the answer.
            ask_yes_no: Asks a server for yes or no; without it, nothing judges.
        """
        self._question, self._settings = question, settings
        self.refused = False
        self._encoder, self._stream, self._trace = encoder, stream, trace
        self._ask_yes_no = ask_yes_no

    def stream_sentences(
        self, name: str, table: LLMSettings, readable: list[Citation]
    ) -> Generator[Sentence | Notice]:
        """Yield one server's sentences, checked one by one as they come.

        A server that reads less than its settings say is told half as many passages,
        and half of those again, until it reads them.

        Args:
            name: Of the server.
            table: Its settings.
            readable: What it may be sent.

        Raises:
            ModelError: It did not write to the end.
            ConfigError: A check's model cannot be used.
        """
        budget = table.context_tokens - table.max_tokens
        while True:
            prompt, sent = build_messages(self._question, readable, budget)
            try:
                yield from self._stream_prompt(name, prompt, sent)
            except ModelError as error:
                fewer = readable[: len(sent) // 2]
                if error.fault is not ModelFault.TOO_LONG or not fewer:
                    raise
                readable = fewer
                yield Notice(f"{error} It is told half as many passages.")
            else:
                return

    def _stream_prompt(
        self, name: str, prompt: Messages, sent: list[Citation]
    ) -> Generator[Sentence | Notice]:
        """Yield what a server writes to a prompt, checked.

        From the first sentence on that is not backed, all are held until the model has
        tried those once more.
        """
        judge = None
        if self._ask_yes_no is not None:
            judge = LLMJudge.from_settings(
                self._settings, name, self._ask_yes_no, prompt
            )
        entailment = EntailmentModel.from_settings(self._settings)
        judges: list[Judge] = [j for j in (entailment, judge) if j is not None]
        verifier = Verifier(sent, self._encoder, self._question, judges)
        held: list[tuple[str, Sentence]] = []
        last: Sentence | None = None
        try:
            for raw, sentence in self._stream_checked(name, prompt, verifier):
                if held or not sentence.supported:
                    held.append((raw, sentence))
                else:
                    last = sentence
                    yield sentence
            yield from self._repair(name, prompt, held, last, verifier)
        except ModelError:
            yield from (sentence for _, sentence in held)
            raise
        finally:
            if judge is not None:
                judge.close()
                self._trace.judge = judge.use
        yield from map(Notice, judge.notices if judge else ())

    def _stream_checked(
        self, name: str, prompt: Messages, verifier: Verifier
    ) -> Iterator[tuple[str, Sentence]]:
        """Yield each sentence as written and as checked, in order.

        A sentence waits for its judgement, and the next ones for it; none of them keeps
        the model from writing on.
        """
        waiting: deque[str] = deque()
        said: set[str] = set()
        failure: ModelError | None = None
        with closing(self._trace.watch_stream(self._stream)(name, prompt)) as text:
            try:
                for piece in self._read_pieces(text):
                    if piece:
                        waiting.append(piece)
                        verifier.submit(piece)
                    while waiting and verifier.submit(waiting[0]):
                        yield from self._verify(waiting.popleft(), verifier, said)
            except ModelError as error:
                failure = error
        while waiting:
            yield from self._verify(waiting.popleft(), verifier, said)
        if failure is not None:
            raise failure

    def _verify(
        self, piece: str, verifier: Verifier, said: set[str]
    ) -> Iterator[tuple[str, Sentence]]:
        """Yield a sentence, checked, unless it was said before."""
        with self._trace.time_verification():
            sentence = verifier.verify(piece)
        if sentence.text not in said:
            said.add(sentence.text)
            yield piece, sentence

    def _read_pieces(self, text: Iterator[str]) -> Iterator[str]:
        """Yield the sentences of a model's text, and empty texts in between.

        Sentences before the first citation are held, since they may be thoughts. A
        lone "Yes." belongs to the sentence behind it.
        """
        first: list[str] | None = []
        lead = ""
        for raw in split_stream(strip_reasoning(text), ticks=True):
            if FORGET in raw:
                first, lead = [], ""
            piece = raw.rpartition(FORGET)[2].strip()
            if not piece:
                yield ""
                continue
            sentence = self._read_sentence(piece)
            if not sentence:
                continue
            if _YES_OR_NO.match(sentence):
                lead = f"{sentence} "
                continue
            sentence, lead = lead + sentence, ""
            if first is not None and not split_marks(sentence)[1]:
                first.append(sentence)
                continue
            yield from first or ()
            first = None
            yield sentence
        yield from first or ()
        if lead:
            yield lead.strip()

    def _read_sentence(self, piece: str) -> str:
        """Return a sentence as plain text; empty if it is none."""
        if piece == TRUNCATION_MARK or is_reference_list(piece):
            return ""
        sentence = clean_sentence(piece)
        is_refusal = REFUSAL.casefold() in sentence.casefold()
        if is_refusal or (
            _CANNOT_FIND.search(sentence) and not split_marks(sentence)[1]
        ):
            self.refused = True
            return ""
        return sentence

    def _repair(
        self,
        name: str,
        prompt: Messages,
        held: list[tuple[str, Sentence]],
        last: Sentence | None,
        verifier: Verifier,
    ) -> Iterator[Sentence]:
        """Yield held sentences, those that are not backed as the model repairs them.

        Each stands behind the one before, as that is by then; the first behind `last`.
        """
        faulty = [
            n for n, (_, sentence) in enumerate(held) if not _is_settled(sentence)
        ]
        repaired: dict[int, Sentence] = {}
        follows_rules = any(split_marks(raw)[1] for raw, _ in held)
        is_wanted = self._settings.answer.repair and follows_rules
        if faulty and is_wanted and not self.refused:
            faults = [(held[n][0], held[n][1].reason) for n in faulty]
            messages = build_repair(prompt, [raw for raw, _ in held], faults)
            try:
                written = "".join(strip_reasoning(self._stream(name, messages)))
            except ModelError:
                written = ""  # the answer stands as it is
            for number, text in _parse_repairs(written, len(faulty)):
                place = faulty[number]
                before = repaired.get(place - 1, held[place - 1][1]) if place else last
                verifier.follow(before)
                with self._trace.time_verification():
                    sentence = verifier.verify(clean_sentence(text))
                if sentence.supported:
                    repaired[place] = sentence
        is_gap = False
        for number, (_, sentence) in enumerate(held):
            shown = repaired.get(number, sentence)
            drops = self._settings.answer.unsupported == "drop"
            if shown.supported and is_gap and drops:
                shown = _without_connective(shown)
            is_gap = not shown.supported
            yield shown


def _is_settled(sentence: Sentence) -> bool:
    """Return whether a sentence need not be tried again: it is backed, or a scrap."""
    return sentence.supported or sentence.check is Check.STATEMENT


def _parse_repairs(text: str, count: int) -> Iterator[tuple[int, str]]:
    """Yield number, from 0, and text of each sentence that a model has repaired."""
    for line in text.replace(FORGET, "").splitlines():
        match = _REPAIRED.match(line)
        if match and 1 <= int(match[1]) <= count and not _DROPPED.match(match[2]):
            yield int(match[1]) - 1, match[2]


def _without_connective(sentence: Sentence) -> Sentence:
    """Return a sentence that does not lean on one that is not shown."""
    text = _CONNECTIVE.sub("", sentence.text)
    return Sentence(text[:1].upper() + text[1:], sentence.citations)
