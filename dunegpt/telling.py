"""Gathers the events of an answer into its JSON shape; prints them as they come."""

import logging
from collections.abc import Iterable

from dunegpt import output
from dunegpt.schemas import (
    AskShape,
    ChipShape,
    DifferenceShape,
    ReferenceShape,
    SentenceShape,
)
from dunegpt.types import (
    AnswerEvent,
    Asked,
    Difference,
    Finished,
    Notice,
    References,
    Sentence,
)

log = logging.getLogger(__name__)


def told(
    question: str,
    events: Iterable[AnswerEvent],
    *,
    quiet: bool,
    numbered: bool = False,
) -> AskShape:
    """Print an answer while it comes, unless quiet; return it whole.

    Args:
        question: As typed.
        events: Of the answer.
        quiet: Print nothing.
        numbered: Filters in words can be taken out by their numbers.
    """
    telling = Telling(quiet=quiet, numbered=numbered)
    for event in events:
        telling.add(event)
    return telling.shape(question)


class Telling:
    """One answer on its way to a person or a program."""

    def __init__(self, *, quiet: bool, numbered: bool = False) -> None:
        """Begin.

        Args:
            quiet: Print nothing.
            numbered: Filters in words can be taken out by their numbers.
        """
        self._quiet, self._numbered = quiet, numbered
        self._asked = Asked("")
        self._said: list[SentenceShape] = []
        self._differences: list[DifferenceShape] = []
        self._notices: list[str] = []
        self._end: Finished | None = None

    def add(self, event: AnswerEvent) -> None:
        """Take one event in."""
        match event:
            case Asked():
                self._ask(event)
            case Sentence():
                self._say(SentenceShape.of(event))
            case Difference():
                self._differ(DifferenceShape.of(event))
            case Notice(text):
                self._notices.append(text)
                if not self._quiet:
                    output.complain(text, "yellow")
            case Finished():
                self._end = event
            case References():
                log.info("%d passages found", len(event.citations))

    def shape(self, question: str) -> AskShape:
        """Return the whole answer to a question, once it has ended."""
        if self._end is None:
            raise RuntimeError("the answer has no end")
        return AskShape(
            question=question,
            asked=self._asked.question or question,
            was_rewritten=self._asked.was_rewritten,
            chips=[ChipShape.of(chip) for chip in self._asked.chips],
            outcome=self._end.outcome,
            mode=self._end.mode,
            answer=" ".join(
                f"{s.text} {''.join(f'[{n}]' for n in s.citations)}".strip()
                for s in self._said
                if s.supported
            ),
            sentences=self._said,
            differences=self._differences,
            references=[ReferenceShape.of(c) for c in self._end.references],
            notices=self._notices,
            dropped=self._end.dropped,
            receipt=self._end.receipt,
        )

    def _ask(self, asked: Asked) -> None:
        self._asked = asked
        if not self._quiet:
            own = asked.question if asked.was_rewritten else ""
            chips = [ChipShape.of(chip) for chip in asked.chips]
            output.print_asked(own, chips, numbered=self._numbered)

    def _say(self, sentence: SentenceShape) -> None:
        self._said.append(sentence)
        if not self._quiet:
            output.print_sentence(sentence)

    def _differ(self, difference: DifferenceShape) -> None:
        self._differences.append(difference)
        if not self._quiet:
            output.print_difference(difference)
