"""Slices cover all days, none is too wide, and each is due in time."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from dunegpt.ingest.indico.schedule import (
    LOOK,
    NOTHING,
    READ,
    DateRange,
    cut,
    from_json,
    full_range,
    near_range,
    to_json,
)

TODAY = date(2026, 11, 24)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def ago(**time: float) -> str:
    return (NOW - timedelta(**time)).isoformat(timespec="seconds")


@pytest.mark.parametrize("expected", [0, 251, 2000, 20_000, 10**7])
def test_cut_covers_all_days(expected: int) -> None:
    slices = cut(TODAY, expected)
    assert (slices[0].start, slices[-1].stop) == ("", "")
    for one, other in pairwise(slices):
        assert one.stop == other.start
        assert one.start < one.stop
    years = [s for s in slices if "2010" <= s.start < "2028"]
    widths = [
        date.fromisoformat(s.stop) - date.fromisoformat(s.start) for s in years[:-1]
    ]
    assert timedelta(days=1) <= max(widths) <= timedelta(days=366)
    assert expected < 2000 or len(years) >= min(expected / 125, 6500) * 0.9


def test_stored() -> None:
    slices = cut(TODAY, 1000)
    assert from_json(to_json(slices)) == slices


def test_params() -> None:
    assert full_range()[0].params == {}
    assert near_range(TODAY).params == {"from": "2026-11-17", "to": "2026-12-08"}
    assert DateRange("2020-01-01").params == {"from": "2020-01-01"}


@pytest.mark.parametrize(
    ("part", "day", "inside"),
    [
        (DateRange(), "1900-01-01", True),
        (DateRange("2020-01-01", "2021-01-01"), "2020-01-01", True),
        (DateRange("2020-01-01", "2021-01-01"), "2020-12-31", True),
        (DateRange("2020-01-01", "2021-01-01"), "2021-01-01", False),
        (DateRange("2020-01-01", "2021-01-01"), "2019-12-31", False),
        (DateRange("2020-01-01"), "2150-01-01", True),
        (DateRange("", "2020-01-01"), "1980-01-01", True),
    ],
)
def test_holds(part: DateRange, day: str, inside: bool) -> None:
    assert part.contains(date.fromisoformat(day)) == inside


def test_halves() -> None:
    first, second = DateRange("2020-01-01", "2020-01-31", events=300).halve()
    assert (first.start, first.stop, second.stop) == (
        "2020-01-01",
        second.start,
        "2020-01-31",
    )
    for part in (
        DateRange(),
        DateRange("2020-01-01"),
        DateRange("2020-01-01", "2020-01-02"),
    ):
        assert part.halve() == [part]


@pytest.mark.parametrize(
    ("part", "age", "due"),
    [
        (DateRange("2026-11-01", "2026-12-01"), timedelta(hours=25), READ),
        (DateRange("2026-11-01", "2026-12-01"), timedelta(hours=23), NOTHING),
        (DateRange("2025-01-01", "2025-03-01"), timedelta(hours=23), NOTHING),
        (DateRange("2025-01-01", "2025-03-01"), timedelta(hours=25), LOOK),
        (DateRange("2025-01-01", "2025-03-01"), timedelta(days=7), READ),
        (DateRange("2011-01-01", "2012-01-01"), timedelta(days=8), LOOK),
        (DateRange("2011-01-01", "2012-01-01"), timedelta(days=30), READ),
        (DateRange("2031-01-01"), timedelta(days=30), READ),
        (DateRange("", "1990-01-01"), timedelta(days=2), LOOK),
        (DateRange(), timedelta(days=1), READ),
    ],
)
def test_due(part: DateRange, age: timedelta, due: str) -> None:
    read = (NOW - age).isoformat(timespec="seconds")
    assert DateRange(part.start, part.stop, read).due_action(NOW) == due


def test_never_read_is_due() -> None:
    assert all(part.due_action(NOW) == READ for part in cut(TODAY, 1000))


def test_a_look_counts_for_looking_only() -> None:
    part = DateRange("2011-01-01", "2012-01-01", ago(days=10), ago(hours=2))
    assert part.due_action(NOW) == NOTHING
    assert (
        DateRange(part.start, part.stop, ago(days=31), ago(hours=2)).due_action(NOW)
        == READ
    )


def test_what_was_read_in_one_go_is_not_due_in_one_go() -> None:
    """Of 160 far slices no day of the second half of a month has more than a fifth."""
    far = [part for part in cut(TODAY, 20_000) if "2010" <= part.start < "2024"]
    counts = []
    for day in range(1, 31):
        read = ago(days=day)
        due = [
            p for p in far if DateRange(p.start, p.stop, read).due_action(NOW) == READ
        ]
        counts.append(len(due))
    steps = [later - sooner for sooner, later in pairwise(counts)]
    assert counts[-1] == len(far)
    assert max(steps) <= len(far) / 5
