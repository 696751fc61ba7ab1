"""What was closed at its source since the last crawl is not shown any more."""

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from dunegpt.errors import ConfigError
from dunegpt.index.build import build
from dunegpt.ingest import change_notices
from dunegpt.ingest.access_check import ShownDocument
from dunegpt.ingest.confirm import AccessConfirmer
from dunegpt.ingest.revoked_now import read_revoked
from dunegpt.llm_settings import LLMSettings
from dunegpt.operations.forget import forget
from dunegpt.schemas.reading import AskResponse
from dunegpt.serve.assistant import Assistant
from dunegpt.serve.receipts.store import ReceiptStore
from dunegpt.types import Document, Outcome, References, Sentence, Withdrawn
from simulators.http_server import Reply, Request
from simulators.llm.openai_server import fake_model
from tests.made_once import MakeOnce
from tests.serve.confirm_world import (
    ALL,
    BOARD,
    MEMBER,
    PUBLIC,
    QUESTION,
    DocDBWorld,
    IndicoWorld,
    wait_until,
)

pytestmark = pytest.mark.same_place

PHOTONS = "What is the photon yield of the wavelength shifter?"


@pytest.fixture
def make_world(
    tmp_path: Path, tiny_encoder: Path, make_once: MakeOnce
) -> Iterator[Callable[..., DocDBWorld]]:
    """Give a function that returns the DocDB, crawled and indexed."""
    opened: list[DocDBWorld] = []

    def make(**options: Any) -> DocDBWorld:
        world = DocDBWorld(tmp_path, tiny_encoder, **options)
        world.__enter__()
        opened.append(world)
        make_once("confirm-docdb", tmp_path, world.make)
        world.forget_requests()
        return world

    yield make
    for world in opened:
        world.__exit__(None, None, None)


@pytest.fixture
def world(make_world: Callable[..., DocDBWorld]) -> DocDBWorld:
    return make_world()


def ask(world: DocDBWorld, *principals: str, question: str = QUESTION) -> AskResponse:
    """Return an answer of an assistant of its own: a command, or a restarted server."""
    with world.open() as assistant:
        return assistant.as_reader(principals).ask(question)


def list_ids(answer: AskResponse) -> set[str]:
    return {reference.document.id for reference in answer.references}


def forget_confirmations(world: DocDBWorld) -> None:
    """Let more time pass than a confirmation is good for."""
    world.settings.paths.confirmations.unlink(missing_ok=True)


def name(number: int) -> str:
    return f"docdb:{number}:1"


# ── closed at home since the last crawl ───────────────────────────────────────────


def test_an_open_document_is_asked_for_once_and_shown(world: DocDBWorld) -> None:
    answer = ask(world, PUBLIC)
    assert "475 V/cm" in answer.answer
    assert sorted(world.asked()) == ["1:1", "2:1"]
    world.forget_requests()
    assert ask(world, PUBLIC).answer == answer.answer
    assert world.asked() == []


def test_a_closed_document_is_in_no_part_of_an_answer(world: DocDBWorld) -> None:
    before = ask(world, PUBLIC)
    assert name(world.field) in list_ids(before)
    forget_confirmations(world)
    world.model.close(world.field, 1, "Board")
    answer = ask(world, PUBLIC)
    assert answer.outcome is Outcome.NOT_IN_DOCUMENTS
    dumped = answer.model_dump_json()
    assert "475 V/cm" not in dumped
    assert name(world.field) not in dumped
    store = ReceiptStore(world.settings.data, 90)
    receipt = store.get(answer.receipt, frozenset({PUBLIC}))
    assert receipt is not None
    assert name(world.field) not in receipt.model_dump_json()


def test_a_closed_document_is_neither_found_nor_shown(world: DocDBWorld) -> None:
    world.model.close(world.field, 1, "Board")
    with world.open() as assistant:
        reader = assistant.as_reader({PUBLIC})
        hits = reader.search(QUESTION).hits
        assert name(world.field) not in {hit.document.id for hit in hits}
        assert hits
        hidden = reader.show(name(world.field))
        assert hidden == reader.show("docdb:9999:1")


def test_show_asks_before_it_shows(world: DocDBWorld) -> None:
    world.model.delete(world.board)
    with world.open() as assistant:
        assert not assistant.as_reader({BOARD}).show(name(world.board)).documents
        assert world.asked() == ["3:1"]
        assert not assistant.as_reader({ALL}).show(name(world.board)).documents


def test_a_named_document_that_is_closed_is_like_an_unknown_one(
    world: DocDBWorld,
) -> None:
    world.model.close(world.field, 1, "Board")
    closed = ask(world, PUBLIC, question=f"docdb:{world.field}")
    unknown = ask(world, PUBLIC, question="docdb:9999")
    same = {"question", "asked", "receipt", "notices"}
    assert closed.model_dump(exclude=same) == unknown.model_dump(exclude=same)
    assert [n.replace(f":{world.field}", ":N") for n in closed.notices] == [
        n.replace(":9999", ":N") for n in unknown.notices
    ]


def test_a_conversation_does_not_come_back_to_it(world: DocDBWorld) -> None:
    with world.open() as assistant:
        chat = assistant.as_reader({PUBLIC}).conversation()
        with chat.ask(QUESTION) as stream:
            list(stream)
        assert name(world.field) in list_ids(stream.response)
        world.model.close(world.field, 1, "Board")
        forget_confirmations(world)
    with world.open() as assistant:
        later = assistant.as_reader({PUBLIC}).conversation()
        later.turns = chat.turns
        with later.ask("And what holds it?") as stream:
            list(stream)
        assert name(world.field) not in list_ids(stream.response)


# ── readers ───────────────────────────────────────────────────────────────────────


def test_what_the_reader_may_not_read_is_not_asked_for(world: DocDBWorld) -> None:
    with world.open() as assistant:
        reader = assistant.as_reader({PUBLIC})
        reader.ask("What is the drift field of the wombat detector?")
        reader.show(name(world.board))
        reader.search(f"docdb:{world.board}")
        reader.ask(f"docdb:{world.board}:1")
    assert not [asked for asked in world.asked() if asked.startswith("3:")]


def test_a_document_is_asked_for_as_the_group_of_the_reader(world: DocDBWorld) -> None:
    """The crawling login is in both groups; only one of them lost the document."""
    world.model.close(world.board, 1, "All")
    closed, still = ask(world, BOARD), ask(world, ALL)
    assert name(world.board) not in list_ids(closed)
    assert name(world.board) in list_ids(still)
    [entry] = read_revoked(world.settings.data)
    assert entry.principals == {BOARD}


def test_one_open_group_of_the_reader_is_enough(world: DocDBWorld) -> None:
    world.model.close(world.board, 1, "Board")
    assert name(world.board) in list_ids(ask(world, ALL, BOARD))
    assert name(world.board) not in list_ids(ask(world, ALL))


def test_confirmations_are_not_shared_between_groups(world: DocDBWorld) -> None:
    assert name(world.board) in list_ids(ask(world, ALL))
    world.model.close(world.board, 1, "All")
    assert name(world.board) not in list_ids(ask(world, BOARD))


# ── the record of what is closed ──────────────────────────────────────────────────


def test_a_restart_keeps_what_was_found_closed(world: DocDBWorld) -> None:
    world.model.close(world.field, 1, "Board")
    ask(world, PUBLIC)
    world.model.close(world.field, 1)
    forget_confirmations(world)
    world.forget_requests()
    assert name(world.field) not in list_ids(ask(world, PUBLIC))
    assert "1:1" not in world.asked()


def test_it_narrows_searches_that_confirm_nothing(world: DocDBWorld) -> None:

    def find(assistant: Assistant) -> set[str]:
        hits = assistant.as_reader({PUBLIC}).search(QUESTION).hits
        return {hit.document.id for hit in hits}

    world.configure(confirm=False)
    settings = world.settings
    with (
        world.open() as plain,
        Assistant(settings, poll_interval_s=0.02) as server,
    ):
        assert name(world.field) in find(plain) & find(server)
        assert world.asked() == []
        world.model.close(world.field, 1, "Board")
        world.configure(confirm=True)
        ask(world, PUBLIC)
        assert name(world.field) not in find(plain)
        wait_until(lambda: name(world.field) not in find(server))


@pytest.mark.slow
def test_the_next_crawl_supersedes_it(world: DocDBWorld) -> None:
    world.model.close(world.field, 1, "Board")
    ask(world, PUBLIC)
    assert change_notices.list_pending(world.settings.data, "docdb")
    age_entries(world)
    assert not world.crawl().error
    assert not change_notices.list_pending(world.settings.data, "docdb")
    assert read_revoked(world.settings.data) == []
    assert name(world.field) not in list_ids(ask(world, PUBLIC))
    world.model.close(world.field, 1)
    assert not world.crawl().error
    build(world.settings)
    assert "475 V/cm" in ask(world, PUBLIC).answer


def age_entries(world: DocDBWorld, seconds: float = 5) -> None:
    """Let what was found closed have been found some time ago."""
    path = world.settings.paths.revoked_now
    stored = json.loads(path.read_text())
    for row in stored["revoked"]:
        then = datetime.fromisoformat(row["at"]) - timedelta(seconds=seconds)
        row["at"] = then.isoformat()
    path.write_text(json.dumps(stored))


@pytest.mark.slow
def test_a_crawl_that_could_not_read_it_leaves_it_closed(world: DocDBWorld) -> None:
    world.model.close(world.field, 1, "Board")
    ask(world, PUBLIC)

    def break_one(request: Request) -> Reply | None:
        broken = request.query.get("docid") == str(world.field)
        return Reply(500, b"<html>error</html>") if broken else None

    world.fault = break_one
    age_entries(world)
    with patch.object(time, "sleep", lambda seconds: None):
        world.crawl()
    world.fault = lambda request: None
    assert [e.document_id for e in read_revoked(world.settings.data)] == [
        name(world.field)
    ]
    assert change_notices.list_pending(world.settings.data, "docdb")
    assert name(world.field) not in list_ids(ask(world, PUBLIC))


def test_a_damaged_list_serves_nothing(world: DocDBWorld) -> None:
    """What was closed cannot be told then, not even what is public."""
    world.settings.paths.revoked_now.write_text("{}")
    answer = ask(world, PUBLIC)
    assert answer.outcome is Outcome.SEARCH_UNAVAILABLE
    assert "withdrawn access" in answer.notices[0]
    assert answer.references == []


@pytest.mark.slow
def test_forget_removes_it_from_the_list(world: DocDBWorld) -> None:
    world.model.close(world.field, 1, "Board")
    ask(world, PUBLIC)
    places = {p.place: p for p in forget(world.settings, "docdb:1").places}
    assert (places["withdrawals"].removed, places["withdrawals"].left) == (1, 0)
    assert "docdb:1:1" not in world.settings.paths.revoked_now.read_text()
    assert not [place for place in places.values() if place.left]


# ── while the answer is written ───────────────────────────────────────────────────


def test_what_is_closed_while_an_answer_is_read_is_withdrawn(
    world: DocDBWorld,
) -> None:
    with world.open() as assistant, world.open() as other:
        stream = assistant.as_reader({PUBLIC}).stream(QUESTION)
        events = []
        for event in stream:
            events.append(event)
            if isinstance(event, Sentence) and world.asked():
                world.model.close(world.field, 1, "Board")
                forget_confirmations(world)
                with world.open() as third:
                    third.as_reader({PUBLIC}).search(QUESTION)
                world.forget_requests()
        assert any(isinstance(event, Withdrawn) for event in events)
        answer = stream.response
        del other
    assert answer.outcome is Outcome.NOT_IN_DOCUMENTS
    assert answer.answer == ""
    assert answer.sentences == []
    assert name(world.field) not in list_ids(answer)
    receipt = ReceiptStore(world.settings.data, 90).get(
        answer.receipt, frozenset({PUBLIC})
    )
    assert receipt is not None
    assert name(world.field) not in receipt.model_dump_json()
    assert "475 V/cm" not in receipt.model_dump_json()


def test_a_reference_that_is_closed_in_between_cites_nothing(
    world: DocDBWorld,
) -> None:
    with world.open() as assistant:
        stream = assistant.as_reader({PUBLIC}).stream(QUESTION)
        for event in stream:
            if isinstance(event, References) and world.asked():
                world.model.close(world.field, 1, "Board")
                forget_confirmations(world)
                ask(world, PUBLIC)
                world.forget_requests()
            assert not isinstance(event, Sentence)
    assert stream.response.outcome is Outcome.NOT_IN_DOCUMENTS


def test_a_model_that_goes_on_citing_it_is_not_heard(world: DocDBWorld) -> None:
    reply = (
        "The drift field of the far detector is 475 V/cm [1]."
        " The drift field is held by a divider [1]."
    )
    with fake_model([reply]) as model:
        table = LLMSettings(base_url=model.url, model="fake", timeout_s=30)
        world.settings = world.settings.model_copy(update={"llm": {"fake": table}})
        with world.open() as assistant:
            said = []
            stream = assistant.as_reader({PUBLIC}).stream(QUESTION)
            for event in stream:
                if isinstance(event, Sentence):
                    said.append(event.text)
                    world.model.close(world.field, 1, "Board")
                    forget_confirmations(world)
                    with world.open() as other:
                        other.as_reader({PUBLIC}).search(QUESTION)
    assert said == ["The drift field of the far detector is 475 V/cm."]
    assert stream.response.outcome is Outcome.NOT_IN_DOCUMENTS
    assert stream.response.answer == ""
    assert "475 V/cm" not in stream.response.model_dump_json(exclude={"question"})


# ── sources in trouble ────────────────────────────────────────────────────────────


def get_search_notes(world: DocDBWorld, answer: AskResponse) -> list[str]:
    store = ReceiptStore(world.settings.data, 90)
    receipt = store.get(answer.receipt, frozenset({PUBLIC}))
    assert receipt is not None
    return receipt.search_notes


def test_a_slow_source_does_not_hold_the_answer_up(world: DocDBWorld) -> None:
    world.set_access(confirm_budget_ms=150)
    world.model.close(world.field, 1, "Board")
    with world.open() as assistant:
        reader = assistant.as_reader({PUBLIC})
        reader.show(name(2))  # opens the source
        world.delay_s = 0.4
        answer = reader.ask(QUESTION)
        assert "475 V/cm" in answer.answer
        [note] = get_search_notes(world, answer)
        assert note.startswith("Access was not confirmed at docdb: ")
        assert note.endswith(", no answer in time.")
        # The answer of the source counts all the same, once it is there.
        wait_until(lambda: bool(read_revoked(world.settings.data)))
        assert name(world.field) not in list_ids(reader.ask(QUESTION))


@pytest.mark.parametrize(
    "reply",
    [
        Reply(429, headers={"Retry-After": "60"}),
        Reply(503, b"<html>busy</html>"),
        Reply(before=lambda: True),
    ],
    ids=["rate limit", "unavailable", "hang-up"],
)
def test_a_source_in_trouble_is_left_alone(
    world: DocDBWorld, reply: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dunegpt.ingest.confirm._FIRST_PAUSE_S", 60.0)
    world.fault = lambda request: reply
    answer = ask(world, PUBLIC)
    assert "475 V/cm" in answer.answer
    assert get_search_notes(world, answer)
    world.forget_requests()
    assert "475 V/cm" in ask(world, PUBLIC).answer
    assert world.server.requests == []


def test_one_failure_is_soon_forgotten(
    world: DocDBWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dunegpt.ingest.confirm._FIRST_PAUSE_S", 0.01)
    world.fault = lambda request: Reply(before=lambda: True)
    assert "475 V/cm" in ask(world, PUBLIC).answer
    world.fault = lambda request: None
    world.model.close(world.field, 1, "Board")
    wait_until(lambda: name(world.field) not in list_ids(ask(world, PUBLIC)))


def test_groups_that_could_not_be_told_are_asked_for_again(
    world: DocDBWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dunegpt.ingest.confirm._FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr("dunegpt.ingest.confirm._LEARN_AGAIN_S", 0.0)
    world.model.close(world.board, 1, "All")

    def fail(request: Request) -> Reply | None:
        is_groups = request.path.endswith(("SelectGroups", "ListGroups"))
        return Reply(500, b"<html>error</html>") if is_groups else None

    world.fault = fail
    with world.open() as server:
        reader = server.as_reader({BOARD})
        assert name(world.board) in list_ids(reader.ask(QUESTION))
        assert "3:1" not in world.asked()
        world.fault = lambda request: None
        wait_until(lambda: name(world.board) not in list_ids(reader.ask(QUESTION)))


def show(document_id: str) -> ShownDocument:
    source = document_id.partition(":")[0]
    return ShownDocument(
        Document(document_id, source, "note", "", "A note", frozenset({PUBLIC}))
    )


def test_a_slow_source_does_not_hold_another_one_up(
    world: DocDBWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dunegpt.ingest.confirm_transport._READ_S", 30.0)

    def delay(request: Request) -> None:
        if int(request.query.get("docid", "0")) >= 100:
            world.server.stopped.wait(30)

    world.fault = delay
    world.set_access(confirm_budget_ms=200)
    other = world.settings.sources["docdb"].model_copy(update={"id_prefix": "other"})
    sources = world.settings.sources | {"other": other}
    confirmer = AccessConfirmer(world.settings.model_copy(update={"sources": sources}))
    try:
        assert confirmer.wait_until_open(time.monotonic() + 5)
        slow = confirmer.start(frozenset({PUBLIC}))
        slow.find_closed([show(f"docdb:{number}:1") for number in range(100, 120)])
        assert slow.describe() == [
            "Access was not confirmed at docdb: 20 documents, no answer in time."
        ]
        wait_until(
            lambda: bool(
                confirmer.start(frozenset({PUBLIC})).find_closed([show("other:9:1")])
            ),
            timeout_s=20,
        )
    finally:
        world.server.stopped.set()
        confirmer.close()


@pytest.mark.parametrize(
    "reply",
    [
        Reply(302, b"", {"Location": "http://127.0.0.2:1/login"}),
        Reply(
            200, b"<html><title>Log in</title></html>", {"Content-Type": "text/html"}
        ),
        Reply(200, b"<?xml version='1.0'?><docdb", {"Content-Type": "text/xml"}),
        Reply(401, b"<html>no</html>", {"Content-Type": "text/html"}),
        Reply(500, b"<html>error</html>", {"Content-Type": "text/html"}),
        Reply(404, b"nothing here"),
    ],
    ids=["login", "login page", "cut short", "refused", "error", "missing"],
)
def test_an_answer_that_does_not_tell_closes_nothing(
    world: DocDBWorld, reply: Reply
) -> None:
    world.fault = lambda request: reply
    assert "475 V/cm" in ask(world, PUBLIC).answer
    assert read_revoked(world.settings.data) == []


def test_readers_cannot_exceed_the_budget(
    make_world: Callable[..., DocDBWorld],
) -> None:
    world = make_world(confirm_per_hour=4)
    for _ in range(3):
        with world.open() as assistant:
            reader = assistant.as_reader({PUBLIC})
            assert "475 V/cm" in reader.ask(QUESTION).answer
            reader.show(name(2))
        clear_cache(world)
    assert len(world.server.requests) == 4


def clear_cache(world: DocDBWorld) -> None:
    """Forget what was shown, not what was asked."""
    with closing(sqlite3.connect(world.settings.paths.confirmations)) as db, db:
        db.execute("delete from shown")


# ── settings ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["folder", "git", "elog", "edms"])
def test_sources_that_cannot_tell_refuse_the_option(
    config_file: Callable[..., Path], kind: str
) -> None:
    more = f'[sources.other]\ntype = "{kind}"\nconfirm = true\n'
    with Assistant.open(config_file(more)) as assistant:
        with pytest.raises(ConfigError, match=r"\[sources.other\] cannot have confirm"):
            assistant.as_reader({PUBLIC}).search("anything")


def test_a_secret_that_is_missing_is_an_error_of_the_settings(
    make_world: Callable[..., DocDBWorld],
) -> None:
    world = make_world()
    [door] = world.site.table["doors"]
    basic = {"kind": "basic", "group": "Board", "user": "b", "password_env": "NOT_SET"}
    world.configure(doors=[basic | {"url": door["url"]}])
    with world.open() as assistant, pytest.raises(ConfigError, match="NOT_SET"):
        assistant.as_reader({BOARD}).search(QUESTION)


def test_closing_while_a_question_begins_to_ask(
    world: DocDBWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that is about to start is not joined before it has."""
    starting = threading.Event()
    start = threading.Thread.start

    def start_slowly(thread: threading.Thread) -> None:
        if thread.name == "confirm-access":
            starting.set()
            time.sleep(0.05)
        start(thread)

    world.set_access(confirm_budget_ms=200)
    confirmer = AccessConfirmer(world.settings)
    assert confirmer.wait_until_open(time.monotonic() + 5)
    wait_until(lambda: "confirm-access" not in {t.name for t in threading.enumerate()})
    monkeypatch.setattr(threading.Thread, "start", start_slowly)
    session = confirmer.start(frozenset({PUBLIC}))
    asking = threading.Thread(target=session.find_closed, args=([show("docdb:1:1")],))
    asking.start()
    assert starting.wait(5)
    confirmer.close()
    asking.join()


def test_no_option_no_confirmer(world: DocDBWorld) -> None:
    world.configure(confirm=False)
    assert AccessConfirmer.from_settings(world.settings) is None
    assert "475 V/cm" in ask(world, PUBLIC).answer
    assert world.server.requests == []


# ── Indico ────────────────────────────────────────────────────────────────────────


@pytest.fixture
def indico(
    tmp_path: Path, tiny_encoder: Path, make_once: MakeOnce
) -> Iterator[IndicoWorld]:
    site = IndicoWorld(tmp_path, tiny_encoder)

    def make() -> None:
        assert not site.crawl().error
        build(site.settings)

    with site.server:
        make_once("confirm-indico", tmp_path, make)
        site.server.requests.clear()
        yield site


def ask_member(world: IndicoWorld) -> AskResponse:
    with Assistant(world.settings) as assistant:
        return assistant.as_reader({MEMBER}).ask(PHOTONS)


def test_both_accounts_of_an_audience_are_asked(indico: IndicoWorld) -> None:
    assert "31 per MeV" in ask_member(indico).answer
    talk = f"/export/attachments/{indico.event.number}/contribution/"
    tokens = [
        r.headers.get("authorization", "")
        for r in indico.server.requests
        if r.path.startswith(talk)
    ]
    assert {"Bearer mia", "Bearer mo"} <= set(tokens)


@pytest.mark.parametrize("left", [frozenset(), frozenset({"mia"})])
def test_a_file_that_is_closed_takes_its_text_with_it(
    indico: IndicoWorld, left: frozenset[str]
) -> None:
    """Also if one account alone still may read it."""
    indico.file.readers = left
    answer = ask_member(indico)
    assert "31 per MeV" not in answer.model_dump_json()
    [entry] = read_revoked(indico.settings.data)
    assert entry.key == f"a{indico.file.number}"


def test_a_talk_that_is_closed_is_gone(indico: IndicoWorld) -> None:
    indico.talk.readers = frozenset({"otto"})
    answer = ask_member(indico)
    assert "31 per MeV" not in answer.model_dump_json()
    assert f"c{indico.talk.number}" not in answer.model_dump_json()


def test_an_event_that_is_deleted_is_gone(indico: IndicoWorld) -> None:
    indico.model.delete(indico.event.number)
    answer = ask_member(indico)
    assert not answer.references
    assert answer.outcome is Outcome.NOT_IN_DOCUMENTS
