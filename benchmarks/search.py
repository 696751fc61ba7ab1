"""Measures search at scale: time, memory, size and recall, by a reader's access.

    python -m benchmarks.search --base DATA --passages 100000 1000000 [--json OUT]

DATA is an indexed data folder with real passages and vectors (create one from a corpus
with ``benchmarks/retrieval.py --data``). N passages are generated in documents of 20:
passage i is a real passage j with a fifth of its words taken from another one, k, and
the vector ``unit(v_j + .35 (v_k - v_j) + noise)``, with noise of length .25, so that
neighbours stay neighbours and no two are equal. Every document is readable by the group
``all`` and, at random, by groups with access to 50, 10, 1 and .1 % of them; ``topic-1``
and ``topic-0.1`` may read the documents on one topic only, where inverted files (IVF)
fail. Snapshots are built by the product's writer.

Queries are 5 to 9 consecutive words of real passages; a query includes encoding, both
searches, fusion and reading the texts. Each snapshot is measured in its own process:
CPU milliseconds per query with one thread and wall milliseconds with four, warm, and
cold after dropping the files from the page cache. Compared in the same run with
exhaustive search in single precision and, with ``--peer``, with rank-bm25 and a flat
FAISS index, which LangChain's retrievers use by default.
"""

import argparse
import importlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from rich.console import Console
from rich.table import Table

from dunegpt.config import IndexSettings
from dunegpt.datadir import DataDir
from dunegpt.index.recall_check import measure_recall
from dunegpt.index.search.revocations import Revocations
from dunegpt.index.search.searcher import Searcher
from dunegpt.index.shards import ShardEntry
from dunegpt.index.snapshot.snapshot import Snapshot
from dunegpt.index.snapshot.writer import SnapshotWriter
from dunegpt.types import Document, FileRef, Page, Passage

SHARES = {"50": 0.5, "10": 0.1, "1": 0.01, "0.1": 0.001}
TOPICS = {"topic-1": 0.01, "topic-0.1": 0.001}
PER_DOCUMENT = 20
QUESTIONS = 200


def real(base: Path) -> tuple[list[str], Any]:
    """Return texts and vectors, [n, dimension], of the passages of a data folder."""
    snapshot = Snapshot(DataDir(base).current_snapshot)
    rows = np.flatnonzero(np.asarray(snapshot.row_access) > 0)
    found = snapshot.store.get_passages(rows.tolist())
    vectors = snapshot.dense.get_vectors(rows)
    snapshot.close()
    return [found[row][1].text for row in rows.tolist()], vectors


def documents(
    texts: list[str], vectors: Any, count: int
) -> Iterator[tuple[Document, ShardEntry, dict[str, list[Page]]]]:
    """Yield documents with about ``count`` passages in total, made from real ones."""
    rng = np.random.default_rng(0)
    words = [text.split() for text in texts]
    centre = vectors[rng.integers(len(vectors))]
    by_topic = np.argsort(-(vectors @ centre))
    rank = np.empty(len(vectors))
    rank[by_topic] = np.arange(len(vectors)) / len(vectors)
    for number in range(count // PER_DOCUMENT):
        first = rng.integers(len(texts))
        own = (first + np.arange(PER_DOCUMENT)) % len(texts)
        other = rng.integers(len(texts), size=PER_DOCUMENT)
        noise = rng.normal(size=(PER_DOCUMENT, vectors.shape[1])).astype(np.float32)
        noise *= 0.25 / np.linalg.norm(noise, axis=1, keepdims=True)
        mixed = vectors[own] + 0.35 * (vectors[other] - vectors[own]) + noise
        mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
        groups = {"all"} | {n for n, s in SHARES.items() if rng.random() < s}
        groups |= {n for n, s in TOPICS.items() if rank[first] < s}
        access = frozenset(f"b:{name}" for name in groups)
        bodies = [
            _mixed(words[j], words[k], rng) for j, k in zip(own, other, strict=True)
        ]
        identity = f"b:{number:08d}"
        file = FileRef("t", "t.txt", "text/plain", f"b:{number}/t", access)
        yield (
            Document(identity, "b", "note", f"b:{number}", f"Note {number}", access,
                     files=(file,)),
            ShardEntry(
                "",
                tuple(
                    Passage(identity, "t", 1, 1, 0, len(body), "", body, n // 4)
                    for n, body in enumerate(bodies)
                ),
                (),
                mixed.astype(np.float16),
                mixed[::4].astype(np.float16),
            ),
            {"t": [Page(1, "", "\n".join(bodies))]},
        )  # fmt: skip


def _mixed(own: list[str], other: list[str], rng: np.random.Generator) -> str:
    """Return a text with a fifth of its words replaced from another one."""
    mixed = list(own)
    for place in np.flatnonzero(rng.random(len(own)) < 0.2).tolist():
        mixed[place] = other[place % len(other)] if other else own[place]
    return " ".join(mixed)


def build(base: Path, folder: Path, count: int) -> tuple[Path, float]:
    """Build a snapshot of ``count`` passages; return its folder and the seconds."""
    texts, vectors = real(base)
    encoder = DataDir(base).current_snapshot / "encoder"
    clock = time.perf_counter()
    packer = SnapshotWriter(
        folder, encoder, {"benchmark": count}, table=IndexSettings()
    )
    for done, (document, entry, pages) in enumerate(documents(texts, vectors, count)):
        packer.add(document, entry, pages)
        if done % 2000 == 0:
            seconds = time.perf_counter() - clock
            print(
                f"  {done * PER_DOCUMENT:,} of {count:,}, {seconds:.0f} s", flush=True
            )
    target = packer.close("benchmark", ["benchmark"])
    return target, time.perf_counter() - clock


def questions(base: Path, count: int) -> list[str]:
    """Return sequences of 5 to 9 words of real passages."""
    texts, _ = real(base)
    rng = random.Random(1)
    found = []
    for text in rng.sample(texts, min(len(texts), 4 * count)):
        words = text.split()
        if len(words) > 20:
            start = rng.randrange(len(words) - 10)
            found.append(" ".join(words[start : start + rng.randrange(5, 10)]))
    return found[:count]


def measure(folder: Path, asked: list[str]) -> dict[str, Any]:
    """Return all measurements of a snapshot; run this in a new process."""
    before = anonymous_mb()
    drop(folder)
    clock = time.perf_counter()
    searcher = Searcher(Snapshot(folder), Revocations())
    facts: dict[str, Any] = {"open_s": time.perf_counter() - clock}
    searcher.snapshot.encoder.embed_queries(["load the encoder"])
    everyone = frozenset({"b:all"})
    facts["cold wall ms"] = percentiles(
        timed(searcher, asked[:40], everyone, time.perf_counter)
    )
    clock = time.perf_counter()
    facts["bytes"] = searcher.snapshot.prefetch()
    facts["warm_s"] = time.perf_counter() - clock
    timed(searcher, asked[:10], everyone, time.process_time)
    groups = ["all", *SHARES, *TOPICS]
    for name in groups:
        reader = frozenset({f"b:{name}"})
        own = timed(searcher, asked, reader, time.process_time)
        facts[f"cpu ms {name}"] = percentiles(own)
    encode = searcher.snapshot.encoder.embed_queries
    own = [time_one(time.process_time, encode, [q]) for q in asked[:50]]
    facts["encode cpu ms"] = percentiles(own)

    index = searcher.as_reader(everyone)

    def wall(question: str) -> float:
        return time_one(time.perf_counter, index.search, question)

    with ThreadPoolExecutor(4) as pool:
        facts["wall ms, 4 threads"] = percentiles(list(pool.map(wall, asked)))
    facts["anonymous_mb"] = anonymous_mb() - before
    facts["recall"] = measure_recall(searcher.snapshot)
    facts["exact cpu ms"] = percentiles(exact(searcher, asked[:20]))
    return facts


def timed(
    searcher: Searcher,
    asked: list[str],
    reader: frozenset[str],
    clock: Callable[[], float],
) -> list[float]:
    """Return the time of each query, in ms of a clock."""
    index = searcher.as_reader(reader)
    return [time_one(clock, index.search, question) for question in asked]


def time_one(
    clock: Callable[[], float], call: Callable[..., object], *of: Any
) -> float:
    """Return the time of a call, in ms of a clock."""
    start = clock()
    call(*of)
    return 1000 * (clock() - start)


def exact(searcher: Searcher, asked: list[str]) -> list[float]:
    """Return CPU ms of exhaustive search in single precision, if it fits in memory."""
    dense = searcher.snapshot.dense
    if len(dense) > 3_000_000:
        return []
    faiss.omp_set_num_threads(1)
    flat: Any = faiss.IndexFlatIP(dense.dimension)
    for part in dense.segments:
        for start in range(0, len(part), 50_000):
            flat.add(part.get_range(start, min(50_000, len(part) - start)))
    vectors = searcher.snapshot.encoder.embed_queries(asked)
    return [time_one(time.process_time, flat.search, v[None], 10) for v in vectors]


def percentiles(values: list[float]) -> dict[str, float]:
    """Return the median and the 95th percentile."""
    if not values:
        return {}
    p50, p95 = np.percentile(values, [50, 95])
    return {"p50": round(float(p50), 2), "p95": round(float(p95), 2)}


def anonymous_mb() -> float:
    """Return the anonymous memory of this process in MB."""
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the kernel does not say")


def drop(folder: Path) -> None:
    """Drop the files of a folder from the page cache."""
    for path in folder.rglob("*"):
        if path.is_file():
            handle = os.open(path, os.O_RDONLY)
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)


def peer(base: Path, count: int, asked: list[str]) -> dict[str, float]:
    """Return CPU ms of rank-bm25 plus a flat FAISS index on the same texts."""
    rank_bm25 = importlib.import_module("rank_bm25")
    texts, vectors = real(base)
    corpus: list[list[str]] = []
    flat: Any = faiss.IndexFlatL2(vectors.shape[1])
    for _, entry, _ in documents(texts, vectors, count):
        corpus += [passage.text.split() for passage in entry.passages]
        flat.add(entry.vectors.astype(np.float32))
    bm25 = rank_bm25.BM25Okapi(corpus)
    rng = np.random.default_rng(2)

    def ask(question: str) -> None:
        np.argsort(-bm25.get_scores(question.split()))[:200]
        flat.search(vectors[rng.integers(len(vectors))][None], 200)

    return percentiles([time_one(time.process_time, ask, q) for q in asked])


def exponent(
    results: dict[int, dict[str, Any]], value: Callable[[Any], float]
) -> float:
    """Return b of the growth N^b, fitted over all sizes."""
    sizes = np.log(list(results))
    return float(np.polyfit(sizes, np.log([value(r) for r in results.values()]), 1)[0])


def main() -> None:
    """Build and measure snapshots of each size, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--passages", type=int, nargs="+", default=[100_000])
    parser.add_argument("--folder", type=Path, help="keep the snapshots in this folder")
    parser.add_argument("--peer", action="store_true", help="also measure rank-bm25")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    asked = questions(options.base, QUESTIONS)
    if options.measure:
        print(json.dumps(measure(options.measure, asked)))
        return
    results: dict[int, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for count in options.passages:
            folder = (options.folder or Path(temporary)) / str(count)
            target, seconds = build(options.base, folder, count)
            call = [sys.executable, "-m", "benchmarks.search", "--base", options.base]
            done = subprocess.run(
                [*call, "--measure", target], check=True, capture_output=True, text=True
            )
            results[count] = {"build_s": seconds} | json.loads(done.stdout)
            if options.peer:
                results[count]["peer cpu ms"] = peer(options.base, count, asked[:20])
            print(json.dumps({count: results[count]}), flush=True)
            if options.json:
                options.json.write_text(json.dumps(results, indent=1) + "\n")
    show(results)


def show(results: dict[int, dict[str, Any]]) -> None:
    """Print the measurements, one column per size."""
    table = Table("", *(f"{count:,}" for count in results))
    for name in next(iter(results.values())):
        cells = []
        for own in results.values():
            value = own.get(name, "")
            if isinstance(value, dict) and "p50" in value:
                cells.append(f"{value['p50']} / {value['p95']}")
            elif isinstance(value, dict):
                cells.append(
                    "\n".join(f"{k}: {v}" for k, v in value.items()) or "exact"
                )
            else:
                cells.append(
                    f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"
                )
        table.add_row(name, *cells)
    if len(results) > 1:
        for name, value in {
            "growth of CPU ms (p50)": lambda r: r["cpu ms all"]["p50"],
            "growth of bytes": lambda r: r["bytes"],
            "growth of anonymous memory": lambda r: r["anonymous_mb"],
        }.items():
            table.add_row(name, f"N^{exponent(results, value):.2f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
