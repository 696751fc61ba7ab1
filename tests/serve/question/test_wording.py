"""The content of a question, without the words that only ask."""

import pytest

from dunegpt.serve.question.wording import find_content


@pytest.mark.parametrize(
    ("question", "content"),
    [
        ("whats the level", "what is the level"),
        ("Could you please tell me where the pump is?", "where the pump is?"),
        ("I'd like to know how thick the lid is", "how thick the lid is"),
        ("explain the purge", "the purge"),
        ("How come the valve froze?", "why the valve froze?"),
        ("What was the reason for the stop?", "why the stop?"),
        ("do you know if the lid is shut pls", "the lid is shut"),
        ("what is the current gap of the plates?", "what is the gap of the plates?"),
        ("the latest value of the flow", "the flow"),
        ("Seit wann l\u00e4uft die Pumpe?", "when was l\u00e4uft Pumpe?"),
        ("How many PCB's are there?", "How many PCB are there?"),
        ("Wann wurde die Pumpe getauscht?", "when was Pumpe getauscht?"),
        ("Wer hat den Schlüssel?", "who Schlüssel?"),
        ("Pourquoi la vanne est fermée ?", "why vanne fermée ?"),
    ],
)
def test_words_that_ask_are_no_content(question: str, content: str) -> None:
    assert find_content(question) == content


@pytest.mark.parametrize(
    "question",
    [
        "What is the die temperature?",
        "Was the pump in use?",
        "the war of the currents",
        "what is the current limit?",
        "the current of the divider",
        "tell me",
        'who said "tell me more, please"',
        "author:wer the level",
        "Who explained it?",
        "",
    ],
)
def test_content_stays(question: str) -> None:
    assert find_content(question) == question
