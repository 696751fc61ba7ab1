"""Statistics of receipts: answers, kept and dropped sentences, skipped servers.

Does not depend on the index, so that it starts quickly.
"""

from dunegpt.schemas.receipts import (
    CountsResponse,
    ReceiptLineResponse,
    ReceiptResponse,
)


def summarize_receipt(receipt: ReceiptResponse) -> ReceiptLineResponse:
    """Return a one-line summary of a receipt."""
    kept = sum(sentence.supported for sentence in receipt.sentences)
    return ReceiptLineResponse(
        id=receipt.id,
        at=receipt.at,
        question=receipt.question,
        ended=receipt.ended,
        outcome=receipt.outcome,
        mode=receipt.mode,
        snapshot=receipt.snapshot,
        model=receipt.model,
        kept=kept,
        dropped=len(receipt.sentences) - kept,
        skipped=len(receipt.skipped),
        whole_ms=receipt.times_ms.whole,
    )


def count_receipt(receipt: ReceiptResponse, counts: CountsResponse) -> None:
    """Add a receipt to the counts."""
    counts.answers += 1
    _add(counts.ended, receipt.ended.value)
    if receipt.outcome and receipt.mode:
        _add(counts.outcomes, receipt.outcome.value)
        _add(counts.modes, receipt.mode.value)
    for sentence in receipt.sentences:
        if sentence.supported:
            _add(counts.kept, receipt.mode.value if receipt.mode else "unfinished")
        elif sentence.check:
            _add(counts.dropped, sentence.check.value)
    for server in receipt.servers:
        _add(counts.servers.setdefault(server.name, {}), server.end)
    counts.cut_short += bool(receipt.search_notes)


def _add(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1
