"""What a trace observes of an answer, and that an answer alone keeps nothing."""

import hashlib
import json
from collections.abc import Generator
from contextlib import closing
from typing import Any

import pytest

from dunegpt.config import AnswerSettings, Settings
from dunegpt.errors import ModelError
from dunegpt.index.search.hits import SearchResult
from dunegpt.index.search.open import open_searcher
from dunegpt.serve.answer import pipeline
from dunegpt.serve.answer.pipeline import answer
from dunegpt.serve.answer.request import AnswerRequest
from dunegpt.serve.answer.trace import AnswerTrace
from dunegpt.types import Finished, Sentence
from simulators.llm.openai_server import fake_model
from tests.index.corpus import PUBLIC
from tests.serve.answer.test_pipeline import FACT, QUESTION, notes, with_model

__all__ = ["notes"]


def traced(settings: Settings, **more: Any) -> tuple[list[Any], AnswerTrace]:
    trace = AnswerTrace(AnswerRequest(QUESTION, settings, PUBLIC))
    return list(answer(trace.request, trace=trace, **more)), trace


def test_an_answer_keeps_nothing(notes: Settings) -> None:
    before = sorted(notes.data.rglob("*"))
    events, trace = traced(notes)
    assert trace.finished == events[-1]
    assert events[-1].receipt == ""
    assert sorted(notes.data.rglob("*")) == before


def test_what_is_observed(notes: Settings) -> None:
    with fake_model(["The drift field is 475 V/cm [1]. It was 9 V once [1]."]) as model:
        _, trace = traced(with_model(notes, model.url))
        body = model.requests[0]
    assert trace.snapshot == notes.paths.current_snapshot.resolve().name
    assert trace.searched_question == trace.standalone_question == QUESTION
    sent = [[m["role"], m["content"]] for m in body["messages"]]
    prompt = hashlib.sha256(json.dumps(sent).encode()).hexdigest()
    [call] = trace.servers
    assert (call.name, call.prompt_sha256, call.end) == ("fake", prompt, "wrote")
    assert [s.supported for s in trace.sentences] == [True, False]
    assert trace.dropped == 1
    assert trace.citations[1].hit.passage.text.endswith(FACT)
    assert trace.citations[1].cited, "the last event's references count"
    times = trace.times
    assert times.search and times.first_reference and times.verification
    assert times.search < times.first_reference <= times.whole


def test_a_sentence_that_is_left_out_is_observed(notes: Settings) -> None:
    table = AnswerSettings(unsupported="drop")
    with fake_model(["The drift field is 475 V/cm [1]. It was 9 V once [1]."]) as model:
        mine = with_model(notes, model.url).model_copy(update={"answer": table})
        events, trace = traced(mine)
    assert sum(isinstance(event, Sentence) for event in events) == 1
    assert len(trace.sentences) == 2
    assert isinstance(events[-1], Finished)
    assert events[-1].dropped == 1


def test_how_servers_end(notes: Settings) -> None:
    mine = with_model(notes, "http://127.0.0.1:1/v1")
    trace = AnswerTrace(AnswerRequest(QUESTION, mine, PUBLIC))

    def stream(name: str, messages: Any) -> Generator[str]:
        yield "one"
        if messages:
            raise ModelError("It broke.")

    watched = trace.watch_stream(stream)
    assert list(watched("fake", [])) == ["one"]
    with pytest.raises(ModelError):
        list(watched("fake", [("user", "x")]))
    with closing(watched("fake", [])) as left:
        next(left)
    trace.note_skipped_server("fake")
    ends = [call.end for call in trace.servers]
    assert (ends[0], ends[2], ends[3]) == ("wrote", "left", "nothing_to_read")
    assert ends[1] == ModelError("").fault.value


def test_notes_of_the_search_add_up(notes: Settings) -> None:
    trace = AnswerTrace(AnswerRequest(f"{QUESTION} type:note", notes, PUBLIC))
    trace.add_notes(["rewritten by rules"])
    trace.note_search(SearchResult(question=QUESTION, notes=("cut short",)))
    assert trace.search_notes == ("rewritten by rules", "cut short")
    assert trace.searched_question == QUESTION
    assert trace.standalone_question == f"{QUESTION} type:note"


def test_an_open_searcher_is_not_opened_again(
    notes: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_searcher(notes)) as searcher:

        def refuse(*_: Any) -> Any:
            raise AssertionError("opened")

        monkeypatch.setattr(pipeline, "open_searcher", refuse)
        for _ in range(2):
            events, _ = traced(notes, searcher=searcher)
            assert any(isinstance(e, Sentence) and e.text == FACT for e in events)
        assert searcher.as_reader(PUBLIC).search(QUESTION).hits, "it stays open"
    with pytest.raises(AssertionError, match="opened"):
        traced(notes)
