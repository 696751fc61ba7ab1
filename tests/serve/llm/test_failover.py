"""Answers when there are several model servers, and when the reader leaves."""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from dunegpt.access import Access
from dunegpt.config import EmbedSettings, Settings
from dunegpt.index.build import build
from dunegpt.llm_settings import LLMSettings
from dunegpt.serve.llm.circuit_breaker import MAX_FAILURES
from dunegpt.serve.llm.pool import LLMPool
from dunegpt.types import AnswerEvent, Finished, Mode, Notice, Outcome, Sentence
from simulators.llm.openai_server import STATUSES, FakeModel, fake_model
from tests.index.corpus import PUBLIC, document, fill, readers
from tests.serve.asking import answer

QUESTION = "What is the drift field of the far detector?"
FACT = "The drift field of the far detector is 475 V/cm."
GOOD = "The drift field is 475 V/cm [1]."
LAR = readers("n:lar")


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Settings:
    """Index two notes, one of them for LAr people only."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("notes") / "data",
        embed=EmbedSettings(model=str(tiny_encoder)),
    )
    mine = document("n:FLD-1:1", access=PUBLIC)
    secret = document("n:SEC-3:1", access=LAR)
    text = "The drift field of the far detector is a quokka 180 V."
    fill(settings, [(mine, {"a.txt": [FACT]}), (secret, {"a.txt": [text]})])
    build(settings)
    return settings


class Servers:
    """Fake servers, called a, b, c, ... in their order."""

    def __init__(self, stack: ExitStack, *replies: str | Sequence[str]) -> None:
        self.each: list[FakeModel] = [
            stack.enter_context(fake_model([r] if isinstance(r, str) else r))
            for r in replies
        ]

    def settings(self, settings: Settings, **more: Any) -> Settings:
        """Return settings with these servers; `more` is by name."""
        tables = {}
        for name, model in zip("abc", self.each, strict=False):
            keys = {"base_url": model.url, "model": "fake", "timeout_s": 20}
            tables[name] = LLMSettings(**{**keys, **more.get(name, {})})
        return settings.model_copy(update={"llm": tables})

    @property
    def asked(self) -> list[int]:
        return [len(model.requests) for model in self.each]


def told(
    settings: Settings, reader: Access = PUBLIC, **more: Any
) -> tuple[list[str], str, Finished]:
    """Return the sentences, the notices and the end of an answer."""
    events: list[AnswerEvent] = list(answer(QUESTION, settings, reader=reader, **more))
    said = [event.text for event in events if isinstance(event, Sentence)]
    notices = "\n".join(event.text for event in events if isinstance(event, Notice))
    end = events[-1]
    assert isinstance(end, Finished)
    return said, notices, end


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault", [*STATUSES, "hang", "empty", "nonsense", "html", "drop: The dri", "stall:"]
)
def test_the_next_server_answers(notes: Settings, fault: str) -> None:
    with ExitStack() as stack:
        servers = Servers(stack, fault, GOOD)
        limit = {"timeout_s": 0.5 if fault in {"hang", "stall:"} else 20}
        said, notices, end = told(servers.settings(notes, a=limit))
        assert servers.asked == [1, 1]
    assert said == ["The drift field is 475 V/cm."]
    assert (end.outcome, end.mode) == (Outcome.ANSWERED, Mode.GENERATED)
    assert "'a'" in notices
    assert "'b'" not in notices


def test_the_first_server_is_enough(notes: Settings) -> None:
    with ExitStack() as stack:
        servers = Servers(stack, GOOD, "It was cold [1].")
        said, notices, _ = told(servers.settings(notes))
        assert servers.asked == [1, 0]
    assert (said, notices) == (["The drift field is 475 V/cm."], "")


def test_all_are_down(notes: Settings) -> None:
    with ExitStack() as stack:
        servers = Servers(stack, "503", "401", "empty")
        said, notices, end = told(servers.settings(notes))
        assert servers.asked == [1, 1, 1]
    assert said == [FACT]
    assert (end.outcome, end.mode) == (Outcome.MODEL_UNAVAILABLE, Mode.EXTRACTIVE)
    assert [name in notices for name in ("'a'", "'b'", "'c'")] == [True] * 3


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["drop", "stall", "no end", "tells"])
def test_two_models_are_never_mixed(notes: Settings, fault: str) -> None:
    """Who broke off after a sentence is followed by the documents' own."""
    broken = f"{fault}: {GOOD} The far detector is a"
    with ExitStack() as stack:
        servers = Servers(stack, broken, "The far detector has another field [1].")
        limit = {"timeout_s": 2 if fault == "stall" else 20}
        said, notices, end = told(servers.settings(notes, a=limit))
        assert servers.asked == [1, 0]
    assert said == ["The drift field is 475 V/cm.", FACT]
    assert (end.outcome, end.mode) == (Outcome.MODEL_UNAVAILABLE, Mode.EXTRACTIVE)
    assert "own sentences" in notices


def test_each_is_sent_what_it_may_read(notes: Settings) -> None:
    with ExitStack() as stack:
        servers = Servers(stack, "500", GOOD)
        mine = servers.settings(notes, b={"may_read": ["n:lar"]})
        told(mine, LAR)
        outside, inside = servers.each
        assert FACT in outside.sent
        assert "quokka" not in outside.sent
        assert "quokka" in inside.sent


def test_one_that_may_read_nothing_is_passed_over(settings: Settings) -> None:
    fill(settings, [(document("n:a", access=LAR), {"a.txt": [FACT]})])
    build(settings)
    with ExitStack() as stack:
        servers = Servers(stack, GOOD, GOOD)
        mine = servers.settings(settings, b={"may_read": ["*"]})
        _, notices, end = told(mine, LAR)
        assert servers.asked == [0, 1]
    assert "may be sent to the model server 'a'" in notices
    assert (end.outcome, end.mode) == (Outcome.ANSWERED, Mode.GENERATED)


def test_one_that_fails_again_and_again_is_left_out(notes: Settings) -> None:
    with ExitStack() as stack:
        servers = Servers(stack, "500", GOOD)
        mine = servers.settings(notes)
        models = LLMPool(mine)
        for _ in range(MAX_FAILURES):
            told(mine, models=models)
        _, notices, end = told(mine, models=models)
        assert servers.asked == [MAX_FAILURES, MAX_FAILURES + 1]
    assert "is left out" in notices
    assert end.mode is Mode.GENERATED


@pytest.mark.slow
def test_a_full_queue_is_an_unavailable_model(notes: Settings) -> None:
    with ExitStack() as stack:
        servers = Servers(stack, f"slow: {GOOD} ")
        mine = servers.settings(notes, a={"at_once": 1, "timeout_s": 2})
        models = LLMPool(mine)
        first = answer(QUESTION, mine, reader=PUBLIC, models=models, person="ada")
        with closing(first):
            while not isinstance(next(first), Sentence):
                pass
            said, notices, end = told(mine, models=models, person="bo")
        assert servers.asked == [1]
    assert said == [FACT]
    assert end.outcome is Outcome.MODEL_UNAVAILABLE
    assert "overloaded" in notices


def test_a_reader_who_leaves_stops_the_model(notes: Settings) -> None:
    with ExitStack() as stack:
        servers = Servers(stack, f"slow: {GOOD} ")
        [model] = servers.each
        events = answer(QUESTION, servers.settings(notes), reader=PUBLIC)
        while not isinstance(next(events), Sentence):
            pass
        assert not model.left.is_set()
        events.close()
        assert model.left.wait(20)


def test_the_same_question_is_sent_in_the_same_words(notes: Settings) -> None:
    with ExitStack() as stack:
        servers = Servers(stack, GOOD)
        mine = servers.settings(notes)
        told(mine)
        told(mine)
        first, second = servers.each[0].requests
    assert first == second
    assert (first["temperature"], first["seed"]) == (0, 0)
