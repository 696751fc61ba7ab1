"""Query expansion by a model before it writes: further hits, and a reading order.

References that are shown already do not change: new hits continue the numbering, and
only the order in which the model reads changes. All steps share a time budget; a step
that fails or is late is skipped with a note.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from dunegpt.config import AnswerSettings, Settings
from dunegpt.errors import ModelError
from dunegpt.index.search.query import parse_query
from dunegpt.index.search.reader_index import ReaderIndex
from dunegpt.index.synonyms import Synonyms
from dunegpt.serve.llm.budget import BudgetedLLM
from dunegpt.serve.question.interpret import InterpretedQuestion
from dunegpt.serve.question.llm_rerank import pick_passages
from dunegpt.serve.question.rewrite import merge_hits, rephrase
from dunegpt.types import FoundBy, Hit

SearchFunction = Callable[[str, int], Sequence[Hit]]
"""Searches for a text as the reader; takes the text and the number of hits."""

CANDIDATES = 50


@dataclass(frozen=True, slots=True)
class ExpandedHits:
    """Hits of the search, with those that a model added.

    Attributes:
        hits: The hits that are shown already, unchanged, then the added ones.
        reading_order: The same hits in the order in which a model reads them.
        notes: Steps that were skipped, and why.
    """

    hits: tuple[Hit, ...]
    reading_order: tuple[Hit, ...]
    notes: tuple[str, ...] = ()


ExpandHits = Callable[[str, Sequence[Hit]], ExpandedHits]
"""Expands the hits that are shown for a question."""


def make_expander(
    interpreted: InterpretedQuestion,
    index: ReaderIndex,
    settings: Settings,
    llm: BudgetedLLM | None,
) -> ExpandHits | None:
    """Return a function that expands hits, or None if the settings enable no step.

    Args:
        interpreted: The question; added hits pass all of its filters, too.
        index: Index of the person who asks.
        settings: Settings that enable the steps.
        llm: Asks a model, or None.

    Raises:
        ConfigError: The list of synonyms cannot be read.
    """
    table = settings.answer
    if llm is None or not (table.rewrite or table.rerank_by_model):
        return None

    filters = (*interpreted.filters, parse_query(interpreted.text).filters)

    def search(text: str, k: int) -> Sequence[Hit]:
        return index.search(text, filters, k).hits

    path = settings.index.synonyms
    synonyms = Synonyms.read(settings.resolve_path(path) if path else None)
    return partial(expand_hits, search=search, synonyms=synonyms, llm=llm, table=table)


def expand_hits(
    question: str,
    shown: Sequence[Hit],
    search: SearchFunction,
    synonyms: Synonyms,
    llm: BudgetedLLM,
    table: AnswerSettings,
) -> ExpandedHits:
    """Return the shown hits with those that a model adds, and a reading order.

    Args:
        question: Question without typed filters.
        shown: Hits that are shown already; their numbers stay.
        search: Searches as the same reader, under the same filters.
        synonyms: Synonyms of the field.
        llm: Asks a model.
        table: Settings that enable the steps.

    Raises:
        ConfigError: The key of a model server cannot be read.
        IndexBrokenError: The index cannot be read.
    """
    notes: list[str] = []
    pools = [shown, search(question, CANDIDATES)]
    if table.rewrite:
        try:
            rewrites = rephrase(question, shown, synonyms, llm)
            pools += [search(text, CANDIDATES) for text in rewrites]
        except ModelError as error:
            notes.append(f"The question was searched in its own words only: {error}")
    merged = merge_hits(pools)
    picks: list[Hit] = []
    if table.rerank_by_model:
        try:
            picks = pick_passages(question, merged, llm)
        except ModelError as error:
            notes.append(f"The passages are read in the order of the search: {error}")
    # Merged scores suit choosing hits, but not ordering them (decision 37).
    hits = [*shown, *_select_new([*picks, *merged[: len(shown)]], shown)]
    rank = {hit.row: position for position, hit in enumerate(reversed(picks))}
    order = sorted(hits, key=lambda hit: -rank.get(hit.row, -1))
    return ExpandedHits(tuple(hits), tuple(order), tuple(notes))


def _select_new(candidates: Sequence[Hit], shown: Sequence[Hit]) -> list[Hit]:
    """Return the candidates that are not shown yet, numbered after those that are."""
    rows = {hit.row for hit in shown}
    texts = {" ".join(hit.passage.text.split()) for hit in shown}
    ids = {hit.document.id for hit in shown}
    added: list[Hit] = []
    for hit in candidates:
        text = " ".join(hit.passage.text.split())
        is_old = bool(hit.superseded_by) and hit.superseded_by in ids
        if hit.row in rows or text in texts or is_old or hit.found_by is FoundBy.ID:
            continue
        rows.add(hit.row)
        texts.add(text)
        added.append(replace(hit, rank=len(shown) + len(added) + 1))
    return added
