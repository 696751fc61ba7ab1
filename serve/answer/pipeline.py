"""Answers a question as a stream of events: references, cited sentences, the outcome.

Questions about runs are answered exactly, from the run tables; lists, counts and
definitions from the documents' typed fields and lines. For all others, the references
and their numbers come from the search; a model can cite but not change them. Without a
model, or if it is down, the answer consists of sentences quoted from the documents. If
nothing answers the question, the outcome says so. Stores nothing; see
`dunegpt.serve.receipts`.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial

from dunegpt.config import Settings
from dunegpt.datadir import CURRENT
from dunegpt.errors import SEARCH_UNAVAILABLE, UsageError
from dunegpt.index.search.hits import SearchResult
from dunegpt.index.search.open import open_searcher
from dunegpt.index.search.query import parse_query
from dunegpt.index.search.reader_index import ReaderIndex
from dunegpt.index.search.searcher import Searcher
from dunegpt.serve.answer.by_intent import answer_by_intent
from dunegpt.serve.answer.composer import AnswerComposer
from dunegpt.serve.answer.request import AnswerRequest
from dunegpt.serve.answer.run_questions import answer_from_runs
from dunegpt.serve.answer.trace import AnswerTrace
from dunegpt.serve.answer.withdrawal import withdraw_closed
from dunegpt.serve.llm.budget import BudgetedLLM
from dunegpt.serve.llm.pool import LLMPool
from dunegpt.serve.question.expand import make_expander
from dunegpt.serve.question.interpret import (
    InterpretedQuestion,
    add_filter_hint,
    correct_words,
    interpret_question,
    make_standalone,
)
from dunegpt.types import (
    AnswerEvent,
    Finished,
    Mode,
    Notice,
    Outcome,
    QuestionEvent,
    Sentence,
)

__all__ = ["answer", "open_searcher"]


def answer(
    request: AnswerRequest,
    *,
    searcher: Searcher | None = None,
    models: LLMPool | None = None,
    person: str = "",
    trace: AnswerTrace | None = None,
    snapshot: str = CURRENT,
) -> Generator[AnswerEvent]:
    """Yield the interpreted question, references, sentences, notices and the outcome.

    Closing the generator stops the model. No receipt is kept; `answer_with_receipt`
    does that.

    Args:
        request: The question and its settings.
        searcher: An open searcher, which stays open; by default a snapshot is opened
            for this question.
        models: Pool of model servers, shared between questions.
        person: Who asks; model servers are shared fairly between persons.
        trace: Trace of the request, which records how the answer is made.
        snapshot: Id of the snapshot to open if no searcher is given.

    Raises:
        UsageError: The question is empty, too long, or has only filters, or a filter is
            invalid.
    """
    trace = trace or AnswerTrace(request)
    drops_unsupported = request.settings.answer.unsupported == "drop"
    events = _answer(request, trace, searcher, models, person, snapshot)
    with closing(events):
        for event in trace.observe(events):
            is_unsupported = isinstance(event, Sentence) and not event.supported
            if not (is_unsupported and drops_unsupported):
                yield event


def _answer(
    request: AnswerRequest,
    trace: AnswerTrace,
    searcher: Searcher | None,
    models: LLMPool | None,
    person: str,
    snapshot: str,
) -> Generator[AnswerEvent]:
    """Yield all events, including sentences that no source supports."""
    settings, filters = request.settings, request.filters
    try:
        with _open_or_reuse(settings, searcher, snapshot) as opened:
            index = opened.as_reader(request.principals)
            trace.note_snapshot(index.snapshot)
            models = models or LLMPool(settings)
            uses_model = request.use_model and bool(settings.llm)
            llm = BudgetedLLM(models, settings, person) if uses_model else None
            asked, notes = make_standalone(
                request.question, request.history, index, llm
            )
            trace.add_notes(notes)
            from_runs = answer_from_runs(asked.question, index, filters, settings)
            if from_runs:
                shown = withdraw_closed(iter(from_runs), index, trace)
                yield from (asked, *map(Notice, notes), *shown)
                return
            shaped = answer_by_intent(asked, index, request)
            if shaped:
                yield next(shaped)
                yield from map(Notice, notes)
                yield from withdraw_closed(shaped, index, trace)
                return
            interpreted, found = _search(asked, notes, index, trace)
            composer = AnswerComposer(
                found.question,
                parse_query(interpreted.asked.question).text,
                index,
                found,
                stream=partial(models.stream, person=person),
                trace=trace,
                expand=make_expander(interpreted, index, settings, llm),
                ask_yes_no=models.ask_yes_no,
            )
            yield interpreted.asked
            events = composer.compose(generates=uses_model)
            events = withdraw_closed(events, index, trace)
            yield from add_filter_hint(events, interpreted.asked.chips)
    except SEARCH_UNAVAILABLE as error:
        yield Notice(f"{error} {error.hint}")
        yield Finished(Outcome.SEARCH_UNAVAILABLE, Mode.EXTRACTIVE, ())


def _search(
    asked: QuestionEvent, notes: Sequence[str], index: ReaderIndex, trace: AnswerTrace
) -> tuple[InterpretedQuestion, SearchResult]:
    """Return the interpreted question, and what is found for it.

    Args:
        asked: The question, rewritten to stand alone.
        notes: Notes on the rewriting; they come before those of the search.
        index: Index of the person who asks.
        trace: Trace of the request.

    Raises:
        UsageError: The question has filters only, or a filter is invalid.
        IndexBrokenError: The index cannot be read.
    """
    request = trace.request
    interpreted = interpret_question(
        asked,
        index,
        request.filters,
        without=request.without,
        as_asked=request.as_asked,
        today=request.today,
    )
    interpreted = correct_words(interpreted, index)
    found = index.search(interpreted.text, interpreted.filters, request.k)
    trace.note_search(found)
    if not found.question and not found.unknown:
        raise UsageError(
            "The question has filters only.",
            hint="Ask something, or list documents with 'dunegpt search'.",
        )
    found = replace(found, notes=(*notes, *interpreted.notes, *found.notes))
    return interpreted, found


@contextmanager
def _open_or_reuse(
    settings: Settings, searcher: Searcher | None, name: str
) -> Iterator[Searcher]:
    """Yield the given searcher, or a new one that is closed afterwards."""
    opened = searcher or open_searcher(settings, name)
    try:
        yield opened
    finally:
        if searcher is None:
            opened.close()
