"""Receipts made by hand."""

import datetime as dt
from typing import Any

from dunegpt.receipt_schemas import (
    Ended,
    FiltersShape,
    ReceiptPassageShape,
    ReceiptSentenceShape,
    ReceiptShape,
    TimesShape,
)
from dunegpt.types import Check, Mode, Outcome


def passage(number: int = 1, document: str = "n:a", **more: Any) -> ReceiptPassageShape:
    fields = {"file": "a.txt", "first_page": 1, "last_page": 1, "score": 0.5}
    return ReceiptPassageShape(number=number, document=document, **{**fields, **more})


def said(
    text: str, *citations: int, check: Check | None = None, reason: str = ""
) -> ReceiptSentenceShape:
    return ReceiptSentenceShape(
        text=text,
        citations=list(citations),
        supported=check is None,
        check=check,
        reason=reason,
    )


def receipt(**more: Any) -> ReceiptShape:
    """Return the receipt of a public answer, asked a moment ago."""
    fields: dict[str, Any] = {
        "at": dt.datetime.now(dt.UTC).replace(microsecond=0),
        "question": "How pure is it?",
        "asked": "How pure is it?",
        "filters": FiltersShape(),
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
        "times_ms": TimesShape(),
    }
    return ReceiptShape(**{**fields, **more})
