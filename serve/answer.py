"""A question to a stream of events: references, sentences with citations, the outcome.

What a table of runs says exactly is answered from it. For all else the references and
their numbers come from the search alone; a model can use them, never change them.
Without a model, or when it is down, the answer is the documents' own best sentences.
When nothing answers, it says so.
"""

import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import date, timedelta
from functools import cached_property, partial

from dunegpt.config import Settings
from dunegpt.errors import (
    IndexBrokenError,
    IndexMismatchError,
    IndexMissingError,
    ModelError,
    UsageError,
)
from dunegpt.index.narrowing import read as read_narrowing
from dunegpt.index.query import parsed
from dunegpt.index.rerank import Reranker
from dunegpt.index.search import Searcher, SearchResult
from dunegpt.index.snapshot import CURRENT, Snapshot
from dunegpt.index.view import Filters
from dunegpt.index.words import words
from dunegpt.ingest import overlay
from dunegpt.serve.asking import Choice, followed, hinted, wanted
from dunegpt.serve.brief import Brief
from dunegpt.serve.citing import citation, flat
from dunegpt.serve.cover import gives_none, why_not
from dunegpt.serve.dialogue import Turn
from dunegpt.serve.differences import differences
from dunegpt.serve.models import Models, Stream
from dunegpt.serve.prompt import may_read
from dunegpt.serve.receipts import Account, Request, recorded
from dunegpt.serve.runs import answer_from_runs
from dunegpt.serve.sentences import (
    PLAIN,
    Candidate,
    Judge,
    answering,
    sentences,
)
from dunegpt.serve.widen import Widen, widening
from dunegpt.serve.writing import Writer
from dunegpt.statuses import told
from dunegpt.types import (
    Access,
    AnswerEvent,
    Citation,
    Finished,
    FoundBy,
    Hit,
    Mode,
    Notice,
    Outcome,
    References,
    Sentence,
)

_LEAST_SHARE = 0.4
"""Of the question's words, by weight, in a model's answer, for it not to be doubted."""
_NEAREST = "No sentence found answers plainly; these come nearest to the question."
_LIST_MARK = re.compile(r"^(?:[-*\u2022]\s+)+|^[\s|]+|[\s|]+$")


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
            run = _Answer(
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


class _Answer:
    """One question on its way from what was found to its outcome."""

    def __init__(
        self,
        question: str,
        told: str,
        searcher: Searcher,
        found: SearchResult,
        *,
        stream: Stream,
        account: Account,
        widen: Widen | None = None,
    ) -> None:
        self.question = question
        encoder = searcher.snapshot.encoder
        # A model is told the question with the words that became filters.
        self.writer = Writer(told, account.settings, encoder, stream, account)
        self.account = account
        self.widen = widen
        self.shown = found.hits  # which decide whether there is an answer
        self.order = found.hits  # in which a model reads
        self.settings = account.settings
        self.searcher = searcher
        self.found = found
        self.is_named = bool(found.hits) and found.hits[0].found_by is FoundBy.ID
        asked = self._asked()
        weights = searcher.weights(asked, account.request.reader)
        self.judge = Judge(asked, weights, searcher.snapshot.encoder)
        self.quotes = {hit.rank: self.judge.quote(hit) for hit in found.hits}
        self.cited: set[int] = set()
        self.kept: list[str] = []  # of a model's sentences
        self.quoted: set[int] = set()  # by a sentence of the answer: settled

    @cached_property
    def candidates(self) -> list[Candidate]:
        """The sentences that may answer, best first; costs more than the search."""
        found = self.judge.best(self.found.hits)
        best: dict[int, str] = {}
        for candidate in found:
            best.setdefault(candidate.hit.rank, candidate.text)
        self.quotes |= {n: q for n, q in best.items() if n not in self.quoted}
        return found

    def _asked(self) -> str:
        """Return what to look for: of a bare name, what its title says."""
        if not self.is_named:
            return self.question
        return self.found.asked or self.found.hits[0].document.title

    def events(self, *, generates: bool) -> Iterator[AnswerEvent]:
        """Yield all events of the answer."""
        yield References(self._citations())
        yield from self._notices()
        reason = why_not(self.question, self.shown, self.judge, will_be_read=generates)
        if reason:
            if self.found.named and not self.found.hits:
                names = ", ".join(self.found.named)
                yield Notice(
                    f"{names} is in the index, but no text of it could be read."
                )
            elif not self.found.unknown:
                yield Notice(reason)
            yield from self._end(Outcome.NOT_IN_DOCUMENTS, Mode.EXTRACTIVE)
            return
        if self.widen and not self.is_named:
            yield from self._widened(self.widen)
        reason = gives_none(self.found.hits, self.judge)
        if reason and not self.is_named:
            yield Notice(reason)
            yield from self._end(Outcome.NOT_IN_DOCUMENTS, Mode.EXTRACTIVE)
            return
        for hit in self._introduced():
            self.cited.add(hit.rank)
            yield Sentence(_card(hit), (hit.rank,))
        yield from self._generated() if generates else self._extracted()

    def _widened(self, widen: Widen) -> Iterator[References | Notice]:
        """Yield references that a model adds; take over in which order it reads."""
        more = widen(self.question, self.shown)
        self.found = replace(self.found, hits=more.hits)
        self.order = more.order
        self.account.noted(more.notes)
        new = more.hits[len(self.shown) :]
        self.quotes |= {hit.rank: self.judge.quote(hit) for hit in new}
        if new:
            yield References(self._citations()[len(self.shown) :])
        yield from map(Notice, more.notes)

    def _fallen_back(self, outcome: Outcome) -> Iterator[AnswerEvent]:
        """Yield the documents' own sentences where a model was to read, if they answer.

        Args:
            outcome: If they do.
        """
        reason = why_not(self.question, self.shown, self.judge, will_be_read=False)
        if reason:
            yield Notice(reason)
            refused = Outcome.NOT_IN_DOCUMENTS
            is_down = outcome is Outcome.MODEL_UNAVAILABLE
            yield from self._end(outcome if is_down else refused, Mode.EXTRACTIVE)
            return
        yield from self._extracted(outcome)

    def _introduced(self) -> list[Hit]:
        """Return a hit of each document that the answer begins by introducing.

        Those are the documents that the question names, or the first one found if it
        asks who wrote it or when.
        """
        if not self.is_named:
            asks = _ASKS_ABOUT_DOCUMENT.search(self.question)
            return list(self.found.hits[:1]) if asks else []
        first: dict[str, Hit] = {}
        for hit in self.found.hits:
            first.setdefault(hit.document.id, hit)
        return list(first.values())

    def _notices(self) -> Iterator[Notice]:
        if self.searcher.narrowing.notice:
            yield Notice(self.searcher.narrowing.notice)
        yield from map(Notice, self.found.notes)
        manifest = self.searcher.snapshot.manifest
        for name in self.found.unknown:
            yield Notice(
                f"{name} is not in the index as of {manifest['created_at'][:10]}."
            )
        made_with, wanted = manifest["settings"]["model"], self.settings.embed.model
        if made_with != wanted:
            yield Notice(
                f"The index was made with the model {made_with}, and is searched with"
                f" it; the settings say {wanted}. Run 'dunegpt index'."
            )

    def _extracted(self, outcome: Outcome = Outcome.ANSWERED) -> Iterator[AnswerEvent]:
        """Yield the best sentences, verbatim; none if none of them answers."""
        best = list(answering(self.candidates, self.judge.wanted))
        if best and best[0].score < PLAIN and not self.is_named:
            yield Notice(_NEAREST)
        for candidate in best:
            number = candidate.hit.rank
            self.cited.add(number)
            self._quote(number, candidate.text)
            yield Sentence(_LIST_MARK.sub("", flat(candidate.text)), (number,))
        if not self.cited and outcome is Outcome.ANSWERED:
            outcome = Outcome.NOT_IN_DOCUMENTS
        yield from self._end(outcome, Mode.EXTRACTIVE)

    def _generated(self) -> Iterator[AnswerEvent]:
        """Yield a model's sentences; those of the next server if one wrote none."""
        outcome = Outcome.ANSWERED
        for name, table in self.settings.llm.items():
            readable = [c for c in self._in_order() if may_read(c.hit, table)]
            if not readable:
                self.account.passed_over(name)
                yield Notice(
                    f"No passage found may be sent to the model server {name!r}."
                )
                continue
            begun = False
            try:
                with closing(self.writer.written(name, table, readable)) as written:
                    for event in written:
                        begun = begun or isinstance(event, Sentence)
                        if isinstance(event, Sentence) and event.supported:
                            self._cite(event)
                            self.kept.append(event.text)
                        yield event
            except ModelError as error:
                yield Notice(str(error))
                outcome = Outcome.MODEL_UNAVAILABLE
                if begun:  # two models' sentences are never mixed
                    break
                continue
            if begun and not self.writer.refused and (lack := self._lack()):
                yield Notice(lack)
                yield from self._fallen_back(Outcome.ANSWERED)
                return
            yield from self._doubt()
            outcome = Outcome.ANSWERED if self.cited else Outcome.NOT_IN_DOCUMENTS
            yield from self._end(outcome, Mode.GENERATED)
            return
        if outcome is Outcome.MODEL_UNAVAILABLE:
            yield Notice("The answer rests on the documents' own sentences.")
        yield from self._fallen_back(outcome)

    def _lack(self) -> str:
        """Return what a model's sentences do not give; empty if they may answer."""
        kind = self.judge.wanted
        if not self.cited:
            return "Nothing that the model wrote is backed by the documents."
        if kind and self.kept and not any(kind.is_in(text) for text in self.kept):
            return f"What the model wrote does not give {kind.name}."
        return ""

    def _doubt(self) -> Iterator[Notice]:
        """Yield a notice if neither passages nor answer have the question's words."""
        reason = why_not(self.question, self.shown, self.judge, will_be_read=False)
        share = self.judge.share("\n".join(self.kept))
        if self.kept and reason and share < _LEAST_SHARE:
            yield Notice(f"{reason} The answer may be beside the question.")

    def _cite(self, sentence: Sentence) -> None:
        """Note what a sentence cites; quote the sentences that are most like it."""
        own = set(words(sentence.text))
        for hit in self.found.hits:
            if hit.rank in sentence.citations:
                parts = sentences(hit.passage.text)
                nearest = max(
                    parts,
                    key=lambda text: len(own & set(words(text))),
                    default=hit.passage.text,
                )
                self._quote(hit.rank, nearest)
        self.cited.update(sentence.citations)

    def _quote(self, number: int, text: str) -> None:
        """Settle the quote of a reference, if none was before."""
        if number not in self.quoted:
            self.quotes[number] = text
            self.quoted.add(number)

    def _citations(self) -> tuple[Citation, ...]:
        """Return the numbered references with their quotes as chosen so far."""
        return tuple(
            citation(hit, self.quotes.get(hit.rank, ""), self.searcher, self.settings)
            for hit in self.found.hits
        )

    def _in_order(self) -> list[Citation]:
        """Return the references in the order in which a model is to read them."""
        by_number = {c.number: c for c in self._citations()}
        return [by_number[hit.rank] for hit in self.order]

    def _end(self, outcome: Outcome, mode: Mode) -> Iterator[AnswerEvent]:
        """Yield where documents differ from what was cited, then the outcome."""
        for found in differences(self.candidates) if self.cited else ():
            amounts = (found.newer, found.older)
            if self.cited.isdisjoint(amount.citation for amount in amounts):
                continue
            for amount in amounts:
                self.cited.add(amount.citation)
                self._quote(amount.citation, amount.quote)
            yield found
        final = tuple(
            replace(c, cited=c.number in self.cited) for c in self._citations()
        )
        yield Finished(outcome, mode, final)


_ASKS_ABOUT_DOCUMENT = re.compile(
    r"\bwho\s+(?:wrote|has written|authored|gave|presented|made)\b|\bauthors?\s+of\b"
    r"|\bwhen was\b.+\b(?:written|published|dated|presented)\b",
    re.IGNORECASE,
)


def _card(hit: Hit) -> str:
    """Return a sentence on a document, from what its home system says of it."""
    document = hit.document
    people = f" by {', '.join(document.authors)}" if document.authors else ""
    facts = [f"dated {document.date}" if document.date else "", told(document.status)]
    about = ", ".join(filter(None, facts))
    return (
        f"{document.id} is “{document.title}”{people}{', ' + about if about else ''}."
    )
