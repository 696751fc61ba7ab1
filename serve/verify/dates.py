"""Checks that a source has the months, weekdays and seasons of a sentence.

A date has its month, its weekday and its season. Whole dates and times of day are
checked as numbers are.
"""

import re
from datetime import date

from dunegpt.text.english import MONTHS, WEEKDAYS
from dunegpt.text.patterns import compile_re
from dunegpt.text.quantities import DateMention, find_dates, find_quantities

_SEASONS = {
    "winter": (12, 1, 2), "spring": (3, 4, 5), "summer": (6, 7, 8),
    "autumn": (9, 10, 11),
}  # fmt: skip
_CALENDAR = compile_re(
    r"\b(?P<month>January|February|March|April|May|June|July|August|September|October"
    r"|November|December)\b|\b(?P<day>(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day)s?\b"
    r"|\b(?P<season>winter|spring|summer|autumn)\b"
    r"|\b(?P<part>early|mid|late|beginning of|start of|end of|middle of)"
    r"(?=[\s-](?:in\s|the\s)?(?:19|20)\d\d|[\s-](?:January|February|March|April|May|June"
    r"|July|August|September|October|November|December))"
)
_DATE_BEFORE = compile_re(
    r"\b(?:in|of|since|until|by|this|last|next|the|every|before|after)\s$"
)
_PARTS = {"beginning of": "early", "start of": "early", "end of": "late"}


def find_missing_date(sentence: str, source: str) -> str:
    """Return the first month, weekday or season that a source does not have.

    Also what part of a year it is: early, late. Empty if it has all.
    """
    for match in _CALENDAR.finditer(sentence):
        kind = str(match.lastgroup)
        if kind == "season" and not _DATE_BEFORE.search(sentence[: match.start()]):
            continue  # a spring that is wound
        if kind == "month" and match.start() == 0 and match[0] in {"May", "March"}:
            continue
        if not _CHECKS[kind](match[0].casefold(), source):
            return match[0]
    return ""


def _has_month(word: str, source: str) -> bool:
    """Return whether a month is in the source, or so many months after one."""
    month, months = MONTHS[word], _find_months(source)
    spans = [q.value for q in find_quantities(source) if q.unit.startswith("month")]
    later = any((m + span - month) % 12 == 0 for m in months for span in spans)
    return month in months or later


def _has_weekday(word: str, source: str) -> bool:
    name = word.removesuffix("s")
    return name in source.casefold() or any(
        _get_weekday(day) == name for day in find_dates(source)
    )


def _has_season(word: str, source: str) -> bool:
    is_there = word in source.casefold()
    return is_there or bool(_find_months(source) & set(_SEASONS[word]))


def _has_part(word: str, source: str) -> bool:
    part = _PARTS.get(word, word)
    spellings = [part, *(long for long, short in _PARTS.items() if short == part)]
    return any(spelling in source.casefold() for spelling in spellings)


_CHECKS = {
    "month": _has_month, "day": _has_weekday, "season": _has_season, "part": _has_part
}  # fmt: skip


def _find_months(source: str) -> set[int]:
    words = re.findall(r"\b[A-Z][a-z]{2,8}\b", source)
    named = {MONTHS[w.casefold()] for w in words if w.casefold() in MONTHS}
    return named | {day.month for day in find_dates(source)}


def _get_weekday(day: DateMention) -> str:
    try:
        return WEEKDAYS[date(day.year, day.month, day.day).weekday()]
    except ValueError:  # the date is not complete
        return ""
