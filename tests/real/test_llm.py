"""Real vLLM and llama.cpp: what they promise, what they refuse, and how they die.

The model is far too small to be right; what is tested is everything around it.
"""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dunegpt.config import AnswerSettings, EmbedSettings, Settings
from dunegpt.errors import ModelError, ModelFault
from dunegpt.index.build import build
from dunegpt.serve.llm import client
from dunegpt.serve.llm.check import ServerCheck
from dunegpt.serve.llm.messages import Messages
from dunegpt.serve.llm.pool import LLMPool
from dunegpt.serve.question.conversation import AnswerSentence, Turn, check_rewrite
from dunegpt.types import (
    AnswerEvent,
    Finished,
    Mode,
    Notice,
    Outcome,
    QuestionEvent,
    References,
    Sentence,
)
from simulators.llm.model_servers import (
    PROGRAMS,
    ModelServers,
    ModelStartError,
    is_set_up,
    start,
)
from tests.index.corpus import PUBLIC, document, fill
from tests.real.conftest import REQUIRED, absent
from tests.serve.asking import answer

pytestmark = pytest.mark.llm

QUESTION = "What is the drift field of the far detector?"
FACT = "The drift field of the far detector is 475 V/cm."
TEXTS = {
    "n:FLD-1:1": f"{FACT} It is set by the cathode, which hangs at 175 kV.",
    "n:PUR-2:1": "The purity monitors of the far detector measure hourly.",
}
LONG = [("user", "Write a long story about a wombat who finds a quokka.")]
BOTH = pytest.mark.parametrize("name", ["vllm", "llama"])
LLAMA_IN_SMOKE = pytest.mark.parametrize(
    "name", ["vllm", pytest.param("llama", marks=pytest.mark.smoke)]
)


@pytest.fixture(scope="module")
def servers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ModelServers]:
    """Give running servers: both, or llama.cpp alone for the smoke tests."""
    smoke = request.config.option.markexpr == "smoke"
    names = ["llama"] if smoke else list(PROGRAMS)
    if not REQUIRED and not is_set_up(names):
        absent("model servers", "not installed here; 'make llm' installs them")
    try:
        running = start(tmp_path_factory.mktemp("llm"), names)
    except ModelStartError as error:
        absent("model servers", str(error))
    yield running
    running.processes.stop()


@pytest.fixture(scope="module")
def notes(servers: ModelServers, tiny_encoder: Path) -> Settings:
    """Index two notes beside those servers."""
    embed = EmbedSettings(model=str(tiny_encoder))
    settings = servers.settings.model_copy(update={"embed": embed})
    fill(settings, [(document(i), {"a.txt": [t]}) for i, t in TEXTS.items()])
    build(settings)
    return settings


def only(settings: Settings, name: str, **more: Any) -> Settings:
    """Return settings with one server alone."""
    table = settings.llm[name].model_copy(update=more)
    return settings.model_copy(update={"llm": {name: table}})


def told(
    settings: Settings, question: str = QUESTION, **more: Any
) -> tuple[list[AnswerEvent], Finished, str]:
    """Return the events, the last one, and the notices, after checking the answer."""
    events = list(answer(question, settings, reader=PUBLIC, **more))
    end = events[-1]
    assert isinstance(end, Finished)
    assert isinstance(events[0], QuestionEvent)
    assert isinstance(events[1], References)
    for event in events:
        if isinstance(event, Sentence) and event.supported:
            texts = [end.references[n - 1].hit.passage.text for n in event.citations]
            assert texts
            for number in re.findall(r"\d+", event.text):
                assert any(number in text for text in texts)
    notices = "\n".join(e.text for e in events if isinstance(e, Notice))
    return events, end, notices


def faulty(
    settings: Settings, name: str, prompt: str = "Hi", **more: Any
) -> ModelFault:
    table = settings.llm[name].model_copy(update=more)
    key = settings.read_model_key(name)
    with pytest.raises(ModelError) as caught:
        "".join(client.stream(name, table, key, [("user", prompt)]))
    assert key not in str(caught.value)
    return caught.value.fault


@LLAMA_IN_SMOKE
def test_all_that_is_checked(servers: ModelServers, name: str) -> None:
    found = ServerCheck(name, only(servers.settings, name, max_tokens=64)).run()
    assert [(one.name, one.ok) for one in found] == [
        ("models", True),
        ("chat", True),
        ("key", True),
        ("streaming", True),
        ("cancel", True),
        ("structured", True),
    ], found


@BOTH
def test_what_they_refuse(servers: ModelServers, name: str, tmp_path: Path) -> None:
    settings = servers.settings
    assert faulty(settings, name, "argon " * 9000) is ModelFault.TOO_LONG
    assert faulty(settings, name, timeout_s=0.001) in {
        ModelFault.SILENT,
        ModelFault.DOWN,
    }
    (tmp_path / "key").write_text("another")
    (tmp_path / "key").chmod(0o600)
    other = settings.model_copy(update={"config_dir": tmp_path})
    assert faulty(other, name) is ModelFault.KEY
    if name == "vllm":  # llama.cpp answers to every name
        assert faulty(settings, name, model="Qwen/Qwen3-8B") is ModelFault.MODEL


def test_a_reader_who_leaves_stops_vllm(servers: ModelServers) -> None:
    settings = servers.settings
    table = settings.llm["vllm"].model_copy(update={"max_tokens": 2000})
    before = servers.metric("vllm:generation_tokens_total")
    with closing(
        client.stream("vllm", table, settings.read_model_key("vllm"), LONG)
    ) as pieces:
        next(pieces)
        assert servers.metric("vllm:num_requests_running") == 1
    while servers.metric("vllm:num_requests_running"):
        threading.Event().wait(0.05)
    # It would have gone on to 2000, or to the end of the story.
    assert servers.metric("vllm:generation_tokens_total") - before < 60


@LLAMA_IN_SMOKE
def test_same_question_same_answer(notes: Settings, name: str) -> None:
    mine = only(notes, name)
    first, end, notices = told(mine)
    assert end.mode is Mode.GENERATED, notices
    assert end.outcome in {Outcome.ANSWERED, Outcome.NOT_IN_DOCUMENTS}
    assert told(mine)[0] == first


def test_a_full_queue(notes: Settings) -> None:
    """One is answered, one waits, the third is told that it is too much."""
    mine = only(notes, "vllm", at_once=1, max_tokens=2000)
    models = LLMPool(mine)
    table, key = mine.llm["vllm"], mine.read_model_key("vllm")
    queue = models._servers["vllm"].queue
    ends: list[Finished] = []
    waiting = threading.Thread(
        target=lambda: ends.append(told(mine, models=models, person="ada")[1])
    )
    with closing(models.stream("vllm", LONG, "ada")) as first:
        next(first)
        waiting.start()
        while not queue.waiting:
            threading.Event().wait(0.01)
        events, end, notices = told(mine, models=models, person="ada")
    assert (end.outcome, end.mode) == (Outcome.MODEL_UNAVAILABLE, Mode.EXTRACTIVE)
    assert "overloaded" in notices
    assert next(e.text for e in events if isinstance(e, Sentence)) == FACT
    waiting.join()
    assert ends[0].mode is Mode.GENERATED
    assert client.list_models("vllm", table, key)[table.model] == table.context_tokens


def test_secrets_and_questions_are_nowhere(
    servers: ModelServers, notes: Settings
) -> None:
    told(notes)
    listed = subprocess.run(
        ["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True
    ).stdout
    assert "vllm.entrypoints" in listed
    for name in servers.settings.llm:
        key = servers.settings.read_model_key(name)
        log = servers.log(name)
        assert key not in listed + log
        assert "wombat" not in log
        assert "475 V/cm" not in log


def test_from_the_command_line(servers: ModelServers, tmp_path: Path) -> None:
    table = servers.settings.llm["llama"]
    (tmp_path / "dunegpt.toml").write_text(
        f'[llm.small]\nbase_url = "{table.base_url}"\nmodel = "{table.model}"\n'
        f'api_key_file = "{servers.settings.resolve_path(table.api_key_file)}"\n'
        "timeout_s = 300\nmax_tokens = 48\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "dunegpt", "llm", "check", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"structured"' in done.stdout


# ── from here on, vLLM is dead ────────────────────────────────────────────────────


class Killing(LLMPool):
    """Kills the server once it has begun to write."""

    def __init__(self, settings: Settings, servers: ModelServers) -> None:
        super().__init__(settings)
        self._real = servers

    def stream(
        self,
        name: str,
        messages: Messages,
        person: str = "",
        *,
        within_s: float | None = None,
        tokens: int | None = None,
    ) -> Generator[str]:
        for number, piece in enumerate(super().stream(name, messages, person)):
            yield piece
            if number == 0:
                self._real.kill(name)


def test_killed_in_mid_answer(servers: ModelServers, notes: Settings) -> None:
    mine = only(notes, "vllm")
    events, end, notices = told(mine, models=Killing(mine, servers))
    assert (end.outcome, end.mode) == (Outcome.MODEL_UNAVAILABLE, Mode.EXTRACTIVE)
    assert "The model server 'vllm' broke off" in notices
    assert FACT in [e.text for e in events if isinstance(e, Sentence)]


def test_llama_cpp_takes_over(servers: ModelServers, notes: Settings) -> None:
    assert not os.path.exists(f"/proc/{servers.pid('vllm')}/exe")
    _, end, notices = told(notes)
    assert end.mode is Mode.GENERATED
    assert "The model server 'vllm' is down" in notices
    assert "'llama'" not in notices
    assert ServerCheck("vllm", notes).run()[0].ok is False


def test_a_follow_up_stands_alone(servers: ModelServers, notes: Settings) -> None:
    """What such a model writes is checked; the rules are there if it fails."""
    update = {"answer": AnswerSettings(budget_s=300)}
    mine = only(notes, "llama").model_copy(update=update)
    history = [Turn(QUESTION, (AnswerSentence(FACT, (("n:FLD-1:1", "a.txt"),)),))]
    events = answer("and its cathode?", mine, reader=PUBLIC, history=history)
    with closing(events):
        first = next(events)
    assert isinstance(first, QuestionEvent)
    assert first.was_rewritten
    rules = "What is the cathode of the far detector?"
    taken = not check_rewrite(first.question, "and its cathode?", history)
    assert taken or first.question == rules
    assert "cathode" in first.question
