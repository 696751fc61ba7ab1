"""Filters in the words of a question, and what a reader may not know of."""

import datetime as dt
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from dunegpt.access import Access
from dunegpt.config import EmbedSettings, Settings
from dunegpt.index.build import build
from dunegpt.index.search.facets import Facets
from dunegpt.index.search.filters import Filters
from dunegpt.index.search.open import open_searcher
from dunegpt.serve.question.filters import (
    combine_filters,
    find_filters,
    remove_filter_words,
)
from dunegpt.types import AnswerEvent, Chip, Finished, Notice, Outcome, QuestionEvent
from tests.index.corpus import PUBLIC, document, fill, readers
from tests.serve.asking import answer

TODAY = dt.date(2026, 11, 26)
LAR = readers("n:lar")
FACT = "The drift field of the far detector is 475 V/cm."


def made(
    name: str, text: str, kind: str = "note", **more: Any
) -> tuple[Any, dict[str, list[str]]]:
    doc = document(f"{name}:1", title=f"Note {name[-1]}", **more)
    return replace(doc, kind=kind), {"a.txt": [text]}


Make = Callable[[str], Settings]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Make:
    """Give a function that indexes notes, the hidden one by somebody."""

    def made(author: str) -> Settings:
        settings = Settings(
            data_dir=tmp_path_factory.mktemp("notes") / "data",
            embed=EmbedSettings(model=str(tiny_encoder)),
        )
        return indexed(settings, author)

    return made


@pytest.fixture(scope="module")
def settings(make: Make) -> Settings:
    return make("Zelda Quokka")


def indexed(settings: Settings, author: str) -> Settings:
    """Index notes of several authors, kinds and years, some for LAr people only."""
    old, new = dt.date(2019, 5, 1), dt.date(2026, 2, 1)
    okonjo, group = ("Amara Okonjo",), ("APA Consortium", "Jane Doe")
    pump = "The recirculation pump of the purifier was exchanged on a cold day."
    fill(
        settings,
        [
            made("n:A", FACT, authors=okonjo, date=old, status="approved"),
            made("n:B", f"{FACT} {pump}", authors=group, date=new, status="draft"),
            made("docdb:C", pump, "talk", source="docdb", authors=("DUNE",), date=new),
            made("log:D", f"{FACT} Quiet.", "entry", source="log", access=LAR),
            made(
                "elsewhere:E",
                "A quokka sits on the pump.",
                "minutes",
                source="edms",
                access=LAR,
                authors=(author,),
                date=new,
                status="obsolete",
            ),
        ],
    )
    build(settings)
    return settings


def chips(
    settings: Settings, question: str, reader: Access = PUBLIC
) -> list[tuple[str, str]]:
    searcher = open_searcher(settings)
    found = find_filters(question, searcher.as_reader(reader).facets, TODAY)
    searcher.close()
    return [(chip.text, chip.filter) for wish in found for chip in wish.chips]


def asked(
    settings: Settings, question: str, reader: Access = PUBLIC, **more: Any
) -> tuple[list[AnswerEvent], QuestionEvent, Finished]:
    events = list(answer(question, settings, reader=reader, today=TODAY, **more))
    first, end = events[0], events[-1]
    assert isinstance(first, QuestionEvent)
    assert isinstance(end, Finished)
    return events, first, end


def notices(events: Sequence[AnswerEvent]) -> str:
    return "\n".join(event.text for event in events if isinstance(event, Notice))


def ids(end: Finished) -> set[str]:
    return {c.hit.document.id for c in end.references}


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("purge flow by Okonjo", [("by Okonjo", "author:Okonjo")]),
        ("the note by A. Okonjo", [("by A. Okonjo", "author:Okonjo")]),
        ("written by Dr. Amara Okonjo", None),
        (
            "the note by Jane Doe last year",
            [
                ("by Jane Doe", 'author:"Jane Doe"'),
                ("last year", "after:2025-01-01"),
                ("last year", "until:2025-12-31"),
            ],
        ),
        ("talk by jane doe on the pump", None),
        ("Okonjo's slides on purity", [("Okonjo's", "author:Okonjo")]),
        (
            "What was decided by the APA consortium on wires?",
            [("by the APA consortium", 'author:"APA consortium"')],
        ),
        ("What is in DocDB about purity?", [("in DocDB", "source:docdb")]),
        ("Which talks mention xenon?", [("Which talks", "type:talk")]),
        ("Which approved notes are there?", [("approved", "status:approved")]),
    ],
)
def test_found(
    settings: Settings, question: str, expected: list[tuple[str, str]] | None
) -> None:
    found = chips(settings, question)
    assert found == expected if expected else len(found) >= 1


@pytest.mark.parametrize(
    "question",
    [
        "the frame built by the APA consortium",
        "The cryostat is operated by Okonjo in Lead",
        "the voltage was lowered by Okonjo",
        "the note by B. Okonjo",
        "a note by Jane Smith",
        "notes by hand",
        "step by step",
        "a note by Okonjo and Nobody",
        'What does "by Okonjo" mean?',
        "author:okonjo by the pump",
        "https://notes.test/by Okonjo's",
        "DUNE's notes on purity",
        "What did Okonjo say of the pump?",
        "How do I upload a note in DocDB?",
        "What is in Indico about purity?",
        "What is in the docdbase?",
        "Which minutes are there?",
        "Which superseded notes are there?",
        "the final design report",
        "What stands in the logbook?",
        "approved by Monday",
        "discovered independently by Okonjo",
        "the work by Okonjo Institutes near Lead",
        "a theory overthrown by Okonjo",
        "over the past years",
    ],
)
def test_nothing(settings: Settings, question: str) -> None:
    assert chips(settings, question) == []


@pytest.mark.parametrize(
    "question",
    [
        "the note by Zelda Quokka",
        "What stands in EDMS on the pump?",
        "What stands in the minutes on the pump?",
        "What stands in the logbook on the field?",
        "Which obsolete notes are there?",
    ],
)
def test_filters_only_of_what_one_may_see(settings: Settings, question: str) -> None:
    assert chips(settings, question, LAR) or "minutes" in question
    assert chips(settings, question) == []


def test_hidden_and_unknown_names_are_answered_alike(
    settings: Settings, make: Make
) -> None:
    """The one who asks cannot tell whether a hidden note has such an author."""
    other = make("Somebody Else")

    def told(settings: Settings, reader: Access = PUBLIC) -> str:
        question = "What does the note by Zelda Quokka say of the recirculation pump?"
        without = ["by Nobody", "by Zelda Quokka"]
        events = [
            *answer(question, settings, reader=reader, today=TODAY),
            *answer(question, settings, reader=reader, today=TODAY, without=without),
        ]
        content = json.dumps([asdict(e) for e in events], default=str)
        return re.sub(r'"receipt": "\w+"', "", content)  # is drawn by lot

    assert told(settings) == told(other)
    assert told(settings, LAR) != told(other, LAR)


def test_a_filter_narrows_and_can_be_taken_out(settings: Settings) -> None:
    question = "What is the drift field of the far detector in the note by Okonjo?"
    _, first, end = asked(settings, question)
    assert first.question == question
    assert first.chips == (Chip("by Okonjo", "author", "Okonjo"),)
    assert ids(end) == {"n:A:1"}
    _, first, end = asked(settings, question, without=["By  okonjo"])
    assert (first.chips, "n:B:1" in ids(end)) == ((), True)
    _, first, end = asked(settings, question, as_asked=True)
    assert (first.chips, "n:B:1" in ids(end)) == ((), True)


def test_a_time_narrows(settings: Settings) -> None:
    question = "What was the drift field of the far detector this year?"
    _, first, end = asked(settings, question)
    assert [chip.filter for chip in first.chips] == ["after:2026-01-01"]
    assert end.outcome is Outcome.ANSWERED
    assert "n:A:1" not in ids(end)


def test_what_leaves_nothing_is_told_and_not_applied(settings: Settings) -> None:
    question = "What was the drift field of the far detector last week?"
    events, first, end = asked(settings, question)
    assert [(c.filter, c.applied) for c in first.chips] == [("after:2026-11-16", False)]
    assert end.outcome is Outcome.ANSWERED
    assert "after:2026-11-16 (“last week”)" in notices(events)


def test_filters_that_exclude_each_other(settings: Settings) -> None:
    question = "What was the drift field in the note by Okonjo since 2024?"
    _, first, end = asked(settings, question)
    assert [c.applied for c in first.chips] == [True, False]
    assert ids(end) == {"n:A:1"}


def test_given_filters_stay(settings: Settings) -> None:
    question = "What is the drift field in the note by Okonjo?"
    _, first, end = asked(settings, question, filters=Filters(author="Jane"))
    assert [chip.applied for chip in first.chips] == [False]
    assert ids(end) == {"n:B:1"}
    _, first, end = asked(settings, f"{question} author:jane")
    assert ids(end) == {"n:B:1"}


def test_no_answer_says_where_it_did_not_look(settings: Settings) -> None:
    question = "Which pump was exchanged, by the note by Okonjo?"
    events, _, end = asked(settings, question)
    assert end.outcome is Outcome.NOT_IN_DOCUMENTS
    assert "author:Okonjo (“by Okonjo”)" in notices(events)


def test_words_without_a_filter_are_told(settings: Settings) -> None:
    events, *_ = asked(settings, "What is the drift field?", without=["last year"])
    assert "“last year”" in notices(events)


@pytest.mark.parametrize(
    "question", ["n:A", "What does n:A say since 2024?", "docdb:9"]
)
def test_a_named_document_is_not_narrowed(settings: Settings, question: str) -> None:
    _, first, _ = asked(settings, question)
    assert first.chips == ()


def test_initials_stay_where_they_tell_two_people_apart(make: Make) -> None:
    """Among what the reader may find: a hidden namesake changes nothing."""
    settings = make("Bola Okonjo")
    question = "the note by A. Okonjo"
    assert chips(settings, question) == [("by A. Okonjo", "author:Okonjo")]
    expected = [("by A. Okonjo", 'author:"A. Okonjo"')]
    assert chips(settings, question, LAR) == expected
    assert chips(settings, "the note by C. Okonjo", LAR) == []


def test_each_of_two_authors_is_one_person(settings: Settings) -> None:
    question = "the note by Jane Doe and APA Consortium"
    text = "by Jane Doe and APA Consortium"
    assert chips(settings, question) == [
        (text, 'author:"Jane Doe"'),
        (text, 'author:"APA Consortium"'),
    ]
    searcher = open_searcher(settings)
    facets = searcher.as_reader(PUBLIC).facets
    assert not facets.has_author("Jane Consortium")
    searcher.close()


def test_a_question_is_never_emptied(settings: Settings) -> None:
    searcher = open_searcher(settings)
    found = find_filters("last year?", searcher.as_reader(PUBLIC).facets, TODAY)
    searcher.close()
    assert remove_filter_words("last year?", found) == "last year?"
    assert remove_filter_words("What was decided last year?", found) != ""


def test_chips_are_what_is_typed() -> None:
    chips = [
        Chip("by the APA consortium", "author", "APA consortium"),
        Chip("last year", "after", "2025-01-01"),
        Chip("in DocDB", "source", "docdb"),
    ]
    assert combine_filters(chips) == Filters(
        author="APA consortium", since=dt.date(2025, 1, 1), sources=("docdb",)
    )


def test_facets_are_those_of_the_reader(settings: Settings) -> None:
    searcher = open_searcher(settings)
    seen: dict[str, Facets] = {
        "public": searcher.as_reader(PUBLIC).facets,
        "lar": searcher.as_reader(LAR).facets,
    }
    assert seen["public"].sources == ["docdb", "notes"]
    assert seen["lar"].sources == ["docdb", "edms", "log", "notes"]
    assert seen["public"].statuses == ["approved", "draft"]
    assert "minutes" in seen["lar"].kinds
    assert not seen["public"].has_author("Quokka")
    assert seen["lar"].has_author("Quokka")
    assert not seen["lar"].has_author("Quok")
    assert not seen["lar"].has_author("Z.")
    searcher.close()
