"""A model server as judge: it can only object, and may fail without harm."""

from collections.abc import Generator, Sequence
from dataclasses import replace

import pytest

from dunegpt.config import AnswerSettings, LLMSettings, Settings
from dunegpt.errors import ModelError, ModelFault
from dunegpt.serve.llm.messages import Messages
from dunegpt.serve.verify.llm_judge import LLMJudge
from dunegpt.types import Notice, Sentence
from simulators.llm.openai_server import fake_model
from tests.index.corpus import PUBLIC
from tests.serve.answer.references import references
from tests.serve.answer.test_pipeline import QUESTION, notes, with_model
from tests.serve.asking import answer

__all__ = ["notes"]

TABLE = LLMSettings(base_url="http://127.0.0.1:9/v1", model="fake")
SOURCE = "Argon is kept in the cryostat."


class Server:
    """Says what it is told to say, or fails."""

    def __init__(self, *replies: str) -> None:
        self.replies = list(replies)
        self.asked: list[str] = []

    def __call__(self, name: str, messages: Messages) -> Generator[str]:
        self.asked.append(messages[-1][1])
        reply = self.replies.pop(0)
        if reply == "down":
            raise ModelError(
                f"The model server {name!r} is down.", fault=ModelFault.DOWN
            )
        yield from (reply[n : n + 2] for n in range(0, len(reply), 2))


def judged(
    replies: Sequence[str], times: int = 1
) -> tuple[list[str], Server, LLMJudge]:
    server = Server(*replies)
    judge = LLMJudge("fair", TABLE, server)
    said = [
        judge.find_objection("Argon is cold.", references(SOURCE)) for _ in range(times)
    ]
    return said, server, judge


@pytest.mark.parametrize(
    ("reply", "objects"),
    [
        ("yes", False),
        ("Yes, it does.", False),
        ("NO.", True),
        ("no", True),
        ("No", True),
    ],
)
def test_yes_and_no(reply: str, objects: bool) -> None:
    [said], server, judge = judged([reply])
    assert bool(said) is objects
    assert judge.notices == []
    assert SOURCE in server.asked[0]
    assert "Argon is cold." in server.asked[0]


@pytest.mark.parametrize("reply", ["Perhaps.", "", "42", "Nothing. Yes."])
def test_neither_is_told_and_objects_to_nothing(reply: str) -> None:
    said, _, judge = judged([reply] * 2, times=2)
    assert said == ["", ""]
    assert len(judge.notices) == 1


def test_it_is_down_once() -> None:
    said, server, judge = judged(["down"], times=3)
    assert said == ["", "", ""]
    assert len(server.asked) == 1
    assert "is down" in judge.notices[0]


def test_what_it_may_not_read_is_not_sent() -> None:
    server = Server("no")
    judge = LLMJudge("fair", TABLE, server)
    [given] = references(SOURCE)
    lar = frozenset({"n:lar"})
    document = replace(given.hit.document, access=lar)
    hidden = replace(given, hit=replace(given.hit, document=document))
    assert judge.find_objection("Argon is cold.", [hidden]) == ""
    assert server.asked == []
    assert "may not read" in judge.notices[0]


@pytest.mark.parametrize(
    ("verdict", "supported", "told"),
    [("no", False, ""), ("yes", True, ""), ("500", True, "not judged")],
)
def test_in_an_answer(
    notes: Settings, verdict: str, supported: bool, told: str
) -> None:
    with fake_model(["The drift field is 475 V/cm [1]."]) as writer:
        with fake_model([verdict]) as judge:
            mine = with_model(notes, writer.url)
            fair = LLMSettings(base_url=judge.url, model="fake", timeout_s=1)
            tables = {**mine.llm, "fair": fair}
            answered = AnswerSettings(judge="fair")
            mine = mine.model_copy(update={"llm": tables, "answer": answered})
            events = list(answer(QUESTION, mine, reader=PUBLIC))
    said = [e for e in events if isinstance(e, Sentence) and "475" in e.text]
    assert said[0].supported is supported
    assert ("judge" in said[0].reason) is not supported
    notices = [e.text for e in events if isinstance(e, Notice)]
    assert any(told in text for text in notices) or not told
    assert len(judge.requests) == 1
