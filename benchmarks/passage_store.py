"""Compares two stores for passage texts: stored fields of tantivy, and SQLite.

    python -m benchmarks.passage_store --base DATA [--passages 100000]

The texts are those of ``benchmarks/search.py``. Prints the size, the seconds to write,
and the CPU milliseconds to read 50 random rows as a search does: from SQLite by row
number, compressed by zstd with a dictionary; from tantivy by a query for the rows and
one lookup per document, with its default block compression.
"""

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tantivy
from rich.console import Console
from rich.table import Table

from benchmarks.search import documents, percentiles, real, time_one
from dunegpt.index.snapshot.segment import SegmentTexts, SegmentWriter
from dunegpt.types import Passage

ROWS, TIMES = 50, 100


def texts(base: Path, count: int) -> list[str]:
    """Return the texts of about ``count`` passages."""
    real_texts, vectors = real(base)
    generated = documents(real_texts, vectors, count)
    return [passage.text for _, entry, _ in generated for passage in entry.passages]


def in_sqlite(bodies: list[str], folder: Path) -> Callable[[list[int]], object]:
    """Write the texts as a segment does; return a function that reads rows."""
    writer = SegmentWriter(folder, 4)
    for row, body in enumerate(bodies):
        writer.add_passage(row, 0, Passage("b:1", "t", 1, 1, 0, len(body), "", body))
    writer.close(int8_from=10**9)
    return SegmentTexts(folder / "texts.db").read_passages


def in_tantivy(bodies: list[str], folder: Path) -> Callable[[list[int]], object]:
    """Write the texts as stored fields; return a function that reads rows."""
    folder.mkdir()
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("row", indexed=True, fast=True)
    builder.add_bytes_field("text", stored=True)
    schema = builder.build()
    index = tantivy.Index(schema, path=str(folder))
    writer = index.writer(64 << 20, 1)
    for row, body in enumerate(bodies):
        entry = tantivy.Document()
        entry.add_unsigned("row", row)
        entry.add_bytes("text", body.encode())
        writer.add_document(entry)
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    searcher = index.searcher()

    def read(rows: list[int]) -> list[str]:
        query = tantivy.Query.term_set_query(schema, "row", rows)
        hits = searcher.search(query, len(rows), count=False).hits
        return [bytes(searcher.doc(place)["text"][0]).decode() for _, place in hits]

    return read


def main() -> None:
    """Write and read both stores, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--passages", type=int, default=100_000)
    options = parser.parse_args()
    bodies = texts(options.base, options.passages)
    table = Table("", "MB", "written in s", f"{ROWS} rows, CPU ms p50 / p95")
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as temporary:
        for name, write in {"SQLite": in_sqlite, "tantivy": in_tantivy}.items():
            folder = Path(temporary) / name
            clock = time.perf_counter()
            read = write(bodies, folder)
            seconds = time.perf_counter() - clock
            kept = [p for p in folder.rglob("*") if p.suffix not in {".faiss", ".npy"}]
            size = sum(p.stat().st_size for p in kept)
            rows = [rng.integers(len(bodies), size=ROWS).tolist() for _ in range(TIMES)]
            times = percentiles(
                [time_one(time.process_time, read, some) for some in rows]
            )
            took = f"{times['p50']} / {times['p95']}"
            table.add_row(name, f"{size / 1e6:.1f}", f"{seconds:.1f}", took)
    plain = sum(map(len, bodies)) / 1e6
    Console().print(table)
    print(f"{len(bodies):,} texts of {plain:.1f} MB; SQLite {sqlite3.sqlite_version}")


if __name__ == "__main__":
    main()
