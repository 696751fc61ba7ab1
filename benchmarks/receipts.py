"""What receipts cost: milliseconds to keep one, bytes, and time to count and remove.

    python -m benchmarks.receipts [--receipts 10000] [--json OUT]

Puts receipts of ten sentences and eight passages into a folder of its own, as an answer
does, each through a newly opened file.
"""

import argparse
import json
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from dunegpt.config import Settings
from dunegpt.index.receipt_store import FILE, ReceiptStore
from dunegpt.index.view import Filters
from dunegpt.receipt_schemas import CountsShape, ReceiptShape
from dunegpt.serve.counting import count
from dunegpt.serve.receipts import Account, Request
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


def account(number: int, settings: Settings) -> Account:
    """Return the account of a generated answer."""
    text = "The liquid argon of the cryostat is purified at this rate. " * 15
    citations = []
    for place in range(1, 9):
        identity = f"notes:N-{number % 997}-{place}:1"
        file = FileRef("a.txt", "a.txt", "text/plain", "", PUBLIC)
        document = Document(identity, "notes", "note", "", "A note", PUBLIC)
        passage = Passage(identity, "a.txt", 1, 1, 0, len(text), "", text)
        hit = Hit(place, passage, document, 1 / place, place, FoundBy.FUSED)
        citations.append(Citation(place, hit, text[:60], 1, file.url))
    made = Account(Request(f"How pure is argon {number}?", PUBLIC, Filters()), settings)
    said = [Sentence(text[:150], (1, 2)) for _ in range(9)]
    said.append(Sentence(text[:150], (3,), False, "9 V is not there", Check.NUMBER))
    finished = Finished(Outcome.ANSWERED, Mode.GENERATED, tuple(citations))
    for _ in made.seeing(iter([References(tuple(citations)), *said, finished])):
        pass
    return made


def figures(folder: Path, receipts: int) -> dict[str, float]:
    """Return what was measured, in milliseconds unless the name says otherwise."""
    settings = Settings(data_dir=folder)
    store = ReceiptStore(folder, 90)
    made, stored, whole = [], [], []
    for number in range(receipts):
        own = account(number, settings)
        begun = time.perf_counter()
        receipt: ReceiptShape = own.receipt()
        built = time.perf_counter()
        with store.putting(receipt):
            is_there = time.perf_counter()
        made.append(built - begun)
        stored.append(is_there - built)
        whole.append(time.perf_counter() - begun)
    size = (folder / FILE).stat().st_size
    begun = time.perf_counter()
    counts = CountsShape()
    for receipt in store.own(PUBLIC):
        count(receipt, counts)
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
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--receipts", type=int, default=10_000)
    parser.add_argument("--json", type=Path, help="write the figures here, too")
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
