"""What a model says, against what it cites."""

from dataclasses import replace

import pytest

from dunegpt.serve.verify.verifier import Verifier, verify_sentence
from dunegpt.types import Check
from tests.serve.answer.references import references

SOURCES = references(
    "The drift field is 475 V/cm. The cathode is held at -180 kV on 2024-03-05.",
    "The purity monitor of DUNE-doc-12345-v3 measures 35 ms; see"
    " https://lbne.test/purity?x=1 or ask lee@fnal.test. It cost 1,300 euros.",
    "Laser light enters through 20 ports, from 2.5 m to 3 m above the floor.",
)


@pytest.mark.parametrize(
    ("text", "citations"),
    [
        ("The drift field is 475 V/cm [1].", (1,)),
        ("475 V/cm [1].", (1,)),
        ("It was Okonjo [1].", (1,)),
        ("That is 47,500 V/m [1].", (1,)),
        ("The drift field is 475 V/cm. [1]", (1,)),
        ("The drift field is 475 V / cm [1].", (1,)),
        ("The drift field is 475V/cm [1].", (1,)),
        ("The cathode is held at -180 kV [1].", (1,)),
        ("The cathode is held at \u2212180 kV [1].", (1,)),
        ("The purity monitor of DUNE-doc-12345-v3 measures 35 ms [2].", (2,)),
        ("The purity monitor: see https://lbne.test/purity?x=1 [2].", (2,)),
        ("Of the purity monitor ask lee@fnal.test [2].", (2,)),
        ("Laser light enters through 20 ports [3][1].", (3, 1)),
        ("Laser light enters through 20 ports [3, 1].", (3, 1)),
        ("Laser light enters through 20 ports [3; 3].", (3,)),
        ("Laser light enters through 20 ports [3][9].", (3,)),
        ("Laser ports are from 2.5 m to 3 m above the floor [3].", (3,)),
        ("The monitor cost 1,300 euros [2].", (2,)),
        ("Okonjo's note says that the drift field is 475 V/cm [1].", (1,)),
    ],
)
def test_backed(text: str, citations: tuple[int, ...]) -> None:
    found = verify_sentence(text, SOURCES)
    assert found.supported, found.reason
    assert found.citations == citations
    assert found.reason == ""
    assert "[" not in found.text
    assert " ." not in found.text


@pytest.mark.parametrize(
    "text",
    [
        "The drift field is 476 V/cm [1].",
        "The drift field is 47 V/cm [1].",
        "The drift field is 4750 V/cm [1].",
        "The drift field is 4.75 V/cm [1].",
        "The drift field is -475 V/cm [1].",
        "The cathode is held at 180 kV [1].",
        "The cathode is held at -180 kV on 2024-03-06 [1].",
        "The drift field is 475 kV/cm [1].",
        "The purity monitor of DUNE-doc-12345-v4 measures 35 ms [2].",
        "The purity monitor of DUNE-doc-12354-v3 measures 35 ms [2].",
        "The purity monitor: see https://lbne.test/purity?x=2 [2].",
        "The purity monitor: see https://evil.test/purity?x=1 [2].",
        "Of the purity monitor ask leo@fnal.test [2].",
        "The monitor cost 300 euros [2].",
        "Laser light enters through 5 m ports [3].",
        "Wombats are known to dig burrows in Tasmania [1].",
        "[1]",
        "The drift [1].",
        "The answer is: 475 [1].",
        "Where the cathode is held [1].",
        "Is the drift field 475 V/cm [1]?",
    ],
)
def test_not_backed(text: str) -> None:
    found = verify_sentence(text, SOURCES)
    assert not found.supported
    assert found.reason


@pytest.mark.parametrize(
    ("text", "citations"),
    [
        ("The purity monitor measures 35 ms [1].", (2,)),
        ("Laser light enters through 20 ports [2].", (3,)),
    ],
)
def test_a_wrong_number_is_repaired(text: str, citations: tuple[int, ...]) -> None:
    found = verify_sentence(text, SOURCES)
    assert (found.supported, found.citations) == (True, citations)


@pytest.mark.parametrize("marks", ["", " [9]", " [0]", " [123]"])
def test_without_a_passage_that_was_given(marks: str) -> None:
    found = verify_sentence(f"The drift field is 475 V/cm{marks}.", SOURCES)
    assert (found.supported, found.citations) == (True, (1,))
    lost = verify_sentence(f"Wombats dig burrows{marks}.", SOURCES)
    assert (lost.supported, lost.citations) == (False, ())
    assert ("not given" in lost.reason) is bool(marks)


def test_nothing_given() -> None:
    found = verify_sentence("The drift field is 475 V/cm [1].", [])
    assert not found.supported


@pytest.mark.parametrize(
    ("question", "sentence", "supported"),
    [
        ("What drift field is it?", "It is the drift field [1].", False),
        ("How is the cathode held?", "The cathode is held [1].", False),
        ("What is the drift field?", "The drift field is 475 V/cm [1].", True),
        ("Is the cathode held?", "The cathode is held [1].", True),
        ("cathode", "The cathode is held [1].", True),
    ],
)
def test_the_question_is_no_answer(
    question: str, sentence: str, supported: bool
) -> None:
    found = Verifier(SOURCES, question=question).verify(sentence)
    assert found.supported is supported
    assert found.reason == ("" if supported else "it only repeats the question")


@pytest.mark.parametrize(
    "text",
    [
        "## The drift field of the cathode [1]",
        "The drift field is the one that is mentioned in the question [1].",
        "The drift field is 475 V/cm and the \u2026",
        "Note (n:a, 2024-02-29)",
        "The passage is about the drift field of the cathode [1].",
        "This text describes the drift field of 475 V/cm [1].",
        "The cathode is not described in the passage [1].",
        "The document does not give the drift field of the cathode [1].",
    ],
)
def test_no_statement(text: str) -> None:
    found = verify_sentence(text, SOURCES)
    assert not found.supported
    assert "is not in the source" not in found.reason


@pytest.mark.parametrize(
    ("sentence", "is_one"),
    [
        ("The Purity Monitors of ProtoDUNE: [1]", True),
        ("Purity Monitors of ProtoDUNE (Okonjo, 2024-02-29) [1]", True),
        ("It is called the Purity Monitors of ProtoDUNE [1].", False),
        ("The document is the Purity Monitors of ProtoDUNE [1].", False),
    ],
)
def test_a_title_is_no_statement(sentence: str, is_one: bool) -> None:
    sources = references("They measure hourly.", title="Purity Monitors of ProtoDUNE")
    found = verify_sentence(sentence, sources)
    assert (found.reason == "it is the head of a passage") is is_one


def test_long_gaps_are_closed() -> None:
    found = verify_sentence(
        "The drift field" + " " * 50_000 + "is 475 V/cm [1].", SOURCES
    )
    assert (found.text, found.supported) == ("The drift field is 475 V/cm.", True)


def test_what_cites_nothing_says_what_else_is_wrong() -> None:
    found = verify_sentence(
        "The cathode of the drift field is held at -190 kV.", SOURCES
    )
    assert found.check is Check.CITATION
    assert found.reason == "it cites nothing, and -190 kV is not in the source"
    lost = verify_sentence("Wombats dig burrows.", SOURCES)
    assert lost.reason == "it cites nothing, and no passage has most of its words"


def test_going_round_in_a_circle_is_no_statement() -> None:
    """Unless the source does so, too."""
    round_and_round = (
        "The cathode of the drift field is the cathode of the drift field of the"
        " cathode that holds the drift field."
    )
    found = verify_sentence(f"{round_and_round} [1]", SOURCES)
    assert (found.supported, found.check) == (False, Check.STATEMENT)
    source = replace(SOURCES[0].hit.passage, text=f"Note that {round_and_round}")
    same = replace(SOURCES[0], hit=replace(SOURCES[0].hit, passage=source))
    assert verify_sentence(f"{round_and_round} [1]", [same]).supported


@pytest.mark.parametrize(
    ("question", "sentence", "supported"),
    [
        ("What is the drift field?", "The drift field is -180 kV [1].", False),
        ("What is the drift field?", "The drift field is 475 V/cm [1].", True),
        ("What is the drift field?", "The cathode is held at -180 kV [1].", True),
        ("Why is it so cold?", "The cathode is held at -180 kV [1].", True),
    ],
)
def test_another_kind_of_amount_is_no_answer(
    question: str, sentence: str, supported: bool
) -> None:
    found = Verifier(SOURCES, question=question).verify(sentence)
    assert found.supported is supported, found.reason
