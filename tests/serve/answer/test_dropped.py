"""What becomes of a model's sentences that nothing backs: marked, or left out."""

import pytest

from dunegpt.config import AnswerSettings, Settings
from dunegpt.types import Finished, Outcome, Sentence
from simulators.llm.openai_server import fake_model
from tests.index.corpus import PUBLIC
from tests.serve.answer.test_pipeline import QUESTION, notes, with_model
from tests.serve.asking import answer

__all__ = ["notes"]

REPLY = "The drift field is 475 V/cm [1]. It was 999 V/cm once [1]. Wombats dig."


@pytest.mark.slow
@pytest.mark.parametrize(("unsupported", "shown"), [("mark", 3), ("drop", 1)])
def test_unsupported(notes: Settings, unsupported: str, shown: int) -> None:
    table = AnswerSettings.model_validate({"unsupported": unsupported})
    with fake_model([REPLY]) as model:
        mine = with_model(notes, model.url).model_copy(update={"answer": table})
        events = list(answer(QUESTION, mine, reader=PUBLIC))
    end = events[-1]
    assert isinstance(end, Finished)
    assert end.outcome is Outcome.ANSWERED
    assert end.dropped == 2
    said = [event for event in events if isinstance(event, Sentence)]
    assert len(said) == shown
    assert said[0].text == "The drift field is 475 V/cm."
    assert any("999" in sentence.text for sentence in said) is (shown == 3)


def test_nothing_is_left(notes: Settings) -> None:
    table = AnswerSettings(unsupported="drop")
    reply = "It was 999 V/cm once [1]. NOT IN THE DOCUMENTS"
    with fake_model([reply]) as model:
        mine = with_model(notes, model.url).model_copy(update={"answer": table})
        events = list(answer(QUESTION, mine, reader=PUBLIC))
    end = events[-1]
    assert isinstance(end, Finished)
    assert (end.outcome, end.dropped) == (Outcome.NOT_IN_DOCUMENTS, 1)
    assert not any(isinstance(event, Sentence) for event in events)
