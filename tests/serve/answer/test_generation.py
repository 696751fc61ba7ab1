"""What a model writes, before and after it is checked."""

import pytest

from dunegpt.config import AnswerSettings, Settings
from dunegpt.types import Notice, Sentence
from simulators.llm.openai_server import fake_model
from tests.index.corpus import PUBLIC
from tests.serve.answer.test_pipeline import QUESTION, notes, with_model
from tests.serve.asking import answer

__all__ = ["notes"]

GOOD = "The drift field is 475 V/cm [1]."


def written(
    notes: Settings, *replies: str, **table: object
) -> tuple[list[Sentence], list[str], list[str]]:
    """Return the sentences, the notices, and the last prompt of each request."""
    with fake_model(replies) as model:
        mine = with_model(notes, model.url)
        own = AnswerSettings(**{"judge": "none", **table})
        events = list(
            answer(QUESTION, mine.model_copy(update={"answer": own}), reader=PUBLIC)
        )
        asked = [body["messages"][-1]["content"] for body in model.requests]
    said = [e for e in events if isinstance(e, Sentence)]
    return said, [e.text for e in events if isinstance(e, Notice)], asked


@pytest.mark.parametrize(
    "text",
    [
        f"<think>It may be 99 V/cm [1]. Or not.</think>{GOOD}",
        f"Let me see. It may be 99 V/cm.\n</think>\n\n{GOOD}",
        f"**Answer:** {GOOD}\n\nSources:\n[1] note.txt",
        f"- {GOOD}",
        r"The drift field is $475\,\mathrm{V/cm}$ [1].",
        "The drift field is 475 V/cm【1】.",
        "The drift field is 475 V/cm (1).",
    ],
)
def test_what_named_models_write(notes: Settings, text: str) -> None:
    said, _, _ = written(notes, text)
    assert [(s.text, s.supported) for s in said] == [
        ("The drift field is 475 V/cm.", True)
    ]


def test_yes_belongs_to_its_sentence(notes: Settings) -> None:
    said, _, _ = written(notes, f"Yes. {GOOD}")
    assert [s.text for s in said] == ["Yes. The drift field is 475 V/cm."]
    assert said[0].supported


def test_a_sentence_is_tried_once_more(notes: Settings) -> None:
    wrong = "The drift field is 476 V/cm [1]."
    said, _, asked = written(notes, f"{wrong}", f"1: {GOOD}")
    assert [(s.text, s.supported) for s in said] == [
        ("The drift field is 475 V/cm.", True)
    ]
    assert len(asked) == 2
    assert f"1: {wrong} (objection: 476 V/cm is not in the source)" in asked[1]


@pytest.mark.parametrize(
    "reply", ["1: DROP", "1: It is 477 V/cm [1].", "Sorry.", "500"]
)
def test_what_cannot_be_repaired_is_told(notes: Settings, reply: str) -> None:
    said, _, _ = written(notes, f"{GOOD} It was 476 V/cm once [1].", reply)
    assert [s.supported for s in said] == [True, False]
    assert said[1].reason == "476 V/cm is not in the source"


def test_it_is_not_tried_again_unless_wanted(notes: Settings) -> None:
    said, _, asked = written(notes, f"{GOOD} It was 9 V once [1].", repair=False)
    assert [s.supported for s in said] == [True, False]
    assert len(asked) == 1


def test_what_follows_a_dropped_sentence_reads_by_itself(notes: Settings) -> None:
    text = f"The cathode is at 9 V [1]. However, {GOOD[0].lower()}{GOOD[1:]}"
    said, _, _ = written(notes, text, "1: DROP", unsupported="drop")
    assert [s.text for s in said] == ["The drift field is 475 V/cm."]


def test_order_is_kept(notes: Settings) -> None:
    text = f"It was 9 V once [1]. {GOOD}"
    said, _, _ = written(notes, text, "1: The far detector has a drift field [1].")
    assert [s.text for s in said][-1] == "The drift field is 475 V/cm."
