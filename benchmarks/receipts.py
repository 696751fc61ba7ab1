"""Measures receipts: time to store one, size, and time to count and remove them.

    python -m benchmarks.receipts [--receipts 10000] [--json OUT]

Stores receipts of ten sentences and eight passages in a separate folder as answers do,
opening the file anew for each.
"""

import argparse
import json
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from dunegpt.config import Settings
from dunegpt.datadir import DataDir
from dunegpt.schemas.receipts import CountsResponse, ReceiptResponse
from dunegpt.serve.answer.request import AnswerRequest
from dunegpt.serve.answer.trace import AnswerTrace
from dunegpt.serve.receipts.recorder import receipt_of
from dunegpt.serve.receipts.stats import count_receipt
from dunegpt.serve.receipts.store import ReceiptStore
from dunegpt.types import (
    Check,
    Citation,
    Document,
    FileRef,
    Finished,
    FoundBy,
    Hit,
    Mode,
    Outcome,
    Passage,
    References,
    Sentence,
)

PUBLIC = frozenset({"public"})


def traced(number: int, settings: Settings) -> AnswerTrace:
    """Return the trace of a generated answer."""
    text = "The liquid argon of the cryostat is purified at this rate. " * 15
    citations = []
    for place in range(1, 9):
        identity = f"notes:N-{number % 997}-{place}:1"
        file = FileRef("a.txt", "a.txt", "text/plain", "", PUBLIC)
        document = Document(identity, "notes", "note", "", "A note", PUBLIC)
        passage = Passage(identity, "a.txt", 1, 1, 0, len(text), "", text)
        hit = Hit(place, passage, document, 1 / place, place, FoundBy.FUSED)
        citations.append(Citation(place, hit, text[:60], 1, file.url))
    made = AnswerTrace(AnswerRequest(f"How pure is argon {number}?", settings, PUBLIC))
    said = [Sentence(text[:150], (1, 2)) for _ in range(9)]
    said.append(Sentence(text[:150], (3,), False, "9 V is not there", Check.NUMBER))
    finished = Finished(Outcome.ANSWERED, Mode.GENERATED, tuple(citations))
    for _ in made.observe(iter([References(tuple(citations)), *said, finished])):
        pass
    return made


def figures(folder: Path, receipts: int) -> dict[str, float]:
    """Return the measurements, in milliseconds unless the name says otherwise."""
    settings = Settings(data_dir=folder)
    store = ReceiptStore(folder, 90)
    made, stored, whole = [], [], []
    for number in range(receipts):
        own = traced(number, settings)
        begun = time.perf_counter()
        receipt: ReceiptResponse = receipt_of(own)
        built = time.perf_counter()
        with store.save(receipt):
            is_there = time.perf_counter()
        made.append(built - begun)
        stored.append(is_there - built)
        whole.append(time.perf_counter() - begun)
    size = DataDir(folder).receipts.stat().st_size
    begun = time.perf_counter()
    counts = CountsResponse()
    for receipt in store.list_readable(PUBLIC):
        count_receipt(receipt, counts)
    counted = time.perf_counter()
    removed = store.remove("notes:N-5-1")
    return {
        "receipts": counts.answers,
        "build": 1000 * statistics.median(made),
        "until the reader has it": 1000 * statistics.median(stored),
        "with tidying up": 1000 * statistics.median(whole),
        "p95 with tidying up": 1000 * statistics.quantiles(whole, n=20)[-1],
        "bytes each": size / receipts,
        "count all": 1000 * (counted - begun),
        "removed": removed,
        "remove a document": 1000 * (time.perf_counter() - counted),
    }


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--receipts", type=int, default=10_000)
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    options = parser.parse_args()
    begun = datetime.now(UTC)
    with tempfile.TemporaryDirectory(dir=".") as folder:
        found = figures(Path(folder).resolve(), options.receipts)
    print(f"{begun:%Y-%m-%d}")
    for name, value in found.items():
        print(f"{name:<26}{value:>12,.2f}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
