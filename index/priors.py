"""A gentle preference for what is recent and what is approved, among equals.

It moves a passage by at most half of `EPSILON` up or down, so it never changes the
order of two whose scores differ by more than that. Where no document has a date or a
status it changes nothing. Does not know today's date: ages are counted from the day of
the snapshot, so that one snapshot always ranks alike.
"""

from datetime import date

from dunegpt.statuses import standing

RECENCY = 0.01
STATUS = 0.01
EPSILON = RECENCY + STATUS
"""Scores that differ by more keep their order."""

_HALF_LIFE_DAYS = 5 * 365.25


def prior(day: date | None, status: str, today: date) -> float:
    """Return what to add to the score of a document's passages, up to ± EPSILON / 2.

    Args:
        day: Of the document; one without counts as one of five years ago, which is in
            the middle.
        status: Of the document; one that means nothing here is in the middle, too.
        today: The day from which its age is counted.
    """
    recency = 0.5
    if day:
        age_days = max(0, (today - day).days)
        recency = 0.5 ** (age_days / _HALF_LIFE_DAYS)
    worth = {"approved": 1.0, "withdrawn": 0.0}.get(standing(status), 0.5)
    return RECENCY * (recency - 0.5) + STATUS * (worth - 0.5)
