"""How often questions of each type find their documents, and identifiers their own.

Used by ``benchmarks/retrieval.py --questions FILE``; knows the search only.
"""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from dunegpt.index.search import Searcher
from dunegpt.types import FoundBy

_HITS = 200
_WORDINGS = {"q": "plain", "q_hard": "hard"}


def question_tables(
    searcher: Searcher, questions: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Print and return hit@5 and recall@10 for each type and wording, and P@1 of ids.

    Args:
        searcher: On a snapshot whose ids end with the ids of the questions' documents.
        questions: Each with q or q_hard, type, gold_doc_ids and also_in: documents
            that say the same, either of which will do for hit@5.
    """
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for each in questions:
        gold, also = set(each["gold_doc_ids"]), set(each.get("also_in", ()))
        for field, wording in _WORDINGS.items():
            if gold and each.get(field):
                ranked = _documents(searcher, each[field])
                hit = float(bool((gold | also) & set(ranked[:5])))
                recall = len(gold & set(ranked[:10])) / len(gold)
                for name in (each["type"], "all"):
                    found.setdefault((wording, name), []).append((hit, recall))
    table = Table("wording", "type", "questions", "hit@5", "recall@10")
    told: dict[str, Any] = {}
    for (wording, name), own in sorted(found.items()):
        hits, recalls = (sum(column) / len(own) for column in zip(*own, strict=True))
        table.add_row(wording, name, str(len(own)), f"{hits:.3f}", f"{recalls:.3f}")
        told[f"{wording}, {name}"] = {
            "n": len(own),
            "hit@5": hits,
            "recall@10": recalls,
        }
    right, asked = _identifiers(searcher)
    table.add_row("id", "P@1", str(asked), f"{right / asked:.3f}", "")
    told["identifiers"] = {"n": asked, "P@1": right / asked}
    Console(width=100).print(table)
    return {"questions": told}


def _documents(searcher: Searcher, question: str) -> list[str]:
    """Return the documents that are found, by rank, without the source's name."""
    ranked: dict[str, None] = {}
    for hit in searcher.search(question, frozenset(), k=_HITS).hits:
        for own in (hit.document.id, *hit.also_in):
            ranked[own.partition(":")[2]] = None
    return list(ranked)


def _identifiers(searcher: Searcher) -> tuple[int, int]:
    """Return how many of about 500 documents come first when asked for, of how many."""
    store = searcher.snapshot.store
    right = asked = 0
    count = searcher.snapshot.manifest["counts"]["documents"]
    for number in range(0, count, max(1, count // 500)):
        document = store.documents([number])[number].document
        for form in ("{}", "What does {} say of the detector?"):
            hits = searcher.search(form.format(document.id), frozenset(), k=1).hits
            asked += 1
            right += bool(
                hits
                and hits[0].document.id == document.id
                and hits[0].found_by is FoundBy.ID
            )
    return right, asked
