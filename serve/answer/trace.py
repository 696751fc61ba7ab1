"""Records how one answer is made: what was searched, sent, checked and yielded.

The steps of the pipeline report to it, and the events pass through `observe`. It makes
no decisions, stores nothing, and does not depend on receipts.
"""

import hashlib
import json
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from dunegpt.errors import ModelError
from dunegpt.index.search.hits import SearchResult
from dunegpt.index.snapshot.snapshot import Snapshot
from dunegpt.serve.answer.request import AnswerRequest
from dunegpt.serve.llm.messages import Messages
from dunegpt.serve.llm.pool import StreamFunction
from dunegpt.serve.verify.llm_judge import JudgeUse
from dunegpt.types import (
    AnswerEvent,
    Citation,
    Finished,
    Notice,
    QuestionEvent,
    References,
    Sentence,
    Withdrawn,
)

SERVER_WROTE = "wrote"
_SERVER_LEFT = "left"
_NOTHING_TO_READ = "nothing_to_read"


@dataclass(slots=True)
class ServerCall:
    """A call of one model server.

    Attributes:
        name: Name of the server in the settings.
        model: Name of the model.
        prompt_sha256: SHA-256 of the prompt as JSON; empty if none was sent.
        end: ``wrote`` if the output is complete, ``left`` if the reader left,
            ``nothing_to_read`` if no passage may be sent to it, or the fault:
            ``overloaded``, ``left_out``, ...
    """

    name: str
    model: str
    prompt_sha256: str = ""
    end: str = _SERVER_LEFT


@dataclass(slots=True)
class AnswerTimes:
    """Times in milliseconds, without the time of the reader; None if not reached.

    Attributes:
        search: Search in the open index.
        first_reference: From the question to the references.
        verification: Verification of all sentences of a model.
        whole: From the question to the end.
    """

    search: float | None = None
    first_reference: float | None = None
    verification: float = 0
    whole: float = 0


@dataclass(slots=True)
class AnswerTrace:
    """The record of one answer, as far as it has come.

    Attributes:
        request: The request that is answered.
        started_at: Start time in UTC, to the second.
        snapshot: Id of the snapshot that was searched; empty if none was opened.
        searched_question: The question without its typed filters.
        standalone_question: The question, rewritten to stand alone if a follow-up.
        search_notes: Steps that the search, or a model that helps it, skipped.
        servers: Calls of model servers, in order.
        citations: The references by number, each as last yielded.
        sentences: All sentences, including unsupported ones.
        notices: Texts of the notices.
        finished: The last event, or None if it was not reached.
        times: Durations of the steps.
        judge: What the judge did; None if there was none.
    """

    request: AnswerRequest
    started_at: datetime = field(
        default_factory=lambda: datetime.now(UTC).replace(microsecond=0)
    )
    snapshot: str = ""
    searched_question: str = field(init=False)
    standalone_question: str = field(init=False)
    search_notes: tuple[str, ...] = ()
    servers: list[ServerCall] = field(default_factory=list)
    citations: dict[int, Citation] = field(default_factory=dict)
    sentences: list[Sentence] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    finished: Finished | None = None
    times: AnswerTimes = field(default_factory=AnswerTimes)
    judge: JudgeUse | None = None
    _opened_at: float = 0.0

    def __post_init__(self) -> None:
        """Initialize both questions with the one that was typed."""
        self.searched_question = self.standalone_question = self.request.question

    @property
    def dropped(self) -> int:
        """Number of sentences of a model that were not supported."""
        return sum(not sentence.supported for sentence in self.sentences)

    # ── reported by the steps ─────────────────────────────────────────────────────

    def note_snapshot(self, snapshot: Snapshot) -> None:
        """Record which snapshot is searched."""
        self.snapshot = snapshot.id
        self._opened_at = time.monotonic()

    def note_search(self, found: SearchResult) -> None:
        """Record the result of the search."""
        self.searched_question = found.question
        self.search_notes += found.notes
        self.times.search = _to_ms(time.monotonic() - self._opened_at)

    def add_notes(self, notes: Iterable[str]) -> None:
        """Record steps that a model that helps the search skipped."""
        self.search_notes += tuple(notes)

    def note_skipped_server(self, name: str) -> None:
        """Record that a server may read none of the passages."""
        model = self.request.settings.llm[name].model
        self.servers.append(ServerCall(name, model, end=_NOTHING_TO_READ))

    def watch_stream(self, stream: StreamFunction) -> StreamFunction:
        """Return a stream function that records each call and how it ended."""

        def watched(name: str, messages: Messages) -> Generator[str]:
            model = self.request.settings.llm[name].model
            call = ServerCall(name, model, hash_prompt(messages))
            self.servers.append(call)
            try:
                with closing(stream(name, messages)) as pieces:
                    yield from pieces
                call.end = SERVER_WROTE
            except ModelError as error:
                call.end = error.fault.value
                raise

        return watched

    @contextmanager
    def time_verification(self) -> Iterator[None]:
        """Add the time inside ``with`` to that of verification."""
        started = time.monotonic()
        yield
        self.times.verification += _to_ms(time.monotonic() - started)

    # ── read off the events ───────────────────────────────────────────────────────

    def observe(self, events: Iterator[AnswerEvent]) -> Iterator[AnswerEvent]:
        """Yield the events and record them; time between them is not counted."""
        while True:
            started = time.monotonic()
            event = next(events, None)
            self.times.whole += _to_ms(time.monotonic() - started)
            if event is None:
                return
            match event:
                case QuestionEvent():
                    self.standalone_question = event.question
                case References():
                    self._add_citations(event.citations)
                    self.times.first_reference = (
                        self.times.first_reference or self.times.whole
                    )
                case Sentence():
                    self.sentences.append(event)
                case Notice():
                    self.notices.append(event.text)
                case Withdrawn():
                    self._withdraw(event.numbers)
                case Finished():
                    # If the search failed, earlier sentences cite earlier references.
                    self._add_citations(event.references)
                    event = replace(event, dropped=self.dropped)
                    self.finished = event
            yield event

    def _withdraw(self, numbers: frozenset[int]) -> None:
        """Forget the references that were closed, and the sentences that cite them."""
        for number in numbers:
            self.citations.pop(number, None)
        self.sentences = [
            sentence
            for sentence in self.sentences
            if numbers.isdisjoint(sentence.citations)
        ]

    def _add_citations(self, citations: Iterable[Citation]) -> None:
        self.citations |= {citation.number: citation for citation in citations}


def hash_prompt(messages: Messages) -> str:
    """Return the SHA-256 of a prompt, serialized as JSON."""
    serialized = json.dumps([list(message) for message in messages])
    return hashlib.sha256(serialized.encode()).hexdigest()


def _to_ms(seconds: float) -> float:
    return 1000 * seconds
