"""A question's typed filters, taken out of its text: ``author:okonjo after:2024``.

``author:`` words of a name, ``source:`` of the settings, ``type:``, ``status:``,
``doc:`` or ``in:`` a document with its parts; ``after:`` and ``since:`` a first day,
``until:`` a last day, ``before:`` the day after it; a day may be a month or a year.
Several values of one key are alternatives; authors, and different keys, must all hold.
Whatever else has a colon (``docdb:12345``, ``10:30``, ``https://...``) stays text.

Does not know which sources and documents there are, nor who asks.
"""

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

from dunegpt.errors import UsageError
from dunegpt.index.view import Filters

_FILTER = re.compile(
    r"(?<!\S)(author|source|type|status|doc|document|in|after|since|before|until)"
    r':(?:"([^"]+)"|([^\s":][^\s"]*))(?=[\s,;?!.]|$)',
    re.IGNORECASE,
)
_DAY = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")
_HINT = "A day is written 2024-03-31, a month 2024-03, a year 2024."


@dataclass(frozen=True, slots=True)
class Query:
    """A question, taken apart.

    Attributes:
        text: The question without its filters; empty if it has nothing else.
    """

    text: str
    filters: Filters = field(default_factory=Filters)


def parsed(question: str) -> Query:
    """Return a question's text and its typed filters.

    Raises:
        UsageError: A filter for a day has a value that is none.
    """
    filters = Filters()
    for key, quoted, bare in _FILTER.findall(question):
        value = " ".join((quoted or bare.rstrip(",;?!.")).split())
        if value:
            filters = joined(filters, _FILTERS[key.casefold()](value))
    text = _FILTER.sub(" ", question)
    return Query(" ".join(text.split()) if text != question else question, filters)


def joined(one: Filters, other: Filters) -> Filters:
    """Return filters with the values of two: alternatives, for one key."""
    return Filters(
        sources=_values(one.sources, other.sources),
        since=max(filter(None, (one.since, other.since)), default=None),
        until=min(filter(None, (one.until, other.until)), default=None),
        author=f"{one.author} {other.author}".strip(),
        kinds=_values(one.kinds, other.kinds),
        statuses=_values(one.statuses, other.statuses),
        documents=_values(one.documents, other.documents),
    )


def _values(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one + other))


def _since(value: str) -> Filters:
    return Filters(since=_days(value)[0])


def _until(value: str) -> Filters:
    return Filters(until=_days(value)[1])


def _before(value: str) -> Filters:
    first = _days(value)[0]
    return Filters(until=first if first == date.min else first - timedelta(days=1))


def _days(value: str) -> tuple[date, date]:
    """Return the first and the last day of a day, month or year."""
    found = _DAY.fullmatch(value)
    if not found:
        raise UsageError(f"{value!r} is no day.", hint=_HINT)
    year, month, day = (int(part) if part else None for part in found.groups())
    try:
        first = date(year or 0, month or 1, day or 1)
        last_month = month or 12
        last_day = day or calendar.monthrange(first.year, last_month)[1]
        return first, date(first.year, last_month, last_day)
    except ValueError as error:
        raise UsageError(f"{value!r} is no day: {error}.", hint=_HINT) from error


_FILTERS: dict[str, Callable[[str], Filters]] = {
    "author": lambda value: Filters(author=value),
    "source": lambda value: Filters(sources=(value.casefold(),)),
    "type": lambda value: Filters(kinds=(value.casefold(),)),
    "status": lambda value: Filters(statuses=(value.casefold(),)),
    "doc": lambda value: Filters(documents=(value,)),
    "document": lambda value: Filters(documents=(value,)),
    "in": lambda value: Filters(documents=(value,)),
    "after": _since,
    "since": _since,
    "before": _before,
    "until": _until,
}
