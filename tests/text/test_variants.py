"""Other forms in which a word of a question may stand in a text."""

import pytest

from dunegpt.text.analyzer import tokenize
from dunegpt.text.variants import add_asked_words, find_alternatives


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("when did the pump break", "The pump broke in May."),
        ("which valve froze", "The valve may freeze."),
        ("what did they choose", "They chose the spare."),
        ("the colour of the fibre", "The color of the fiber"),
        ("two litres", "2 liters"),
        ("the FPGA", "the FPGAs"),
        ("RCEs", "an RCE"),
        ("PMTs", "one PMT"),
        ("maximum level", "max level"),
        ("the second run", "the 2nd run"),
        ("warm-up", "warmup"),
        ("warmup", "warm-up"),
        ("warm up", "warmup"),
        ("warmup", "warm up"),
        ("v3.12.4", "v03_12_04"),
        ("analyses", "the analysis"),
    ],
)
def test_a_question_meets_the_forms_of_its_words(question: str, text: str) -> None:
    alternatives = find_alternatives(question)
    found = add_asked_words(set(tokenize(text)), alternatives)
    assert set(tokenize(question)) - found <= {"they", "which"}


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("lead", "the LED"),
        ("left side", "leave it"),
        ("the gas", "GA"),
        ("3.1 bar", "v3_1"),
        ("four wires", "5 wires"),
        ("colour", "col"),
    ],
)
def test_what_only_looks_alike_stays_apart(question: str, text: str) -> None:
    alternatives = find_alternatives(question)
    found = add_asked_words(set(tokenize(text)), alternatives)
    assert not set(tokenize(question)) <= found
