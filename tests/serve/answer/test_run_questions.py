"""Questions about runs: exact from the table that a reader may see, else as if none."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dunegpt.access import Access
from dunegpt.config import EmbedSettings, Settings, SourceSettings
from dunegpt.errors import UsageError
from dunegpt.index.build import build
from dunegpt.index.search.filters import Filters
from dunegpt.index.search.open import open_searcher
from dunegpt.ingest.crawl import crawl
from dunegpt.serve.answer.run_questions import parse_date_range
from dunegpt.types import Finished, Mode, Outcome, QuestionEvent, References, Sentence
from simulators.elog.model import LogModel
from simulators.elog.site import SHIFT, LogSite
from tests.serve.asking import answer

READER = frozenset({SHIFT})
STATES = ["LArTPC running", "cosmics", "HV ramp"]


def indexed(folder: Path, encoder: Path) -> LogSite:
    """Index a log with 150 runs from 28 September 2026 on, beam in two of three."""
    made = LogSite(folder)
    embed = EmbedSettings(model=str(encoder))
    made.settings = Settings(data_dir=folder / "data", embed=embed)
    made.configure(runs_url="https://log.test/ECL/larch/runs.csv")
    fill(made.model)
    made.crawl()
    build(made.settings)
    return made


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> LogSite:
    """Give a log that no test changes."""
    return indexed(tmp_path_factory.mktemp("log"), tiny_encoder)


@pytest.fixture
def own(tmp_path: Path, tiny_encoder: Path) -> LogSite:
    """Give a log to change."""
    return indexed(tmp_path, tiny_encoder)


def fill(model: LogModel) -> None:
    model.take_runs("2026-09-28", 150, STATES)
    model.runs[-1].stop = None
    model.runs[71].comment = "trigger tests"
    model.add("2026-10-12 08:00", "The quench alarm of the pump did not return.")
    model.add("2026-11-02 09:30", "Another quench alarm, at the valve.", author="otto")
    model.add("2026-11-02 07:00", "A quench alarm in the morning.")


def asked(
    site: LogSite, question: str, reader: Access = READER, **more: Any
) -> tuple[str, Finished]:
    events = list(answer(question, site.settings, reader=reader, **more))
    assert isinstance(events[0], QuestionEvent)
    assert isinstance(events[1], References)
    said = [event.text for event in events if isinstance(event, Sentence)]
    assert isinstance(events[-1], Finished)
    return "\n".join(said), events[-1]


def assert_cited(site: LogSite, end: Finished) -> None:
    """Each reference quotes a row that stands so in the table, on that page."""
    table = {
        f"{r.number} | {r.start} | {r.stop or ''} | {r.beam} | {r.state} |"
        f" {r.comment}".rstrip(): r
        for r in site.model.runs
    }
    store = open_searcher(site.settings).snapshot.store
    assert [c.number for c in end.references] == list(range(1, len(end.references) + 1))
    for each in end.references:
        assert each.quote in table
        assert each.quote in each.hit.passage.text
        pages = store.get_pages(each.hit.document.id, "runs")
        [page] = [p for p in pages if p.number == each.page]
        assert each.quote in page.text.split("\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("When did we last see beam?", 148),
        ("when have we last had a beam", 148),
        ("When was the beam last on?", 148),
        ("when was the beam last off", 149),
        ("When did we last see HV ramp?", 149),
        ("When was the detector last in state LArTPC running?", 147),
        ("When was the detector last in the LArTPC running state?", 147),
        ("What was the last run with cosmics?", 148),
        ("When did we last have “cosmics”", 148),
    ],
)
def test_when_last(site: LogSite, question: str, value: int) -> None:
    text, end = asked(site, question)
    run = site.model.runs[value]
    assert f"Run {run.number} of log began {run.start}" in text
    if value < 149:
        newest = site.model.runs[-1]
        assert f"newest run in that table is {newest.number}" in text
    else:
        assert "has no end in the table" in text
    assert (end.outcome, end.mode) == (Outcome.ANSWERED, Mode.EXTRACTIVE)
    assert_cited(site, end)


@pytest.mark.parametrize(
    "question",
    [
        "What was run 28071?",
        "run 28071",
        "What happened in run #28071?",
        "What was the detector state of run 28071?",
        "when did run 28071 start",
    ],
)
def test_one_run(site: LogSite, question: str) -> None:
    text, end = asked(site, question)
    run = site.model.runs[71]
    assert text == (
        f"Run 28071 of log began {run.start} and ended {run.stop}: beam {run.beam};"
        f" detector state {run.state}; trigger tests."
    )
    [reference] = end.references
    assert reference.cited
    assert_cited(site, end)


@pytest.mark.slow
@pytest.mark.parametrize(
    "when", ["October", "October 2026", "2026-10", "oct 2026", "the month of October"]
)
def test_the_status_of_a_month(site: LogSite, when: str) -> None:
    text, end = asked(site, f"What was the detector status in {when}?")
    october = [r for r in site.model.runs if r.start.month == 10]
    assert f"In October 2026, log has {len(october)} runs" in text
    for name, values in (("state", STATES), ("beam", ["on", "off"])):
        for value in values:
            own = [r for r in october if getattr(r, name) == value]
            told = f"{value}: {len(own)} runs, the first {own[0].number}"
            assert f"{told} ({own[0].start}), the last {own[-1].number}" in text
    assert_cited(site, end)


def test_the_status_on_a_day(site: LogSite) -> None:
    text, end = asked(site, "What was the status of the detector on 3 October 2026?")
    assert "In 2026-10-03, log has 4 runs, from 28020" in text
    assert_cited(site, end)


@pytest.mark.parametrize(
    ("question", "count", "of"),
    [
        ("How many runs had beam on in October 2026?", 83, 124),
        ("How many runs were there in 2026-10?", 124, None),
        ("How many runs did we take in September?", 12, None),
        ("How many runs had beam?", 100, 150),
        ("how many runs were in HV ramp in 2026", 50, 150),
        ("How many runs with cosmics on 2026-10-03?", 1, 4),
    ],
)
def test_how_many(site: LogSite, question: str, count: int, of: int | None) -> None:
    text, end = asked(site, question)
    assert f"{count} of the {of} runs" in text if of else f"has {count} runs" in text
    assert_cited(site, end)


@pytest.mark.slow
def test_none_of_them(own: LogSite) -> None:
    for run in own.model.runs:
        run.state = STATES[0] if run.start.month == 9 else STATES[1]
    own.crawl()
    build(own.settings)
    text, end = asked(own, "How many runs were in LArTPC running in October 2026?")
    assert (
        text == "None of the 124 runs of log in October 2026 was with LArTPC running."
    )
    assert_cited(own, end)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("October", "2026-10-01", "2026-10-31"),
        ("December", "2025-12-01", "2025-12-31"),
        ("November", "2026-11-01", "2026-11-30"),
        ("Feb 2024", "2024-02-01", "2024-02-29"),
        ("2026", "2026-01-01", "2026-12-31"),
        ("October 3rd, 2026", "2026-10-03", "2026-10-03"),
        ("2026-10-03", "2026-10-03", "2026-10-03"),
    ],
)
def test_days_that_a_question_names(text: str, first: str, last: str) -> None:
    span = parse_date_range(text, date(2026, 11, 4))
    assert span and (str(span.first), str(span.last)) == (first, last)


@pytest.mark.parametrize(
    "text",
    ["last month", "the cryostat", "2026-13", "31 February", "May be", "Octobre"],
)
def test_days_that_a_question_does_not_name(text: str) -> None:
    assert parse_date_range(text, date(2026, 11, 4)) is None


def test_the_newest_entry_that_has_all_words(site: LogSite) -> None:
    text, end = asked(site, "When did we last see a quench alarm?")
    entry = site.model.entries[8002]
    assert f"log:{entry.number} of 2026-11-02 09:30 by otto: “" in text
    [reference] = end.references
    assert reference.hit.document.id == f"log:{entry.number}"
    assert "quench alarm" in reference.quote
    text, end = asked(site, "When did we last see the quench alarm of the pump?")
    assert end.references[0].hit.document.id == "log:8001"
    text, _ = asked(site, "When did we last see a quench alarm of a wombat?")
    assert "newest log entry" not in text


# ── nothing of what a reader may not see ──────────────────────────────────────────

QUESTIONS = [
    "When did we last see beam?",
    "When was the detector last in state HV ramp?",
    "What was the detector status in October?",
    "What was run 28071?",
    "How many runs had beam on in October 2026?",
    "When did we last see a quench alarm?",
]


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_hidden_table_is_as_none(site: LogSite, question: str) -> None:
    """A reader of nothing is answered as from an index without the log."""
    hidden = list(answer(question, site.settings, reader=frozenset({"other:x"})))
    told = str(hidden).replace(question, "")
    for said in ("28", "beam on", "HV ramp", "LArTPC", "pump", "valve", "log:"):
        assert said not in told, said
    assert hidden[-1] == Finished(Outcome.NOT_IN_DOCUMENTS, Mode.EXTRACTIVE, ())
    unknown = question.replace("beam", "wombat").replace("28071", "99071")
    unknown = unknown.replace("HV ramp", "quuxly").replace("quench", "plugh")
    other = list(answer(unknown, site.settings, reader=frozenset({"other:x"})))
    assert [type(event) for event in hidden] == [type(event) for event in other]


def test_a_table_that_was_closed_is_closed_at_once(own: LogSite) -> None:
    assert "28148" in asked(own, QUESTIONS[0])[0]
    own.configure(access=["log:board"])
    assert own.crawl(full=True).error == ""
    text, end = asked(own, QUESTIONS[0])
    assert "28148" not in text and end.outcome is Outcome.NOT_IN_DOCUMENTS
    # For the board only with the next snapshot: the overlay does not widen.
    text, _ = asked(own, QUESTIONS[0], frozenset({"log:board"}))
    assert "28148" not in text
    build(own.settings)
    assert "28148" in asked(own, QUESTIONS[0], frozenset({"log:board"}))[0]


@pytest.mark.slow
def test_values_of_a_hidden_log_are_no_vocabulary(own: LogSite) -> None:
    """Two logs with tables: each reader is answered from theirs alone."""
    second = LogModel()
    second.take_runs("2026-10-20", 30, ["Wombat calibration"])
    runs, export = (own.settings.data.parent / name for name in ("r.csv", "e.xml"))
    runs.write_bytes(second.table())
    second.recent()
    export.write_bytes(second.export())
    table: dict[str, Any] = {"type": "elog", "path": str(export)}
    table |= {"access": ["two:shift"], "runs_file": str(runs)}
    both_sources = {**own.settings.sources, "two": SourceSettings(**table)}
    own.settings = own.settings.model_copy(update={"sources": both_sources})
    assert crawl("two", own.settings).error == ""
    build(own.settings)
    question = "When was the detector last in state Wombat calibration?"
    assert "Run 28029 of two" in asked(own, question, frozenset({"two:shift"}))[0]
    assert "Wombat" not in asked(own, question)[0]
    both = frozenset({SHIFT, "two:shift"})
    text, _ = asked(own, "What was run 28001?", both)
    assert "Run 28001 of log" in text and "Run 28001 of two" in text
    only = Filters(sources=("two",))
    text, _ = asked(own, "What was run 28001?", both, filters=only)
    assert "of log" not in text
    text, _ = asked(own, "What was run 28001? source:two", both)
    assert "of log" not in text
    with pytest.raises(UsageError):
        asked(own, "What was run 28001? source:two")


def test_other_filters_go_the_usual_way(site: LogSite) -> None:
    text, _ = asked(site, QUESTIONS[0], filters=Filters(author="mia"))
    assert "28148" not in text


# ── the command's look ────────────────────────────────────────────────────────────


def test_selection(site: LogSite) -> None:
    searcher = open_searcher(site.settings)
    runs = searcher.as_reader(READER).runs
    model = site.model.runs
    assert [r.number for r in runs.all_runs] == [r.number for r in model]
    assert len(runs.select(beam="on")) == sum(r.beam == "on" for r in model)
    assert len(runs.select(beam="off")) == sum(r.beam == "off" for r in model)
    ramp = [r.number for r in model if r.state == "HV ramp"]
    assert [r.number for r in runs.select(state="hv RAMP")] == ramp
    assert [r.number for r in runs.select(state="ramp")] == ramp
    assert [r.number for r in runs.select(number=28071)] == [28071]
    day = date(2026, 10, 3)
    assert len(runs.select(since=day, until=day)) == 4
    assert runs.select(sources=["lo"]) == []
    assert len(runs.select(sources=["LOG"])) == 150
    assert searcher.as_reader(frozenset()).runs.all_runs == []
