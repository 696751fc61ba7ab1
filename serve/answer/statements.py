"""Builds answers from exact statements, each with the passages that support it.

Questions about runs, lists, counts, definitions, procedures and versions are answered
so, without a model. Knows how such an answer becomes events, not how it is found.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dunegpt.config import Settings
from dunegpt.index.search.reader_index import ReaderIndex
from dunegpt.serve.answer.citations import collapse_whitespace, make_citation
from dunegpt.types import (
    AnswerEvent,
    Citation,
    Finished,
    Hit,
    Mode,
    Notice,
    Outcome,
    References,
    Sentence,
)


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of an answer.

    Attributes:
        text: The sentence, without citation marks.
        sources: The passages that it rests on, each with the quote to show.
    """

    text: str
    sources: tuple[tuple[Hit, str], ...]


def make_answer(
    statements: Sequence[Statement],
    index: ReaderIndex,
    settings: Settings,
    notices: Sequence[str] = (),
) -> Iterator[AnswerEvent]:
    """Yield an answer whose references are numbered in the order of its statements."""
    numbers: dict[int, int] = {}
    citations: list[Citation] = []
    for hit, quote in (source for each in statements for source in each.sources):
        if hit.row not in numbers:
            numbers[hit.row] = len(numbers) + 1
            ranked = replace(hit, rank=numbers[hit.row])
            made = make_citation(ranked, quote, index, settings)
            citations.append(replace(made, cited=True))
    yield References(tuple(replace(c, cited=False) for c in citations))
    if index.revocations.notice:
        yield Notice(index.revocations.notice)
    yield from map(Notice, notices)
    for each in statements:
        marks = dict.fromkeys(numbers[hit.row] for hit, _ in each.sources)
        yield Sentence(collapse_whitespace(each.text), tuple(marks))
    yield Finished(Outcome.ANSWERED, Mode.EXTRACTIVE, tuple(citations))
