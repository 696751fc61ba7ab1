"""Measures retrieval on a corpus with relevance judgements, through the product's code.

    python benchmarks/retrieval.py CORPUS QUERIES QRELS [--json OUT] [--data DIR]
        [--questions FILE] [--peer] [--synonyms FILE] [--approximate]

CORPUS is JSONL, plain or .xz: {"id", "title", "text"}; QUERIES: {"id", "text"}; QRELS:
query id, document id, relevance, separated by tabs; queries without judgements are left
out. Each document goes through crawl, extraction, splitting, embedding and packing as
any other; each question through the search of the published index, approximate where
packing chose that, once for each ranking. A document's rank is that of its first
passage. Means come with the 95 % interval of a bootstrap over the questions (2,000
samples, seed 0), and so do the paired differences of fused ranking from the others.

--questions: JSONL {"q", "q_hard", "type", "gold_doc_ids", "also_in"}: hit@5 and
recall@10 for each type and wording, and P@1 where each document is asked for by id.
--peer: what a user would pick instead, in the same run: LangChain's EnsembleRetriever
of its FAISS and BM25 retrievers in their default settings, whole documents, the same
encoder. Needs ``pip install langchain-community langchain-classic rank-bm25``.
--synonyms: a list in the place of the product's; --approximate: with the inverted file
that only a big index has, for all rows.
"""

import argparse
import json
import lzma
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ir_measures
import numpy as np
from ir_measures import RR, R, nDCG
from rich.console import Console
from rich.table import Table

from dunegpt.config import IndexTable, Settings, SourceTable
from dunegpt.index import dense
from dunegpt.index.build import build
from dunegpt.index.search import Ranking, Searcher
from dunegpt.index.snapshot import CURRENT, Snapshot
from dunegpt.ingest.crawl import crawl
from dunegpt.ingest.items import Item, Memory, Scope, Whole
from dunegpt.ingest.source import SOURCES
from dunegpt.operating_schemas import MetricShape
from dunegpt.types import PUBLIC, Document, FileRef

MEASURES = [nDCG @ 10, R @ 10, R @ 100, RR @ 10]
NAMES = {"nDCG@10": "nDCG@10", "R@10": "recall@10", "R@100": "recall@100"}
NAMES |= {"RR@10": "MRR@10"}
HITS = 1000
SAMPLES = 2000

Scores = dict[str, dict[str, float]]
"""Of documents, for each query."""


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


def index_corpus(corpus: Path, data: Path, table: IndexTable | None = None) -> Searcher:
    """Return a searcher on a corpus, indexed by the product if it is not yet."""
    SOURCES["corpus"] = CorpusSource
    settings = Settings(
        data_dir=data,
        sources={"corpus": SourceTable(type="corpus", path=str(corpus))},
        index=table or IndexTable(),
    )
    crawl("corpus", settings)
    report = build(settings)
    if report.recall:
        print("recall@10 of vectors:", report.recall)
    print(
        f"indexed {report.documents} documents, {report.passages} passages in"
        f" {report.seconds:.0f} s ({report.embedded} embedded)"
    )
    return Searcher(Snapshot(data / "snapshots" / CURRENT))


def run(searcher: Searcher, queries: dict[str, str], ranking: Ranking) -> Scores:
    """Return for each query the scores of the documents that it finds."""
    found: Scores = {}
    for number, text in queries.items():
        hits = searcher.search(text, frozenset(), k=HITS, ranking=ranking).hits
        scores: dict[str, float] = {}
        for hit in hits:
            # A document that says the same as another stands at the same rank.
            for own in (hit.document.id, *hit.also_in):
                scores.setdefault(own.partition(":")[2], 1.0 / hit.rank)
        found[number] = scores
    return found


def values(qrels: list[Any], found: Scores) -> dict[str, dict[str, float]]:
    """Return for each measure its value for each query."""
    own: dict[str, dict[str, float]] = {}
    for metric in ir_measures.iter_calc(MEASURES, qrels, found):
        own.setdefault(str(metric.measure), {})[metric.query_id] = metric.value
    return own


def interval(own: list[float]) -> MetricShape:
    """Return the mean of some values with its interval."""
    rng = np.random.default_rng(0)
    array = np.array(own)
    means = rng.choice(array, (SAMPLES, len(array))).mean(axis=1)
    lo, hi = np.percentile(means, [2.5, 97.5])
    return MetricShape(
        mean=round(float(array.mean()), 4),
        lo=round(float(lo), 4),
        hi=round(float(hi), 4),
    )


def metrics(qrels: list[Any], found: Scores) -> dict[str, MetricShape]:
    """Return each measure's mean with its interval."""
    own = values(qrels, found)
    return {NAMES[name]: interval(list(own[name].values())) for name in NAMES}


def differences(qrels: list[Any], runs: dict[str, Scores]) -> dict[str, MetricShape]:
    """Return nDCG@10 of fused ranking less that of each other, query by query."""
    each = {name: values(qrels, found)["nDCG@10"] for name, found in runs.items()}
    fused = each[Ranking.FUSED]
    return {
        f"fused - {name}": interval([fused[q] - own[q] for q in sorted(fused)])
        for name, own in each.items()
        if name != Ranking.FUSED
    }


def main() -> None:
    """Index, ask, print the tables."""
    sys.path.insert(0, str(Path(__file__).parents[1]))  # also as a script by its path
    from benchmarks.peers import ensemble  # noqa: PLC0415
    from benchmarks.questions import question_tables  # noqa: PLC0415

    options = _options()
    with options.qrels.open() as file:
        rows = [line.split("\t") for line in file if line.strip()]
    qrels = [ir_measures.Qrel(q, document, int(n)) for q, document, n in rows]
    judged = {qrel.query_id for qrel in qrels}
    queries = {
        str(fields["id"]): str(fields["text"])
        for fields in map(json.loads, read_lines(options.queries))
        if str(fields["id"]) in judged
    }
    with tempfile.TemporaryDirectory() as temporary:
        data = options.data or Path(temporary)
        table = IndexTable(synonyms=str(options.synonyms or ""))
        if options.approximate:
            table = table.model_copy(update={"exact_up_to": 0})
            dense.EXHAUSTIVE = 0
        searcher = index_corpus(options.corpus, data, table)
        asks: dict[str, Callable[[], Scores]] = {
            str(r.value): lambda r=r: run(searcher, queries, r)  # type: ignore[misc]
            for r in Ranking
        }
        if options.peer:
            texts = [json.loads(line) for line in read_lines(options.corpus)]
            peer = ensemble(texts, searcher.snapshot.encoder)
            asks["LangChain"] = lambda: peer(queries, HITS)
        runs, each_ms = {}, {}
        for name, ask in asks.items():
            clock = time.perf_counter()
            runs[name] = ask()
            each_ms[name] = 1000 * (time.perf_counter() - clock) / len(queries)
        by_type: dict[str, Any] = {}
        if options.questions:
            lines = [json.loads(line) for line in read_lines(options.questions)]
            by_type = question_tables(searcher, lines)
        results = _told(str(options.corpus), qrels, runs, each_ms) | by_type
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


def _told(
    title: str, qrels: list[Any], runs: dict[str, Scores], each_ms: dict[str, float]
) -> dict[str, Any]:
    """Print all means and differences, and return them in plain types."""
    results = {name: metrics(qrels, found) for name, found in runs.items()}
    table = Table("ranking", *NAMES.values(), "ms/query", "ms/fused", title=title)
    for name, own in results.items():
        cells = [f"{m.mean:.3f} [{m.lo:.3f}, {m.hi:.3f}]" for m in own.values()]
        ms = each_ms[name]
        ratio = f"{ms / each_ms[Ranking.FUSED]:.2f}"
        table.add_row(name, *cells, f"{ms:.1f}", ratio)
    pairs = differences(qrels, runs)
    for name, m in pairs.items():
        table.add_row(name, f"{m.mean:+.3f} [{m.lo:+.3f}, {m.hi:+.3f}]")
    Console(width=160).print(table)
    plain = {
        name: {metric: shape.model_dump() for metric, shape in own.items()}
        for name, own in results.items()
    }
    paired = {name: {"nDCG@10": shape.model_dump()} for name, shape in pairs.items()}
    return {**plain, **paired, "ms/query": each_ms}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("queries", type=Path)
    parser.add_argument("qrels", type=Path)
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    parser.add_argument("--data", type=Path, help="keep the index in this folder")
    parser.add_argument("--questions", type=Path, help="questions with their types")
    parser.add_argument("--peer", action="store_true", help="LangChain beside it")
    parser.add_argument("--synonyms", type=Path, help="instead of the product's own")
    parser.add_argument("--approximate", action="store_true", help="as if it were big")
    return parser.parse_args()


if __name__ == "__main__":
    main()
