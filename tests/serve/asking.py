"""Asks a question as tests do: a request and its answer, with a receipt, in a call."""

from collections.abc import Generator
from typing import Any

from dunegpt.access import Access
from dunegpt.config import Settings
from dunegpt.index.search.searcher import Searcher
from dunegpt.serve.answer.request import AnswerRequest
from dunegpt.serve.llm.pool import LLMPool
from dunegpt.serve.receipts.recorder import answer_with_receipt
from dunegpt.types import AnswerEvent


def answer(
    question: str,
    settings: Settings,
    *,
    reader: Access,
    searcher: Searcher | None = None,
    models: LLMPool | None = None,
    person: str = "",
    **request: Any,
) -> Generator[AnswerEvent]:
    """Return the events of an answer; further arguments are fields of the request."""
    return answer_with_receipt(
        AnswerRequest(question, settings, reader, **request),
        searcher=searcher,
        models=models,
        person=person,
    )
