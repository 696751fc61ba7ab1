"""A question to a stream of events: references, sentences with citations, the outcome.

What a table of runs says exactly is answered from it. For all else the references and
their numbers come from the search alone; a model can use them, never change them.
Without a model, or when it is down, the answer is the documents' own best sentences.
When nothing answers, it says so.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import date, timedelta
from functools import partial

from dunegpt.config import Settings
from dunegpt.errors import (
    IndexBrokenError,
    IndexMismatchError,
    IndexMissingError,
    UsageError,
)
from dunegpt.index.narrowing import read as read_narrowing
from dunegpt.index.query import parsed
from dunegpt.index.rerank import Reranker
from dunegpt.index.search import Searcher
from dunegpt.index.snapshot import CURRENT, Snapshot
from dunegpt.index.view import Filters
from dunegpt.ingest import overlay
from dunegpt.serve.asking import Choice, followed, hinted, wanted
from dunegpt.serve.brief import Brief
from dunegpt.serve.dialogue import Turn
from dunegpt.serve.models import Models
from dunegpt.serve.one_answer import OneAnswer
from dunegpt.serve.receipts import Account, Request, recorded
from dunegpt.serve.runs import answer_from_runs
from dunegpt.serve.widen import widening
from dunegpt.types import (
    Access,
    AnswerEvent,
    Finished,
    Mode,
    Notice,
    Outcome,
    Sentence,
)


def open_searcher(settings: Settings, name: str = CURRENT) -> Searcher:
    """Return a searcher on a snapshot, under the access overlay of now.

    Args:
        settings: Where the data folder is.
        name: Id of the snapshot; the current one if none is given.

    Raises:
        IndexMissingError: There is no such snapshot.
        IndexBrokenError: It is damaged.
        IndexMismatchError: It is of another format.
        ConfigError: The settings name a rerank model that cannot be used.
    """
    reranker = Reranker.of(settings)
    snapshot = Snapshot(settings.data / "snapshots" / name)
    narrowing = read_narrowing(
        snapshot.folder,
        snapshot.manifest["sources"],
        settings.data / overlay.FILE,
        timedelta(hours=settings.access.max_overlay_age_h),
    )
    return Searcher(snapshot, narrowing, reranker)


def answer(  # noqa: PLR0913 - all but two by name
    question: str,
    settings: Settings,
    *,
    reader: Access,
    filters: Filters | None = None,
    k: int = 8,
    use_model: bool = True,
    models: Models | None = None,
    searcher: Searcher | None = None,
    person: str = "",
    history: Sequence[Turn] = (),
    without: Sequence[str] = (),
    as_asked: bool = False,
    today: date | None = None,
) -> Generator[AnswerEvent]:
    """Yield what is asked, references, sentences and notices, then the outcome.

    Closing the generator, when the reader has left, stops the model. However it ends, a
    receipt of it is kept.

    Args:
        question: In words, or the name of a document.
        settings: Where the snapshot is, and which model servers there are.
        reader: Principals of the person who asks.
        filters: Which documents to look in.
        k: At most so many references.
        use_model: Whether a model may write the answer.
        models: The servers of the settings with what is remembered of them, for who
            answers many questions.
        searcher: An open one, likewise; it stays open.
        person: Who asks, for a fair share of a server.
        history: What the person asked before, the last one last.
        without: Words of the question whose filters are not wanted.
        as_asked: No filters are to be found in its words.
        today: What ``last year`` is counted from, if not the day that it is.

    Raises:
        UsageError: The question is empty, too long, or nothing but filters, or one of
            those has a value that means nothing.
    """
    request = Request(
        question,
        reader,
        filters or Filters(),
        k,
        use_model,
        tuple(history),
        Choice(tuple(without), as_asked, today),
    )
    account = Account(request, settings)
    events = unrecorded(account, models=models, searcher=searcher, person=person)
    with closing(recorded(events, account)) as told:
        for event in told:
            is_left_out = isinstance(event, Sentence) and not event.supported
            if not (is_left_out and settings.answer.unsupported == "drop"):
                yield event


def unrecorded(
    account: Account,
    *,
    models: Models | None = None,
    searcher: Searcher | None = None,
    person: str = "",
    snapshot: str = CURRENT,
) -> Generator[AnswerEvent]:
    """Yield the events of an answer of which no receipt is kept; see `answer`.

    Args:
        account: What is asked, and what is told how it goes.
        models: The servers of the settings with what is remembered of them.
        searcher: An open one; it stays open.
        person: Who asks.
        snapshot: Id of the one to ask, if none is open.
    """
    settings, request = account.settings, account.request
    question, reader, filters = request.question, request.reader, request.filters
    k, use_model = request.k, request.use_model
    try:
        with _searcher(settings, searcher, snapshot) as opened:
            account.opened(opened)
            models = models or Models(settings)
            uses_model = use_model and bool(settings.llm)
            brief = Brief(models, settings, person) if uses_model else None
            asked, notes = followed(question, request.history, opened, reader, brief)
            question = asked.question
            account.noted(notes)
            told = answer_from_runs(question, opened, reader, filters, settings)
            if told:
                yield from (asked, *map(Notice, notes), *told)
                return
            want = wanted(asked, opened, reader, filters, request.choice)
            found = opened.search(want.text, reader, want.filters, k)
            account.searched(found)
            found = replace(found, notes=(*notes, *want.notes, *found.notes))
            if not found.question and not found.unknown:
                raise UsageError(
                    "The question has filters only.",
                    hint="Ask something, or list documents with 'dunegpt search'.",
                )
            run = OneAnswer(
                found.question,
                parsed(want.asked.question).text,
                opened,
                found,
                stream=partial(models.stream, person=person),
                account=account,
                widen=widening(want, opened, reader, settings, brief),
            )
            yield want.asked
            events = run.events(generates=uses_model)
            yield from hinted(events, want.asked.chips)
    except (IndexMissingError, IndexBrokenError, IndexMismatchError) as error:
        yield Notice(f"{error} {error.hint}")
        yield Finished(Outcome.SEARCH_UNAVAILABLE, Mode.EXTRACTIVE, ())


@contextmanager
def _searcher(
    settings: Settings, given: Searcher | None, name: str
) -> Iterator[Searcher]:
    """Give the searcher that is open already, or one of our own, closed afterwards."""
    searcher = given or open_searcher(settings, name)
    try:
        yield searcher
    finally:
        if given is None:
            searcher.close()
