"""Query interpretation: makes a follow-up stand alone and extracts its filters.

Filters found in the words of a question narrow the search, unless the reader removed
them or no document that the reader may find would pass. Does not search.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache

from dunegpt.index.search.filters import Filters
from dunegpt.index.search.query import parse_query
from dunegpt.index.search.reader_index import ReaderIndex
from dunegpt.serve.llm.budget import BudgetedLLM
from dunegpt.serve.llm.permissions import may_send_file
from dunegpt.serve.question.conversation import Turn, rewrite_follow_up
from dunegpt.serve.question.filters import (
    FilterSpan,
    combine_filters,
    find_filters,
    is_same_text,
    remove_filter_words,
)
from dunegpt.serve.question.wording import find_content
from dunegpt.types import (
    AnswerEvent,
    Chip,
    Document,
    Finished,
    Notice,
    Outcome,
    QuestionEvent,
)


@dataclass(frozen=True, slots=True)
class InterpretedQuestion:
    """A question, ready for the search.

    Attributes:
        asked: The question as shown to the reader.
        text: Text to search for, without the words of its filters and those that only
            ask.
        filters: Filters, all of which must match.
        notes: Messages for the reader about how the question was understood.
    """

    asked: QuestionEvent
    text: str
    filters: tuple[Filters, ...] = ()
    notes: tuple[str, ...] = ()


def make_standalone(
    question: str,
    history: Sequence[Turn],
    index: ReaderIndex,
    llm: BudgetedLLM | None,
) -> tuple[QuestionEvent, tuple[str, ...]]:
    """Return a question rewritten to stand alone, and notes on the rewriting.

    Args:
        question: The question as typed.
        history: Earlier turns of the conversation.
        index: Index of the person who asks.
        llm: Asks a model; None to use rules only.

    Raises:
        UsageError: A typed filter is invalid.
        ConfigError: The key of a model server cannot be read.
    """
    if not history:
        return QuestionEvent(question), ()

    @cache
    def open_document(document_id: str) -> Document | None:
        documents = (document for document, _ in index.find_documents(document_id))
        return next((d for d in documents if d.id == document_id), None)

    standing = rewrite_follow_up(question, history, open_document, may_send_file, llm)
    was_rewritten = standing.question != question
    asked = QuestionEvent(standing.question, was_rewritten=was_rewritten)
    return asked, tuple(filter(None, [standing.note]))


def correct_words(
    interpreted: InterpretedQuestion, index: ReaderIndex
) -> InterpretedQuestion:
    """Return a question with the typing errors of rare words mended, and notes on them.

    Raises:
        IndexBrokenError: The index cannot be read.
    """
    text, corrections = index.correct_words(interpreted.text)
    notes = tuple(f"“{c.word}” was read as “{c.read_as}”." for c in corrections)
    return replace(interpreted, text=text, notes=(*interpreted.notes, *notes))


def interpret_question(
    asked: QuestionEvent,
    index: ReaderIndex,
    filters: Filters | None = None,
    *,
    without: Sequence[str] = (),
    as_asked: bool = False,
    today: date | None = None,
) -> InterpretedQuestion:
    """Return the text to search for and the filters that were found in the question.

    In a question that names documents, no further filters are looked for.

    Args:
        asked: The question, rewritten to stand alone.
        index: Index of the person who asks; hidden documents have no influence.
        filters: Filters given in addition to the question.
        without: Words of the question that are not to be used as filters.
        as_asked: Whether to use no words of the question as filters.
        today: Day that ``last year`` refers to; None for the current day.

    Raises:
        UsageError: A typed filter is invalid.
        IndexBrokenError: The index cannot be read.
    """
    active = [filters] if filters else []
    plain = InterpretedQuestion(asked, find_content(asked.question), tuple(active))
    if as_asked or index.names_documents(asked.question):
        return plain
    spans = find_filters(asked.question, index.facets, today or date.today())
    wanted = [span for span in spans if not _is_excluded(span, without)]
    notes = list(_note_unknown_exclusions(spans, without))
    typed = parse_query(asked.question).filters
    removed = [span for span in spans if span.is_time]
    if not wanted or not index.has_matches(*active, typed):
        text = find_content(remove_filter_words(asked.question, removed))
        return replace(plain, text=text, notes=tuple(notes))
    chips: list[Chip] = []
    for span in wanted:
        span_filters = combine_filters(span.chips)
        has_matches = index.has_matches(*active, typed, span_filters)
        chips += [replace(chip, applied=has_matches) for chip in span.chips]
        if has_matches:
            removed += [] if span.is_time else [span]
            active.append(span_filters)
        else:
            notes.append(
                f"No document that you may read passes {_describe_filters([span])}:"
                " it was searched without that."
            )
    return InterpretedQuestion(
        replace(asked, chips=tuple(chips)),
        find_content(remove_filter_words(asked.question, removed)),
        tuple(active),
        tuple(notes),
    )


def add_filter_hint(
    events: Iterable[AnswerEvent], chips: Sequence[Chip]
) -> Iterator[AnswerEvent]:
    """Yield the events; if nothing was found, first a notice on the filters used."""
    applied = [chip for chip in chips if chip.applied]
    for event in events:
        missed = isinstance(event, Finished) and (
            event.outcome is Outcome.NOT_IN_DOCUMENTS
        )
        if missed and applied:
            spans = [FilterSpan(0, 0, (chip,)) for chip in applied]
            yield Notice(
                f"Only documents that pass {_describe_filters(spans)} were searched;"
                " remove a filter to search more documents."
            )
        yield event


def _is_excluded(span: FilterSpan, without: Sequence[str]) -> bool:
    return any(is_same_text(span.chips[0].text, words) for words in without)


def _note_unknown_exclusions(
    spans: Sequence[FilterSpan], without: Sequence[str]
) -> Iterator[str]:
    """Yield a note for each exclusion in which no filter was found."""
    for text in without:
        if not any(_is_excluded(span, [text]) for span in spans):
            yield f"No filter was found in the words “{text}”."


def _describe_filters(spans: Sequence[FilterSpan]) -> str:
    """Return the filters as text, each with the words that it was found in."""
    chips: dict[str, list[str]] = {}
    for chip in (chip for span in spans for chip in span.chips):
        chips.setdefault(chip.text, []).append(chip.filter)
    return ", ".join(f"{' '.join(names)} (“{text}”)" for text, names in chips.items())
