"""What kind of answer a question wants, and whether a text has it."""

import pytest

from dunegpt.serve.question.answer_type import detect_answer_type


@pytest.mark.parametrize(
    ("question", "has", "has_not"),
    [
        ("How heavy is one module?", "It is about 24 kg.", "It is 3 m long at 1:20."),
        ("What is the weight of an APA?", "Weight | 600", "It weighs a lot."),
        ("How thick is the wall?", "It has 10 mm of steel.", "It weighs 3 t."),
        ("At what voltage does Larch run?", "It is at -180 kV.", "It runs for 3 h."),
        ("What is the nominal drift field?", "It is 500 V/cm.", "It is 180 kV."),
        (
            "At which pressure does it open?",
            "It opens at 250 mbar.",
            "At 3 am it does.",
        ),
        ("What heat load does it have?", "It has 55 W.", "It has 4 K."),
        ("What temperature has the argon?", "It is at 87 K.", "It is cold in 2024."),
        ("What price did they quote?", "They quoted $ 5,000.", "They quoted 5,000."),
        ("How much will it cost?", "20 kCHF, or 21,000 CHF.", "A lot in 2020."),
        ("When was it cooled down?", "On 3 May 2018.", "After the move of 30 t."),
        ("When did it start?", "in FY19", "when the beam was on"),
        ("When was it moved?", "in June", "it may move"),
        ("When was it moved?", "in week 12", "twelve of them"),
        ("When was it moved?", "on Tuesday", "in a hurry"),
        ("When was it moved?", "in the second quarter", "a quarter of it"),
        ("since when is it off", "seit dem 2. März", "immer"),
        ("How many strips are there?", "There are sixty-four.", "There are strips."),
        ("How often does it trip?", "It trips every night.", "It trips a lot."),
        ("How often did it trip?", "It tripped twice.", "It tripped."),
        ("What is its EDMS number?", "See EDMS 2145137.", "See 2145137, on EDMS."),
        ("Under which DocDB number is it?", "DUNE-doc-5759", "DocDB has it."),
        ("Which arXiv number has it?", "arXiv:2002.03005", "It is on the arXiv."),
    ],
)
def test_kinds(question: str, has: str, has_not: str) -> None:
    kind = detect_answer_type(question)
    assert kind is not None
    assert kind.is_in(has)
    assert not kind.is_in(has_not)


@pytest.mark.parametrize(
    "question",
    [
        "Why was the voltage lowered?",
        "What does the EDMS hold?",
        "How does one cost estimate differ from another?",
        "When I boot, what happens?",
        "Who weighed it?",
        "What is the voltage divider made of?",
        "Which temperature sensors are there?",
        "What causes voltage trips?",
        "What is the role of the high voltage?",
        "",
    ],
)
def test_most_questions_want_no_kind(question: str) -> None:
    assert detect_answer_type(question) is None
