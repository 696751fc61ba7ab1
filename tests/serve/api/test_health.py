"""Health, readiness and metrics, as monitoring sees them; the access log."""

import json
import shutil
import time
from pathlib import Path

import pytest

from dunegpt.config import Settings
from tests.serve.api.world import QUESTION, World, make_index, serving


def test_ready(world: World) -> None:
    assert world.call("GET", "/healthz", "nobody").json() == {"status": "ok"}
    ready = world.call("GET", "/readyz", "nobody")
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "reason": ""})


def test_without_an_index(settings: Settings) -> None:
    with serving(settings) as world:
        ready = world.call("GET", "/readyz", "nobody")
        assert (ready.status_code, ready.json()["reason"]) == (503, "no_index")
        assert world.call("GET", "/healthz", "nobody").status_code == 200
        assert "There is no index yet" in world.call("GET", "/").text
        found = world.call("GET", "/api/v1/search?q=x")
        assert found.json()["code"] == "search_unavailable"
        status = world.call("GET", "/api/v1/status").json()
        assert (status["ready"], status["snapshot"]) == (False, "")


@pytest.mark.slow
def test_without_a_fresh_record_of_access(indexed: Settings, tmp_path: Path) -> None:
    data = tmp_path / "copy"
    shutil.copytree(indexed.data, data, symlinks=True)
    own = indexed.model_copy(update={"data_dir": data})
    with serving(own) as world:
        own.paths.overlay.unlink()
        deadline = time.monotonic() + 10
        while world.call("GET", "/readyz", "nobody").status_code == 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        ready = world.call("GET", "/readyz", "nobody").json()
        assert ready["reason"] == "access_unknown"
        # What was readable a moment ago is not any more.
        hidden = world.call("GET", "/api/v1/documents/n:SEC-3:1")
        assert hidden.status_code == 404


def test_shutting_down(indexed: Settings) -> None:
    with serving(indexed, shutdown_timeout_s=0) as world:
        services = world.app.state.services
        world.client.portal.call(services.shutdown.begin)  # type: ignore[union-attr]
        ready = world.call("GET", "/readyz", "nobody")
        assert ready.json() == {"ready": False, "reason": "shutting_down"}


def test_metrics(world: World) -> None:
    world.call(
        "POST",
        "/api/v1/ask",
        json={"question": QUESTION},
        headers=world.csrf("reader"),
    )
    text = world.call("GET", "/metrics", "operator").text
    assert 'dunegpt_answers_total{mode="extractive",outcome="answered"}' in text
    assert 'route="/api/v1/ask",status="200"' in text
    assert "dunegpt_ready 1.0" in text


def test_the_log_has_who_and_what_but_no_words(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.call("GET", "/api/v1/search?q=secretword", "nobody")
    world.call("GET", "/api/v1/search?q=secretword")
    world.call("GET", "/api/v1/documents/secretword")
    world.call("GET", "/secretword")
    out = capsys.readouterr().out
    assert "secretword" not in out
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["route"] for line in lines] == [
        "/api/v1/search",
        "/api/v1/search",
        "/api/v1/documents/{name:path}",
        "",
    ]
    assert [line["status"] for line in lines] == [401, 200, 404, 404]
    assert lines[1]["kind"] == "local"
    assert lines[1]["bytes"] > 0
    assert len({line["id"] for line in lines}) == 4


def test_a_log_that_cannot_be_written_stops_no_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def write(self, text: str) -> int:
            raise OSError("no space left")

    monkeypatch.setattr("sys.stdout", Full())
    assert world.call("GET", "/healthz", "nobody").status_code == 200


@pytest.mark.slow
def test_a_new_index_is_served(settings: Settings) -> None:
    with serving(settings) as world:
        make_index(settings)
        deadline = time.monotonic() + 20
        while world.call("GET", "/readyz", "nobody").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert world.call("GET", "/api/v1/search?q=drift+field").json()["hits"]
