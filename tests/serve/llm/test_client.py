"""One model server: text as it comes, and each failure told apart from the others."""

import socket
from contextlib import closing
from typing import Any

import pytest

from dunegpt.config import Settings
from dunegpt.errors import ModelError, ModelFault
from dunegpt.llm_settings import LLMSettings
from dunegpt.serve.llm import client
from dunegpt.serve.llm.check import Element, ServerCheck
from simulators.llm import openai_server
from simulators.llm.openai_server import FakeModel, fake_model

HELLO = [("system", "Be short."), ("user", "Hello?")]
SECRET = "s3cret-key"


def table(url: str, **more: Any) -> LLMSettings:
    return LLMSettings(**{"base_url": url, "model": "fake", "timeout_s": 20, **more})


def told(model: FakeModel, key: str = "") -> str:
    return "".join(client.stream("fake", table(model.url), key, HELLO))


def fault(reply: str, **more: Any) -> ModelError:
    with fake_model([reply]) as model, pytest.raises(ModelError) as caught:
        list(client.stream("fake", table(model.url, **more), SECRET, HELLO))
    assert len(model.requests) == 1  # nothing is tried twice behind our back
    assert "'fake'" in str(caught.value)
    assert "Hello" not in str(caught.value)
    assert caught.value.hint
    return caught.value


def test_text_comes_as_it_is_written() -> None:
    with fake_model(["The far detector is cold."]) as model:
        pieces = list(client.stream("fake", table(model.url), SECRET, HELLO))
    assert len(pieces) == 4
    assert "".join(pieces) == "The far detector is cold."
    [body] = model.requests
    assert (body["temperature"], body["seed"], body["stream"]) == (0, 0, True)
    assert body["messages"] == [{"role": r, "content": c} for r, c in HELLO]
    assert model.keys == [f"Bearer {SECRET}"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("400", ModelFault.REFUSES),
        ("401", ModelFault.KEY),
        ("404", ModelFault.MODEL),
        ("429", ModelFault.OVERLOADED),
        ("500", ModelFault.REFUSES),
        ("503", ModelFault.OVERLOADED),
        ("long", ModelFault.TOO_LONG),
        ("drop: The field", ModelFault.BROKE_OFF),
        ("no end: The field", ModelFault.BROKE_OFF),
        ("tells: The field", ModelFault.BROKE_OFF),
        ("tells: ", ModelFault.REFUSES),
        ("empty", ModelFault.EMPTY),
        ("nonsense", ModelFault.NONSENSE),
        ("html", ModelFault.NONSENSE),
    ],
)
def test_faults_are_told_apart(reply: str, expected: ModelFault) -> None:
    error = fault(reply)
    assert error.fault is expected
    lasting = {ModelFault.REFUSES, ModelFault.KEY, ModelFault.MODEL}
    assert error.retryable is (expected not in lasting | {ModelFault.TOO_LONG})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("hang", ModelFault.SILENT),
        ("stall: ", ModelFault.SILENT),
        ("stall: The field", ModelFault.STALLED),
        ("pings: ", ModelFault.SILENT),
        ("pings: The field", ModelFault.STALLED),
        ("slow: The field", ModelFault.STALLED),
    ],
)
def test_what_never_ends(reply: str, expected: ModelFault) -> None:
    error = fault(reply, timeout_s=1, answer_timeout_s=1.5)
    assert error.fault is expected
    assert "timeout_s = 1" in str(error)


def test_nobody_listens() -> None:
    with fake_model(["x"]) as gone:
        pass
    with pytest.raises(ModelError) as caught:
        told(gone)
    assert caught.value.fault is ModelFault.DOWN


def test_somebody_listens_who_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/v1"
        with pytest.raises(ModelError) as caught:
            list(client.stream("fake", table(url, timeout_s=0.3), "", HELLO))
    assert caught.value.fault is ModelFault.SILENT
    assert "timeout_s = 0.3" in str(caught.value)


def test_what_came_before_a_fault_was_given() -> None:
    said = []
    with fake_model(["drop: The field is 475"]) as model, pytest.raises(ModelError):
        for piece in client.stream("fake", table(model.url), "", HELLO):
            said.append(piece)
    assert "".join(said) == "The field is 475"


def test_a_key_is_in_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        openai_server.STATUSES, "401", (401, f"Incorrect API key: {SECRET}")
    )
    error = fault("401")
    assert SECRET not in str(error)
    assert "***" in str(error)


def test_closing_the_stream_stops_the_server() -> None:
    with fake_model(["slow: The field is 475 V/cm. "]) as model:
        with closing(client.stream("fake", table(model.url), "", HELLO)) as pieces:
            assert next(pieces)
            assert not model.left.is_set()
        assert model.left.wait(20)


def test_answer_in_a_shape() -> None:
    with fake_model(['{"symbol": "Ar", "number": 18}']) as model:
        found = client.generate_structured("fake", table(model.url), "", HELLO, Element)
    assert found == Element(symbol="Ar", number=18)
    wanted = model.requests[0]["response_format"]["json_schema"]["schema"]
    assert wanted["required"] == ["symbol", "number"]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("It is argon.", ModelFault.NONSENSE),
        ('{"symbol": "Ar"}', ModelFault.NONSENSE),
        ("400", ModelFault.REFUSES),
    ],
)
def test_answer_in_another_shape(reply: str, expected: ModelFault) -> None:
    with fake_model([reply]) as model, pytest.raises(ModelError) as caught:
        client.generate_structured("fake", table(model.url), "", HELLO, Element)
    assert caught.value.fault is expected


def test_a_check_tells_that_a_server_reads_less() -> None:
    with fake_model(["x"]) as model:
        for tokens, is_right in ((8192, True), (16384, False)):
            mine = Settings(llm={"fake": table(model.url, context_tokens=tokens)})
            first = ServerCheck("fake", mine).run()[0]
            assert (first.name, first.ok) == ("models", is_right)
            assert "8192 tokens" in first.detail


def test_models_are_listed() -> None:
    with fake_model(["x"]) as model:
        own = client.list_models("fake", table(model.url), "")
    assert own == {"fake": 8192, "another": 0}
    with pytest.raises(ModelError) as caught:
        client.list_models("fake", table(model.url), "")
    assert caught.value.fault is ModelFault.DOWN
