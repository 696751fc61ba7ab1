"""Questions, searches and documents over HTTP: as the command line's --json."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.types import Message

from dunegpt.config import Settings
from dunegpt.schemas.reading import AskResponse, SearchResponse, ShowResponse
from dunegpt.serve.api.answers import run_answer
from dunegpt.serve.api.problems import ProblemError
from dunegpt.serve.api.reading import hide_host_paths
from dunegpt.serve.assistant import AnswerStream, Assistant, ReaderAssistant
from dunegpt.types import AnswerEvent, Notice
from tests.serve.api.world import FACT, HIDDEN, OPEN, QUESTION, TEAM, World, serving


def ask(
    world: World, question: str = QUESTION, who: str = "reader", **more: Any
) -> Any:
    body = {"question": question, **more}
    headers = world.csrf(who)
    return world.call("POST", "/api/v1/ask", who, json=body, headers=headers)


def test_an_answer_is_that_of_the_assistant(world: World, indexed: Settings) -> None:
    found = AskResponse.model_validate(ask(world).json())
    assert FACT in found.answer
    with Assistant(indexed) as assistant:
        own = assistant.as_reader({"public", TEAM}).ask(QUESTION)
    without_receipt = {"receipt": ""}
    assert found.model_copy(update=without_receipt) == own.model_copy(
        update=without_receipt
    )


def test_a_search_and_a_document(world: World, indexed: Settings) -> None:
    found = world.call("GET", "/api/v1/search?q=drift+field&k=2&sources=notes")
    shown = world.call("GET", f"/api/v1/documents/{OPEN}?page=1")
    with Assistant(indexed) as assistant:
        reader = assistant.as_reader({"public", TEAM})
        assert SearchResponse.model_validate(found.json()) == reader.search(
            "drift field", k=2
        )
        assert ShowResponse.model_validate(shown.json()) == reader.show(OPEN, page=1)
    assert FACT in shown.json()["documents"][0]["pages"][0]["text"]


def test_paths_of_the_host_are_left_out() -> None:
    said = 'It says "url":"file:///etc/passwd" here.'
    sent = {
        "url": 'file:///srv/a "b" \\ c.pdf',
        "text": said,
        "more": [{"url": "https://x.test"}, {"url": "file:/x"}],
    }
    kept = json.loads(hide_host_paths(json.dumps(sent, separators=(",", ":"))))
    more = [{"url": "https://x.test"}, {"url": ""}]
    assert kept == {"url": "", "text": said, "more": more}


def test_filters(world: World) -> None:
    answered = ask(world, filters={"documents": ["n:PUR-2:1"]}).json()
    assert {r["document"]["id"] for r in answered["references"]} <= {"n:PUR-2:1"}
    found = world.call("GET", "/api/v1/search?q=far+detector&documents=n:PUR-2:1")
    assert {h["document"]["id"] for h in found.json()["hits"]} <= {"n:PUR-2:1"}


@pytest.mark.parametrize(
    "more",
    [
        {"question": f"\ud800 {QUESTION}"},
        {"without": ["\udfff"]},
        {"filters": {"documents": ["\ud800"]}},
        {"filters": {"kinds": ["\ud800"], "statuses": ["\udc00"]}},
        {"filters": {"author": "\ud800"}},
        {"filters": {"sources": ["\ud800"]}},
        {"\ud800": 1},
    ],
)
def test_halves_of_characters_break_nothing(world: World, more: Any) -> None:
    body = json.dumps({"question": QUESTION, **more})  # escaped, as a client may
    headers = {**world.csrf("reader"), "Content-Type": "application/json"}
    response = world.call("POST", "/api/v1/ask", content=body, headers=headers)
    assert response.status_code in {200, 422}
    assert response.json().get("outcome") != "search_unavailable"


def test_what_is_shown_is_audited(indexed: Settings) -> None:
    with serving(indexed) as world:
        ask(world)
        world.call("GET", f"/api/v1/documents/{HIDDEN}")
        world.call("GET", f"/api/v1/documents/{HIDDEN}", "operator")
        world.call("GET", f"/view/{HIDDEN}")
        audited = world.accounts.audited
        assert OPEN in audited[0][1]
        assert audited[1:] == [("ada", (HIDDEN,), "api"), ("ada", (HIDDEN,), "web")]


def test_limits_count_for_each_person(indexed: Settings) -> None:
    with serving(indexed, questions_per_minute=2, searches_per_minute=1) as world:
        assert ask(world).headers["ratelimit-remaining"] == "1"
        assert ask(world).status_code == 200
        refused = ask(world)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
        assert refused.headers["ratelimit-limit"] == "2"
        assert ask(world, who="operator").status_code == 200
        assert world.call("GET", "/api/v1/search?q=x").status_code == 200
        # A document costs as much as a search, whether it exists or not.
        assert world.call("GET", f"/api/v1/documents/{OPEN}").status_code == 429


def test_limits_count_for_each_network(indexed: Settings) -> None:
    options = {"anonymous": True, "proxies": ["127.0.0.1"], "searches_per_minute": 1}
    with serving(indexed, **options) as world:
        statuses = [
            world.call(
                "GET",
                "/api/v1/search?q=x",
                "nobody",
                headers={"X-Forwarded-For": address},
            ).status_code
            for address in ("2001:db8:1:2::1", "2001:db8:1:2:f::9", "2001:db8:1:3::1")
        ]
    # Whoever has one address of IPv6 has the other 2^64 of its network, too.
    assert statuses == [200, 429, 200]


# ── Answers that take long ────────────────────────────────────────────────────────────


@pytest.fixture
def slow_answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Let answers go on for ever, event by event; give what is set when one ended."""
    ended = threading.Event()

    def events() -> Iterator[AnswerEvent]:
        try:
            while True:
                time.sleep(0.01)
                yield Notice("still working")
        finally:
            ended.set()

    def stream(self: ReaderAssistant, question: str, **options: Any) -> AnswerStream:
        return AnswerStream(question, events())  # type: ignore[arg-type]

    monkeypatch.setattr(ReaderAssistant, "stream", stream)
    yield ended


def test_an_answer_has_a_limit(
    indexed: Settings, slow_answers: threading.Event
) -> None:
    with serving(indexed, answer_timeout_s=0.1) as world:
        response = ask(world)
        assert (response.status_code, response.json()["code"]) == (504, "timeout")
        assert slow_answers.wait(5), "the answer goes on although nobody waits"


def test_nobody_waits_any_more(
    indexed: Settings, slow_answers: threading.Event
) -> None:
    async def receive() -> Message:
        await asyncio.sleep(0.05)
        return {"type": "http.disconnect"}

    async def ask_and_leave(app: FastAPI) -> str:
        reader = app.state.services.assistant.as_reader({"public"})
        request = Request({"type": "http", "app": app}, receive)
        with pytest.raises(ProblemError) as caught:
            await run_answer(request, reader.stream(QUESTION))
        return caught.value.code

    with serving(indexed) as world:
        assert world.client.portal
        code = world.client.portal.call(ask_and_leave, world.app)
        assert code == "client_gone"
        assert slow_answers.wait(5), "the answer goes on although nobody waits"


def test_a_shutdown_tells_running_answers(
    indexed: Settings, slow_answers: threading.Event
) -> None:
    with serving(indexed, shutdown_timeout_s=0.05) as world:
        services = world.app.state.services
        timer = threading.Timer(
            0.05,
            lambda: world.client.portal.call(services.shutdown.begin),  # type: ignore[union-attr]
        )
        timer.start()
        response = ask(world)
        timer.join()
        assert (response.status_code, response.json()["code"]) == (
            503,
            "shutting_down",
        )
        assert slow_answers.wait(5)


def test_too_many_answers_at_once_are_refused(
    indexed: Settings, slow_answers: threading.Event
) -> None:
    limits = {"answers_at_once": 1, "answers_waiting": 0, "answer_timeout_s": 0.5}
    with serving(indexed, **limits) as world:
        first = threading.Thread(target=ask, args=(world,))
        first.start()
        services = world.app.state.services
        deadline = time.monotonic() + 5
        while not services.answer_workers.busy and time.monotonic() < deadline:
            time.sleep(0.005)
        refused = ask(world)
        assert (refused.status_code, refused.json()["code"]) == (503, "busy")
        assert "retry-after" in refused.headers
        # Nobody else waits for a long answer: these have threads of their own.
        assert world.call("GET", "/account").status_code == 200
        first.join()
