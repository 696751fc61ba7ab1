"""Several servers: whose turn it is, who is left out, and who tries again."""

from contextlib import closing
from typing import Any

import pytest

from dunegpt.config import Settings
from dunegpt.errors import ConfigError, ModelError, ModelFault
from dunegpt.llm_settings import LLMSettings
from dunegpt.serve.llm.circuit_breaker import MAX_FAILURES, PAUSE_S
from dunegpt.serve.llm.pool import LLMPool
from simulators.llm.openai_server import fake_model

HELLO = [("user", "Hello?")]


class Clock:
    """A time that passes when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def of(url: str, clock: Clock | None = None, **more: Any) -> LLMPool:
    table = LLMSettings(**{"base_url": url, "model": "fake", "timeout_s": 20, **more})
    return LLMPool(Settings(llm={"fake": table}), clock or Clock())


def told(models: LLMPool, person: str = "") -> str:
    return "".join(models.stream("fake", HELLO, person))


def fault(models: LLMPool) -> ModelFault:
    with pytest.raises(ModelError, match="The model server 'fake' ") as caught:
        told(models)
    return caught.value.fault


@pytest.mark.slow
def test_a_server_that_fails_is_left_out_for_a_while() -> None:
    clock = Clock()
    replies = ["500"] * MAX_FAILURES + ["Yes.", "500"] + ["Yes."]
    with fake_model(replies) as model:
        models = of(model.url, clock)
        for _ in range(MAX_FAILURES):
            assert fault(models) is ModelFault.REFUSES
        for _ in range(3):
            assert fault(models) is ModelFault.LEFT_OUT
        assert len(model.requests) == MAX_FAILURES
        clock.now += PAUSE_S
        assert told(models) == "Yes."
        assert fault(models) is ModelFault.REFUSES  # one is not enough again
        assert told(models) == "Yes."


def test_one_question_alone_tries_again() -> None:
    clock = Clock()
    replies = ["500"] * MAX_FAILURES + ["slow: Yes. ", "500"]
    with fake_model(replies) as model:
        models = of(model.url, clock)
        for _ in range(MAX_FAILURES):
            fault(models)
        clock.now += PAUSE_S
        with closing(models.stream("fake", HELLO)) as trying:
            next(trying)
            assert fault(models) is ModelFault.LEFT_OUT
        # Its reader left, so nothing was learnt: the next one tries.
        assert fault(models) is ModelFault.REFUSES
        assert fault(models) is ModelFault.LEFT_OUT
        assert len(model.requests) == MAX_FAILURES + 2


def test_too_long_a_prompt_is_not_the_servers_fault() -> None:
    with fake_model(["long"] * (MAX_FAILURES + 1) + ["Yes."]) as model:
        models = of(model.url)
        for _ in range(MAX_FAILURES + 1):
            assert fault(models) is ModelFault.TOO_LONG
        assert told(models) == "Yes."


def test_a_success_forgets_failures() -> None:
    with fake_model([*["500"] * (MAX_FAILURES - 1), "Yes."] * 2) as model:
        models = of(model.url)
        for _ in range(2):
            for _ in range(MAX_FAILURES - 1):
                assert fault(models) is ModelFault.REFUSES
            assert told(models) == "Yes."


def test_servers_are_left_out_one_by_one() -> None:
    with fake_model(["500"]) as bad, fake_model(["Yes."]) as good:
        tables = {
            name: LLMSettings(base_url=url, model="fake")
            for name, url in {"fake": bad.url, "good": good.url}.items()
        }
        models = LLMPool(Settings(llm=tables), Clock())
        for _ in range(MAX_FAILURES):
            fault(models)
        assert fault(models) is ModelFault.LEFT_OUT
        assert "".join(models.stream("good", HELLO)) == "Yes."


def test_a_key_comes_from_a_file_of_ones_own(tmp_path: Any) -> None:
    key = tmp_path / "key"
    key.write_text("s3cret\n")
    with fake_model(["Yes."]) as model:
        models = of(model.url, api_key_file=str(key))
        key.chmod(0o644)
        with pytest.raises(ConfigError, match="Others may read"):
            told(models)
        key.chmod(0o600)
        assert told(models) == "Yes."
    assert model.keys == ["Bearer s3cret"]


def test_too_many_at_a_server_are_told_so() -> None:
    with fake_model(["slow: Yes. "]) as model:
        models = of(model.url, at_once=1, timeout_s=1)
        with closing(models.stream("fake", HELLO, "ada")) as pieces:
            next(pieces)
            assert fault(models) is ModelFault.OVERLOADED
        assert len(model.requests) == 1


def test_a_reader_who_leaves_gives_the_turn_back() -> None:
    with fake_model(["slow: Yes. ", "No."]) as model:
        models = of(model.url, at_once=1)
        with closing(models.stream("fake", HELLO, "ada")) as pieces:
            next(pieces)
        assert told(models, "bo") == "No."
