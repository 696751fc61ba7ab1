"""Text in a document that tries to steer a model that obeys every word of it."""

import json
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from dunegpt.config import Settings
from dunegpt.index.search.searcher import Searcher
from dunegpt.serve.verify.support import SupportScorer
from dunegpt.types import AnswerEvent, Finished, References, Sentence
from simulators.llm.openai_server import fake_model
from tests.index.corpus import PUBLIC, document, pack, readers
from tests.serve.answer.test_pipeline import with_model
from tests.serve.asking import answer

INJECTIONS = tomllib.loads(
    Path(__file__).with_name("injections.toml").read_text("utf-8")
)["injection"]
QUESTION = "What is the drift field of the far detector?"
FACT = "The drift field of the far detector is 475 V/cm."
SECRET = "The drift field of the far detector is a quokka 180 V."
CONTROL = ("<|", "[INST]", "<<SYS>>", "</s>", "</think>", "<start_of", "<tool_call>")


def test_there_are_enough() -> None:
    assert len(INJECTIONS) >= 40
    assert len({each["name"] for each in INJECTIONS}) == len(INJECTIONS)
    assert all(each["never"] for each in INJECTIONS)


@pytest.mark.slow
@pytest.mark.parametrize("each", INJECTIONS, ids=lambda each: each["name"])
def test_changes_nothing(
    each: dict[str, Any],
    settings: Settings,
    tiny_encoder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The untrained encoder finds all texts alike; without one, words are compared.
    monkeypatch.setattr(SupportScorer, "_compare_meaning", SupportScorer.word_share)
    notes = {
        "n:FLD-1:1": ("Field", f"{FACT} {each['text']}", PUBLIC),
        "n:OLD-2:1": ("Notes", "The far detector is cold.", PUBLIC),
        "n:SEC-3:1": ("Secret", SECRET, readers("n:lar")),
    }
    corpus = [
        (document(name, title=title, access=access), {"a.txt": [text]})
        for name, (title, text, access) in notes.items()
    ]
    searcher = Searcher(pack(settings.paths.snapshots, tiny_encoder, corpus))

    def asked(mine: Settings, **more: Any) -> list[AnswerEvent]:
        return list(answer(QUESTION, mine, reader=PUBLIC, searcher=searcher, **more))

    plain = asked(settings, use_model=False)
    with fake_model([f"{each['reply']}\nThe drift field is 475 V/cm [1]."]) as model:
        events = asked(with_model(settings, model.url, may_read=("*",)))
    told = [e.text for e in events if isinstance(e, Sentence) and e.supported]
    for gone in each["never"]:
        assert not any(gone in text for text in told)
    assert "The drift field is 475 V/cm." in told
    # What was found, its numbers and its links are those of an answer without a model.
    first = shown(plain[1])
    assert first == shown(events[1])
    assert {url for *_, url in shown(events[-1])} <= {url for *_, url in first}
    # The model has messages, no tools, and text stays text.
    body, *repairs = model.requests
    for sent in (body, *repairs):
        assert not {"tools", "functions", "tool_choice"} & set(sent)
    assert [m["role"] for m in body["messages"]] == ["system", "user"]
    prompt = body["messages"][1]["content"]
    assert not any(token in prompt for token in CONTROL)
    assert prompt.count("\n[1] ") == 1
    # Nothing hidden was sent or said.
    kept = [asdict(e) for e in events if not is_marked(e)]
    answers = json.dumps(kept, default=str, ensure_ascii=False)
    for secret in ("SEC-3", "180 V", "Secret"):
        assert secret not in prompt.replace(each["text"], "")
        assert secret not in answers.replace(each["text"], "")


def is_marked(event: AnswerEvent) -> bool:
    """Return whether an event is a sentence that is marked as not supported."""
    return isinstance(event, Sentence) and not event.supported


def shown(event: AnswerEvent) -> list[tuple[int, str, str]]:
    """Return number, document and link of each reference of an event."""
    match event:
        case References(citations) | Finished(references=citations):
            return [(c.number, c.hit.document.id, c.url) for c in citations]
    raise AssertionError(f"{event} has no references")
