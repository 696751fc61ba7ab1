"""A replay says what has changed, and nothing that whoever looks may not open."""

import json
from pathlib import Path

import pytest

from dunegpt.access import Access
from dunegpt.config import Settings
from dunegpt.errors import StorageError, UsageError
from dunegpt.index.build import build
from dunegpt.index.snapshot.publish import publish
from dunegpt.ingest.catalog import overlay
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.crawl import crawl
from dunegpt.llm_settings import LLMSettings
from dunegpt.schemas.receipts import (
    CountsResponse,
    Ended,
    ReceiptResponse,
    ReplayResponse,
)
from dunegpt.serve.receipts.replay import compare, redact, replay
from dunegpt.serve.receipts.stats import count_receipt, summarize_receipt
from dunegpt.serve.receipts.store import ReceiptStore
from dunegpt.types import Check, Finished, Mode, Outcome
from simulators.llm.openai_server import fake_model
from tests.index.corpus import PUBLIC, document, fill, readers
from tests.made_once import MakeOnce
from tests.serve.asking import answer
from tests.serve.receipts.samples import passage, receipt, said

pytestmark = pytest.mark.same_place

QUESTION = "What is the drift field of the far detector?"
FACT = "The drift field of the far detector is 475 V/cm."
OTHER = "The drift field of the far detector is 500 V/cm."
LAR = readers("n:lar")


@pytest.fixture
def papers_indexed(
    settings: Settings, papers: Path, tmp_path: Path, make_once: MakeOnce
) -> Settings:
    (papers / "a.txt").write_text(FACT)
    (papers / "b.txt").write_text("The pump of the near detector is loud.")
    make_once("papers-replay", tmp_path, lambda: indexed(settings))
    return settings


def indexed(settings: Settings) -> None:
    crawl("papers", settings)
    build(settings)


def asked(
    settings: Settings, reader: Access = PUBLIC, question: str = QUESTION
) -> ReceiptResponse:
    """Return the receipt of an answer."""
    end = list(answer(question, settings, reader=reader))[-1]
    assert isinstance(end, Finished)
    found = ReceiptStore(settings.data, 90).get(end.receipt, reader)
    assert found is not None
    return found


def told(shape: ReplayResponse) -> dict[str, tuple[object, object]]:
    return {change.what: (change.then, change.now) for change in shape.changes}


# ── asked again ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("as_then", [False, True])
@pytest.mark.parametrize(
    "question", [QUESTION, "papers:a.txt", "What do wombats eat?", "NO-99"]
)
def test_the_same(papers_indexed: Settings, question: str, as_then: bool) -> None:
    shape = replay(
        asked(papers_indexed, question=question), papers_indexed, as_then=as_then
    )
    assert (shape.same, shape.same_answer) == (True, True)
    assert (shape.changes, shape.passages, shape.sentences) == ([], [], [])
    assert shape.as_then is as_then


def test_no_receipt_of_a_replay(papers_indexed: Settings) -> None:
    own = asked(papers_indexed)
    shape = replay(own, papers_indexed)
    assert shape.now.id == ""
    kept = list(ReceiptStore(papers_indexed.data, 90).list_readable(PUBLIC))
    assert [each.id for each in kept] == [own.id]


def test_a_document_that_was_edited(papers_indexed: Settings, papers: Path) -> None:
    own = asked(papers_indexed)
    (papers / "a.txt").write_text(OTHER)
    indexed(papers_indexed)
    shape = replay(own, papers_indexed)
    assert (shape.same, shape.same_answer) == (False, False)
    then, now = told(shape)["snapshot"]
    assert then == own.snapshot != now
    edited = [p for p in shape.passages if p.document == "papers:a.txt"]
    assert {(p.change, p.then, p.now) for p in edited} == {
        ("gone", 1, None),
        ("new", None, 1),
    }
    said = {(s.change, s.text, s.then, s.now) for s in shape.sentences}
    assert said == {
        ("gone", FACT, "supported", ""),
        ("new", OTHER, "", "supported"),
    }


def test_the_snapshot_of_then(papers_indexed: Settings, papers: Path) -> None:
    own = asked(papers_indexed)
    (papers / "a.txt").write_text(OTHER)
    indexed(papers_indexed)
    assert replay(own, papers_indexed, as_then=True).same
    old = papers_indexed.paths.snapshots / own.snapshot
    old.rename(old.with_name("away"))
    with pytest.raises(StorageError, match="not kept any more"):
        replay(own, papers_indexed, as_then=True)
    nameless = own.model_copy(update={"snapshot": ""})
    with pytest.raises(StorageError):
        replay(nameless, papers_indexed, as_then=True)


def test_another_snapshot_with_the_same_answer(
    papers_indexed: Settings, papers: Path
) -> None:
    own = asked(papers_indexed)
    (papers / "c.txt").write_text("Nothing about it.")
    indexed(papers_indexed)
    shape = replay(own, papers_indexed)
    assert (shape.same, shape.same_answer) == (False, True)
    assert "snapshot" in told(shape)


def test_no_index_by_now(papers_indexed: Settings) -> None:
    own = asked(papers_indexed)
    papers_indexed.paths.current_snapshot.unlink()
    shape = replay(own, papers_indexed)
    assert told(shape)["outcome"] == ("answered", "search_unavailable")
    assert {p.change for p in shape.passages} == {"closed"}
    assert FACT not in shape.model_dump_json()


def test_another_model_and_prompt(papers_indexed: Settings) -> None:
    with fake_model(["The drift field is 475 V/cm [1]. It was 9 V [1]."]) as model:
        table = LLMSettings(base_url=model.url, model="fake")
        mine = papers_indexed.model_copy(update={"llm": {"fake": table}})
        own = asked(mine)
        assert replay(own, mine).same
        named = table.model_copy(update={"model": "another", "max_tokens": 99})
        shape = replay(own, mine.model_copy(update={"llm": {"fake": named}}))
    changes = told(shape)
    assert changes["model"] == ("fake", "another")
    assert changes["settings llm.fake.max_tokens"] == (600, 99)
    assert "prompt_sha256" not in changes
    assert shape.same_answer
    down = replay(own, mine)
    assert told(down)["outcome"] == ("answered", "model_unavailable")
    assert told(down)["prompt_sha256"] == (own.prompt_sha256, "")
    assert down.now.skipped == ["fake: down"]
    assert replay(own, papers_indexed).now.mode is Mode.EXTRACTIVE


def test_a_source_that_is_gone(papers_indexed: Settings) -> None:
    own = asked(papers_indexed, question=f"{QUESTION} source:papers")
    typed = f"{QUESTION} source:elsewhere"
    gone = own.model_copy(update={"question": typed, "standing": typed})
    with pytest.raises(UsageError, match="elsewhere"):
        replay(gone, papers_indexed)


# ── nothing that is closed by now ─────────────────────────────────────────────────


@pytest.fixture
def notes(settings: Settings, make_once: MakeOnce) -> Settings:
    """Index three notes, one of them for LAr people only."""
    secret = "The drift field of the far detector is a quokka 180 V."
    texts = {"n:FLD-1:1": FACT, "n:PUR-2:1": "The purity is measured hourly."}
    corpus = [(document(i), {"a.txt": [text]}) for i, text in texts.items()]

    def make() -> None:
        fill(
            settings,
            [
                *corpus,
                (
                    document("n:SEC-3:1", access=LAR, title="Wombat"),
                    {"a.txt": [secret]},
                ),
            ],
        )
        build(settings)

    make_once("replay", settings.data, make)
    return settings


def closed(settings: Settings) -> None:
    """Give the secret note to others, in the overlay alone."""
    catalog = Catalog(settings.paths.catalog)
    catalog.put(document("n:SEC-3:1", access=readers("n:daq"), title="Wombat"))
    overlay.write_overlay(catalog, settings.data, settings.access.max_overlay_age)
    catalog.close()


def assert_silent(shape: ReplayResponse) -> None:
    content = shape.model_dump_json()
    for secret in ("quokka", "180 V", "SEC-3", "ombat"):
        assert secret not in content, secret


@pytest.mark.parametrize("as_then", [False, True])
@pytest.mark.parametrize("question", ["Which quokka is it?", "SEC-3"])
def test_what_was_closed_is_not_told(
    notes: Settings, question: str, as_then: bool
) -> None:
    own = asked(notes, LAR, question)
    content = own.model_dump_json()
    assert "n:SEC-3:1" in content
    assert ("Wombat" if question == "SEC-3" else "180 V") in content
    closed(notes)
    texts = dict.fromkeys(("question", "asked", "standing"), QUESTION)
    plain = own.model_copy(update=texts)
    shape = replay(plain, notes, as_then=as_then)
    assert not shape.same
    [gone] = [p for p in shape.passages if p.change == "closed"]
    assert gone.model_dump(exclude_defaults=True).keys() == {"change", "then", "now"}
    assert any(s.change == "withheld" for s in shape.sentences)
    assert_silent(shape)


def test_what_a_follow_up_was_made_to_is_not_told(notes: Settings) -> None:
    own = asked(notes, LAR)
    closed(notes)
    more = own.model_copy(update={"standing": "What is SEC-3 of Wombat?"})
    shape = replay(more, notes)
    assert shape.now.question == own.question
    assert_silent(shape)


def test_what_a_model_said_of_it_is_not_told(notes: Settings) -> None:
    """What nothing backs may come from any passage that the model was given."""
    reply = "The drift field is 475 V/cm [1]. The quokka is 999 V [1]. A wombat is."
    with fake_model([reply]) as model:
        table = LLMSettings(base_url=model.url, model="fake", may_read=("*",))
        mine = notes.model_copy(update={"llm": {"fake": table}})
        own = asked(mine, LAR)
    cited = {p.document for p in own.passages if p.cited}
    assert cited == {"n:FLD-1:1"}
    assert [s.supported for s in own.sentences] == [True, False, False]
    closed(notes)
    shape = replay(own, notes)
    assert [s.text for s in shape.then.sentences] == [
        "The drift field is 475 V/cm.",
        "",
        "",
    ]
    assert_silent(shape)


def test_only_who_may_read_all_of_it_asks_again(notes: Settings) -> None:
    own = asked(notes, LAR)
    store = ReceiptStore(notes.data, 90)
    assert store.get(own.id, PUBLIC) is None
    board = frozenset({"n:board", "n:lar"})
    seen = store.get(own.id, board)
    assert seen is not None
    assert replay(seen, notes).now.principals == ["n:lar"]


def test_a_receipt_without_what_is_closed() -> None:
    own = receipt(
        passages=[passage(1, "n:a"), passage(2, "n:b")],
        sentences=[
            said("One.", 1),
            said("Two.", 2),
            said("Both.", 1, 2),
            said("Told anyway.", 2),
            said("Not backed.", 1, check=Check.NAME, reason="B is not in the source"),
        ],
        notices=["n:b is in the index, but no text of it could be read."],
    )
    now = receipt(sentences=[said("Told anyway.", 1)])
    found = redact(own, lambda name, _: name == "n:a", now)
    assert found.asked == own.question
    other = own.model_copy(update={"asked": "What is n:b about?"})
    assert redact(other, lambda *_: True, now).asked == ""
    assert [p.document for p in found.passages] == ["n:a", ""]
    assert [s.text for s in found.sentences] == ["One.", "", "", "Told anyway.", ""]
    assert "n:b" not in found.model_dump_json()
    assert "B is" not in found.model_dump_json()
    everything = redact(own, lambda *_: True, now)
    assert everything == own.model_copy(update={"notices": []})


# ── comparing and counting ────────────────────────────────────────────────────────


def test_passages_that_moved_or_score_otherwise() -> None:
    then = receipt(
        passages=[
            passage(1, "n:a", score=0.9),
            passage(2, "n:b", score=0.5),
            passage(3, "n:c", score=0.4),
            passage(4, "n:d", score=0.3),
        ]
    )
    now = receipt(
        passages=[
            passage(1, "n:a", score=0.90004),
            passage(2, "n:c", score=0.6),
            passage(3, "n:b", score=0.5),
            passage(4, "n:d", score=0.2),
            passage(5, "n:d", score=0.1),
        ]
    )
    shape = compare(then, now)
    assert [(p.change, p.then, p.now, p.document) for p in shape.passages] == [
        ("moved", 2, 3, "n:b"),
        ("moved", 3, 2, "n:c"),
        ("scored", 4, 4, "n:d"),
        ("new", None, 5, "n:d"),
    ]
    assert (shape.passages[2].score_then, shape.passages[2].score_now) == (0.3, 0.2)
    assert (shape.same, shape.same_answer) == (False, True)


def test_sentences_with_another_verdict_or_other_citations() -> None:
    passages = [passage(1, "n:a"), passage(2, "n:b")]
    then = receipt(
        passages=passages,
        sentences=[said("Same.", 1), said("Cites.", 1), said("Verdict.", 1)],
    )
    now = receipt(
        passages=[passage(1, "n:b"), passage(2, "n:a")],
        sentences=[
            said("Same.", 2),
            said("Cites.", 1),
            said("Verdict.", 2, check=Check.NUMBER, reason="9 V is not in the source"),
        ],
    )
    shape = compare(then, now)
    assert [(s.change, s.text) for s in shape.sentences] == [
        ("citations", "Cites."),
        ("verdict", "Verdict."),
    ]
    assert shape.sentences[1].now == "9 V is not in the source"
    assert not shape.same_answer


@pytest.mark.parametrize(
    ("field", "then", "now"),
    [
        ("outcome", Outcome.ANSWERED, Outcome.NOT_IN_DOCUMENTS),
        ("mode", Mode.EXTRACTIVE, Mode.GENERATED),
        ("ended", Ended.LEFT, Ended.FINISHED),
        ("model", "a", "b"),
        ("prompt_sha256", "a", "b"),
        ("snapshot", "a", "b"),
    ],
)
def test_facts_are_compared(field: str, then: object, now: object) -> None:
    shape = compare(receipt(**{field: then}), receipt(**{field: now}))
    assert list(told(shape)) == [field]
    assert not shape.same
    assert shape.same_answer is (field in {"model", "prompt_sha256", "snapshot"})


def test_counts() -> None:
    counts = CountsResponse()
    server = {"name": "big", "model": "m", "prompt_sha256": ""}
    generated = receipt(
        mode=Mode.GENERATED,
        servers=[{**server, "end": "wrote"}],
        sentences=[said("a", 1), said("b", check=Check.NUMBER, reason="r")],
    )
    left = receipt(ended=Ended.LEFT, outcome=None, mode=None, sentences=[said("c", 1)])
    down = receipt(servers=[{**server, "end": "down"}], search_notes=["Only 4"])
    for each in (generated, left, down):
        count_receipt(each, counts)
    assert json.loads(counts.model_dump_json()) == {
        "answers": 3,
        "ended": {"finished": 2, "left": 1},
        "outcomes": {"answered": 2},
        "modes": {"generated": 1, "extractive": 1},
        "kept": {"generated": 1, "unfinished": 1},
        "dropped": {"number": 1},
        "servers": {"big": {"wrote": 1, "down": 1}},
        "cut_short": 1,
    }
    assert (
        summarize_receipt(generated).kept,
        summarize_receipt(generated).dropped,
    ) == (1, 1)
    assert summarize_receipt(down).skipped == 2


def test_a_snapshot_goes_back(papers_indexed: Settings, papers: Path) -> None:
    """The same again, once the snapshot of then is published."""
    own = asked(papers_indexed)
    (papers / "a.txt").write_text(OTHER)
    indexed(papers_indexed)
    assert not replay(own, papers_indexed).same
    publish(papers_indexed.paths.snapshots / own.snapshot)
    assert replay(own, papers_indexed).same
