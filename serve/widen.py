"""What a model adds to what the search found, before it writes: hits, and an order.

Numbers and cards that are shown already never move: what is new goes on with the
numbers, and only the order in which the model reads changes. All within a time; what
fails or is late is told, and done without.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from dunegpt.config import AnswerTable, Settings
from dunegpt.errors import ModelError
from dunegpt.index.query import parsed
from dunegpt.index.search import Searcher
from dunegpt.index.synonyms import Synonyms
from dunegpt.serve.asking import Wanted
from dunegpt.serve.brief import Brief
from dunegpt.serve.reorder import picked
from dunegpt.serve.rewrite import merged, wordings
from dunegpt.types import Access, FoundBy, Hit

Search = Callable[[str, int], Sequence[Hit]]
"""From a text, and how many, to what its reader may find."""

CANDIDATES = 50


@dataclass(frozen=True, slots=True)
class Widened:
    """What was found, with what a model added.

    Attributes:
        hits: Those that were shown, unchanged, then those that were added.
        order: The same, in the order in which they are to be read.
        notes: What was not done, and why.
    """

    hits: tuple[Hit, ...]
    order: tuple[Hit, ...]
    notes: tuple[str, ...] = ()


Widen = Callable[[str, Sequence[Hit]], Widened]
"""From a question and what is shown to that with what a model adds."""


def widening(
    want: Wanted,
    searcher: Searcher,
    reader: Access,
    settings: Settings,
    brief: Brief | None,
) -> Widen | None:
    """Return what adds to the hits of a question; None if the settings want nothing.

    Args:
        want: The question; what is added passes all of its filters, too.
        searcher: Of the question.
        reader: Principals of the person who asks: what is added is for them, too.
        settings: Say what a model is to do.
        brief: Asks a model; None for none.

    Raises:
        ConfigError: The list of synonyms cannot be read.
    """
    table = settings.answer
    if brief is None or not (table.rewrite or table.rerank_by_model):
        return None

    filters = (*want.filters, parsed(want.text).filters)

    def search(text: str, k: int) -> Sequence[Hit]:
        return searcher.search(text, reader, filters, k).hits

    own = settings.index.synonyms
    synonyms = Synonyms.read(settings.path(own) if own else None)
    return partial(widened, search=search, synonyms=synonyms, brief=brief, table=table)


def widened(
    question: str,
    shown: Sequence[Hit],
    search: Search,
    synonyms: Synonyms,
    brief: Brief,
    table: AnswerTable,
) -> Widened:
    """Return what was shown, and what a model would add and read first.

    Args:
        question: Without typed filters.
        shown: What it found, with the numbers that stay.
        search: Searches as the same reader, under the same filters.
        synonyms: Words of the field.
        brief: Asks a model.
        table: What it is to do.

    Raises:
        ConfigError: A model server's key cannot be had.
        IndexBrokenError: The index cannot be read.
    """
    notes: list[str] = []
    pools = [shown, search(question, CANDIDATES)]
    if table.rewrite:
        try:
            others = wordings(question, shown, synonyms, brief)
            pools += [search(text, CANDIDATES) for text in others]
        except ModelError as error:
            notes.append(f"The question was searched in its own words only: {error}")
    found = merged(pools)
    picks: list[Hit] = []
    if table.rerank_by_model:
        try:
            picks = picked(question, found, brief)
        except ModelError as error:
            notes.append(f"The passages are read in the order of the search: {error}")
    # Merged scores say well what to add, and badly what to read first (decision 37).
    hits = [*shown, *_added([*picks, *found[: len(shown)]], shown)]
    rank = {hit.row: place for place, hit in enumerate(reversed(picks))}
    order = sorted(hits, key=lambda hit: -rank.get(hit.row, -1))
    return Widened(tuple(hits), tuple(order), tuple(notes))


def _added(first: Sequence[Hit], shown: Sequence[Hit]) -> list[Hit]:
    """Return the hits that are not shown yet, each with its number."""
    rows = {hit.row for hit in shown}
    texts = {" ".join(hit.passage.text.split()) for hit in shown}
    ids = {hit.document.id for hit in shown}
    added: list[Hit] = []
    for hit in first:
        text = " ".join(hit.passage.text.split())
        is_old = bool(hit.superseded_by) and hit.superseded_by in ids
        if hit.row in rows or text in texts or is_old or hit.found_by is FoundBy.ID:
            continue
        rows.add(hit.row)
        texts.add(text)
        added.append(replace(hit, rank=len(shown) + len(added) + 1))
    return added
