"""Counts what receipts tell: answers, kept and dropped sentences, skipped servers.

Knows no search, so that counting starts quickly.
"""

from dunegpt.receipt_schemas import CountsShape, ReceiptLineShape, ReceiptShape


def line(receipt: ReceiptShape) -> ReceiptLineShape:
    """Return a receipt in one line, its sentences counted."""
    kept = sum(sentence.supported for sentence in receipt.sentences)
    return ReceiptLineShape(
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


def count(receipt: ReceiptShape, counts: CountsShape) -> None:
    """Count one more receipt."""
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
