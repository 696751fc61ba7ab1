"""What is asked: a question as typed to one that stands alone, and its filters.

Filters that were found in its words narrow the search, unless they are taken out or
would leave nothing that the reader may find. Searches nothing itself.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache

from dunegpt.index.query import parsed
from dunegpt.index.search import Searcher
from dunegpt.index.view import Filters
from dunegpt.serve.brief import Brief
from dunegpt.serve.dialogue import Turn, standalone
from dunegpt.serve.prompt import may_be_told
from dunegpt.serve.wishes import Wish, filters_of, same_words, wishes
from dunegpt.serve.wishes import without as cut_out
from dunegpt.types import (
    Access,
    AnswerEvent,
    Asked,
    Chip,
    Document,
    Finished,
    Notice,
    Outcome,
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A question, ready for the search.

    Attributes:
        asked: As the reader is shown it.
        text: To search for: without the words of its filters.
        filters: All of which must hold.
        notes: What the reader should know of how it was understood.
    """

    asked: Asked
    text: str
    filters: tuple[Filters, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody says of the filters that are found in words.

    Attributes:
        without: Words whose filters are not wanted.
        as_asked: None are wanted.
        today: What ``last year`` is counted from; None for the day that it is.
    """

    without: Sequence[str] = ()
    as_asked: bool = False
    today: date | None = None


def followed(
    question: str,
    history: Sequence[Turn],
    searcher: Searcher,
    reader: Access,
    brief: Brief | None,
) -> tuple[Asked, tuple[str, ...]]:
    """Return a question as one that stands alone, and what is to be said of that.

    Args:
        question: As typed.
        history: The reader's own turns.
        searcher: Knows what the reader may open now.
        reader: Principals of the person who asks.
        brief: Asks a model; None for rules alone.

    Raises:
        UsageError: A typed filter has a value that means nothing.
        ConfigError: A model server's key cannot be had.
    """
    if not history:
        return Asked(question), ()

    @cache
    def opens(document_id: str) -> Document | None:
        found = [document for document, _ in searcher.find(document_id, reader)]
        return next((own for own in found if own.id == document_id), None)

    standing = standalone(question, history, opens, may_be_told, brief)
    was_rewritten = standing.question != question
    asked = Asked(standing.question, was_rewritten=was_rewritten)
    return asked, tuple(filter(None, [standing.note]))


def wanted(
    asked: Asked,
    searcher: Searcher,
    reader: Access,
    filters: Filters | None = None,
    choice: Choice | None = None,
) -> Wanted:
    """Return what to search for, and where.

    A question that names documents goes to those, so nothing else narrows it.

    Args:
        asked: The question, as one that stands alone.
        searcher: On the snapshot; what the reader may not find decides nothing.
        reader: Principals of the person who asks.
        filters: Which documents to look in, as told apart from the question.
        choice: Which of the filters in words are not wanted.

    Raises:
        UsageError: A typed filter has a value that means nothing.
        IndexBrokenError: The index cannot be read.
    """
    choice = choice or Choice()
    given = [own for own in (filters,) if own]
    plain = Wanted(asked, asked.question, tuple(given))
    if choice.as_asked or searcher.names_documents(asked.question, reader):
        return plain
    facets = searcher.facets(reader)
    found = wishes(asked.question, facets, choice.today or date.today())
    kept = [wish for wish in found if not _is_out(wish, choice.without)]
    typed = parsed(asked.question).filters
    cut = [wish for wish in found if wish.is_time]
    if not kept or not searcher.leaves_any(reader, *given, typed):
        text = cut_out(asked.question, cut)
        return replace(plain, text=text, notes=tuple(_unknown(found, choice.without)))
    chips: list[Chip] = []
    notes = list(_unknown(found, choice.without))
    for wish in kept:
        own = filters_of(wish.chips)
        fits = searcher.leaves_any(reader, *given, typed, own)
        chips += [replace(chip, applied=fits) for chip in wish.chips]
        if fits:
            cut += [] if wish.is_time else [wish]
            given.append(own)
        else:
            notes.append(
                f"No document that you may read passes {_told([wish])}:"
                " it was searched without that."
            )
    return Wanted(
        replace(asked, chips=tuple(chips)),
        cut_out(asked.question, cut),
        tuple(given),
        tuple(notes),
    )


def hinted(
    events: Iterable[AnswerEvent], chips: Sequence[Chip]
) -> Iterator[AnswerEvent]:
    """Yield an answer; if it found nothing, say first where it did not look."""
    narrowed = [chip for chip in chips if chip.applied]
    for event in events:
        missed = isinstance(event, Finished) and (
            event.outcome is Outcome.NOT_IN_DOCUMENTS
        )
        if missed and narrowed:
            wishes = [Wish(0, 0, (chip,)) for chip in narrowed]
            yield Notice(
                f"Only documents that pass {_told(wishes)} were searched; taking a"
                " filter out looks in more."
            )
        yield event


def _is_out(wish: Wish, without: Sequence[str]) -> bool:
    return any(same_words(wish.chips[0].text, words) for words in without)


def _unknown(found: Sequence[Wish], without: Sequence[str]) -> Iterator[str]:
    """Yield a note on words to take out that no filter was found in."""
    for text in without:
        if not any(_is_out(wish, [text]) for wish in found):
            yield f"No filter was found in the words “{text}”."


def _told(found: Sequence[Wish]) -> str:
    """Return filters with the words that they were found in."""
    chips: dict[str, list[str]] = {}
    for chip in (chip for wish in found for chip in wish.chips):
        chips.setdefault(chip.text, []).append(chip.filter)
    return ", ".join(f"{' '.join(own)} (“{text}”)" for text, own in chips.items())
