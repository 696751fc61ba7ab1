"""Argo, by its JSON: every family of models, in pieces and whole, and its failures."""

from contextlib import closing
from typing import Any

import pytest

from dunegpt.config import Settings
from dunegpt.errors import ModelError, ModelFault
from dunegpt.llm_settings import LLMSettings
from dunegpt.serve.llm import client as llm
from dunegpt.serve.llm.check import Element, ServerCheck
from dunegpt.serve.llm.limits import RequestTimer
from simulators.llm.argo_server import KNOWN, FakeArgo, fake_argo

ASKED = [("system", "Be short."), ("user", "Hello?")]
TEXT = "Die Kälte beträgt -186 °C in Übergröße."


def table(argo: FakeArgo, **more: Any) -> LLMSettings:
    keys = {"model": "gpt4o", "user": "ada", "timeout_s": 20, "kind": "argo"}
    return LLMSettings(**{**keys, "base_url": argo.url, **more})


def told(argo: FakeArgo, **more: Any) -> str:
    return "".join(llm.stream("argo", table(argo, **more), "", ASKED))


@pytest.mark.parametrize("model", sorted(KNOWN))
def test_every_family_is_asked_as_it_wants(model: str) -> None:
    with fake_argo(TEXT) as argo:
        assert told(argo, model=model) == TEXT
    [(door, body)] = argo.requests
    assert (door, body["user"], body["model"]) == ("streamchat", "ada", model)
    assert "Be short." in str(body["messages"])
    assert body["messages"][-1]["role"] == "user"
    assert 600 in (body.get("max_tokens"), body.get("max_completion_tokens"))


def test_text_comes_in_pieces() -> None:
    with fake_argo("slow: argon ") as argo:
        stream = llm.stream("argo", table(argo), "", ASKED)
        with closing(stream) as pieces:
            assert "argon".startswith(next(pieces)[:5])
            assert not argo.left.is_set()
        assert argo.left.wait(20)


@pytest.mark.parametrize(
    ("reply", "more", "expected"),
    [
        ("hang", {"timeout_s": 0.3}, ModelFault.SILENT),
        ("", {}, ModelFault.EMPTY),
        ("drop: The field", {}, ModelFault.BROKE_OFF),
        ("html", {}, ModelFault.NONSENSE),
        ("x", {"model": "gpt99"}, ModelFault.REFUSES),
        ("x", {"user": "no body"}, ModelFault.KEY),
    ],
)
def test_faults(reply: str, more: dict[str, Any], expected: ModelFault) -> None:
    with fake_argo(reply) as argo, pytest.raises(ModelError) as caught:
        told(argo, **more)
    assert caught.value.fault is expected
    assert "Hello" not in str(caught.value)


def test_whole_answers_are_langchains() -> None:
    timer = RequestTimer(20, 200)
    with fake_argo(TEXT) as argo, llm._make_client(table(argo), timer) as client:
        model = llm._make_chat_model(table(argo), "", client)
        assert model.invoke(ASKED).text == TEXT
        argo.reply = "no response"
        with pytest.raises(ValueError, match="no response"):
            model.invoke(ASKED)
    assert [door for door, _ in argo.requests] == ["chat", "chat"]


def test_it_has_no_structured_output() -> None:
    with fake_argo("{}") as argo, pytest.raises(ModelError, match="structured"):
        llm.generate_structured("argo", table(argo), "", ASKED, Element)
    assert argo.requests == []


def test_it_is_checked_without_what_it_lacks() -> None:
    with fake_argo("Argon is cold. " * 9) as argo:
        found = ServerCheck("argo", Settings(llm={"argo": table(argo)})).run()
    assert [(one.name, one.ok) for one in found] == [
        ("chat", True),
        ("streaming", True),
        ("cancel", True),
    ]
