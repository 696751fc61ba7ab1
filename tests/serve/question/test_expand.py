"""What a model adds to a search: hits behind those that are shown, and an order."""

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dunegpt.access import Access
from dunegpt.config import AnswerSettings, EmbedSettings, Settings
from dunegpt.index.build import build
from dunegpt.llm_settings import LLMSettings
from dunegpt.serve.question.rewrite import merge_hits
from dunegpt.types import AnswerEvent, Finished, Notice, Outcome, References, Sentence
from simulators.llm.openai_server import FakeModel, fake_model
from tests.index.corpus import PUBLIC, document, fill, readers
from tests.serve.answer.references import hit
from tests.serve.asking import answer

QUESTION = "Is the vessel of Larch heavy?"
OTHER = "mass of the cryostat"
NEAR = [f"The vessel of Larch is heavy, says sheet {n}." for n in range(4)]
FAR = "The mass of the cryostat is 58 t."
SECRET = "The mass of the quokka cryostat is 99 t."
LAR = readers("n:lar")
REPLY = "The mass of the cryostat is 58 t."


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Settings:
    """Index sheets that are near the question, and one far from it that answers."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("notes") / "data",
        embed=EmbedSettings(model=str(tiny_encoder)),
    )
    texts = {f"n:NEAR-{n}:1": (PUBLIC, text) for n, text in enumerate(NEAR)}
    texts |= {"n:FAR-7:1": (PUBLIC, FAR), "n:SEC-9:1": (LAR, SECRET)}
    fill(
        settings,
        [
            (document(i, access=access, title=f"Sheet {i[2:-2]}"), {"a.txt": [text]})
            for i, (access, text) in texts.items()
        ],
    )
    build(settings)
    return settings


def asked(
    notes: Settings,
    replies: Sequence[str],
    reader: Access = PUBLIC,
    may_read: Sequence[str] = ("public",),
    question: str = QUESTION,
    **table: Any,
) -> tuple[list[AnswerEvent], Finished, FakeModel]:
    """Ask with two references; check that none of them moved."""
    before = list(answer(question, notes, reader=reader, k=2, use_model=False))
    with fake_model(replies) as model:
        server = LLMSettings(
            base_url=model.url, model="fake", timeout_s=20, may_read=tuple(may_read)
        )
        own = {"llm": {"fake": server}, "answer": AnswerSettings(**table)}
        settings = notes.model_copy(update=own)
        events = list(answer(question, settings, reader=reader, k=2))
    end = events[-1]
    assert isinstance(end, Finished)
    first, *more = [e for e in events if isinstance(e, References)]
    plain = next(e for e in before if isinstance(e, References))
    assert [(c.number, c.hit, c.url) for c in first.citations] == [
        (c.number, c.hit, c.url) for c in plain.citations
    ]
    shown = [c for event in (first, *more) for c in event.citations]
    assert [c.number for c in shown] == list(range(1, len(shown) + 1))
    assert [(c.number, c.hit) for c in shown] == [
        (c.number, c.hit) for c in end.references
    ]
    return events, end, model


def ids(end: Finished) -> list[str]:
    return [c.hit.document.id for c in end.references]


def notices(events: Sequence[AnswerEvent]) -> str:
    return "\n".join(event.text for event in events if isinstance(event, Notice))


def prompt(model: FakeModel, number: int) -> str:
    return str(model.requests[number]["messages"][-1]["content"])


# ── off ───────────────────────────────────────────────────────────────────────────


def test_it_is_off_unless_wanted(notes: Settings) -> None:
    events, end, model = asked(notes, [REPLY])
    assert len(model.requests) == 1
    assert len(end.references) == 2
    assert [type(e) for e in events].count(References) == 1


# ── other wordings ────────────────────────────────────────────────────────────────


def test_other_words_add_what_they_find(notes: Settings) -> None:
    events, end, model = asked(
        notes, [f"1. {OTHER}\n- {QUESTION}", REPLY], rewrite=True
    )
    assert ids(end)[2:] == ["n:FAR-7:1"]
    assert FAR in prompt(model, 1)
    [said] = [e for e in events if isinstance(e, Sentence)]
    assert (said.text, said.citations) == (REPLY, (3,))
    assert end.references[2].cited
    assert end.references[2].quote
    assert notices(events) == ""


def test_a_model_is_given_words_of_the_field(notes: Settings) -> None:
    _, _, model = asked(notes, [OTHER, REPLY], rewrite=True)
    told = prompt(model, 0)
    assert "cryostat = vessel" in told
    assert "Sheet NEAR" in told
    assert "58" not in told


@pytest.mark.slow
@pytest.mark.parametrize(
    "written",
    [
        "mass of n:FAR-7:1",
        "FAR-7",
        "mass of the cryostat at 87 K",
        "mass cryostat source:notes",
        "author:nobody mass of the cryostat",
        "see https://evil.test/mass",
        "mass",
        "mass of the cryostat " * 20,
        "",
        "\n\n...",
    ],
)
def test_what_may_not_be_searched_adds_nothing(notes: Settings, written: str) -> None:
    replies = [written or "empty", REPLY]
    _, end, _ = asked(notes, replies, rewrite=True)
    assert len(end.references) == 2
    assert end.outcome is not Outcome.MODEL_UNAVAILABLE


def test_what_is_hidden_is_never_added(notes: Settings) -> None:
    written = "mass of the quokka cryostat"
    _, end, model = asked(notes, [written, REPLY], rewrite=True)
    assert "n:SEC-9:1" not in ids(end)
    assert "99 t" not in model.sent
    _, end, model = asked(notes, [written, REPLY], LAR, rewrite=True)
    assert "n:SEC-9:1" in ids(end)
    assert "99 t" not in model.sent  # the server may read what is public only
    _, end, model = asked(notes, [written, REPLY], LAR, ["*"], rewrite=True)
    assert "99 t" in model.sent


def test_titles_that_a_server_may_not_read_are_not_sent(notes: Settings) -> None:
    question = "What is the quokka?"
    _, end, model = asked(notes, [OTHER, REPLY], LAR, question=question, rewrite=True)
    assert ids(end)[0] == "n:SEC-9:1"
    assert "SEC-9" not in model.sent


def test_filters_hold_for_what_is_added(notes: Settings) -> None:
    question = f"{QUESTION} doc:NEAR-1"
    _, end, _ = asked(notes, [OTHER, REPLY], question=question, rewrite=True)
    assert set(ids(end)) == {"n:NEAR-1:1"}


def test_a_refusal_stays_one(notes: Settings) -> None:
    """Short wordings have high scores: they must not turn anything into an answer."""
    question = "Weighing of thing?"
    _, end, model = asked(notes, [OTHER, REPLY], question=question, rewrite=True)
    assert end.outcome is Outcome.NOT_IN_DOCUMENTS
    assert model.requests == []


def test_a_named_document_is_not_widened(notes: Settings) -> None:
    _, end, model = asked(notes, [REPLY], question="FAR-7", rewrite=True)
    assert set(ids(end)) == {"n:FAR-7:1"}
    assert len(model.requests) == 1


# ── the order ─────────────────────────────────────────────────────────────────────


def test_a_model_orders_what_it_reads(notes: Settings) -> None:
    _, end, model = asked(notes, ["2", REPLY], rerank_by_model=True)
    first, second = prompt(model, 1).index("[2]"), prompt(model, 1).index("[1]")
    assert first < second
    assert len(end.references) == 2


def test_a_model_adds_what_it_picks(notes: Settings) -> None:
    _, _, model = asked(notes, ["1", REPLY], rerank_by_model=True)
    lines = prompt(model, 0).splitlines()
    [far] = [line for line in lines if FAR in line]
    number = far[1 : far.index("]")]
    _, end, model = asked(notes, [f"[{number}], 1", REPLY], rerank_by_model=True)
    assert ids(end)[2:] == ["n:FAR-7:1"]
    assert prompt(model, 1).index("[3]") < prompt(model, 1).index("[1]")
    assert end.references[2].cited


@pytest.mark.parametrize("written", ["none of them", "99, 0", "-", "1000000"])
def test_picks_that_are_none(notes: Settings, written: str) -> None:
    events, end, model = asked(notes, [written, REPLY], rerank_by_model=True)
    assert len(end.references) == 2
    assert "order of the search: It picked no passage" in notices(events)
    assert prompt(model, 1).index("[1]") < prompt(model, 1).index("[2]")


def test_hidden_passages_are_not_shown_for_picking(notes: Settings) -> None:
    _, _, model = asked(notes, ["1", REPLY], LAR, rerank_by_model=True)
    assert "99 t" not in model.sent
    _, _, model = asked(notes, ["1", REPLY], LAR, ["*"], rerank_by_model=True)
    assert "99 t" in prompt(model, 0)


# ── failing ───────────────────────────────────────────────────────────────────────


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["500", "drop: ma", "nonsense", "html"])
def test_a_failure_is_told_and_done_without(notes: Settings, fault: str) -> None:
    replies = [fault, fault, REPLY]
    events, end, _ = asked(notes, replies, rewrite=True, rerank_by_model=True)
    assert len(end.references) == 2
    assert "its own words only: The model server 'fake'" in notices(events)
    assert "order of the search: The model server 'fake'" in notices(events)
    assert end.outcome is not Outcome.MODEL_UNAVAILABLE


def test_both_share_one_budget(notes: Settings) -> None:
    begun = time.monotonic()
    more: dict[str, Any] = {"rewrite": True, "rerank_by_model": True, "budget_s": 0.5}
    events, end, model = asked(notes, ["hang", REPLY], **more)
    assert time.monotonic() - begun < 10
    assert notices(events).count("was not done in 0.5 s") == 2
    assert len(model.requests) == 2  # the second was not begun
    assert end.outcome is not Outcome.MODEL_UNAVAILABLE


def test_an_answer_of_a_dead_server_is_the_plain_one(notes: Settings) -> None:
    plain = list(answer(QUESTION, notes, reader=PUBLIC, k=2, use_model=False))
    events, end, _ = asked(notes, ["500"], rewrite=True, rerank_by_model=True)
    assert end.outcome is Outcome.MODEL_UNAVAILABLE
    said = [e.text for e in events if isinstance(e, Sentence)]
    assert said == [e.text for e in plain if isinstance(e, Sentence)]


# ── merging ───────────────────────────────────────────────────────────────────────


def test_merging_by_the_maximum_keeps_each_order() -> None:
    a, b, c, d = (hit(t, n) for n, t in enumerate("abcd", start=1))
    first = [replace(a, score=0.5), replace(b, score=0.3), replace(c, score=0.4)]
    second = [replace(d, score=0.45), replace(c, score=0.2)]
    found = merge_hits([first, second])
    assert [h.row for h in found] == [a.row, d.row, b.row, c.row]
    assert [h.score for h in found] == [0.5, 0.45, 0.3, 0.4]
    assert merge_hits([first]) == first
    assert merge_hits([]) == []


def test_nothing_of_a_prompt_is_in_the_events(notes: Settings) -> None:
    events, _, _ = asked(notes, [OTHER, "1", REPLY], rewrite=True, rerank_by_model=True)
    assert "search engine" not in json.dumps([str(e) for e in events])
