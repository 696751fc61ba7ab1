"""Parses the typed filters of a question: ``author:okonjo after:2024``.

The keys are ``author:`` (words of a name), ``source:`` (a name in the settings),
``type:``, ``status:``, ``doc:`` or ``in:`` (a document with its parts), ``after:`` or
``since:`` (first day), ``until:`` (last day) and ``before:`` (the day after the last).
A day may also be a month or a year. Several values of one key are alternatives, except
authors; different keys must all match. Other text with a colon (``docdb:12345``,
``10:30``, ``https://...``) stays as it is. Does not depend on the index or the reader.
"""

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

from dunegpt.errors import UsageError
from dunegpt.index.search.filters import Filters
from dunegpt.text.patterns import compile_re
from dunegpt.text.surrogates import replace_surrogates

_FILTER = compile_re(
    r"(?<!\S)(author|source|type|status|doc|document|in|after|since|before|until)"
    r':(?:"([^"]+)"|([^\s":][^\s"]*))(?=[\s,;?!.]|$)',
    re.IGNORECASE,
)
_DAY = compile_re(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")
MAX_QUESTION = 4000
"""Maximum length in characters; an encoder reads about 1,000 of them."""
_HINT = "A day is written 2024-03-31, a month 2024-03, a year 2024."


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """A question split into text and filters.

    Attributes:
        text: The question without its filters; empty if it has only filters.
        filters: The typed filters.
    """

    text: str
    filters: Filters = field(default_factory=Filters)


def parse_question(question: str) -> ParsedQuery:
    """Return the text and the typed filters of a question as it came from a person.

    Raises:
        UsageError: The question is empty or too long, or a date is not one.
    """
    # A lone surrogate can be neither indexed nor embedded.
    question = replace_surrogates(question).strip()
    if not question:
        raise UsageError("The question is empty.", hint='dunegpt ask "Why ...?"')
    if len(question) > MAX_QUESTION:
        raise UsageError(
            f"The question has {len(question):,} characters;"
            f" at most {MAX_QUESTION:,} are read.",
            hint="Ask for one thing in a few sentences.",
        )
    return parse_query(question)


def parse_query(question: str) -> ParsedQuery:
    """Return a question's text and its typed filters.

    Raises:
        UsageError: The value of a date filter is not a date.
    """
    filters = Filters()
    for key, quoted, bare in _FILTER.findall(question):
        value = " ".join((quoted or bare.rstrip(",;?!.")).split())
        if value:
            filters = merge_filters(filters, _FILTER_PARSERS[key.casefold()](value))
    text = _FILTER.sub(" ", question)
    return ParsedQuery(
        " ".join(text.split()) if text != question else question, filters
    )


def merge_filters(one: Filters, other: Filters) -> Filters:
    """Return the combination of two filters; values of one key are alternatives."""
    return Filters(
        sources=_merge_values(one.sources, other.sources),
        since=max(filter(None, (one.since, other.since)), default=None),
        until=min(filter(None, (one.until, other.until)), default=None),
        author=f"{one.author} {other.author}".strip(),
        kinds=_merge_values(one.kinds, other.kinds),
        statuses=_merge_values(one.statuses, other.statuses),
        documents=_merge_values(one.documents, other.documents),
        authors=_merge_values(one.people, other.people),
    )


def _merge_values(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one + other))


def _parse_since(value: str) -> Filters:
    return Filters(since=_parse_days(value)[0])


def _parse_until(value: str) -> Filters:
    return Filters(until=_parse_days(value)[1])


def _parse_before(value: str) -> Filters:
    first = _parse_days(value)[0]
    return Filters(until=first if first == date.min else first - timedelta(days=1))


def _parse_days(value: str) -> tuple[date, date]:
    """Return the first and the last day of a day, month or year."""
    match = _DAY.fullmatch(value)
    if not match:
        raise UsageError(f"{value!r} is not a date.", hint=_HINT)
    year, month, day = (int(part) if part else None for part in match.groups())
    try:
        first = date(year or 0, month or 1, day or 1)
        last_month = month or 12
        last_day = day or calendar.monthrange(first.year, last_month)[1]
        return first, date(first.year, last_month, last_day)
    except ValueError as error:
        raise UsageError(f"{value!r} is not a date: {error}.", hint=_HINT) from error


_FILTER_PARSERS: dict[str, Callable[[str], Filters]] = {
    "author": lambda value: Filters(author=value),
    "source": lambda value: Filters(sources=(value.casefold(),)),
    "type": lambda value: Filters(kinds=(value.casefold(),)),
    "status": lambda value: Filters(statuses=(value.casefold(),)),
    "doc": lambda value: Filters(documents=(value,)),
    "document": lambda value: Filters(documents=(value,)),
    "in": lambda value: Filters(documents=(value,)),
    "after": _parse_since,
    "since": _parse_since,
    "before": _parse_before,
    "until": _parse_until,
}
