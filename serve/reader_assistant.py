"""What one reader may ask: answers, hits, documents, beam runs, receipts.

Made by `Assistant.as_reader`; returns the response models of `dunegpt.schemas`.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any, Protocol

from dunegpt.access import Access
from dunegpt.config import Settings
from dunegpt.errors import SEARCH_UNAVAILABLE, UsageError
from dunegpt.index.search.filters import Filters
from dunegpt.index.search.reader_index import ReaderIndex
from dunegpt.index.search.searcher import Searcher
from dunegpt.schemas.reading import (
    AskResponse,
    CitedResponse,
    CitingResponse,
    DocumentResponse,
    FileResponse,
    HitResponse,
    PageResponse,
    RunResponse,
    RunsResponse,
    SearchResponse,
    ShownResponse,
    ShowResponse,
)
from dunegpt.schemas.receipts import CountsResponse, ReceiptsResponse, ReplayResponse
from dunegpt.serve.answer.request import AnswerRequest
from dunegpt.serve.answer.response import AnswerStream
from dunegpt.serve.llm.pool import LLMPool
from dunegpt.serve.question.conversation import Turn
from dunegpt.serve.receipts import stats
from dunegpt.serve.receipts.recorder import answer_with_receipt
from dunegpt.serve.receipts.replay import replay
from dunegpt.serve.receipts.store import ReceiptStore
from dunegpt.text.surrogates import replace_surrogates
from dunegpt.types import (
    AnswerEvent,
    Document,
    Notice,
    Page,
    QuestionEvent,
)


class Resources(Protocol):
    """What all readers of one `Assistant` share."""

    settings: Settings

    @property
    def models(self) -> LLMPool:
        """The model servers."""

    def searcher(self) -> AbstractContextManager[Searcher]:
        """Give the searcher of the newest snapshot."""

    def take_notices(self) -> list[str]:
        """Return what the first answer is to say, once."""


@dataclass(frozen=True)
class ReaderAssistant:
    """Answers one reader; see `Assistant.as_reader`.

    Attributes:
        principals: Of the reader.
        person: Who asks.
    """

    assistant: Resources
    principals: Access
    person: str = ""

    def ask(self, question: str, **options: Any) -> AskResponse:
        """Return the answer to a question, whole.

        Args:
            question: In words, or the name of a document.
            options: See `stream`.

        Raises:
            UsageError: See `stream`.
        """
        with self.stream(question, **options) as answer:
            for _ in answer:
                pass
            return answer.response

    def stream(
        self,
        question: str,
        *,
        filters: Filters | None = None,
        k: int = 8,
        use_model: bool = True,
        without: Sequence[str] = (),
        as_asked: bool = False,
        history: Sequence[Turn] = (),
        today: date | None = None,
    ) -> "AnswerStream":
        """Return the events of an answer as they come: references first.

        Closing the stream stops the model. However it ends, a receipt is kept, if the
        settings say so. An index that cannot be searched is an outcome, not an error.

        Args:
            question: In words, or the name of a document.
            filters: Which documents to look in.
            k: At most so many references.
            use_model: Let a model write the answer, if one is configured.
            without: Words of the question in which no filter is to be found.
            as_asked: Find no filters in the words of the question.
            history: What the reader asked before, the latest last.
            today: What "last year" is relative to; default: today.

        Raises:
            UsageError: k is less than 1. While iterating: the question is empty, too
                long, or nothing but filters, or a filter has a value that is not valid.
        """
        if k < 1:
            raise UsageError(f"k is {k}; it has to be at least 1.")
        request = AnswerRequest(
            replace_surrogates(question),
            self.assistant.settings,
            self.principals,
            filters=filters or Filters(),
            k=k,
            use_model=use_model,
            history=tuple(history),
            without=(without,) if isinstance(without, str) else tuple(without),
            as_asked=as_asked,
            today=today,
        )
        return AnswerStream(request.question, self._answer(request))

    def conversation(self, **options: Any) -> "Conversation":
        """Return a conversation, in which a follow-up may refer to earlier questions.

        Args:
            options: Of every question in it; see `stream`.
        """
        return Conversation(self, options)

    def search(
        self, question: str, *, filters: Filters | None = None, k: int = 10
    ) -> SearchResponse:
        """Return the passages that match best.

        Args:
            question: Words, or the name of a document; may hold typed filters
                (``author:okonjo after:2024``). With filters alone, the newest documents
                are listed.
            filters: Which documents to look in.
            k: At most so many hits.

        Raises:
            UsageError: The question is empty or too long, a filter is not valid, or k
                is less than 1.
            IndexMissingError, IndexBrokenError, IndexMismatchError, HostError: The
                index cannot be searched; see `Assistant.searcher`.
        """
        if k < 1:
            raise UsageError(f"k is {k}; it has to be at least 1.")
        with self._index() as index:
            result = index.search(replace_surrogates(question), filters, k)
            day = index.snapshot.manifest["created_at"][:10]
            notes = [
                f"{name} is not in the index as of {day}." for name in result.unknown
            ]
            notes += [*filter(None, [index.revocations.notice]), *result.notes]
            return SearchResponse(
                question=replace_surrogates(question),
                snapshot=index.snapshot.id,
                notes=[*self.assistant.take_notices(), *notes],
                hits=[HitResponse.from_hit(hit) for hit in result.hits],
            )

    def show(self, name: str, *, page: int = 0) -> ShowResponse:
        """Return the documents that go by a name, all versions if it names none.

        Args:
            name: An id, a number or a link.
            page: Return the text of this page, too; 0 for none.

        Raises:
            IndexMissingError, IndexBrokenError, IndexMismatchError, HostError: The
                index cannot be searched; see `Assistant.searcher`.
        """
        with self._index() as index:
            return ShowResponse(
                documents=[
                    _show_document(index, document, newest, page)
                    for document, newest in index.find_documents(
                        replace_surrogates(name)
                    )
                ]
            )

    def get_index_date(self) -> str:
        """Return the day on which the index was made, ISO 8601.

        Raises:
            IndexMissingError, IndexBrokenError, IndexMismatchError, HostError: See
                `Assistant.searcher`.
        """
        with self._index() as index:
            return str(index.snapshot.manifest["created_at"][:10])

    def runs(
        self,
        *,
        sources: Sequence[str] = (),
        since: date | None = None,
        until: date | None = None,
        state: str = "",
        beam: str = "",
        number: int | None = None,
        last: bool = False,
    ) -> RunsResponse:
        """Return beam runs from the run tables of logbooks, the oldest first.

        Args:
            sources: Names of logbooks; all if none.
            since: First day.
            until: Last day.
            state: Of the detector, or a part of it.
            beam: ``on``, ``off``, or as the table says.
            number: Of the run.
            last: Only the newest one.

        Raises:
            UsageError: A source is not among those that the reader may see.
            IndexMissingError, IndexBrokenError, IndexMismatchError, HostError: The
                index cannot be searched; see `Assistant.searcher`.
        """
        with self._index() as index:
            found = index.runs.select(
                sources=sources,
                since=since,
                until=until,
                state=state,
                beam=beam,
                number=number,
            )
            return RunsResponse(
                snapshot=index.snapshot.id,
                notes=list(filter(None, [index.revocations.notice])),
                runs=[
                    _describe_run(index, run) for run in (found[-1:] if last else found)
                ],
            )

    def replay(
        self, receipt_id: str, *, as_then: bool = False
    ) -> ReplayResponse | None:
        """Ask the question of a receipt again; return what has changed.

        Args:
            receipt_id: Of a receipt whose principals the reader holds.
            as_then: Ask the snapshot of then, not the current one.

        Returns:
            None if there is no such receipt, or not for this reader.

        Raises:
            StorageError: The snapshot of then is not kept any more.
            UsageError: The question cannot be asked any more: a source in it is gone.
        """
        receipt = self._receipts().get(replace_surrogates(receipt_id), self.principals)
        if receipt is None:
            return None
        return replay(receipt, self.assistant.settings, as_then=as_then)

    def receipts(self, *, last: int = 20) -> ReceiptsResponse:
        """Return the latest receipts of the reader, and counts over all of them.

        Args:
            last: List so many; all are counted.
        """
        response = ReceiptsResponse(receipts=[], counts=CountsResponse())
        for receipt in self._receipts().list_readable(self.principals):
            stats.count_receipt(receipt, response.counts)
            if len(response.receipts) < last:
                response.receipts.append(stats.summarize_receipt(receipt))
        return response

    @contextmanager
    def _index(self) -> Iterator[ReaderIndex]:
        with self.assistant.searcher() as searcher:
            yield searcher.as_reader(self.principals)

    def _receipts(self) -> ReceiptStore:
        settings = self.assistant.settings
        return ReceiptStore(settings.data, settings.receipts.keep_days)

    def _answer(self, request: AnswerRequest) -> Generator[AnswerEvent]:
        yield from map(Notice, self.assistant.take_notices())
        with self._try_searcher() as searcher:
            yield from answer_with_receipt(
                request,
                searcher=searcher,
                models=self.assistant.models,
                person=self.person,
            )

    @contextmanager
    def _try_searcher(self) -> Iterator[Searcher | None]:
        """Give the searcher, or None where the answer has to say why there is none."""
        opening = self.assistant.searcher()
        try:
            searcher = opening.__enter__()
        except SEARCH_UNAVAILABLE:
            yield None
            return
        try:
            yield searcher
        finally:
            opening.__exit__(None, None, None)


@dataclass
class Conversation:
    """Questions of one reader, one after the other; kept in memory only.

    Attributes:
        turns: What was asked and answered, the latest last.
        chips: The words in which the latest question had filters.
    """

    reader: ReaderAssistant
    options: dict[str, Any] = field(default_factory=dict)
    turns: list[Turn] = field(default_factory=list)
    chips: list[str] = field(default_factory=list)
    _question: str = ""
    _history: list[Turn] = field(default_factory=list)
    _without: list[str] = field(default_factory=list)

    @property
    def question(self) -> str:
        """The latest question, as typed."""
        return self._question

    def ask(self, question: str) -> AnswerStream:
        """Return the events of an answer; an interrupted one counts as a turn, too."""
        self._question, self._history = question, list(self.turns)
        self._without = []
        return self._stream()

    def ask_without(self, number: int) -> AnswerStream:
        """Ask the latest question again without one of its filters.

        The answer replaces the earlier one to the same question.

        Args:
            number: Of the filter, from 1, in the order of `chips`.

        Raises:
            UsageError: There is no such filter.
        """
        if not 1 <= number <= len(self.chips):
            known = f"1 to {len(self.chips)}" if self.chips else "none"
            raise UsageError(
                f"There is no filter {number}.",
                hint=f"The filters of the last question: {known}.",
            )
        self._without.append(self.chips[number - 1])
        self.turns[:] = self._history
        return self._stream()

    def clear(self) -> None:
        """Forget the conversation so far, and answers that have not ended yet."""
        self.turns, self.chips = [], []
        self._question, self._history = "", []

    def _stream(self) -> AnswerStream:
        self.chips = []
        stream = self.reader.stream(
            self._question,
            history=self._history,
            without=self._without,
            **self.options,
        )
        stream.on_end = partial(self._add_turn, self.turns, self._question)
        return stream

    def _add_turn(
        self, turns: list[Turn], question: str, events: Sequence[AnswerEvent]
    ) -> None:
        """Add an answer to the turns; a question that was rejected is none."""
        for event in events:
            if isinstance(event, QuestionEvent):
                turns.append(Turn.from_events(question, events))
                if turns is self.turns and question == self._question:
                    self.chips = list(dict.fromkeys(c.text for c in event.chips))


def _show_document(
    index: ReaderIndex, document: Document, newest: str, page: int
) -> ShownResponse:
    pages: dict[str, list[Page]] = {
        file.key: index.get_pages(document, file.key) for file in document.files
    }
    cites, cited_by = index.find_related(document.id)
    return ShownResponse(
        document=DocumentResponse.from_document(document),
        principals=sorted(document.access),
        supersedes=document.supersedes,
        superseded_by=newest if newest != document.id else "",
        parent=document.parent,
        files=[
            FileResponse(
                key=file.key,
                name=file.name,
                media_type=file.media_type,
                url=file.url,
                pages=len(pages[file.key]),
                principals=sorted(file.access),
            )
            for file in document.files
        ],
        cites=[CitedResponse.from_cited(each) for each in cites],
        cited_by=[CitingResponse.from_citing(each) for each in cited_by],
        pages=[
            PageResponse(file=key, number=p.number, heading=p.heading, text=p.text)
            for key, of_file in pages.items()
            for p in of_file
            if p.number == page
        ],
    )


def _describe_run(index: ReaderIndex, run: Any) -> RunResponse:
    document, url = index.runs.get_address(run)
    return RunResponse(
        source=run.source,
        run=run.number,
        start=run.start,
        stop=run.stop,
        beam=run.beam,
        state=run.state,
        comment=run.comment,
        document=document,
        page=run.page,
        url=url,
    )
