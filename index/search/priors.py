"""A small prior that prefers recent and approved documents among near-equal scores.

It moves a score by at most half of `EPSILON` up or down, so two passages whose scores
differ by more than `EPSILON` keep their order. Without dates and statuses it changes
nothing. Ages are counted from the day of the snapshot, not from today, so a snapshot
always ranks in the same way.
"""

from datetime import date

from dunegpt.document_status import classify_status

RECENCY_WEIGHT = 0.01
STATUS_WEIGHT = 0.01
EPSILON = RECENCY_WEIGHT + STATUS_WEIGHT
"""Passages whose scores differ by more keep their order."""

_HALF_LIFE_DAYS = 5 * 365.25


def compute_prior(day: date | None, status: str, today: date) -> float:
    """Return what to add to the score of a document's passages, up to ± EPSILON / 2.

    Args:
        day: Date of the document; None counts as five years ago, which is neutral.
        status: Status of the document; unknown statuses are neutral.
        today: Day from which the age is counted.
    """
    recency = 0.5
    if day:
        age_days = max(0, (today - day).days)
        recency = 0.5 ** (age_days / _HALF_LIFE_DAYS)
    worth = {"approved": 1.0, "withdrawn": 0.0}.get(classify_status(status), 0.5)
    return RECENCY_WEIGHT * (recency - 0.5) + STATUS_WEIGHT * (worth - 0.5)
