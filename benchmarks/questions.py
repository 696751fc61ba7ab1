"""Measures retrieval by question type, and the lookup of documents by identifier.

Used by ``benchmarks/retrieval.py --questions FILE``; depends on the search only.
"""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from dunegpt.index.search.searcher import Searcher
from dunegpt.types import FoundBy

_HITS = 200
_WORDINGS = {"q": "plain", "q_hard": "hard"}


def question_tables(
    searcher: Searcher, questions: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Print and return hit@5 and recall@10 for each type and wording, and P@1 of ids.

    Args:
        searcher: Searcher on a snapshot whose ids end with those of the questions.
        questions: Questions with q or q_hard, type, gold_doc_ids and also_in
            (duplicates of the gold documents, which count for hit@5).
    """
    scores_by_type: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for each in questions:
        gold, also = set(each["gold_doc_ids"]), set(each.get("also_in", ()))
        for field, wording in _WORDINGS.items():
            if gold and each.get(field):
                ranked = _documents(searcher, each[field])
                hit = float(bool((gold | also) & set(ranked[:5])))
                recall = len(gold & set(ranked[:10])) / len(gold)
                for name in (each["type"], "all"):
                    scores_by_type.setdefault((wording, name), []).append((hit, recall))
    table = Table("wording", "type", "questions", "hit@5", "recall@10")
    results: dict[str, Any] = {}
    for (wording, name), scores in sorted(scores_by_type.items()):
        hits, recalls = (
            sum(column) / len(scores) for column in zip(*scores, strict=True)
        )
        table.add_row(wording, name, str(len(scores)), f"{hits:.3f}", f"{recalls:.3f}")
        results[f"{wording}, {name}"] = {
            "n": len(scores),
            "hit@5": hits,
            "recall@10": recalls,
        }
    right, asked = _identifiers(searcher)
    table.add_row("id", "P@1", str(asked), f"{right / asked:.3f}", "")
    results["identifiers"] = {"n": asked, "P@1": right / asked}
    Console(width=100).print(table)
    return {"questions": results}


def _documents(searcher: Searcher, question: str) -> list[str]:
    """Return the ids of found documents by rank, without the source name."""
    ranked: dict[str, None] = {}
    for hit in searcher.as_reader(frozenset()).search(question, k=_HITS).hits:
        for document_id in (hit.document.id, *hit.also_in):
            ranked[document_id.partition(":")[2]] = None
    return list(ranked)


def _identifiers(searcher: Searcher) -> tuple[int, int]:
    """Return how many queries for an id rank its document first, and their count."""
    store, index = searcher.snapshot.store, searcher.as_reader(frozenset())
    right = asked = 0
    count = searcher.snapshot.manifest["counts"]["documents"]
    for number in range(0, count, max(1, count // 500)):
        document = store.get_documents([number])[number].document
        for form in ("{}", "What does {} say of the detector?"):
            hits = index.search(form.format(document.id), k=1).hits
            asked += 1
            right += bool(
                hits
                and hits[0].document.id == document.id
                and hits[0].found_by is FoundBy.ID
            )
    return right, asked
