"""Slices cover all days, none is too wide, and each is due in time."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from dunegpt.ingest.indico_plan import (
    LOOK,
    NOTHING,
    READ,
    Slice,
    cut,
    loaded,
    near,
    stored,
    whole,
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
    assert loaded(stored(slices)) == slices


def test_params() -> None:
    assert whole()[0].params == {}
    assert near(TODAY).params == {"from": "2026-11-17", "to": "2026-12-08"}
    assert Slice("2020-01-01").params == {"from": "2020-01-01"}


@pytest.mark.parametrize(
    ("part", "day", "inside"),
    [
        (Slice(), "1900-01-01", True),
        (Slice("2020-01-01", "2021-01-01"), "2020-01-01", True),
        (Slice("2020-01-01", "2021-01-01"), "2020-12-31", True),
        (Slice("2020-01-01", "2021-01-01"), "2021-01-01", False),
        (Slice("2020-01-01", "2021-01-01"), "2019-12-31", False),
        (Slice("2020-01-01"), "2150-01-01", True),
        (Slice("", "2020-01-01"), "1980-01-01", True),
    ],
)
def test_holds(part: Slice, day: str, inside: bool) -> None:
    assert part.holds(date.fromisoformat(day)) == inside


def test_halves() -> None:
    first, second = Slice("2020-01-01", "2020-01-31", events=300).halves()
    assert (first.start, first.stop, second.stop) == (
        "2020-01-01",
        second.start,
        "2020-01-31",
    )
    for part in (Slice(), Slice("2020-01-01"), Slice("2020-01-01", "2020-01-02")):
        assert part.halves() == [part]


@pytest.mark.parametrize(
    ("part", "age", "due"),
    [
        (Slice("2026-11-01", "2026-12-01"), timedelta(hours=25), READ),
        (Slice("2026-11-01", "2026-12-01"), timedelta(hours=23), NOTHING),
        (Slice("2025-01-01", "2025-03-01"), timedelta(hours=23), NOTHING),
        (Slice("2025-01-01", "2025-03-01"), timedelta(hours=25), LOOK),
        (Slice("2025-01-01", "2025-03-01"), timedelta(days=7), READ),
        (Slice("2011-01-01", "2012-01-01"), timedelta(days=8), LOOK),
        (Slice("2011-01-01", "2012-01-01"), timedelta(days=30), READ),
        (Slice("2031-01-01"), timedelta(days=30), READ),
        (Slice("", "1990-01-01"), timedelta(days=2), LOOK),
        (Slice(), timedelta(days=1), READ),
    ],
)
def test_due(part: Slice, age: timedelta, due: str) -> None:
    read = (NOW - age).isoformat(timespec="seconds")
    assert Slice(part.start, part.stop, read).due(NOW) == due


def test_never_read_is_due() -> None:
    assert all(part.due(NOW) == READ for part in cut(TODAY, 1000))


def test_a_look_counts_for_looking_only() -> None:
    part = Slice("2011-01-01", "2012-01-01", ago(days=10), ago(hours=2))
    assert part.due(NOW) == NOTHING
    assert Slice(part.start, part.stop, ago(days=31), ago(hours=2)).due(NOW) == READ


def test_what_was_read_in_one_go_is_not_due_in_one_go() -> None:
    """Of 160 far slices no day of the second half of a month has more than a fifth."""
    far = [part for part in cut(TODAY, 20_000) if "2010" <= part.start < "2024"]
    counts = []
    for day in range(1, 31):
        read = ago(days=day)
        due = [p for p in far if Slice(p.start, p.stop, read).due(NOW) == READ]
        counts.append(len(due))
    steps = [later - sooner for sooner, later in pairwise(counts)]
    assert counts[-1] == len(far)
    assert max(steps) <= len(far) / 5
