"""Parses times in a question to days: ``last year``, ``talks in March 2024``.

A document cannot tell what happened after it was written, but later ones can: so a
time of what is asked about gives a first day only, and no last one. Both are given
where the time is plainly that of the documents: ``talks in 2023``, ``published before
2020``. What is planned was written down before, so there a time gives nothing. A year
or a day alone (``the drift field in 2023``, ``on 5 October 2026``) is what the question
is about, and is left to the search, which looks for it in the text. Knows no documents.
"""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from dunegpt.text.english import DOCUMENT_NOUNS, MONTHS, NUMBERS
from dunegpt.text.patterns import compile_re

_MONTH = rf"(?:{'|'.join(sorted(MONTHS, key=len, reverse=True))})\.?"
_YEAR = r"(?:19[5-9]|20\d)\d"
_DAY = (
    rf"(?:{_YEAR}-\d\d?-\d\d?|{_YEAR}-\d\d?|(?:the\s+)?\d\d?(?:st|nd|rd|th)?\s+(?:of\s+)?"
    rf"{_MONTH},?\s+{_YEAR}|{_MONTH}\s+\d\d?(?:st|nd|rd|th)?,?\s+{_YEAR}"
    rf"|{_MONTH},?\s+{_YEAR}|{_YEAR})"
)
_MAX_COUNT = 12
"""Larger counts are read in digits only."""
_COUNTS = {word: n for word, n in NUMBERS.items() if n <= _MAX_COUNT}
_COUNT = rf"(?:\d{{1,3}}|{'|'.join(_COUNTS)})"
_UNIT = r"(?:days?|weeks?|months?|years?)"

_LAST_PERIODS = compile_re(
    rf"\b(?:(?:in|over|during|within|for)\s+)?the\s+(?:last|past)\s+"
    rf"(?:(?P<count>{_COUNT})\s+)?(?P<unit>{_UNIT})",
    re.I,
)
_NAMED = compile_re(
    r"\b(?P<since>since\s+)?(?P<which>last|this)\s+(?P<unit>week|month|year)\b"
    r"|\b(?P<since2>since\s+)?(?P<day>yesterday(?:['\u2019]s)?|today)\b",
    re.I,
)
_SINCE = compile_re(rf"\b(?:since|after)\s+(?P<day>{_DAY}|{_MONTH})", re.I)
_UNTIL = compile_re(rf"\b(?:before|until|till|up\s+to)\s+(?P<day>{_DAY})", re.I)
_IN_PERIOD = compile_re(rf"\b(?:in|during|from|of|on)\s+(?P<day>{_DAY})", re.I)
_BETWEEN = compile_re(
    rf"\b(?:between|from)\s+(?P<first>{_DAY})\s+(?:and|to|until)\s+(?P<last>{_DAY})",
    re.I,
)

_ANY_TIME = compile_re(
    rf"\b(?:since|after|before|until|till|up\s+to|in|during|from|of|on)\s+"
    rf"(?P<day>{_DAY}|{_MONTH})\b",
    re.I,
)

MAY_FOLLOW = compile_re(
    r"\s*(?:$|[?.!,;:)]|\s(?:about|after|and|are|as|at|before|between|but|by"
    r"|concerning|did|do|does|during|from|had|has|have|how|in|is|last|mention\w*|on|or"
    r"|regarding|said|say|says|show\w*|since|tell\w*|that|the|there|this|to|until|was"
    r"|were|what|when|where|which|who|why|with|yesterday)\b)",
    re.I,
)
"""What may come after a time or a name: else it is a part of one (``2023 units``)."""

_COMPARED_BEFORE = compile_re(
    r"(?:than|as|like|since|from|to|of|before|until|till|after)\s*$"
)
"""Before ``last year``: then it is compared with, or is another kind of time."""

_WRITTEN = (
    r"(?:written|published|presented|submitted|released|uploaded|posted|reported|dated"
    r"|issued)"
)
_OTHER_CLAUSE = (
    r"am|are|be|did|do|does|had|has|have|how|is|that|was|were|what|when|where|which|who"
    rf"|why|will|(?!{_WRITTEN}\b)\w+ed"
)
_DOCUMENT_DATE = compile_re(
    rf"(?:\b(?:{DOCUMENT_NOUNS})|\b(?:was|were|been|is|are)\s+{_WRITTEN}|^\W*{_WRITTEN}"
    r"|\bdid\b[^.?!;]*\b(?:write|publish|present|report|submit))\b"
    rf"(?:(?!\b(?:{_OTHER_CLAUSE})\b)[^.?!,;])*$",
    re.I,
)
"""What stands before a time that is the documents' own ..."""
_LOOK_BACK = 120
"""... within so many characters."""

_PLANS = compile_re(
    r"\b(?:will|shall|plan\w*|schedul\w*|expect\w*|forecast\w*|foresee\w*|deadline\w*|due"
    r"|milestones?|upcoming|budget\w*|intend\w*|target\w*|predict\w*|propos\w*|supposed"
    r"|goals?|next)\b",
    re.I,
)
_PAST = compile_re(r"\b(?:did|was|were|has|have|had|been|happened|changed)\b", re.I)


@dataclass(frozen=True, slots=True)
class TimeExpression:
    """Words of a question that name a time.

    Attributes:
        start: Offset of the words in the question; ``end`` is exclusive.
        first: Day; None if any earlier one will do. ``last`` likewise.
    """

    start: int
    end: int
    first: date | None = None
    last: date | None = None


def find_time_expressions(question: str, today: date) -> Iterator[TimeExpression]:
    """Yield the times that a question names, if they surely tell documents apart.

    Args:
        question: In words.
        today: Day that ``last year`` is counted from.
    """
    taken: list[TimeExpression] = []
    for found in _find_candidates(question, today):
        free = all(found.end <= t.start or t.end <= found.start for t in taken)
        if free and MAY_FOLLOW.match(question, found.end):
            taken.append(found)
    yield from sorted(taken, key=lambda time: time.start)


def find_document_times(question: str, today: date) -> Iterator[TimeExpression]:
    """Yield the times in a question for documents, all of which are the documents' own.

    Args:
        question: In words.
        today: Day that ``last year`` is counted from.
    """
    taken: list[TimeExpression] = []
    for match in (*_BETWEEN.finditer(question), *_ANY_TIME.finditer(question)):
        found = _parse_any_time(match, today)
        if found and all(found.end <= t.start or t.end <= found.start for t in taken):
            taken.append(found)
    others = find_time_expressions(question, today)
    taken += [
        time
        for time in others
        if all(time.end <= t.start or t.end <= time.start for t in taken)
    ]
    yield from sorted(taken, key=lambda time: time.start)


def _parse_any_time(match: re.Match[str], today: date) -> TimeExpression | None:
    groups = match.groupdict()
    if "first" in groups:
        begin, end = (
            _parse_days(groups[name] or "", today) for name in ("first", "last")
        )
        return (
            TimeExpression(*match.span(), begin[0], end[1]) if begin and end else None
        )
    days = _parse_days(match["day"], today)
    if not days or (match["day"].isalpha() and match["day"].islower()):
        return None
    word = match[0].split()[0].casefold()
    if word == "before":
        return TimeExpression(*match.span(), None, days[0] - timedelta(days=1))
    if word in {"until", "till", "up"}:
        return TimeExpression(*match.span(), None, days[1])
    if word in {"since", "after"}:
        first = days[1] + timedelta(days=1) if word == "after" else days[0]
        return TimeExpression(*match.span(), first)
    return TimeExpression(*match.span(), *days)


def _find_candidates(question: str, today: date) -> Iterator[TimeExpression]:
    """Yield what may be times, the longer forms first."""
    for match in _BETWEEN.finditer(question):
        begin, end = (
            _parse_days(match["first"], today),
            _parse_days(match["last"], today),
        )
        if begin and end and begin[0] <= end[1] and _is_document_date(question, match):
            yield TimeExpression(*match.span(), begin[0], end[1])
    for match in _LAST_PERIODS.finditer(question):
        is_vague = not match["count"] and match["unit"].casefold().endswith("s")
        if not is_vague and not _PLANS.search(question):
            yield TimeExpression(*match.span(), _subtract_period(match, today))
    for match in _NAMED.finditer(question):
        yield from _parse_named(question, match, today)
    for match in _SINCE.finditer(question):
        yield from _parse_since(question, match, today)
    for match in (*_UNTIL.finditer(question), *_IN_PERIOD.finditer(question)):
        yield from _parse_document_date(question, match, today)


def _parse_document_date(
    question: str, match: re.Match[str], today: date
) -> Iterator[TimeExpression]:
    """Yield ``in 2023``, ``before 2020``, if that is when documents were written."""
    days = _parse_days(match["day"], today)
    if not days or not _is_document_date(question, match):
        return
    word = match[0].split()[0].casefold()
    if word == "before":
        yield TimeExpression(*match.span(), None, days[0] - timedelta(days=1))
    elif word in {"until", "till", "up"}:
        yield TimeExpression(*match.span(), None, days[1])
    elif days[0] <= today:
        yield TimeExpression(*match.span(), *days)


def _parse_since(
    question: str, match: re.Match[str], today: date
) -> Iterator[TimeExpression]:
    """Yield ``since March 2024``, if it has begun and nothing is planned."""
    if match["day"].isalpha() and match["day"].islower():
        return  # "may" and "march" are words, too
    days = _parse_days(match["day"], today)
    if days and days[0] <= today and not _PLANS.search(question):
        yield TimeExpression(*match.span(), days[0])


def _is_document_date(question: str, match: re.Match[str]) -> bool:
    """Return whether a time is the documents' own, not that of what they tell."""
    before = question[max(0, match.start() - _LOOK_BACK) : match.start()]
    return bool(_DOCUMENT_DATE.search(before))


def _parse_named(
    question: str, match: re.Match[str], today: date
) -> Iterator[TimeExpression]:
    """Yield ``last year``, ``this month``, ``yesterday``: if that tells them apart."""
    which = (match["which"] or "").casefold()
    day = (match["day"] or "").casefold()
    if day:
        first = last = today - timedelta(days=day.startswith("yesterday"))
    else:
        first, last = _get_period(match["unit"].casefold(), today, last=which == "last")
    since = match["since"] or match["since2"]
    if _COMPARED_BEFORE.search(question[: match.start()].casefold()):
        return
    if not since and _is_document_date(question, match):
        yield TimeExpression(*match.span(), first, last)
    elif _PLANS.search(question) or day == "today":
        return
    elif since or which != "this" or _PAST.search(question):
        yield TimeExpression(*match.span(), first)


def _get_period(unit: str, today: date, *, last: bool) -> tuple[date, date]:
    """Return the first and last day of this week, month or year, or of the last one."""
    if unit == "week":
        monday = today - timedelta(days=today.weekday() + 7 * last)
        return monday, monday + timedelta(days=6)
    if unit == "year":
        year = today.year - last
        return date(year, 1, 1), date(year, 12, 31)
    first = today.replace(day=1)
    if last:
        first = (first - timedelta(days=1)).replace(day=1)
    return first, first.replace(day=calendar.monthrange(first.year, first.month)[1])


def _subtract_period(match: re.Match[str], today: date) -> date:
    """Return the day so many days, weeks, months or years ago."""
    count = (match["count"] or "one").casefold()
    number = _COUNTS[count] if count in _COUNTS else int(count)
    unit = match["unit"].casefold().rstrip("s")
    if unit in {"day", "week"}:
        return today - timedelta(days=number * (7 if unit == "week" else 1))
    months = today.year * 12 + today.month - 1 - number * (12 if unit == "year" else 1)
    year, month = divmod(months, 12)
    day = min(today.day, calendar.monthrange(year, month + 1)[1])
    return date(year, month + 1, day)


def _parse_days(text: str, today: date) -> tuple[date, date] | None:
    """Return the first and the last day of a day, month or year; None if it is none.

    A month without a year is the last of that name that has begun.
    """
    parts = re.findall(r"[a-z]+|\d+", text.casefold())
    numbers = [int(part) for part in parts if part.isdigit()]
    months = [MONTHS[part] for part in parts if part in MONTHS]
    years = [n for n in numbers if n > 31]
    others = [n for n in numbers if n <= 31]
    if "-" in text:
        months, others = others[:1], others[1:]
    month = months[0] if months else 0
    year = years[0] if years else today.year - (month > today.month)
    try:
        first = date(year, month or 1, others[0] if others else 1)
    except ValueError:
        return None
    if others:
        return first, first
    until = month or 12
    return first, date(year, until, calendar.monthrange(year, until)[1])
