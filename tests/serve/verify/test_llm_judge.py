"""A model server as judge: it may fail without harm, and what it read is told."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from dunegpt.config import AnswerSettings, Settings
from dunegpt.errors import ModelError, ModelFault
from dunegpt.llm_settings import LLMSettings
from dunegpt.serve.llm.messages import Messages, YesNo
from dunegpt.serve.verify.llm_judge import LLMJudge
from dunegpt.types import Check, Notice, Sentence
from simulators.llm.openai_server import FakeModel, fake_model
from tests.index.corpus import PUBLIC
from tests.serve.answer.references import references
from tests.serve.answer.test_pipeline import QUESTION, notes, with_model
from tests.serve.asking import answer

__all__ = ["notes"]

TABLE = LLMSettings(base_url="http://127.0.0.1:9/v1", model="fake")
SOURCE = "Argon is kept in the cryostat."
GOOD = "The drift field is 475 V/cm [1]."


class Server:
    """Gives scripted probabilities, or fails."""

    def __init__(self, *replies: float | None) -> None:
        self.replies = list(replies)
        self.asked: list[Messages] = []

    def __call__(self, name: str, messages: Messages, *, within_s: float) -> YesNo:
        self.asked.append(messages)
        reply = self.replies.pop(0)
        if reply == -1:
            raise ModelError(
                f"The model server {name!r} is down.", fault=ModelFault.DOWN
            )
        return YesNo(reply, True, 100, 80)


def judged(
    replies: Sequence[float | None], times: int = 1, **more: Any
) -> tuple[list[float | None], Server, LLMJudge]:
    server = Server(*replies)
    judge = LLMJudge("fair", TABLE, server, **more)
    said = [
        judge.estimate(f"Argon is cold {n}.", references(SOURCE)) for n in range(times)
    ]
    return said, server, judge


def test_it_gives_a_probability_and_tells_its_cost() -> None:
    said, server, judge = judged([0.9, 0.2], times=2)
    assert said == [0.9, 0.2]
    assert judge.notices == []
    use = judge.use
    assert (use.asked, use.judged, use.has_logprobs) == (2, 2, True)
    assert (use.prompt_tokens, use.cached_tokens) == (200, 160)
    asked = server.asked[0][-1][1]
    assert SOURCE in asked
    assert "Argon is cold 0." in asked


def test_the_writer_is_asked_behind_its_own_prompt() -> None:
    prompt = [("system", "Rules."), ("user", "Passages, and a question.")]
    _, server, _ = judged([0.9], prompt=prompt)
    assert list(server.asked[0][:2]) == prompt
    assert server.asked[0][2] == ("assistant", "Argon is cold 0.")
    assert SOURCE not in server.asked[0][-1][1], "the passages are not sent twice"


def test_a_sentence_is_judged_once() -> None:
    judge = LLMJudge("fair", TABLE, Server(0.7))
    given = references(SOURCE)
    judge.submit("Argon is cold.", given)
    assert [judge.estimate("Argon is cold.", given) for _ in range(2)] == [0.7, 0.7]


def test_neither_yes_nor_no_is_told_once() -> None:
    said, _, judge = judged([None, None], times=2)
    assert said == [None, None]
    assert len(judge.notices) == 1


def test_it_is_down_once() -> None:
    said, server, judge = judged([-1], times=3)
    assert said == [None, None, None]
    assert len(server.asked) == 1
    assert "is down" in judge.notices[0]


def test_what_it_may_not_read_is_not_sent() -> None:
    server = Server(0.1)
    judge = LLMJudge("fair", TABLE, server)
    [given] = references(SOURCE)
    lar = frozenset({"n:lar"})
    document = replace(given.hit.document, access=lar)
    hidden = replace(given, hit=replace(given.hit, document=document))
    assert judge.estimate("Argon is cold.", [hidden]) is None
    assert server.asked == []
    assert "may not read" in judge.notices[0]


def test_an_answer_does_not_wait_longer_than_its_budget() -> None:
    with fake_model([GOOD]) as model:
        model.verdict = "hang"
        table = LLMSettings(base_url=model.url, model="fake")
        judge = LLMJudge("slow", table, _never, budget_s=0.05)
        assert judge.estimate("Argon is cold.", references(SOURCE)) is None
    assert "too slow" in judge.notices[0]
    judge.close()


def _never(name: str, messages: Messages, *, within_s: float) -> YesNo:
    time.sleep(0.2)
    return YesNo(0.9)


def answered(
    notes: Settings, model: FakeModel, judge: str = "self", **tables: LLMSettings
) -> tuple[Sentence, list[str]]:
    mine = with_model(notes, model.url)
    update = {
        "llm": {**mine.llm, **tables},
        "answer": AnswerSettings(judge=judge, judge_trust=1),
    }
    events = list(answer(QUESTION, mine.model_copy(update=update), reader=PUBLIC))
    said = [e for e in events if isinstance(e, Sentence) and "475" in e.text]
    return said[0], [e.text for e in events if isinstance(e, Notice)]


@pytest.mark.parametrize(
    ("verdict", "supported", "told"),
    [
        ("no", False, ""),
        ("yes", True, ""),
        ("503", True, "not judged"),
        ("0.4", True, ""),
    ],
)
def test_the_writer_judges(
    notes: Settings, verdict: str, supported: bool, told: str
) -> None:
    with fake_model([GOOD]) as model:
        model.verdict = verdict
        sentence, notices = answered(notes, model)
    assert sentence.supported is supported
    assert (sentence.check is Check.READING) is not supported
    assert any(told in text for text in notices) or not told
    body = model.judged[0]
    assert body["max_completion_tokens"] == 1
    assert body["messages"][:2] == model.requests[0]["messages"]


def test_another_server_judges_or_none(notes: Settings) -> None:
    with fake_model([GOOD]) as writer, fake_model(["?"]) as judge:
        judge.verdict = "no"
        fair = LLMSettings(base_url=judge.url, model="fake", timeout_s=1)
        sentence, _ = answered(notes, writer, "fair", fair=fair)
        assert not sentence.supported
        assert (len(judge.judged), len(writer.judged)) == (1, 0)
        sentence, _ = answered(notes, writer, "none")
        assert sentence.supported
        assert (len(judge.judged), len(writer.judged)) == (1, 0)


def test_a_server_that_refuses_the_fields_is_asked_without(notes: Settings) -> None:
    with fake_model([GOOD, "No."]) as model:
        model.verdict = "400"
        sentence, _ = answered(notes, model)
    assert "logprobs" not in model.requests[1]
    assert not sentence.supported
