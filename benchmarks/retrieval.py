"""Measures retrieval quality on a corpus with relevance judgements.

    python benchmarks/retrieval.py CORPUS QUERIES QRELS [--json OUT] [--data DIR]
        [--questions FILE] [--peer] [--synonyms FILE] [--approximate]

CORPUS is JSONL, plain or .xz: {"id", "title", "text"}; QUERIES: {"id", "text"}; QRELS:
query id, document id, relevance, separated by tabs. Queries without judgements and
judgements without a query are ignored. Documents are crawled, extracted, split,
embedded and indexed as usual; each query is searched in the published index once per
ranking (approximately, if the index is). The rank of a document is that of its first
passage. Means and paired differences of fused ranking from the others have the 95 %
interval of a bootstrap over the queries (2,000 samples, seed 0).

--questions: JSONL {"q", "q_hard", "type", "gold_doc_ids", "also_in"}: hit@5 and
recall@10 by type and wording, and P@1 of searching each document by id.
--peer: a common alternative in the same run: LangChain's EnsembleRetriever of FAISS and
BM25 with default settings, on whole documents, with the same encoder. Needs
``pip install -e ".[bench]"``.
--synonyms: a list to use instead of the product's; --approximate: with the inverted
file (IVF) of a big index, for all rows.
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

from dunegpt.access import PUBLIC
from dunegpt.config import IndexSettings, Settings, SourceSettings
from dunegpt.datadir import DataDir
from dunegpt.index.build import build
from dunegpt.index.search.ranking import Ranking
from dunegpt.index.search.searcher import Searcher
from dunegpt.index.snapshot import dense
from dunegpt.index.snapshot.snapshot import Snapshot
from dunegpt.ingest.crawl import crawl
from dunegpt.ingest.items import CompleteListing, CrawlScope, Item, SourceState
from dunegpt.schemas.operations import MetricResponse
from dunegpt.types import Document, FileRef

MEASURES = [nDCG @ 10, R @ 10, R @ 100, RR @ 10]
NAMES = {"nDCG@10": "nDCG@10", "R@10": "recall@10", "R@100": "recall@100"}
NAMES |= {"RR@10": "MRR@10"}
HITS = 1000
SAMPLES = 2000

Scores = dict[str, dict[str, float]]
"""Scores of documents, by query."""


class CorpusSource:
    """A JSONL corpus as a source: each line is a public document with a text file."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self._path = path

    @property
    def requests(self) -> int:
        """Always 0: the corpus is a local file."""
        return 0

    def changes(self, scope: CrawlScope, memory: SourceState) -> Iterator[Item]:
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

        yield CompleteListing("", frozenset(ids))

    def fetch(self, file: FileRef) -> Iterator[bytes]:
        """Yield nothing: every document comes with its text."""
        yield from ()

    def close(self) -> None:
        """Do nothing."""


def read_lines(path: Path) -> Iterator[str]:
    """Yield the non-empty lines of a file, plain or .xz."""
    opened = lzma.open(path, "rt") if path.suffix == ".xz" else path.open()
    with opened as file:
        for line in file:
            if str(line).strip():
                yield str(line)


def index_corpus(
    corpus: Path, data: Path, table: IndexSettings | None = None
) -> Searcher:
    """Index a corpus if necessary; return a searcher on it."""
    settings = Settings(
        data_dir=data,
        sources={"corpus": SourceSettings(type="corpus", path=str(corpus))},
        index=table or IndexSettings(),
    )
    crawl("corpus", settings, source=CorpusSource("corpus", corpus))
    report = build(settings)
    if report.recall:
        print("recall@10 of vectors:", report.recall)
    print(
        f"indexed {report.documents} documents, {report.passages} passages in"
        f" {report.seconds:.0f} s ({report.embedded} embedded)"
    )
    return Searcher(Snapshot(DataDir(data).current_snapshot))


def run(searcher: Searcher, queries: dict[str, str], ranking: Ranking) -> Scores:
    """Return the scores of the found documents, by query."""
    found: Scores = {}
    for number, text in queries.items():
        hits = (
            searcher.as_reader(frozenset()).search(text, k=HITS, ranking=ranking).hits
        )
        scores: dict[str, float] = {}
        for hit in hits:
            # Duplicates of a document have the same rank.
            for document_id in (hit.document.id, *hit.also_in):
                scores.setdefault(document_id.partition(":")[2], 1.0 / hit.rank)
        found[number] = scores
    return found


def values(qrels: list[Any], found: Scores) -> dict[str, dict[str, float]]:
    """Return the value of each measure for each query."""
    by_measure: dict[str, dict[str, float]] = {}
    for metric in ir_measures.iter_calc(MEASURES, qrels, found):
        by_measure.setdefault(str(metric.measure), {})[metric.query_id] = metric.value
    return by_measure


def interval(own: list[float]) -> MetricResponse:
    """Return the mean of values with its 95 % interval."""
    rng = np.random.default_rng(0)
    array = np.array(own)
    means = rng.choice(array, (SAMPLES, len(array))).mean(axis=1)
    lo, hi = np.percentile(means, [2.5, 97.5])
    return MetricResponse(
        mean=round(float(array.mean()), 4),
        lo=round(float(lo), 4),
        hi=round(float(hi), 4),
    )


def metrics(qrels: list[Any], found: Scores) -> dict[str, MetricResponse]:
    """Return the mean of each measure with its 95 % interval."""
    by_measure = values(qrels, found)
    return {NAMES[name]: interval(list(by_measure[name].values())) for name in NAMES}


def differences(qrels: list[Any], runs: dict[str, Scores]) -> dict[str, MetricResponse]:
    """Return the paired differences in nDCG@10 of fused from each other ranking."""
    ndcg = {name: values(qrels, found)["nDCG@10"] for name, found in runs.items()}
    fused = ndcg[Ranking.FUSED]
    return {
        f"fused - {name}": interval([fused[q] - scores[q] for q in sorted(fused)])
        for name, scores in ndcg.items()
        if name != Ranking.FUSED
    }


def main() -> None:
    """Index the corpus, run the queries and print the tables."""
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
    qrels = [qrel for qrel in qrels if qrel.query_id in queries]  # mean of those asked
    with tempfile.TemporaryDirectory() as temporary:
        data = options.data or Path(temporary)
        table = IndexSettings(synonyms=str(options.synonyms or ""))
        if options.approximate:
            table = table.model_copy(update={"exact_up_to": 0})
            dense.MAX_EXHAUSTIVE_ROWS = 0
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
    """Print all means and differences, and return them as plain types."""
    results = {name: metrics(qrels, found) for name, found in runs.items()}
    table = Table("ranking", *NAMES.values(), "ms/query", "ms/fused", title=title)
    for name, means in results.items():
        cells = [f"{m.mean:.3f} [{m.lo:.3f}, {m.hi:.3f}]" for m in means.values()]
        ms = each_ms[name]
        ratio = f"{ms / each_ms[Ranking.FUSED]:.2f}"
        table.add_row(name, *cells, f"{ms:.1f}", ratio)
    pairs = differences(qrels, runs)
    for name, m in pairs.items():
        table.add_row(name, f"{m.mean:+.3f} [{m.lo:+.3f}, {m.hi:+.3f}]")
    Console(width=160).print(table)
    plain = {
        name: {metric: shape.model_dump() for metric, shape in means.items()}
        for name, means in results.items()
    }
    paired = {name: {"nDCG@10": shape.model_dump()} for name, shape in pairs.items()}
    return {**plain, **paired, "ms/query": each_ms}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("queries", type=Path)
    parser.add_argument("qrels", type=Path)
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    parser.add_argument("--data", type=Path, help="keep the index in this folder")
    parser.add_argument("--questions", type=Path, help="questions with types")
    parser.add_argument("--peer", action="store_true", help="compare with LangChain")
    parser.add_argument("--synonyms", type=Path, help="use this synonym list")
    parser.add_argument(
        "--approximate", action="store_true", help="use IVF as in a big index"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
