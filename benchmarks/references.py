"""Counts the references in a corpus: resolved, unresolved and foreign, by kind.

    python -m benchmarks.references CORPUS [--data DATA] [--json OUT]

CORPUS is JSONL with ``id``, ``title``, ``text`` and ``url``, plain or .xz. It is
indexed, and each identifier is looked up in the index as a public reader. A mention is
one identifier in one document; it is resolved if it names a document of the corpus.
Also prints the number of arXiv-like numbers without a mention of arXiv, which are
ignored, and the speed of finding references.
"""

import argparse
import json
import re
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.retrieval import index_corpus, read_lines
from dunegpt.access import PUBLIC
from dunegpt.index.search.searcher import Searcher
from dunegpt.ingest.references import find_references

_BARE = re.compile(r"\b\d{4}\.\d{4,5}(?:v\d+)?\b")


def count(searcher: Searcher, ids: list[str]) -> dict[str, Counter[str]]:
    """Return the numbers of resolved and unresolved mentions by kind of identifier."""
    counts: dict[str, Counter[str]] = {}
    targets: dict[str, set[str]] = {}
    index = searcher.as_reader(frozenset({PUBLIC}))
    for document_id in ids:
        for cited in index.find_related(document_id)[0]:
            counter = counts.setdefault(cited.system, Counter())
            counter["mentions"] += 1
            counter["resolved" if cited.document else "unresolved"] += 1
            targets.setdefault(cited.system, set()).add(cited.label)
    for system, counter in counts.items():
        counter["different"] = len(targets[system])
    if foreign := counts.get("foreign"):
        foreign["foreign"] = foreign.pop("unresolved")
    return counts


def read(corpus: Path) -> dict[str, Any]:
    """Return the speed of finding references, and the number of ignored numbers."""
    texts = [json.loads(line)["text"] for line in read_lines(corpus)]
    clock = time.process_time()
    references = [[t[r.start : r.end] for r in find_references(t)] for t in texts]
    seconds = time.process_time() - clock
    bare = sum(len(_BARE.findall(text)) for text in texts)
    recognized = sum(bool(_BARE.search(each)) for found in references for each in found)
    size = sum(map(len, texts))
    return {
        "documents": len(texts),
        "characters": size,
        "mb_per_cpu_s": round(size / seconds / 1e6, 1),
        "bare_numbers_left_alone": max(0, bare - recognized),
    }


def main() -> None:
    """Index a corpus, count its references and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--data", type=Path, help="keep the index in this folder")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        searcher = index_corpus(options.corpus, options.data or Path(temporary))
        ids = [
            f"corpus:{json.loads(line)['id']}" for line in read_lines(options.corpus)
        ]
        counts = count(searcher, ids)
        searcher.close()
    names = ("mentions", "different", "resolved", "unresolved", "foreign")
    table = Table("kind", *names, title="References")
    for system, own in sorted(counts.items()):
        table.add_row(system, *(str(own[name]) for name in names))
    speed = read(options.corpus)
    console = Console(width=100)
    console.print(table)
    console.print(speed)
    if options.json:
        figures = {"by_kind": counts, **speed}
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
