"""A question to a stream of events: references, sentences with citations, the outcome.

What a table of runs says exactly is answered from it. For all else the references and
their numbers come from the search alone; a model can use them, never change them.
Without a model, or when it is down, the answer is the documents' own best sentences.
When nothing answers, it says so.
"""

import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from functools import partial

from dunegpt.config import LLMTable, Settings
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
from dunegpt.serve.cover import why_not
from dunegpt.serve.dialogue import Turn
from dunegpt.serve.models import Models, Stream
from dunegpt.serve.prompt import REFUSAL, may_read, messages
from dunegpt.serve.runs import answer_from_runs
from dunegpt.serve.sentences import Judge, ends_with_abbreviation, sentences
from dunegpt.serve.verify import Verifier
from dunegpt.serve.widen import Widen, widening
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

LEAST_SENTENCE = 0.30
_MOST_SENTENCES = 3
_NEAR_BEST = 0.85


def open_searcher(settings: Settings) -> Searcher:
    """Return a searcher on the current snapshot, under the access overlay.

    Raises:
        IndexMissingError: There is no snapshot.
        IndexBrokenError: It is damaged.
        IndexMismatchError: It is of another format.
        ConfigError: The settings name a rerank model that cannot be used.
    """
    reranker = Reranker.of(settings)
    snapshot = Snapshot(settings.data / "snapshots" / CURRENT)
    narrowing = read_narrowing(
        snapshot.folder,
        snapshot.manifest["sources"],
        settings.data / overlay.FILE,
        timedelta(hours=settings.access.max_overlay_age_h),
    )
    return Searcher(snapshot, narrowing, reranker)


def answer(  # noqa: PLR0913 - its options are its arguments
    question: str,
    settings: Settings,
    *,
    reader: Access,
    filters: Filters | None = None,
    k: int = 8,
    use_model: bool = True,
    models: Models | None = None,
    person: str = "",
    history: Sequence[Turn] = (),
    without: Sequence[str] = (),
    as_asked: bool = False,
    today: date | None = None,
) -> Generator[AnswerEvent]:
    """Yield what is asked, references, sentences and notices, then the outcome.

    Closing the generator, when the reader has left, stops the model.

    Args:
        question: In words, or the name of a document.
        settings: Where the snapshot is, and which model servers there are.
        reader: Principals of the person who asks.
        filters: Which documents to look in.
        k: At most so many references.
        use_model: Whether a model may write the answer.
        models: The servers of the settings with what is remembered of them, for who
            answers many questions.
        person: Who asks, for a fair share of a server.
        history: What the person asked before, the last one last.
        without: Words of the question whose filters are not wanted.
        as_asked: No filters are to be found in its words.
        today: What ``last year`` is counted from, if not the day that it is.

    Raises:
        UsageError: The question is empty, too long, or nothing but filters, or one of
            those has a value that means nothing.
    """
    try:
        with closing(open_searcher(settings)) as searcher:
            models = models or Models(settings)
            uses_model = use_model and bool(settings.llm)
            brief = Brief(models, settings, person) if uses_model else None
            asked, notes = followed(question, history, searcher, reader, brief)
            question = asked.question
            choice = Choice(without, as_asked, today)
            told = answer_from_runs(question, searcher, reader, filters, settings)
            if told:
                yield from (asked, *map(Notice, notes), *told)
                return
            want = wanted(asked, searcher, reader, filters, choice)
            found = searcher.search(want.text, reader, want.filters, k)
            found = replace(found, notes=(*notes, *want.notes, *found.notes))
            if not found.question and not found.unknown:
                raise UsageError(
                    "The question has filters only.",
                    hint="Ask something, or list documents with 'dunegpt search'.",
                )
            run = _Answer(
                found.question,
                parsed(want.asked.question).text,
                reader,
                settings,
                searcher,
                found,
                stream=partial(models.stream, person=person),
                widen=widening(want, searcher, reader, settings, brief),
            )
            yield want.asked
            events = run.events(generates=uses_model)
            yield from hinted(events, want.asked.chips)
    except (IndexMissingError, IndexBrokenError, IndexMismatchError) as error:
        yield Notice(f"{error} {error.hint}")
        yield Finished(Outcome.SEARCH_UNAVAILABLE, Mode.EXTRACTIVE, ())


class _Answer:
    """One question on its way from what was found to its outcome."""

    def __init__(
        self,
        question: str,
        told: str,
        reader: Access,
        settings: Settings,
        searcher: Searcher,
        found: SearchResult,
        *,
        stream: Stream,
        widen: Widen | None = None,
    ) -> None:
        self.question = question
        self.told = told  # to a model: with the words that became filters
        self.stream = stream
        self.widen = widen
        self.shown = found.hits  # which decide whether there is an answer
        self.order = found.hits  # in which a model reads
        self.settings = settings
        self.searcher = searcher
        self.found = found
        self.is_named = bool(found.hits) and found.hits[0].found_by is FoundBy.ID
        asked = self._asked()
        weights = searcher.weights(asked, reader)
        self.judge = Judge(asked, weights, searcher.snapshot.encoder)
        self.candidates = self.judge.best(found.hits)
        self.quotes: dict[int, str] = {}
        for candidate in self.candidates:
            self.quotes.setdefault(candidate.hit.rank, candidate.text)
        self.cited: set[int] = set()

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
            yield self._finished(Outcome.NOT_IN_DOCUMENTS, Mode.EXTRACTIVE)
            return
        if self.widen and not self.is_named:
            yield from self._widened(self.widen)
        for hit in self._introduced():
            self.cited.add(hit.rank)
            yield Sentence(_card(hit), (hit.rank,))
        yield from self._generated() if generates else self._extracted()

    def _widened(self, widen: Widen) -> Iterator[References | Notice]:
        """Yield references that a model adds; take over in which order it reads."""
        more = widen(self.question, self.shown)
        self.found = replace(self.found, hits=more.hits)
        self.order = more.order
        if added := self._citations()[len(self.shown) :]:
            yield References(added)
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
            yield self._finished(outcome if is_down else refused, Mode.EXTRACTIVE)
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

    def _extracted(
        self, outcome: Outcome = Outcome.ANSWERED
    ) -> Iterator[Sentence | Finished]:
        """Yield the best sentences, verbatim; none if none of them answers."""
        best = self.candidates[0].score if self.candidates else 0.0
        said: set[str] = set()
        for candidate in self.candidates:
            text = flat(candidate.text)
            if candidate.score < max(LEAST_SENTENCE, _NEAR_BEST * best):
                break
            if text.casefold() in said or len(said) == _MOST_SENTENCES:
                continue
            number = candidate.hit.rank
            if number not in self.cited:
                self.quotes[number] = candidate.text
            said.add(text.casefold())
            self.cited.add(number)
            yield Sentence(text, (number,))
        if not self.cited and outcome is Outcome.ANSWERED:
            outcome = Outcome.NOT_IN_DOCUMENTS
        yield self._finished(outcome, Mode.EXTRACTIVE)

    def _generated(self) -> Iterator[AnswerEvent]:
        """Yield a model's sentences; those of the next server if one wrote none."""
        outcome = Outcome.ANSWERED
        for name, table in self.settings.llm.items():
            readable = [c for c in self._in_order() if may_read(c.hit, table)]
            if not readable:
                yield Notice(
                    f"No passage found may be sent to the model server {name!r}."
                )
                continue
            begun = False
            try:
                with closing(self._written(name, table, readable)) as written:
                    for sentence in written:
                        begun = True
                        yield sentence
            except ModelError as error:
                yield Notice(str(error))
                outcome = Outcome.MODEL_UNAVAILABLE
                if begun:  # two models' sentences are never mixed
                    break
                continue
            outcome = Outcome.ANSWERED if self.cited else Outcome.NOT_IN_DOCUMENTS
            yield self._finished(outcome, Mode.GENERATED)
            return
        if outcome is Outcome.MODEL_UNAVAILABLE:
            yield Notice("The answer rests on the documents' own sentences.")
        yield from self._fallen_back(outcome)

    def _written(
        self, name: str, table: LLMTable, readable: list[Citation]
    ) -> Generator[Sentence]:
        """Yield one server's sentences, checked one by one as they come.

        Raises:
            ModelError: It did not write to the end.
        """
        budget = table.context_tokens - table.max_tokens
        prompt, sent = messages(self.told, readable, budget)
        verifier = Verifier(sent, self.searcher.snapshot.encoder, self.told)
        said: set[str] = set()
        with closing(self.stream(name, prompt)) as text:
            for piece in streamed_sentences(text):
                if REFUSAL.casefold() in piece.casefold():
                    continue
                sentence = verifier.verified(piece)
                if sentence.text in said:
                    continue
                said.add(sentence.text)
                if sentence.supported:
                    self._cite(sentence)
                yield sentence

    def _cite(self, sentence: Sentence) -> None:
        """Note what a sentence cites; quote the sentences that are most like it."""
        own = set(words(sentence.text))
        for hit in self.found.hits:
            if hit.rank in set(sentence.citations) - self.cited:
                self.quotes[hit.rank] = max(
                    sentences(hit.passage.text),
                    key=lambda text: len(own & set(words(text))),
                    default=hit.passage.text,
                )
        self.cited.update(sentence.citations)

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

    def _finished(self, outcome: Outcome, mode: Mode) -> Finished:
        final = tuple(
            replace(c, cited=c.number in self.cited) for c in self._citations()
        )
        return Finished(outcome, mode, final)


def streamed_sentences(pieces: Iterator[str]) -> Iterator[str]:
    """Yield whole sentences, with the marks that follow them, from pieces of text."""
    text = ""
    for piece in pieces:
        text += piece
        text = yield from _whole(text)
    yield from filter(None, [text.strip()])


def _whole(text: str) -> Generator[str, None, str]:
    """Yield the sentences that a text holds whole; return what is left of it."""
    start = 0
    for end in _SENTENCE_END.finditer(text):
        sentence = text[start : end.end()].strip()
        if ends_with_abbreviation(sentence):
            continue
        yield from filter(None, [sentence])
        start = end.end()
    return text[start:]


_ASKS_ABOUT_DOCUMENT = re.compile(
    r"\bwho\s+(?:wrote|has written|authored|gave|presented|made)\b|\bauthors?\s+of\b"
    r"|\bwhen was\b.+\b(?:written|published|dated|presented)\b",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?](?:\s*\[[\d,;\s]+\])*\s+(?=[^\s\[])|\n+")


def _card(hit: Hit) -> str:
    """Return a sentence on a document, from what its home system says of it."""
    document = hit.document
    people = f" by {', '.join(document.authors)}" if document.authors else ""
    facts = [f"dated {document.date}" if document.date else "", told(document.status)]
    about = ", ".join(filter(None, facts))
    return (
        f"{document.id} is “{document.title}”{people}{', ' + about if about else ''}."
    )
