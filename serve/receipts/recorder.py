"""Records a receipt of each answer, made from the answer's trace.

`answer_with_receipt` yields an answer and stores its receipt however it ends. If a
receipt cannot be stored, a notice says so, and the answer is given all the same.
"""

import hashlib
import logging
from collections.abc import Generator
from contextlib import ExitStack, closing
from dataclasses import asdict, replace
from typing import Any

from dunegpt.config import Settings
from dunegpt.errors import DuneGPTError, UsageError
from dunegpt.index.search.filters import Filters
from dunegpt.index.search.searcher import Searcher
from dunegpt.schemas.receipts import (
    Ended,
    FiltersResponse,
    ReceiptJudgeResponse,
    ReceiptPassageResponse,
    ReceiptResponse,
    ReceiptSentenceResponse,
    ReceiptServerResponse,
    TimesResponse,
)
from dunegpt.serve.answer.pipeline import answer
from dunegpt.serve.answer.request import AnswerRequest
from dunegpt.serve.answer.trace import SERVER_WROTE, AnswerTimes, AnswerTrace
from dunegpt.serve.llm.pool import LLMPool
from dunegpt.serve.receipts.store import ReceiptStore
from dunegpt.types import AnswerEvent, Citation, Finished, Notice, Sentence
from dunegpt.version import __version__

log = logging.getLogger(__name__)

_CLOSED_REASON = "a document of this answer was closed while it was made."
_IRRELEVANT_SETTINGS = frozenset(
    {"data_dir", "sources", "extract", "index", "receipts", "cli", "config_dir"}
    | {"contact", "access.people", "access.purge_after_days"}
    | {"embed.batch_size", "embed.precision"}
)
"""Settings that do not influence the answer to a question."""
_IRRELEVANT_SERVER_SETTINGS = frozenset(
    {"base_url", "user", "api_key_env", "api_key_file", "at_once", "serve"}
)


def answer_with_receipt(
    request: AnswerRequest,
    *,
    searcher: Searcher | None = None,
    models: LLMPool | None = None,
    person: str = "",
) -> Generator[AnswerEvent]:
    """Yield the events of an answer; store its receipt when they end, however they do.

    Closing the generator stops the model. The last event carries the id of the receipt.
    No receipt is stored for a question that is rejected, if receipts are disabled, or
    if there is no data folder.

    Args:
        request: The question and its settings.
        searcher: An open searcher, which stays open; by default the current snapshot is
            opened for this question.
        models: Pool of model servers, shared between questions.
        person: Who asks; model servers are shared fairly between persons.

    Raises:
        UsageError: The question is empty, too long, or has only filters, or a filter is
            invalid.
    """
    trace = AnswerTrace(request)
    events = answer(
        request, searcher=searcher, models=models, person=person, trace=trace
    )
    with ExitStack() as stack:
        try:
            with closing(events):
                for event in events:
                    if isinstance(event, Finished):
                        identity, problem = _save_receipt(trace, stack)
                        if problem:
                            yield Notice(f"No receipt was kept: {problem}")
                        yield replace(event, receipt=identity)
                    else:
                        yield event
        except UsageError:
            raise
        except (GeneratorExit, KeyboardInterrupt):
            _save_unfinished(trace, stack, Ended.LEFT)
            raise
        except Exception as error:
            _save_unfinished(trace, stack, Ended.FAILED, type(error).__name__)
            raise


def receipt_of(
    trace: AnswerTrace, ended: Ended = Ended.FINISHED, error: str = ""
) -> ReceiptResponse:
    """Return the receipt of an answer, without an id.

    Args:
        trace: Trace of the answer, as far as it has come.
        ended: How the answer ended.
        error: Class name of the error that ended it, if any.
    """
    request, finished = trace.request, trace.finished
    wrote = next((call for call in trace.servers if call.end == SERVER_WROTE), None)
    return ReceiptResponse(
        at=trace.started_at,
        question=_replace_surrogates(request.question),
        asked=_replace_surrogates(trace.searched_question),
        standing=_replace_surrogates(trace.standalone_question),
        without=list(map(_replace_surrogates, request.without)),
        as_asked=request.as_asked,
        filters=_convert_filters(request.filters),
        principals=sorted(request.principals),
        k=request.k,
        use_model=request.use_model,
        ended=ended,
        error=error,
        outcome=finished.outcome if finished else None,
        mode=finished.mode if finished else None,
        probability=finished.probability if finished else None,
        snapshot=trace.snapshot,
        server=wrote.name if wrote else "",
        model=wrote.model if wrote else "",
        prompt_sha256=wrote.prompt_sha256 if wrote else "",
        servers=[ReceiptServerResponse(**asdict(call)) for call in trace.servers],
        settings=select_relevant_settings(request.settings),
        passages=[_convert_passage(citation) for citation in trace.citations.values()],
        sentences=[_convert_sentence(sentence) for sentence in trace.sentences],
        notices=[_replace_surrogates(notice) for notice in trace.notices],
        search_notes=list(trace.search_notes),
        times_ms=_convert_times(trace.times),
        judge=ReceiptJudgeResponse(**asdict(trace.judge)) if trace.judge else None,
    )


def _save_receipt(
    trace: AnswerTrace,
    stack: ExitStack,
    ended: Ended = Ended.FINISHED,
    error: str = "",
) -> tuple[str, str]:
    """Store a receipt; return its id and the problem, one or both of them empty.

    Args:
        trace: Trace of the answer.
        stack: Closes the store after the reader has received the last event.
        ended: How the answer ended.
        error: Class name of the error that ended it, if any.
    """
    settings = trace.request.settings
    if not settings.receipts.enabled or not settings.data.is_dir():
        return "", ""
    store = ReceiptStore(settings.data, settings.receipts.keep_days)
    try:
        receipt = receipt_of(trace, ended, error)
        identity = stack.enter_context(store.save(receipt))
    except DuneGPTError as problem:
        return "", f"{problem} {problem.hint}".strip()
    except Exception as problem:  # the answer is worth more than its receipt
        return "", f"{type(problem).__name__} while it was written."
    return identity, "" if identity else _CLOSED_REASON


def _save_unfinished(
    trace: AnswerTrace, stack: ExitStack, ended: Ended, error: str = ""
) -> None:
    """Store the receipt of an answer that was interrupted before its last event."""
    if trace.finished:
        return
    _, problem = _save_receipt(trace, stack, ended, error)
    if problem:
        log.warning("no receipt was kept: %s", problem)


def select_relevant_settings(settings: Settings) -> dict[str, Any]:
    """Return the settings that influence an answer, by dotted name; no addresses."""
    relevant: dict[str, Any] = {"program": __version__}
    tables = settings.model_dump(mode="json")
    servers = tables.pop("llm")
    for name, table in tables.items():
        values = table if isinstance(table, dict) else {"": table}
        for key, value in values.items():
            full = f"{name}.{key}".rstrip(".")
            if not {name, full} & _IRRELEVANT_SETTINGS:
                relevant[full] = value
    for name, table in servers.items():
        keys = table.keys() - _IRRELEVANT_SERVER_SETTINGS
        relevant |= {f"llm.{name}.{key}": table[key] for key in sorted(keys)}
    return relevant


def _convert_filters(filters: Filters) -> FiltersResponse:
    return FiltersResponse(
        sources=list(filters.sources),
        since=filters.since,
        until=filters.until,
        author=_replace_surrogates(filters.author),
        authors=list(map(_replace_surrogates, filters.authors)),
        kinds=list(map(_replace_surrogates, filters.kinds)),
        statuses=list(map(_replace_surrogates, filters.statuses)),
        documents=list(map(_replace_surrogates, filters.documents)),
    )


def _convert_passage(citation: Citation) -> ReceiptPassageResponse:
    hit, passage = citation.hit, citation.hit.passage
    text = passage.text.encode("utf-8", "replace")
    return ReceiptPassageResponse(
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


def _convert_sentence(sentence: Sentence) -> ReceiptSentenceResponse:
    return ReceiptSentenceResponse(
        text=_replace_surrogates(sentence.text),
        citations=list(sentence.citations),
        supported=sentence.supported,
        check=sentence.check,
        reason=_replace_surrogates(sentence.reason),
    )


def _replace_surrogates(text: str) -> str:
    """Return text valid in UTF-8; models and shells may produce lone surrogates."""
    return text.encode("utf-8", "replace").decode()


def _convert_times(times: AnswerTimes) -> TimesResponse:
    return TimesResponse(
        **{name: value and round(value, 1) for name, value in asdict(times).items()}
    )
