"""Keeps a receipt of each answer: what it rests on, gathered while it is made.

An `Account` is handed down through the making of an answer and told what happens;
`recorded` lets the answer's events pass and stores the receipt however they end. A
receipt that cannot be stored is a notice, and never costs an answer.
"""

import hashlib
import json
import logging
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from dunegpt import __version__
from dunegpt.config import Settings
from dunegpt.errors import DuneGPTError, ModelError, UsageError
from dunegpt.index.receipt_store import ReceiptStore
from dunegpt.index.search import Searcher, SearchResult
from dunegpt.index.view import Filters
from dunegpt.receipt_schemas import (
    Ended,
    FiltersShape,
    ReceiptPassageShape,
    ReceiptSentenceShape,
    ReceiptServerShape,
    ReceiptShape,
    TimesShape,
)
from dunegpt.serve.asking import Choice
from dunegpt.serve.dialogue import Turn
from dunegpt.serve.llm import Messages
from dunegpt.serve.models import Stream
from dunegpt.types import (
    Access,
    AnswerEvent,
    Asked,
    Citation,
    Finished,
    Notice,
    References,
    Sentence,
)

log = logging.getLogger(__name__)

WROTE = "wrote"
_LEFT = "left"
_NOTHING_TO_READ = "nothing_to_read"
_CLOSED = "a document of this answer was closed while it was made."
_NO_BEARING = frozenset(
    {"data_dir", "sources", "extract", "index", "receipts", "cli", "config_dir"}
    | {"contact", "access.people", "access.purge_after_days"}
    | {"embed.batch_size", "embed.precision"}
)
"""Settings that do not bear on an answer to a question as it was asked."""
_NO_BEARING_OF_A_SERVER = frozenset(
    {"base_url", "user", "api_key_env", "api_key_file", "at_once", "serve"}
)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked, by whom, and of what."""

    question: str
    reader: Access
    filters: Filters
    k: int = 8
    use_model: bool = True
    history: tuple[Turn, ...] = ()
    choice: Choice = field(default_factory=Choice)


class Account:
    """What one answer rests on, as far as it has come."""

    def __init__(self, request: Request, settings: Settings) -> None:
        self.request = request
        self.settings = settings
        self._at = datetime.now(UTC).replace(microsecond=0)
        self._snapshot = ""
        self._asked = self._standing = request.question
        self._search_notes: tuple[str, ...] = ()
        self._servers: list[ReceiptServerShape] = []
        self._citations: dict[int, Citation] = {}
        self._sentences: list[Sentence] = []
        self._notices: list[str] = []
        self._finished: Finished | None = None
        self._times = TimesShape()
        self._opened_at = 0.0

    # ── told by the making of an answer ───────────────────────────────────────────

    def opened(self, searcher: Searcher) -> None:
        """Note which snapshot is searched."""
        self._snapshot = searcher.snapshot.id
        self._opened_at = time.monotonic()

    def searched(self, found: SearchResult) -> None:
        """Note how the search went."""
        self._asked = found.question
        self._search_notes += found.notes
        self._times.search = _ms(time.monotonic() - self._opened_at)

    def noted(self, notes: Iterable[str]) -> None:
        """Note what a model that helps the search did not do."""
        self._search_notes += tuple(notes)

    def passed_over(self, name: str) -> None:
        """Note that a server may read none of the passages."""
        model = self.settings.llm[name].model
        self._servers.append(
            ReceiptServerShape(
                name=name, model=model, prompt_sha256="", end=_NOTHING_TO_READ
            )
        )

    def watched(self, stream: Stream) -> Stream:
        """Return a stream that notes what each server was sent, and how it ended."""

        def watching(name: str, messages: Messages) -> Generator[str]:
            server = ReceiptServerShape(
                name=name,
                model=self.settings.llm[name].model,
                prompt_sha256=prompt_hash(messages),
                end=_LEFT,
            )
            self._servers.append(server)
            try:
                with closing(stream(name, messages)) as pieces:
                    yield from pieces
                server.end = WROTE
            except ModelError as error:
                server.end = error.fault.value
                raise

        return watching

    @contextmanager
    def verifying(self) -> Iterator[None]:
        """Count the time inside as that of verification."""
        begun = time.monotonic()
        yield
        self._times.verification += _ms(time.monotonic() - begun)

    # ── told by the events ────────────────────────────────────────────────────────

    def seeing(self, events: Iterator[AnswerEvent]) -> Iterator[AnswerEvent]:
        """Yield the events, noted; the time between them is the reader's own."""
        while True:
            begun = time.monotonic()
            event = next(events, None)
            self._times.whole += _ms(time.monotonic() - begun)
            if event is None:
                return
            match event:
                case Asked():
                    self._standing = event.question
                case References():
                    self._refer(event.citations)
                    self._times.first_reference = (
                        self._times.first_reference or self._times.whole
                    )
                case Sentence():
                    self._sentences.append(event)
                case Notice():
                    self._notices.append(event.text)
                case Finished():
                    # Of a search that broke, what was said rests on earlier ones.
                    self._refer(event.references)
                    event = replace(event, dropped=self.dropped)
                    self._finished = event
            yield event

    def _refer(self, citations: tuple[Citation, ...]) -> None:
        """Note references, by number: the latest of each counts."""
        self._citations |= {citation.number: citation for citation in citations}

    @property
    def is_finished(self) -> bool:
        """Whether the last event has come."""
        return self._finished is not None

    @property
    def dropped(self) -> int:
        """How many sentences of a model were not supported."""
        return sum(not sentence.supported for sentence in self._sentences)

    # ── in the end ────────────────────────────────────────────────────────────────

    def receipt(self, ended: Ended = Ended.FINISHED, error: str = "") -> ReceiptShape:
        """Return the receipt, without an id.

        Args:
            ended: How the answer ended.
            error: Name of the error's class, if one ended it.
        """
        request, finished = self.request, self._finished
        wrote = next((s for s in self._servers if s.end == WROTE), None)
        return ReceiptShape(
            at=self._at,
            question=_text(request.question),
            asked=_text(self._asked),
            standing=_text(self._standing),
            without=list(map(_text, request.choice.without)),
            as_asked=request.choice.as_asked,
            filters=_filters(request.filters),
            principals=sorted(request.reader),
            k=request.k,
            use_model=request.use_model,
            ended=ended,
            error=error,
            outcome=finished.outcome if finished else None,
            mode=finished.mode if finished else None,
            snapshot=self._snapshot,
            server=wrote.name if wrote else "",
            model=wrote.model if wrote else "",
            prompt_sha256=wrote.prompt_sha256 if wrote else "",
            servers=self._servers,
            settings=bearing(self.settings),
            passages=[_passage(citation) for citation in self._citations.values()],
            sentences=[_sentence(sentence) for sentence in self._sentences],
            notices=[_text(notice) for notice in self._notices],
            search_notes=list(self._search_notes),
            times_ms=_rounded(self._times),
        )


def recorded(
    events: Generator[AnswerEvent], account: Account
) -> Generator[AnswerEvent]:
    """Yield the events of an answer; store its receipt when they end, however they do.

    The last event carries the receipt's id. A question that cannot be asked has no
    receipt, nor has anything where the settings, or no data folder, say so.
    """
    with ExitStack() as stack:
        try:
            with closing(events):
                for event in account.seeing(events):
                    if isinstance(event, Finished):
                        identity, problem = _kept(account, stack)
                        if problem:
                            yield Notice(f"No receipt was kept: {problem}")
                        yield replace(event, receipt=identity)
                    else:
                        yield event
        except UsageError:
            raise
        except (GeneratorExit, KeyboardInterrupt):
            _keep_unfinished(account, stack, Ended.LEFT)
            raise
        except Exception as error:
            _keep_unfinished(account, stack, Ended.FAILED, type(error).__name__)
            raise


def _kept(
    account: Account, stack: ExitStack, ended: Ended = Ended.FINISHED, error: str = ""
) -> tuple[str, str]:
    """Store a receipt; return its id, or else why there is none, if that is a problem.

    Args:
        account: Of the answer.
        stack: Tidies up after the reader has got all.
        ended: How the answer ended.
        error: What ended it.
    """
    settings = account.settings
    if not settings.receipts.enabled or not settings.data.is_dir():
        return "", ""
    store = ReceiptStore(settings.data, settings.receipts.keep_days)
    try:
        receipt = account.receipt(ended, error)
        identity = stack.enter_context(store.putting(receipt))
    except DuneGPTError as problem:
        return "", f"{problem} {problem.hint}".strip()
    except Exception as problem:  # a door: no receipt may cost an answer
        return "", f"{type(problem).__name__} while it was written."
    return identity, "" if identity else _CLOSED


def _keep_unfinished(
    account: Account, stack: ExitStack, ended: Ended, error: str = ""
) -> None:
    """Store the receipt of an answer without an end, unless it has ended before."""
    if account.is_finished:
        return
    _, problem = _kept(account, stack, ended, error)
    if problem:
        log.warning("no receipt was kept: %s", problem)


def prompt_hash(messages: Messages) -> str:
    """Return the sha256 of a prompt, written as JSON."""
    written = json.dumps([list(message) for message in messages])
    return hashlib.sha256(written.encode()).hexdigest()


def bearing(settings: Settings) -> dict[str, Any]:
    """Return the settings that bear on an answer, by names with dots; no address."""
    found: dict[str, Any] = {"program": __version__}
    tables = settings.model_dump(mode="json")
    servers = tables.pop("llm")
    for name, table in tables.items():
        values = table if isinstance(table, dict) else {"": table}
        for key, value in values.items():
            full = f"{name}.{key}".rstrip(".")
            if not {name, full} & _NO_BEARING:
                found[full] = value
    for name, table in servers.items():
        own = table.keys() - _NO_BEARING_OF_A_SERVER
        found |= {f"llm.{name}.{key}": table[key] for key in sorted(own)}
    return found


def _filters(filters: Filters) -> FiltersShape:
    return FiltersShape(
        sources=list(filters.sources),
        since=filters.since,
        until=filters.until,
        author=_text(filters.author),
        kinds=list(map(_text, filters.kinds)),
        statuses=list(map(_text, filters.statuses)),
        documents=list(map(_text, filters.documents)),
    )


def _passage(citation: Citation) -> ReceiptPassageShape:
    hit, passage = citation.hit, citation.hit.passage
    text = passage.text.encode("utf-8", "replace")
    return ReceiptPassageShape(
        number=citation.number,
        document=hit.document.id,
        file=passage.file_key,
        first_page=passage.first_page,
        last_page=passage.last_page,
        row=hit.row,
        start=passage.start,
        end=passage.end,
        score=round(hit.score, 6),
        found_by=hit.found_by.value,
        cited=citation.cited,
        sha256=hashlib.sha256(text).hexdigest(),
    )


def _sentence(sentence: Sentence) -> ReceiptSentenceShape:
    return ReceiptSentenceShape(
        text=_text(sentence.text),
        citations=list(sentence.citations),
        supported=sentence.supported,
        check=sentence.check,
        reason=_text(sentence.reason),
    )


def _text(text: str) -> str:
    """Return a text that UTF-8 can hold: a model, or a shell, may give half a pair."""
    return text.encode("utf-8", "replace").decode()


def _ms(seconds: float) -> float:
    return 1000 * seconds


def _rounded(times: TimesShape) -> TimesShape:
    found = {name: value and round(value, 1) for name, value in times}
    return TimesShape(**found)
