"""From a question to an outcome: with and without a model, in order, nothing leaked."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from reportlab.pdfgen.canvas import Canvas

from dunegpt.access import Access
from dunegpt.config import Settings
from dunegpt.errors import ConfigError, UsageError
from dunegpt.index.build import build
from dunegpt.ingest.crawl import crawl
from dunegpt.llm_settings import LLMSettings
from dunegpt.server_settings import ServerSettings
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
from simulators.llm.openai_server import FakeModel, fake_model
from tests.index.corpus import PUBLIC, document, fill, readers
from tests.made_once import MakeOnce
from tests.serve.asking import answer

QUESTION = "What is the drift field of the far detector?"
FACT = "The drift field of the far detector is 475 V/cm."
LAR = readers("n:lar")


@pytest.fixture
def notes(settings: Settings, make_once: MakeOnce) -> Settings:
    """Index three notes, one of them for LAr people only."""
    texts = {
        "n:FLD-1:1": (PUBLIC, f"It was a cold day in Lead. {FACT}"),
        "n:PUR-2:1": (PUBLIC, "The purity monitors measure the lifetime hourly."),
        "n:SEC-3:1": (LAR, "The drift field of the far detector is a quokka 180 V."),
    }

    def make() -> None:
        fill(
            settings,
            [
                (document(i, access=access, title=f"Note {i[2:5]}"), {"a.txt": [text]})
                for i, (access, text) in texts.items()
            ],
        )
        build(settings)

    make_once("pipeline", settings.data, make)
    return settings


def with_model(settings: Settings, url: str, **more: Any) -> Settings:
    table = LLMSettings(base_url=url, model="fake", timeout_s=1, **more)
    return settings.model_copy(update={"llm": {"fake": table}})


def asked(
    settings: Settings, question: str = QUESTION, reader: Access = PUBLIC, **more: Any
) -> tuple[list[AnswerEvent], Finished]:
    """Return all events and the last, after checking what holds of every answer."""
    events = list(answer(question, settings, reader=reader, **more))
    end = events[-1]
    assert isinstance(end, Finished)
    assert [type(e) for e in events].count(Finished) == 1
    if end.outcome is not Outcome.SEARCH_UNAVAILABLE:
        assert isinstance(events[0], QuestionEvent)
        first = events[1]
        assert isinstance(first, References)
        assert [type(e) for e in events].count(References) == 1
        numbers = [c.number for c in first.citations]
        assert numbers == list(range(1, len(numbers) + 1))
        for before, after in zip(first.citations, end.references, strict=True):
            assert (before.number, before.hit) == (after.number, after.hit)
            assert " ".join(after.quote.split()) in " ".join(
                after.hit.passage.text.split()
            )
        marks = {n for s in said(events) if s.supported for n in s.citations}
        assert {c.number for c in end.references if c.cited} == marks
    return events, end


def said(events: Sequence[AnswerEvent]) -> list[Sentence]:
    return [event for event in events if isinstance(event, Sentence)]


def notices(events: Sequence[AnswerEvent]) -> str:
    return "\n".join(event.text for event in events if isinstance(event, Notice))


# ── without a model ───────────────────────────────────────────────────────────────


def test_extractive_is_verbatim_and_cited(notes: Settings) -> None:
    events, end = asked(notes)
    assert (end.outcome, end.mode) == (Outcome.ANSWERED, Mode.EXTRACTIVE)
    assert said(events)[0].text == FACT
    for sentence in said(events):
        texts = [end.references[n - 1].hit.passage.text for n in sentence.citations]
        assert sentence.supported
        assert any(sentence.text in text for text in texts)
    assert end.references[0].hit.document.id == "n:FLD-1:1"
    assert end.references[0].quote == FACT
    assert not notices(events)


@pytest.mark.parametrize(
    "question",
    [
        "What do wombats eat in Tasmania?",
        "What was the drift field of the far detector in 1987?",
        "What is the drift field in run 99999?",
        "🚀🔬",
        "FLD-9",
    ],
)
def test_refusals(notes: Settings, question: str) -> None:
    events, end = asked(notes, question)
    assert end.outcome is Outcome.NOT_IN_DOCUMENTS
    assert said(events) == []
    assert notices(events)


def test_what_only_comes_near_is_told_with_a_doubt(settings: Settings) -> None:
    text = (
        "The pump came to the hall late. Green is what was painted on doors there."
        " Somebody spilt much oil on a Monday. The rotor weighs as much as ten bricks."
    )
    fill(settings, [(document("n:PMP-1:1"), {"a.txt": [text]})])
    build(settings)
    near, end = asked(settings, "Which painted rotor spilt oil in the hall?")
    assert end.outcome is Outcome.ANSWERED
    assert "No sentence found answers plainly" in notices(near)


def test_hidden_document_does_not_answer(notes: Settings) -> None:
    events, _ = asked(notes, "Which quokka is the drift field?")
    assert "180 V" not in json.dumps([asdict(e) for e in events], default=str)
    events, end = asked(notes, "Which quokka is the drift field?", LAR)
    assert end.outcome is Outcome.ANSWERED
    assert "180" in said(events)[0].text
    hidden, unknown = (asked(notes, q)[0] for q in ("SEC-3", "SEC-4"))
    assert str(hidden).replace("SEC-3", "") == str(unknown).replace("SEC-4", "")


@pytest.mark.parametrize("question", ["FLD-1", "FLD-1 v1", "n:FLD-1:1"])
def test_bare_name_is_answered(notes: Settings, question: str) -> None:
    events, end = asked(notes, question)
    assert end.outcome is Outcome.ANSWERED
    assert said(events)[0].citations == (1,)
    assert "n:FLD-1:1" in said(events)[0].text
    assert {c.hit.document.id for c in end.references} == {"n:FLD-1:1"}


def write_pdf(path: Path, pages: Sequence[Sequence[str]]) -> None:
    canvas = Canvas(str(path))
    for lines in pages:
        for number, line in enumerate(lines):
            canvas.drawString(72, 720 - 16 * number, line)
        canvas.showPage()
    canvas.save()


def test_pdf_opens_at_the_page(settings: Settings, papers: Path) -> None:
    filler = [["Argon is cold and pure.", f"This is side {n}."] for n in "abcd"]
    filler[2] = ["Some more words here.", FACT]
    write_pdf(papers / "field report.pdf", filler)
    crawl("papers", settings)
    build(settings)
    events, end = asked(settings)
    assert said(events)[0].text == FACT
    [cited] = [c for c in end.references if c.cited][:1]
    assert cited.page == 3
    assert cited.url == f"{papers.as_uri()}/field%20report.pdf#page=3"
    # Nobody elsewhere can open a file of the server's host.
    own = ServerSettings(url="https://gpt.test")
    _, served = asked(settings.model_copy(update={"server": own}))
    [cited] = [c for c in served.references if c.cited][:1]
    assert cited.url.startswith("https://gpt.test/view/papers:field%20report.pdf?")
    assert cited.url.endswith("page=3")


def test_other_files_open_in_our_viewer_if_there_is_one(notes: Settings) -> None:
    assert asked(notes)[1].references[0].url == "https://notes.test/n/FLD-1/1"
    mine = notes.model_copy(update={"server": ServerSettings(url="https://gpt.test/")})
    url = asked(mine)[1].references[0].url
    assert url == "https://gpt.test/view/n:FLD-1:1?file=a.txt&page=1"


@pytest.mark.parametrize("name", ["a&b #1.txt", "a b%20?x=1.md"])
def test_viewer_link_of_any_name_is_an_address(
    settings: Settings, papers: Path, name: str
) -> None:
    (papers / name).write_text(FACT)
    crawl("papers", settings)
    build(settings)
    mine = settings.model_copy(
        update={"server": ServerSettings(url="https://gpt.test")}
    )
    url = asked(mine)[1].references[0].url
    assert not set(' #"') & set(url)
    assert url.endswith("&page=1")
    assert url.count("&") == url.count("?") == 1


# ── no search ─────────────────────────────────────────────────────────────────────


def test_missing_index(settings: Settings) -> None:
    events, end = asked(settings)
    assert end == Finished(Outcome.SEARCH_UNAVAILABLE, Mode.EXTRACTIVE, ())
    assert "dunegpt index" in notices(events)
    assert said(events) == []


@pytest.mark.parametrize("name", ["manifest.json", "row_access.npy", "lexical/*.idx"])
def test_broken_index(notes: Settings, name: str) -> None:
    path = next(notes.paths.current_snapshot.resolve().glob(name))
    path.write_bytes(bytes(path.stat().st_size))
    events, end = asked(notes)
    assert end.outcome is Outcome.SEARCH_UNAVAILABLE
    assert notices(events)


@pytest.mark.parametrize("question", ["", "x" * 10_000])
def test_usage(notes: Settings, question: str) -> None:
    with pytest.raises(UsageError):
        asked(notes, question)


def test_other_model_is_told(notes: Settings, tmp_path: Path) -> None:
    embed = notes.embed.model_copy(update={"model": "another"})
    events, end = asked(notes.model_copy(update={"embed": embed}))
    assert "another" in notices(events)
    assert end.outcome is Outcome.ANSWERED


# ── with a model ──────────────────────────────────────────────────────────────────


def generated(
    settings: Settings, reply: str, reader: Access = PUBLIC, **more: Any
) -> tuple[list[AnswerEvent], Finished, FakeModel]:
    with fake_model([reply]) as model:
        mine = with_model(settings, model.url, **more)
        events, end = asked(mine, reader=reader)
    return events, end, model


def test_generated(notes: Settings) -> None:
    reply = "The drift field is 475 V/cm [1]. It was cold in Lead. [1]"
    events, end, model = generated(notes, reply)
    assert (end.outcome, end.mode) == (Outcome.ANSWERED, Mode.GENERATED)
    assert [(s.text, s.citations, s.supported) for s in said(events)] == [
        ("The drift field is 475 V/cm.", (1,), True),
        ("It was cold in Lead.", (1,), True),
    ]
    assert model.paths == ["/v1/chat/completions"]
    [body] = model.requests
    assert (body["model"], body["stream"], body["temperature"]) == ("fake", True, 0)
    assert [m["role"] for m in body["messages"]] == ["system", "user"]
    assert FACT in body["messages"][1]["content"]


def test_fabrication_is_marked(notes: Settings) -> None:
    reply = "The drift field is 475 V/cm [1]. It was 999 V/cm once [1].\nSee wombats."
    events, end, _ = generated(notes, reply)
    assert [s.supported for s in said(events)] == [True, False, False]
    assert "999" in said(events)[1].reason
    assert end.outcome is Outcome.ANSWERED


def test_what_the_documents_say_follows_if_nothing_is_backed(notes: Settings) -> None:
    events, end, _ = generated(notes, "The drift field is 999 V/cm [1].")
    assert (end.outcome, end.mode) == (Outcome.ANSWERED, Mode.EXTRACTIVE)
    assert [s.supported for s in said(events)] == [False, True]
    assert said(events)[1].text == FACT
    assert "Nothing that the model wrote" in notices(events)
    reply = "The drift field is 999 V/cm [1]. NOT IN THE DOCUMENTS"
    events, end, _ = generated(notes, reply)
    assert (end.outcome, end.mode) == (Outcome.NOT_IN_DOCUMENTS, Mode.GENERATED)
    assert not any(c.cited for c in end.references)


@pytest.mark.parametrize(
    "sentence",
    [
        "The drift field of Dr. Okonjo is 475 V/cm [1].",
        "The drift field, i.e. 475 V/cm, is of the far detector [1].",
        "The drift field (approx. 475 V/cm) is of the far detector [1].",
    ],
)
def test_generated_sentence_is_not_cut_at_abbreviations(
    notes: Settings, sentence: str
) -> None:
    events, _, _ = generated(notes, f"{sentence} It was cold in Lead [1].")
    assert [s.text for s in said(events)][:2] == [
        sentence.replace(" [1]", ""),
        "It was cold in Lead.",
    ]


@pytest.mark.parametrize(
    "reply",
    ["NOT IN THE DOCUMENTS", "Not in the documents.", " NOT IN THE DOCUMENTS\n"],
)
def test_model_refuses(notes: Settings, reply: str) -> None:
    events, end, _ = generated(notes, reply)
    assert (end.outcome, said(events)) == (Outcome.NOT_IN_DOCUMENTS, [])


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["500", "401", "hang", "empty", "nonsense", "html"])
def test_model_down(notes: Settings, fault: str) -> None:
    events, end, model = generated(notes, fault)
    assert (end.outcome, end.mode) == (Outcome.MODEL_UNAVAILABLE, Mode.EXTRACTIVE)
    assert said(events)[0].text == FACT
    assert "'fake'" in notices(events)
    assert FACT not in notices(events)
    assert len(model.requests) == 1


def test_nobody_listens(notes: Settings) -> None:
    with fake_model(["500"]) as gone:
        pass
    events, end = asked(with_model(notes, gone.url))
    assert (end.outcome, said(events)[0].text) == (Outcome.MODEL_UNAVAILABLE, FACT)


def test_a_server_that_reads_less_is_told_fewer_passages(notes: Settings) -> None:
    with fake_model(["long", "The drift field is 475 V/cm [1]."]) as model:
        events, end = asked(with_model(notes, model.url))
    assert (end.outcome, end.mode) == (Outcome.ANSWERED, Mode.GENERATED)
    assert "half as many" in notices(events)
    sent = [json.dumps(request) for request in model.requests]
    assert ["purity monitors" in text for text in sent] == [True, False]
    assert FACT in sent[1]
    with fake_model(["long"]) as model:
        events, end = asked(with_model(notes, model.url))
    assert (end.outcome, end.mode) == (Outcome.MODEL_UNAVAILABLE, Mode.EXTRACTIVE)
    assert len(model.requests) == 2  # one passage cannot be halved
    assert said(events)[0].text == FACT


def test_model_breaks_off(notes: Settings) -> None:
    events, end, _ = generated(
        notes, "drop: It was a cold day in Lead [1]. The drift f"
    )
    assert (end.outcome, end.mode) == (Outcome.MODEL_UNAVAILABLE, Mode.EXTRACTIVE)
    texts = [s.text for s in said(events)]
    assert texts[0] == "It was a cold day in Lead."
    assert texts[1] == FACT
    assert not any(text.endswith("drift f") for text in texts)


def test_an_answer_without_what_is_wanted_is_followed_by_the_documents(
    notes: Settings,
) -> None:
    events, end, _ = generated(notes, "The far detector is a note of FLD [1].")
    assert (end.outcome, end.mode) == (Outcome.ANSWERED, Mode.EXTRACTIVE)
    assert [s.supported for s in said(events)] == [True, True]
    assert said(events)[1].text == FACT
    assert "does not give a field" in notices(events)


def test_an_answer_beside_the_question_is_doubted(notes: Settings) -> None:
    with fake_model(["It was a cold day in Lead [1]."]) as model:
        mine = with_model(notes, model.url)
        events, end = asked(mine, "Which zebra lives near the far detector?")
    assert end.outcome is Outcome.ANSWERED
    assert "zebra" in notices(events)
    assert "beside the question" in notices(events)


def test_half_a_sentence_is_not_told(notes: Settings) -> None:
    whole = "The drift field is 475 V/cm [1]."
    events, end, _ = generated(notes, f"cut: {whole} It was a cold day in")
    assert (end.outcome, end.mode) == (Outcome.ANSWERED, Mode.GENERATED)
    assert [s.supported for s in said(events)] == [True, False]
    events, _, _ = generated(notes, f"cut: {whole}")
    assert [(s.text, s.supported) for s in said(events)] == [
        ("The drift field is 475 V/cm.", True)
    ]


def test_model_may_be_left_out(notes: Settings) -> None:
    with fake_model(["It was cold in Lead [1]."]) as model:
        _, end = asked(with_model(notes, model.url), use_model=False)
    assert (end.mode, model.requests) == (Mode.EXTRACTIVE, [])


def test_refused_question_is_not_sent(notes: Settings) -> None:
    with fake_model(["It was cold in Lead [1]."]) as model:
        asked(with_model(notes, model.url), "What was the drift field in 1987?")
    assert model.requests == []


def test_hidden_documents_are_not_sent(notes: Settings) -> None:
    _, _, model = generated(notes, "Cold [1].", may_read=("*",))
    assert FACT in model.sent
    for secret in ("quokka", "SEC"):
        assert secret not in model.sent


@pytest.mark.parametrize(
    ("may_read", "sent"),
    [((), False), (("public",), False), (("n:daq",), False), (("n:lar",), True)],
)
def test_server_may_read(
    notes: Settings, may_read: tuple[str, ...], sent: bool
) -> None:
    reply = "The drift field is 475 V/cm."
    events, end, model = generated(notes, reply, LAR, may_read=may_read)
    assert "n:SEC-3:1" in {c.hit.document.id for c in end.references}
    assert ("quokka" in model.sent) is sent
    assert ("SEC" in model.sent) is sent
    assert FACT in model.sent
    assert said(events)[0].supported


def test_server_may_read_nothing(settings: Settings) -> None:
    fill(settings, [(document("n:a", access=LAR), {"a.txt": [FACT]})])
    build(settings)
    events, end, model = generated(settings, "Cold [1].", LAR)
    assert (end.outcome, end.mode) == (Outcome.ANSWERED, Mode.EXTRACTIVE)
    assert "may be sent" in notices(events)
    assert model.requests == []


def test_key_comes_from_the_environment(
    notes: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="FAKE_KEY"):
        generated(notes, "Cold [1].", api_key_env="FAKE_KEY")
    monkeypatch.setenv("FAKE_KEY", "s3cret")
    events, end, model = generated(notes, "401", api_key_env="FAKE_KEY")
    assert "s3cret" not in model.sent + str(events)
    assert end.outcome is Outcome.MODEL_UNAVAILABLE


# ── falling back, and documents by name ───────────────────────────────────────────


@pytest.mark.parametrize("may_read", [["*"], ["n:nobody"]])
def test_falling_back_refuses_what_would_be_refused_without_a_model(
    settings: Settings, may_read: list[str]
) -> None:
    fill(settings, [(document("n:a", access=LAR), {"a.txt": [FACT]})])
    build(settings)
    mine = with_model(settings, "http://127.0.0.1:1/v1", may_read=may_read)
    question = "What radon concentration does the drift field of the detector have?"
    events, end = asked(mine, question, reader=LAR)
    assert said(events) == []
    is_down = may_read == ["*"]
    refused = Outcome.MODEL_UNAVAILABLE if is_down else Outcome.NOT_IN_DOCUMENTS
    assert end.outcome is refused
    assert any("radon" in e.text for e in events if isinstance(e, Notice))


def test_each_named_document_is_introduced(notes: Settings) -> None:
    events, end = asked(notes, "Compare PUR-2 and FLD-1")
    introduced = [s.text for s in said(events) if " is “Note" in s.text]
    names = sorted(text.partition(" ")[0] for text in introduced)
    assert names == ["n:FLD-1:1", "n:PUR-2:1"]
    assert end.outcome is Outcome.ANSWERED


def test_a_named_document_without_text_is_not_denied(settings: Settings) -> None:
    empty = replace(document("n:SCAN-1:1"), files=())
    fill(settings, [(empty, {}), (document("n:FLD-1:1"), {"a.txt": [FACT]})])
    build(settings)
    events, end = asked(settings, "SCAN-1")
    assert end.outcome is Outcome.NOT_IN_DOCUMENTS
    notices = [e.text for e in events if isinstance(e, Notice)]
    assert notices == ["n:SCAN-1:1 is in the index, but no text of it could be read."]


def test_who_wrote_it_is_answered_by_what_the_document_says_of_itself(
    settings: Settings,
) -> None:
    mine = document("n:FLD-1:1", title="Drift field note", authors=("Ada Field",))
    fill(settings, [(mine, {"a.txt": [FACT]})])
    build(settings)
    events, end = asked(settings, "Who wrote the note on the drift field?")
    assert end.outcome is Outcome.ANSWERED
    assert "by Ada Field" in said(events)[0].text


def test_a_sentence_settles_the_quote_of_a_card(notes: Settings) -> None:
    events, end = asked(notes, "What is the drift field of FLD-1?")
    assert said(events)[0].text.startswith("n:FLD-1:1 is")
    assert said(events)[1].text == FACT
    assert end.references[0].quote == FACT
