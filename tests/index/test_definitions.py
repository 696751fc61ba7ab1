"""Acronyms that a text explains, in the forms that texts use."""

import pytest

from dunegpt.index.definitions import find_definitions, make_marks
from dunegpt.text.analyzer import tokenize


@pytest.mark.parametrize(
    ("text", "short", "long"),
    [
        ("the wick control unit (WCU) hums", "WCU", "wick control unit"),
        ("The WCU (wick control unit) hums", "WCU", "wick control unit"),
        ("WCU: wick control unit, at the door.", "WCU", "wick control unit"),
        ("- WCU - wick control unit", "WCU", "wick control unit"),
        ("| WCU | wick control unit |", "WCU", "wick control unit"),
        ("**WCU** — wick control unit", "WCU", "wick control unit"),
        ("Here WCU stands for wick control unit. It hums.", "WCU", "wick control unit"),
        ("DAQ = data acquisition", "DAQ", "data acquisition"),
        ("SiPM: silicon photomultiplier", "SiPM", "silicon photomultiplier"),
        ("OoT: out of time", "OoT", "out of time"),
    ],
)
def test_forms(text: str, short: str, long: str) -> None:
    [found] = find_definitions(text)
    assert (found.short, found.long) == (short, long)
    assert found.line in text


@pytest.mark.parametrize(
    "text",
    [
        "PT101 | 0.95 | bar",
        "Run 12: the pump",
        "WCU: it hums all day",
        "NOTE: the pump is off",
        "WICK: WICK test stand",
        "The WCU (see page 3) hums",
        "",
    ],
)
def test_what_only_looks_like_one(text: str) -> None:
    assert list(find_definitions(text)) == []


def test_marks_are_no_words_of_texts() -> None:
    marks = make_marks("WCU: wick control unit\nDAQ = data acquisition")
    assert len(marks) == 2
    assert not set(marks) & set(tokenize(" ".join(marks)))
