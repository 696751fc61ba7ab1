"""Typed marks of notes are told from powers and isotopes."""

import pytest

from dunegpt.ingest.extract.office.note_marks import find_leading_mark, mark_notes
from dunegpt.text.typography import Shift, join_runs

Runs = list[tuple[str, Shift]]


@pytest.mark.parametrize(
    ("runs", "mark"),
    [
        ([("3", "super"), (" in air", "")], "3"),
        ([(" ", ""), ("1", "super"), ("2", "super"), ("Measured", "")], "12"),
        ([("a", "super"), ("without cables", "")], "a"),
        ([("(2)", "super"), (" in May", "")], "2"),
        ([("3", "super"), ("He", ""), (" gas", "")], ""),
        ([("39", "super"), ("Ar decays", "")], ""),
        ([("10", ""), ("3", "super")], ""),
        ([("3", "super")], ""),
        ([("th", "super"), (" run", "")], ""),
        ([], ""),
    ],
)
def test_marks_with_which_notes_begin(runs: Runs, mark: str) -> None:
    assert find_leading_mark(runs) == mark


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([("45 kg", ""), ("3", "super"), (" of it", "")], "45 kg [note 3] of it"),
        ([("45", ""), ("3", "super")], "45 [note 3]"),
        ([("3", "super"), (" in air", "")], "[note 3] in air"),
        ([("10", ""), ("3", "super"), (" Bq", "")], "10³ Bq"),
        ([("2", ""), ("3", "super")], "2³"),
        ([("5 m", ""), ("3", "super"), (" of argon", "")], "5 m³ of argon"),
        ([("(a + b)", ""), ("3", "super")], "(a + b)³"),
        ([("x", ""), ("3", "super")], "x³"),
        ([("of ", ""), ("3", "super"), ("He", "")], "of ³He"),
        ([("45 kg", ""), ("4", "super")], "45 kg⁴"),
        ([("10", ""), ("3", "super"), ("1", "super")], "10³¹"),
    ],
)
def test_marks_in_the_text_are_no_powers(runs: Runs, expected: str) -> None:
    assert join_runs(mark_notes(runs, frozenset({"3"}))) == expected


def test_without_notes_nothing_is_a_mark() -> None:
    runs: Runs = [("45 kg", ""), ("3", "super")]
    assert join_runs(mark_notes(runs, frozenset())) == "45 kg³"
