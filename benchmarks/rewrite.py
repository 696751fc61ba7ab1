"""Measures what an LLM adds to search: query rewriting and reranking.

    python -m benchmarks.rewrite CORPUS QUESTIONS --data DIR --url URL --model NAME
        [--field q_hard] [--limit N] [--without WAY]... [--json OUT]

CORPUS and --data are as for benchmarks/retrieval.py; QUESTIONS is JSONL with a wording
(``q_hard`` or ``q``) and ``gold_doc_ids``. An OpenAI-compatible server is called once
to rewrite each question and once to pick passages, as the product does, but without a
time limit. Documents are ranked by their first passage: from the search alone; merged
over all wordings; with the picked passages first; with both. Means and paired
differences from the search alone have the 95 % interval of a bootstrap over the
questions. ``read`` is the share of questions with a gold document among the passages
given to the model: the first eight, and those added to them.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ir_measures
from ir_measures import R, Success, nDCG
from rich.console import Console
from rich.table import Table

from benchmarks.retrieval import index_corpus, interval, read_lines
from dunegpt.config import AnswerSettings, Settings
from dunegpt.errors import ModelError
from dunegpt.index.search.searcher import Searcher
from dunegpt.index.synonyms import Synonyms
from dunegpt.llm_settings import LLMSettings
from dunegpt.serve.llm.budget import BudgetedLLM
from dunegpt.serve.llm.pool import LLMPool
from dunegpt.serve.question.expand import CANDIDATES
from dunegpt.serve.question.llm_rerank import pick_passages
from dunegpt.serve.question.rewrite import merge_hits, rephrase
from dunegpt.types import Hit

MEASURES = {"hit@5": Success @ 5, "recall@10": R @ 10, "nDCG@10": nDCG @ 10}
SHOWN = 8
WAYS = ("search", "rewrite", "rerank", "both")


def ways(
    question: str,
    searcher: Searcher,
    ask: Callable[[], BudgetedLLM],
    names: Sequence[str],
) -> tuple[dict[str, list[Hit]], dict[str, float], list[str]]:
    """Return the hits and seconds of each method, and the rewritten questions."""

    def search(text: str) -> Sequence[Hit]:
        return searcher.as_reader(frozenset()).search(text, k=CANDIDATES).hits

    plain = list(search(question))
    found = {"search": plain}
    seconds = {}
    others: list[str] = []
    if {"rewrite", "both"} & set(names):
        begun = time.monotonic()
        try:
            others = rephrase(question, plain[:SHOWN], Synonyms.read(), ask())
        except ModelError as error:
            print(f"  no wording: {error}")
        seconds["rewrite"] = time.monotonic() - begun
        found["rewrite"] = merge_hits([plain, *map(search, others)])
    pools = {"rerank": plain, "both": found.get("rewrite", plain)}
    for way, hits in pools.items():
        if way not in names:
            continue
        begun = time.monotonic()
        first: list[Hit] = []
        try:
            first = pick_passages(question, hits, ask())
        except ModelError as error:
            print(f"  no pick: {error}")
        seconds[way] = time.monotonic() - begun
        rows = {hit.row for hit in first}
        found[way] = first + [hit for hit in hits if hit.row not in rows]
    return found, seconds, others


def documents(hits: Sequence[Hit]) -> dict[str, float]:
    """Return a score for each document that decreases with its rank."""
    scores: dict[str, float] = {}
    for rank, hit in enumerate(hits, start=1):
        for document_id in (hit.document.id, *hit.also_in):
            scores.setdefault(document_id.partition(":")[2], 1.0 / rank)
    return scores


def is_read(way: str, found: dict[str, list[Hit]], gold: set[str]) -> float:
    """Return 1 if a gold document is among the passages given to the model."""
    first = found["search"][:SHOWN]
    if way != "search":
        first = first + found[way][:SHOWN]
    return float(bool(gold & documents(first).keys()))


def told(runs: dict[str, Any], seconds: dict[str, list[float]]) -> dict[str, Any]:
    """Print and return means, differences and seconds."""
    table = Table("way", *MEASURES, "read", "seconds, median and most")
    results: dict[str, Any] = {}
    for way, own in runs.items():
        cells, results[way] = [], {}
        for name in (*MEASURES, "read"):
            mean = interval([v for _, v in sorted(own[name].items())])
            each = sorted(own[name])
            less = [own[name][q] - runs["search"][name][q] for q in each]
            results[way][name] = {
                "mean": mean.model_dump(),
                "less search": interval(less).model_dump(),
            }
            gain = interval(less)
            more = f"\n{gain.mean:+.3f} [{gain.lo:+.3f}, {gain.hi:+.3f}]"
            cells.append(f"{mean.mean:.3f}{more if way != 'search' else ''}")
        spent = seconds.get(way, [0.0])
        median = statistics.median(spent)
        results[way]["seconds"] = {"median": round(median, 1), "most": max(spent)}
        table.add_row(way, *cells, f"{median:.1f}, {max(spent):.1f}")
    Console(width=150).print(table)
    return results


def main() -> None:
    """Run all questions and print the tables."""
    options = _options()
    names = [way for way in WAYS if way not in options.without]
    searcher = index_corpus(options.corpus, options.data)
    server = LLMSettings(
        base_url=options.url, model=options.model, may_read=("*",), timeout_s=3600
    )
    answer = AnswerSettings(budget_s=3600)
    settings = Settings(llm={"local": server}, answer=answer)
    models = LLMPool(settings)
    lines = [json.loads(line) for line in read_lines(options.questions)]
    lines = [e for e in lines if e.get("gold_doc_ids") and e.get(options.field)]
    qrels: list[Any] = []
    ranked: dict[str, dict[str, dict[str, float]]] = {way: {} for way in names}
    runs: dict[str, Any] = {way: {"read": {}} for way in names}
    seconds: dict[str, list[float]] = {}
    for each in lines[: options.limit or None]:
        gold = set(each["gold_doc_ids"]) | set(each.get("also_in", ()))
        qrels += [ir_measures.Qrel(each["id"], d, 1) for d in each["gold_doc_ids"]]
        found, spent, others = ways(
            each[options.field],
            searcher,
            lambda: BudgetedLLM(models, settings),
            names,
        )
        for way in names:
            ranked[way][each["id"]] = documents(found[way])
            runs[way]["read"][each["id"]] = is_read(way, found, gold)
        for way, one in spent.items():
            seconds.setdefault(way, []).append(round(one, 1))
        print(each["id"], each[options.field], others, spent, flush=True)
        for way in names:
            for name, measure in MEASURES.items():
                calculated = ir_measures.iter_calc([measure], qrels, ranked[way])
                runs[way][name] = {m.query_id: m.value for m in calculated}
        results = told(runs, seconds) | {"questions": len(runs["search"]["read"])}
        if options.json:
            options.json.write_text(json.dumps(results, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("questions", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="index folder")
    parser.add_argument("--url", required=True, help="http://127.0.0.1:PORT/v1")
    parser.add_argument("--model", required=True, help="model name on the server")
    parser.add_argument("--field", default="q_hard", choices=("q", "q_hard"))
    parser.add_argument("--limit", type=int, default=0, help="only the first N ones")
    parser.add_argument(
        "--without", choices=WAYS[1:], action="append", default=[], help="skip this"
    )
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
