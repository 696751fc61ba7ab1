"""Whether a candidate is about the thing, side or role that is asked for."""

import pytest

from dunegpt.serve.answer.candidates import extract_candidates
from dunegpt.serve.answer.subjects import (
    find_numbered_things,
    find_subject_conflict,
    has_other_side,
)
from tests.serve.answer.references import hit


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Gauge 7 drifts.", {("gauge", "7")}),
        ("gauges 7, 8 and 70", {("gauge", n) for n in ("7", "8", "70")}),
        ("link no. 12", {("link", "12")}),
        ("PT-101 and v10", {("pt", "101"), ("v", "10")}),
        ("firmware 3.10", {("firmware", "3.10")}),
        ("in 2019, about 40 of 60, 3 bar, weighs 12 kg", set()),
        ("May 7, since 5", set()),
    ],
)
def test_numbered_things(text: str, expected: set[tuple[str, str]]) -> None:
    assert set(find_numbered_things(text)) == expected


@pytest.mark.parametrize(
    ("question", "text", "is_other"),
    [
        ("What does gauge 12 read?", "Gauge 12 reads 3 bar.", False),
        ("What does gauge 12 read?", "Gauge 120 reads 3 bar.", True),
        ("What does gauge 12 read?", "Gauges 11 and 12 read 3 bar.", False),
        ("What does gauge 12 read?", "The pressure is 3 bar.", False),
        ("Which gauge reads 3 bar?", "Gauge 120 reads 3 bar.", False),
        ("Is V10 stuck?", "V1 is stuck.", True),
        ("What is new in firmware 3.1?", "Firmware 3.10 adds a mode.", True),
    ],
)
def test_another_number_is_another_thing(
    question: str, text: str, *, is_other: bool
) -> None:
    [candidate] = extract_candidates(hit(text))
    assert bool(find_subject_conflict(question, candidate)) is is_other


def test_the_sentence_before_may_name_the_thing() -> None:
    found = list(extract_candidates(hit("Gauge 12 was moved. It reads 3 bar.")))
    assert not find_subject_conflict("What does gauge 12 read?", found[1])


@pytest.mark.parametrize(
    ("question", "text", "is_other"),
    [
        ("When was the north door painted?", "The south door was painted.", True),
        ("When was the north door painted?", "North and south doors shut.", False),
        ("Who is the run leader?", "Deputy run leader: Ines.", True),
        ("Who is deputy run leader?", "Deputy run leader: Ines.", False),
        ("When was the door painted?", "The south door was painted.", False),
    ],
)
def test_sides_and_roles(question: str, text: str, *, is_other: bool) -> None:
    [candidate] = extract_candidates(hit(text))
    assert bool(has_other_side(question, candidate)) is is_other
