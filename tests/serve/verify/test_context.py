"""Sentences that lean on the one before, and those that say yes or no first."""

import pytest

from dunegpt.serve.verify.context import contradicts_lead, leans, split_lead
from dunegpt.serve.verify.verifier import Verifier
from dunegpt.types import Check
from tests.serve.answer.references import references

SOURCES = references(
    "The pump of the north tank leaked in May. It was exchanged by the night shift.",
    "The north tank holds 40 t and the south tank 25 t.",
)


def verify(*texts: str, question: str = "") -> list[bool]:
    verifier = Verifier(SOURCES, question=question)
    return [verifier.verify(text).supported for text in texts]


@pytest.mark.parametrize(
    ("sentence", "is_leaning"),
    [
        ("It was exchanged.", True),
        ("That is 3 ms more.", True),
        ("Before that, the pump leaked.", True),
        ("In the end they were exchanged.", True),
        ("The pump leaked in May.", False),
        ("Larch has two tanks.", False),
    ],
)
def test_leans(sentence: str, is_leaning: bool) -> None:
    assert leans(sentence) == is_leaning


def test_a_leaning_sentence_takes_the_citations_of_the_one_before() -> None:
    verifier = Verifier(SOURCES)
    verifier.verify("The pump of the north tank leaked in May [1].")
    found = verifier.verify("It was exchanged by the night shift.")
    assert (found.supported, found.citations) == (True, (1,))


def test_a_sum_of_what_stands_in_the_sentence_before_is_backed() -> None:
    first = "The north tank holds 40 t and the south tank 25 t [2]."
    assert verify(first, "That is 65 t altogether [2].") == [True, True]
    assert verify(first, "That is 75 t altogether [2].") == [True, False]


def test_a_false_sentence_backs_nothing() -> None:
    false = "The pump of the north tank leaked in June [1]."
    verifier = Verifier(SOURCES)
    assert verifier.verify(false).check is Check.NUMBER
    assert not verifier.verify("It was this.").supported
    verifier.follow(None)
    assert not verifier.verify("It was this.").supported


def test_a_yes_before_a_no_is_told() -> None:
    question = "Was the pump of the north tank exchanged?"
    yes = "Yes, the pump of the north tank was exchanged [1]."
    no = "No, the pump of the north tank was exchanged by the night shift [1]."
    both = "Yes, the pump of the north tank was not exchanged [1]."
    assert verify(yes, question=question) == [True]
    assert verify(no, both, question=question) == [False, False]
    assert split_lead("No. It leaked.") == ("no", "It leaked.")
    assert not contradicts_lead("no", "It was mended instead.", question)
