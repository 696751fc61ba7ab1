"""Every answer leaves a receipt of what it rests on, however it ends."""

import hashlib
import json
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dunegpt.access import Access
from dunegpt.config import ReceiptsSettings, Settings
from dunegpt.errors import ConfigError, UsageError
from dunegpt.index.build import build
from dunegpt.index.search.filters import Filters
from dunegpt.index.search.reader_index import ReaderIndex
from dunegpt.ingest.catalog import overlay
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.llm_settings import LLMSettings
from dunegpt.schemas.receipts import Ended, ReceiptResponse
from dunegpt.serve.answer.request import AnswerRequest
from dunegpt.serve.answer.trace import AnswerTrace
from dunegpt.serve.llm.circuit_breaker import MAX_FAILURES
from dunegpt.serve.llm.pool import LLMPool
from dunegpt.serve.receipts import recorder as module
from dunegpt.serve.receipts.recorder import receipt_of
from dunegpt.serve.receipts.store import ReceiptStore
from dunegpt.types import AnswerEvent, Check, Finished, Mode, Notice, Outcome, Sentence
from simulators.llm.openai_server import fake_model
from tests.index.corpus import PUBLIC, document, fill, readers
from tests.made_once import MakeOnce
from tests.serve.asking import answer

QUESTION = "What is the drift field of the far detector?"
FACT = "The drift field of the far detector is 475 V/cm."
GOOD = "The drift field is 475 V/cm [1]."
LAR = readers("n:lar")


@pytest.fixture
def notes(settings: Settings, make_once: MakeOnce) -> Settings:
    """Index two notes, one of them for LAr people only."""
    secret = "The drift field of the far detector is a quokka 180 V."

    def make() -> None:
        fill(
            settings,
            [
                (document("n:FLD-1:1"), {"a.txt": [f"It was cold in Lead. {FACT}"]}),
                (document("n:SEC-3:1", access=LAR), {"a.txt": [secret]}),
            ],
        )
        build(settings)

    make_once("recorder", settings.data, make)
    return settings


def with_model(settings: Settings, url: str, **more: Any) -> Settings:
    table = LLMSettings(base_url=url, model="fake", timeout_s=5, **more)
    return settings.model_copy(update={"llm": {"fake": table}})


def kept(settings: Settings) -> list[ReceiptResponse]:
    """Return all receipts, the newest first."""
    everybody = frozenset({"n:lar", "n:daq", "public"})
    return list(ReceiptStore(settings.data, 90).list_readable(everybody))


def asked(
    settings: Settings, question: str = QUESTION, reader: Access = PUBLIC, **more: Any
) -> tuple[list[AnswerEvent], Finished, ReceiptResponse]:
    """Return events, the last one, and its receipt."""
    events = list(answer(question, settings, reader=reader, **more))
    end = events[-1]
    assert isinstance(end, Finished)
    receipt = ReceiptStore(settings.data, 90).get(end.receipt, reader)
    assert receipt is not None
    return events, end, receipt


def notices(events: Sequence[AnswerEvent]) -> str:
    return "\n".join(event.text for event in events if isinstance(event, Notice))


# ── what is in it ─────────────────────────────────────────────────────────────────


def test_an_extractive_answer(notes: Settings) -> None:
    filters = Filters(sources=("notes",), author="")
    question = f"{QUESTION} type:note"
    events, end, receipt = asked(notes, question, LAR, filters=filters, k=5)
    assert (receipt.question, receipt.asked) == (question, QUESTION)
    assert receipt.filters.sources == ["notes"]
    assert (receipt.principals, receipt.k, receipt.use_model) == (["n:lar"], 5, True)
    assert (receipt.ended, receipt.error) == (Ended.FINISHED, "")
    assert (receipt.outcome, receipt.mode) == (end.outcome, Mode.EXTRACTIVE)
    current = notes.paths.current_snapshot.resolve()
    assert receipt.snapshot == current.name
    assert (receipt.server, receipt.model, receipt.servers) == ("", "", [])
    assert [p.number for p in receipt.passages] == [1, 2]
    for passage, citation in zip(receipt.passages, end.references, strict=True):
        hit = citation.hit
        text = hit.passage.text
        assert passage.document == hit.document.id
        assert passage.file == "a.txt"
        assert (passage.row, passage.found_by) == (hit.row, "fused")
        assert (passage.start, passage.end) == (0, len(text))
        assert passage.score == pytest.approx(hit.score, abs=1e-5)
        assert passage.sha256 == hashlib.sha256(text.encode()).hexdigest()
        assert passage.cited is citation.cited
    own = [(e.text, list(e.citations)) for e in events if isinstance(e, Sentence)]
    assert [(s.text, s.citations) for s in receipt.sentences] == own
    assert FACT not in json.dumps([p.model_dump() for p in receipt.passages])


def test_a_generated_answer(notes: Settings) -> None:
    with fake_model([f"{GOOD} It was 9 V once [1]. It is far."]) as model:
        mine = with_model(notes, model.url)
        _, end, receipt = asked(mine)
        body = model.requests[0]
    sent = [[m["role"], m["content"]] for m in body["messages"]]
    prompt = hashlib.sha256(json.dumps(sent).encode()).hexdigest()
    assert (receipt.server, receipt.model) == ("fake", "fake")
    assert receipt.prompt_sha256 == prompt
    assert [s.end for s in receipt.servers] == ["wrote"]
    verdicts = [(s.supported, s.check) for s in receipt.sentences]
    assert verdicts == [
        (True, None),
        (False, Check.NUMBER),
        (False, Check.CITATION),
    ]
    assert receipt.sentences[1].reason == "9 V is not in the source"
    assert end.dropped == 2
    assert receipt.settings["llm.fake.model"] == "fake"
    assert model.url not in receipt.model_dump_json()


def test_the_same_question_has_the_same_receipt(notes: Settings) -> None:
    first, second = (asked(notes)[2] for _ in range(2))
    assert first.id != second.id
    without = {"id": "", "at": first.at, "times_ms": first.times_ms}
    both = [each.model_copy(update=without) for each in (first, second)]
    assert both[0] == both[1]


def test_a_refusal(notes: Settings) -> None:
    _, end, receipt = asked(notes, "What do wombats eat in Tasmania?")
    assert receipt.outcome is end.outcome is Outcome.NOT_IN_DOCUMENTS
    assert receipt.notices
    assert (receipt.sentences, end.dropped) == ([], 0)


def test_half_a_character_pair(notes: Settings) -> None:
    _, _, receipt = asked(notes, f"{QUESTION} \ud800")
    assert receipt.question == f"{QUESTION} ?"


@pytest.mark.parametrize(
    ("reply", "end"),
    [("503", "overloaded"), ("401", "wrong_key"), ("empty", "empty")],
)
def test_a_server_that_failed(notes: Settings, reply: str, end: str) -> None:
    with fake_model([reply]) as model:
        _, finished, receipt = asked(with_model(notes, model.url))
    assert finished.mode is Mode.EXTRACTIVE
    [server] = receipt.servers
    assert (server.name, server.end) == ("fake", end)
    assert len(server.prompt_sha256) == 64
    assert receipt.skipped == [f"fake: {end}"]
    assert receipt.server == ""


def test_a_server_that_is_left_out(notes: Settings) -> None:
    with fake_model(["500"]) as model:
        mine = with_model(notes, model.url)
        models = LLMPool(mine)
        for _ in range(MAX_FAILURES):
            asked(mine, models=models)
        receipt = asked(mine, models=models)[2]
    assert receipt.skipped == ["fake: left_out"]


def test_a_server_that_may_read_nothing(settings: Settings) -> None:
    fill(settings, [(document("n:a", access=LAR), {"a.txt": [FACT]})])
    build(settings)
    mine = with_model(settings, "http://127.0.0.1:1/v1")
    receipt = asked(mine, reader=LAR)[2]
    [server] = receipt.servers
    assert (server.end, server.prompt_sha256) == ("nothing_to_read", "")


def test_what_the_search_cut_short(
    notes: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = ReaderIndex.search
    note = "Only 4 of the 50 best passages were reranked in 1 ms."

    def cut(*arguments: Any, **more: Any) -> Any:
        return replace(plain(*arguments, **more), notes=(note,))

    monkeypatch.setattr(ReaderIndex, "search", cut)
    receipt = asked(notes)[2]
    assert receipt.search_notes == receipt.skipped == [note]


@pytest.mark.slow
def test_times_leave_the_reader_out(notes: Settings) -> None:
    begun = time.monotonic()
    slept = 0
    for _ in answer(QUESTION, notes, reader=PUBLIC):
        threading.Event().wait(0.3)
        slept += 300
    passed = 1000 * (time.monotonic() - begun)
    times = kept(notes)[0].times_ms
    assert times.search is not None and times.first_reference is not None
    assert 0 < times.search < times.first_reference <= times.whole
    assert times.whole <= passed - slept + 50


# ── however it ends ───────────────────────────────────────────────────────────────


def test_a_reader_who_leaves(notes: Settings) -> None:
    with fake_model([f"slow: {GOOD} "]) as model:
        with closing(answer(QUESTION, with_model(notes, model.url), reader=PUBLIC)) as (
            events
        ):
            while not isinstance(next(events), Sentence):
                pass
            assert kept(notes) == []
        assert model.left.wait(20)
    [receipt] = kept(notes)
    assert (receipt.ended, receipt.outcome, receipt.mode) == (Ended.LEFT, None, None)
    assert [s.end for s in receipt.servers] == ["left"]
    assert [s.text for s in receipt.sentences] == ["The drift field is 475 V/cm."]


def test_a_reader_who_leaves_at_the_end(notes: Settings) -> None:
    events = answer(QUESTION, notes, reader=PUBLIC)
    for event in events:
        if isinstance(event, Finished):
            break
    events.close()
    [receipt] = kept(notes)
    assert receipt.ended is Ended.FINISHED


def test_an_answer_that_never_began(notes: Settings) -> None:
    answer(QUESTION, notes, reader=PUBLIC).close()
    assert kept(notes) == []


def test_an_answer_that_failed(notes: Settings) -> None:
    mine = with_model(notes, "http://127.0.0.1:1/v1", api_key_env="NO_SUCH_KEY")
    with pytest.raises(ConfigError):
        list(answer(QUESTION, mine, reader=PUBLIC))
    [receipt] = kept(notes)
    assert (receipt.ended, receipt.error) == (Ended.FAILED, "ConfigError")
    assert receipt.passages


def test_an_interrupt(notes: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(ReaderIndex, "search", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(answer(QUESTION, notes, reader=PUBLIC))
    assert [receipt.ended for receipt in kept(notes)] == [Ended.LEFT]


def test_what_cannot_be_asked_has_none(notes: Settings) -> None:
    with pytest.raises(UsageError):
        list(answer("", notes, reader=PUBLIC))
    assert kept(notes) == []


def test_no_search(notes: Settings) -> None:
    manifest = notes.paths.current_snapshot.resolve() / "manifest.json"
    manifest.write_text("{")
    _, end, receipt = asked(notes)
    assert receipt.outcome is end.outcome is Outcome.SEARCH_UNAVAILABLE
    assert (receipt.snapshot, receipt.passages) == ("", [])


def test_a_search_that_breaks_in_mid_answer(notes: Settings) -> None:
    """What was said before is known by the passages that it rests on."""
    first, *said, _ = answer(QUESTION, notes, reader=PUBLIC)
    broken = Finished(Outcome.SEARCH_UNAVAILABLE, Mode.EXTRACTIVE, ())
    trace = AnswerTrace(AnswerRequest(QUESTION, notes, PUBLIC))
    assert len(list(trace.observe(iter([first, *said, broken])))) == len(said) + 2
    receipt = receipt_of(trace)
    assert receipt.outcome is Outcome.SEARCH_UNAVAILABLE
    assert [p.document for p in receipt.passages] == ["n:FLD-1:1"]


def test_no_data_folder(settings: Settings) -> None:
    events = list(answer(QUESTION, settings, reader=PUBLIC))
    end = events[-1]
    assert isinstance(end, Finished)
    assert end.receipt == ""
    assert "receipt" not in notices(events)
    assert not settings.data.exists()


def test_none_if_the_settings_say_so(notes: Settings) -> None:
    off = notes.model_copy(update={"receipts": ReceiptsSettings(enabled=False)})
    events = list(answer(QUESTION, off, reader=PUBLIC))
    assert isinstance(events[-1], Finished)
    assert events[-1].receipt == ""
    assert notices(events) == ""
    assert not notes.paths.receipts.exists()


# ── what cannot be kept costs no answer ───────────────────────────────────────────


def assert_answered_without(events: list[AnswerEvent], told: str) -> None:
    *_, notice, end = events
    assert isinstance(notice, Notice)
    assert notice.text.startswith("No receipt was kept: ")
    assert told in notice.text
    assert isinstance(end, Finished)
    assert (end.outcome, end.receipt) == (Outcome.ANSWERED, "")
    assert any(isinstance(e, Sentence) and e.text == FACT for e in events)


def test_a_damaged_file(notes: Settings) -> None:
    notes.paths.receipts.write_bytes(b"no database" * 500)
    events = list(answer(QUESTION, notes, reader=PUBLIC))
    assert_answered_without(events, "not a database")


def test_no_place(notes: Settings) -> None:
    notes.paths.receipts.mkdir()
    assert_answered_without(list(answer(QUESTION, notes, reader=PUBLIC)), "")


def test_our_own_mistake(
    notes: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def wrong(*_: Any) -> Any:
        raise ZeroDivisionError(QUESTION)

    monkeypatch.setattr(module, "select_relevant_settings", wrong)
    events = list(answer(QUESTION, notes, reader=PUBLIC))
    assert_answered_without(events, "ZeroDivisionError")
    answer_begun = answer(QUESTION, notes, reader=PUBLIC)
    next(answer_begun)
    answer_begun.close()
    assert "ZeroDivisionError" in caplog.text
    assert QUESTION not in caplog.text + notices(events)


def test_a_document_that_is_closed_meanwhile(notes: Settings) -> None:
    events = answer(QUESTION, notes, reader=LAR)
    got = [next(events)]
    catalog = Catalog(notes.paths.catalog)
    catalog.remove({"n:SEC-3:1"}, reason="gone")
    overlay.write_overlay(catalog, notes.data, notes.access.max_overlay_age)
    catalog.close()
    got += list(events)
    assert "closed while it was made" in notices(got)
    assert kept(notes) == []
    assert b"quokka" not in notes.paths.receipts.read_bytes()


def test_hidden_documents_are_in_no_receipt(notes: Settings, tmp_path: Path) -> None:
    asked(notes, "Which quokka is the drift field?")
    asked(notes, "SEC-3")
    content = notes.paths.receipts.read_bytes()
    assert b"n:SEC" not in content
    assert b"180 V" not in content
