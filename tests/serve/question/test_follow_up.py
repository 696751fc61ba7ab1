"""Follow-ups by rules: which need the question before, and what they become."""

import pytest

from dunegpt.serve.question.follow_up import (
    find_subject,
    is_follow_up,
    resolve_by_rules,
)

FIELD = "What is the drift field of the far detector?"
LOWERED = "Why was the cathode voltage lowered?"
NAMED = "What is LTS-0007 about?"
CITED = ("docdb:1:2", "docdb:5:1")


@pytest.mark.parametrize(
    ("question", "before", "expected"),
    [
        ("And its length?", FIELD, "What is the length of the far detector?"),
        ("and the length?", FIELD, "What is the length of the far detector?"),
        ("How long is it?", LOWERED, "How long is the cathode voltage?"),
        (
            "What is its length in metres?",
            FIELD,
            "What is the length of the far detector in metres?",
        ),
        (
            "What about the near detector?",
            FIELD,
            "What is the drift field of the near detector?",
        ),
        ("What about ProtoDUNE?", FIELD, "What is the drift field of ProtoDUNE?"),
        (
            "and in ProtoDUNE?",
            FIELD,
            "What is the drift field of the far detector in ProtoDUNE?",
        ),
        (
            "And at 180 kV?",
            "What is the current at 120 kV in Larch?",
            "What is the current at 180 kV in Larch?",
        ),
        ("Why?", "When was the pump stopped?", "Why was the pump stopped?"),
        ("When did that happen?", LOWERED, "When was the cathode voltage lowered?"),
        ("and why was it lowered?", "What is the cathode voltage?", LOWERED),
        ("How thick are those wires?", "What are the wires of the APA?", None),
        (
            "How much argon does it hold?",
            "How much argon evaporates when Larch loses power?",
            "How much argon does Larch hold?",
        ),
        ("Is that safe?", LOWERED, "Is the cathode voltage safe?"),
        ("Who wrote it?", NAMED, "Who wrote LTS-0007?"),
        ("What is its length?", NAMED, "What is the length of LTS-0007?"),
        (
            "What does that document say of trips?",
            NAMED,
            "What does LTS-0007 say of trips?",
        ),
        ("Who wrote that?", FIELD, "Who wrote docdb:1:2?"),
        ("the second one?", FIELD, "docdb:5:1"),
        (
            "What does the last paper say of it?",
            FIELD,
            "What does docdb:5:1 say of the far detector?",
        ),
    ],
)
def test_follow_ups(question: str, before: str, expected: str | None) -> None:
    assert is_follow_up(question)
    assert resolve_by_rules(question, before, CITED) == (
        expected or "How thick are the wires of the APA?"
    )


@pytest.mark.parametrize(
    "question",
    [
        "How long is the near detector?",
        "What is the cryostat and how is it cooled?",
        "How long does it take to fill the cryostat?",
        "Is it possible to fill Larch in May?",
        "Does the cryostat lose its argon?",
        "Which tests did the CPA pass before they hung it?",
        "What does the note say that Larch lost?",
        "purge flow",
        "LTS-0003",
        "Who wrote LTS-0007?",
        "And what is the field of the near detector?",
        "What is the first run?",
        "When was the last time that the pump tripped?",
        "Which pumps are there?",
        "What is a task that is solved by no computer called?",
        "Who gave their name to the valley?",
        "What level of purity should monitors read if they are cold?",
        "If the tower has dark spots what does it mean?",
        "It is not likely that the pump failed",
        "Argon decreases its own temperature",
        "",
        "???",
    ],
)
def test_what_stands_alone(question: str) -> None:
    assert not is_follow_up(question)


def test_an_ordinal_of_no_document_gets_the_subject() -> None:
    assert resolve_by_rules("How long is the third one?", FIELD, CITED) != ""
    assert "far detector" in resolve_by_rules(
        "How long is the third one?", FIELD, CITED
    )


def test_without_a_subject_the_question_before_is_added() -> None:
    assert (
        resolve_by_rules("How large is it?", "purge flow")
        == "How large is it (purge flow)?"
    )


@pytest.mark.parametrize(
    ("question", "subject"),
    [
        ("Who built the purity monitors?", "the purity monitors"),
        ("How is the field cage held?", "the field cage"),
        ("What does the cryostat hold?", "the cryostat"),
        ("How much argon does ProtoDUNE use?", "ProtoDUNE"),
        ("purge flow", ""),
        ("", ""),
    ],
)
def test_subjects(question: str, subject: str) -> None:
    assert find_subject(question) == subject


@pytest.mark.slow
def test_long_questions_take_no_time() -> None:
    for piece in ("and at the that it ", "of the first one ", "A1b2 ", "x"):
        question = piece * (4000 // len(piece))
        is_follow_up(question)
        resolve_by_rules(question, question, CITED)
