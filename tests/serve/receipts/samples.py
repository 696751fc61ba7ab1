"""Receipts made by hand."""

import datetime as dt
from typing import Any

from dunegpt.schemas.receipts import (
    Ended,
    FiltersResponse,
    ReceiptPassageResponse,
    ReceiptResponse,
    ReceiptSentenceResponse,
    TimesResponse,
)
from dunegpt.types import Check, Mode, Outcome


def passage(
    number: int = 1, document: str = "n:a", **more: Any
) -> ReceiptPassageResponse:
    fields = {"file": "a.txt", "first_page": 1, "last_page": 1, "score": 0.5}
    return ReceiptPassageResponse(
        number=number, document=document, **{**fields, **more}
    )


def said(
    text: str, *citations: int, check: Check | None = None, reason: str = ""
) -> ReceiptSentenceResponse:
    return ReceiptSentenceResponse(
        text=text,
        citations=list(citations),
        supported=check is None,
        check=check,
        reason=reason,
    )


def receipt(**more: Any) -> ReceiptResponse:
    """Return the receipt of a public answer, asked a moment ago."""
    fields: dict[str, Any] = {
        "at": dt.datetime.now(dt.UTC).replace(microsecond=0),
        "question": "How pure is it?",
        "asked": "How pure is it?",
        "filters": FiltersResponse(),
        "principals": ["public"],
        "k": 8,
        "use_model": True,
        "ended": Ended.FINISHED,
        "error": "",
        "outcome": Outcome.ANSWERED,
        "mode": Mode.EXTRACTIVE,
        "snapshot": "s1",
        "server": "",
        "model": "",
        "prompt_sha256": "",
        "servers": [],
        "settings": {},
        "passages": [],
        "sentences": [],
        "notices": [],
        "search_notes": [],
        "times_ms": TimesResponse(),
    }
    return ReceiptResponse(**{**fields, **more})
