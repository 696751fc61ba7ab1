"""Measures retrieval on a corpus with relevance judgements, through the product's code.

    python benchmarks/retrieval.py CORPUS QUERIES QRELS [--json OUT] [--data DIR]

CORPUS is JSONL, plain or .xz: {"id", "title", "text"}; QUERIES: {"id", "text"}; QRELS:
query id, document id, relevance, separated by tabs. Each document goes through crawl,
extraction, splitting, embedding and packing as any other; each question through the
search, once for each ranking. A document's rank is that of its first passage. Means
come with the 95 % interval of a bootstrap over the questions (2,000 samples, seed 0).
"""

import argparse
import json
import lzma
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ir_measures
import numpy as np
from ir_measures import RR, R, nDCG
from rich.console import Console
from rich.table import Table

from dunegpt.config import Settings, SourceTable
from dunegpt.index.build import build
from dunegpt.index.search import Ranking, Searcher
from dunegpt.index.snapshot import CURRENT, Snapshot
from dunegpt.ingest.crawl import crawl
from dunegpt.ingest.items import Item, Memory, Scope, Whole
from dunegpt.ingest.source import SOURCES
from dunegpt.schemas import MetricShape
from dunegpt.types import PUBLIC, Document, FileRef

MEASURES = [nDCG @ 10, R @ 10, R @ 100, RR @ 10]
NAMES = {"nDCG@10": "nDCG@10", "R@10": "recall@10", "R@100": "recall@100"}
NAMES |= {"RR@10": "MRR@10"}
HITS = 1000
SAMPLES = 2000


class CorpusSource:
    """A JSONL corpus as a source: each line a public document of one text file."""

    def __init__(self, name: str, table: SourceTable, settings: Settings) -> None:
        self.name = name
        self._path = Path((table.model_extra or {})["path"])

    @property
    def requests(self) -> int:
        """None: a file is read."""
        return 0

    def changes(self, scope: Scope, memory: Memory) -> Iterator[Item]:
        """Yield every document of the corpus."""
        everyone, ids = frozenset({PUBLIC}), set[str]()
        for line in read_lines(self._path):
            fields = json.loads(line)
            url = fields.get("url") or f"corpus:{fields['id']}"
            text = FileRef(
                key="text",
                name="text.txt",
                media_type="text/plain",
                url=url,
                access=everyone,
                body=fields["text"].encode(),
            )
            ids.add(f"{self.name}:{fields['id']}")
            yield Document(
                id=f"{self.name}:{fields['id']}",
                source=self.name,
                kind="text",
                url=url,
                title=fields["title"],
                access=everyone,
                files=(text,),
            )

        yield Whole("", frozenset(ids))

    def fetch(self, file: FileRef) -> Iterator[bytes]:
        """Yield nothing: every text came with its document."""
        yield from ()

    def close(self) -> None:
        """Release nothing."""


def read_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file, plain or .xz, that are not empty."""
    opened = lzma.open(path, "rt") if path.suffix == ".xz" else path.open()
    with opened as file:
        for line in file:
            if str(line).strip():
                yield str(line)


def index_corpus(corpus: Path, data: Path) -> Searcher:
    """Return a searcher on a corpus, indexed by the product if it is not yet."""
    SOURCES["corpus"] = CorpusSource
    settings = Settings(
        data_dir=data, sources={"corpus": SourceTable(type="corpus", path=str(corpus))}
    )
    crawl("corpus", settings)
    report = build(settings)
    print(
        f"indexed {report.documents} documents, {report.passages} passages in"
        f" {report.seconds:.0f} s ({report.embedded} embedded)"
    )
    return Searcher(Snapshot(data / "snapshots" / CURRENT))


def run(
    searcher: Searcher, queries: dict[str, str], ranking: Ranking
) -> dict[str, dict[str, float]]:
    """Return for each query the scores of the documents that it finds."""
    found: dict[str, dict[str, float]] = {}
    for number, text in queries.items():
        hits = searcher.search(text, frozenset(), k=HITS, ranking=ranking).hits
        scores: dict[str, float] = {}
        for hit in hits:
            document = hit.document.id.partition(":")[2]
            scores.setdefault(document, 1.0 / hit.rank)
        found[number] = scores
    return found


def metrics(
    qrels: list[Any], found: dict[str, dict[str, float]]
) -> dict[str, MetricShape]:
    """Return each measure's mean with its interval."""
    values: dict[str, list[float]] = {}
    for metric in ir_measures.iter_calc(MEASURES, qrels, found):
        values.setdefault(str(metric.measure), []).append(metric.value)
    rng = np.random.default_rng(0)
    shapes = {}
    for name in map(str, MEASURES):
        own = np.array(values[name])
        means = rng.choice(own, (SAMPLES, len(own))).mean(axis=1)
        lo, hi = np.percentile(means, [2.5, 97.5])
        shapes[NAMES[name]] = MetricShape(
            mean=round(float(own.mean()), 4),
            lo=round(float(lo), 4),
            hi=round(float(hi), 4),
        )
    return shapes


def main() -> None:
    """Index, ask, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("queries", type=Path)
    parser.add_argument("qrels", type=Path)
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    parser.add_argument("--data", type=Path, help="keep the index in this folder")
    options = parser.parse_args()
    queries = {
        str(fields["id"]): str(fields["text"])
        for fields in map(json.loads, read_lines(options.queries))
    }
    with options.qrels.open() as file:
        rows = [line.split("\t") for line in file if line.strip()]
    qrels = [
        ir_measures.Qrel(query, document, int(relevance))
        for query, document, relevance in rows
    ]
    with tempfile.TemporaryDirectory() as temporary:
        searcher = index_corpus(options.corpus, options.data or Path(temporary))
        results = {}
        table = Table("ranking", *NAMES.values(), "ms/query", title=str(options.corpus))
        for ranking in Ranking:
            clock = time.perf_counter()
            found = run(searcher, queries, ranking)
            each = 1000 * (time.perf_counter() - clock) / len(queries)
            results[ranking.value] = metrics(qrels, found)
            cells = [
                f"{m.mean:.3f} [{m.lo:.3f}, {m.hi:.3f}]"
                for m in results[ranking.value].values()
            ]
            table.add_row(ranking.value, *cells, f"{each:.1f}")
    Console(width=140).print(table)
    if options.json:
        plain = {
            name: {metric: shape.model_dump() for metric, shape in own.items()}
            for name, own in results.items()
        }
        options.json.write_text(json.dumps(plain, indent=1) + "\n")


if __name__ == "__main__":
    main()
