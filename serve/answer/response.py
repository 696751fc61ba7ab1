"""Streams the events of an answer, and collects them into a response."""

import inspect
from collections.abc import Callable, Generator, Iterator, Sequence

from dunegpt.schemas.reading import (
    AskResponse,
    ChipResponse,
    DifferenceResponse,
    ReferenceResponse,
    SentenceResponse,
)
from dunegpt.types import (
    AnswerEvent,
    Difference,
    Finished,
    Notice,
    QuestionEvent,
    Sentence,
    Withdrawn,
)


class AnswerStream:
    """The events of one answer; iterate over it, then read its `response`."""

    def __init__(
        self,
        question: str,
        events: Generator[AnswerEvent],
        on_end: Callable[[Sequence[AnswerEvent]], None] = lambda events: None,
    ) -> None:
        self.question = question
        self.events: list[AnswerEvent] = []
        self._source = events
        self.on_end = on_end
        self._is_ended = False
        self._is_stopped = False

    def __iter__(self) -> Iterator[AnswerEvent]:
        """Yield the events; leaving the loop early ends the answer.

        Raises:
            UsageError: The question cannot be asked; see `ReaderAssistant.stream`.
        """
        try:
            for event in self._source:
                self.events.append(event)
                yield event
                if self._is_stopped:
                    break
        finally:
            self.close()

    @property
    def response(self) -> AskResponse:
        """The complete answer, available after the last event.

        Raises:
            RuntimeError: The last event was not read yet.
        """
        return collect_response(self.question, self.events)

    def close(self) -> None:
        """Stop the answer, and the model that writes it.

        In another thread than the one that iterates, the answer ends after the event
        that is in the making.
        """
        self._is_stopped = True
        if inspect.getgeneratorstate(self._source) != inspect.GEN_RUNNING:
            self._source.close()
            self._end()

    def _end(self) -> None:
        if not self._is_ended:
            self._is_ended = True
            self.on_end(self.events)

    def __enter__(self) -> "AnswerStream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def collect_response(question: str, events: Sequence[AnswerEvent]) -> AskResponse:
    """Return the complete answer from all of its events.

    Raises:
        RuntimeError: There is no `Finished` event.
    """
    asked = QuestionEvent("")
    sentences: list[SentenceResponse] = []
    differences: list[DifferenceResponse] = []
    notices: list[str] = []
    finished: Finished | None = None
    for event in events:
        match event:
            case QuestionEvent():
                asked = event
            case Sentence():
                sentences.append(SentenceResponse.from_sentence(event))
            case Difference():
                differences.append(DifferenceResponse.from_difference(event))
            case Withdrawn(numbers):
                sentences = [s for s in sentences if numbers.isdisjoint(s.citations)]
                differences = [
                    d
                    for d in differences
                    if numbers.isdisjoint((d.newer.citation, d.older.citation))
                ]
            case Notice(text):
                notices.append(text)
            case Finished():
                finished = event
    if finished is None:
        raise RuntimeError("the answer is not finished")
    return AskResponse(
        question=question,
        asked=asked.question or question,
        was_rewritten=asked.was_rewritten,
        chips=[ChipResponse.from_chip(chip) for chip in asked.chips],
        outcome=finished.outcome,
        mode=finished.mode,
        answer=" ".join(
            f"{s.text} {''.join(f'[{n}]' for n in s.citations)}".strip()
            for s in sentences
            if s.supported
        ),
        sentences=sentences,
        differences=differences,
        references=[ReferenceResponse.from_citation(c) for c in finished.references],
        notices=notices,
        dropped=finished.dropped,
        probability=finished.probability,
        receipt=finished.receipt,
    )
