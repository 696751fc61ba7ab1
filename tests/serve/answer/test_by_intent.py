"""Answers whose shape the intent of a question decides, for one reader and another."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dunegpt.access import NOBODY, Access
from dunegpt.config import Settings
from dunegpt.index.search.filters import Filters
from dunegpt.index.search.searcher import Searcher
from dunegpt.types import Document, Finished, Notice, Outcome, QuestionEvent, Sentence
from tests.index.corpus import PUBLIC, document, pack
from tests.serve.asking import answer

BOARD = frozenset({"board"})
OLD = """The gap is 12 mm. The plate is made of copper. The fan draws 3 A.
No lid was bought.

It hangs on two rods."""
NEW = """The gap is 14 mm. The plate is made of copper. The fan draws 3 A.

It hangs on two rods. A lid made of glass was added in May."""
STEPS = """Two people are needed, and the fan must be off.

1. Open the hatch.
2. Take the old wick out.
   It is hot.
3. Put the new wick in.
4. Close the hatch.

Write it into the book."""
GLOSSARY = """WCU: wick control unit, the box at the door.

The hall lamp system (HLS) is new. A flume is a narrow channel for oil."""


def make(
    identity: str,
    kind: str,
    title: str,
    authors: str,
    day: str,
    *,
    access: Access = PUBLIC,
    status: str = "",
    supersedes: str = "",
) -> Document:
    made = document(
        identity,
        title=title,
        authors=tuple(authors.split(", ")),
        date=date.fromisoformat(day),
        access=access,
        status=status,
        supersedes=supersedes,
        source="docdb",
    )
    return replace(made, kind=kind)


OPEN = [
    (make("docdb:11:1", "note", "The lamp gap", "Ada Moss", "2024-02-01",
          status="superseded"), OLD),
    (make("docdb:11:2", "note", "The lamp gap", "Ada Moss, Ben Reed", "2024-06-01",
          status="approved", supersedes="docdb:11:1"), NEW),
    (make("docdb:12:1", "procedure", "Changing the wick", "Ben Reed", "2024-03-05"),
     STEPS),
    (make("docdb:13:1", "note", "Words of the lamp group", "Cleo Park", "2023-01-09"),
     GLOSSARY),
    (make("docdb:14:1", "talk", "Oil in the lamps", "Cleo Park", "2025-01-10"),
     "The oil is clear. The lamp was tested with oil as DUNE-doc-999 says."),
    (make("docdb:15:1", "talk", "Oil prices", "Ada Moss", "2025-03-02"),
     "The oil costs 9 euros. The group met in Oslo. Its drawing is LMP-OIL-07."),
    (make("docdb:16:1", "minutes", "Minutes of 4 April 2025", "Ben Reed", "2025-04-04"),
     "The oil was changed because the flume had rusted. See docdb 12."),
]  # fmt: skip
STOVE = [
    "1. Fill the tank. Use the funnel.\n2. Light it.\n3. Wait",
    "2. Light it.\n3. Wait for a minute.",
]
HIDDEN = [
    (make("docdb:17:1", "talk", "Oil tender", "Dora Quill", "2025-05-01",
          access=BOARD),
     "WCU: wattage cost unit\n\nThe vault oil reserve (VOR). Zirconade oil. docdb 12."),
    (make("docdb:18:1", "note", "The lamp gap plans", "Ada Moss", "2025-05-02",
          access=BOARD),
     "1. Sell the lamps.\n2. Buy oil.\n\nDUNE-doc-999 has it. DocDB 888 too."),
    (make("docdb:11:3", "note", "The lamp gap", "Dora Quill", "2025-05-03",
          access=BOARD, supersedes="docdb:11:2"), "The gap will be 20 mm."),
    (make("docdb:19:1", "secret list", "Plans", "Dora Quill", "2025-05-04",
          access=BOARD, status="restricted"), "Ada Moss likes oil."),
]  # fmt: skip
World = Callable[..., tuple[str, Finished]]


def read_world(
    folder: Path, encoder: Path, documents: list[tuple[Document, str]]
) -> World:
    stove = make("docdb:20:1", "card", "Lighting the stove", "Ed Low", "2020-01-01")
    corpus = [(made, {"a.txt": [text]}) for made, text in documents]
    corpus.append((stove, {"a.txt": STOVE}))
    searcher = Searcher(pack(folder / "snapshot", encoder, corpus))
    settings = Settings(data_dir=folder)

    def ask(
        question: str, reader: Access = NOBODY, **more: Any
    ) -> tuple[str, Finished]:
        day = date(2025, 6, 1)
        more |= {"searcher": searcher, "use_model": False, "today": day}
        events = list(answer(question, settings, reader=reader, **more))
        assert isinstance(events[0], QuestionEvent)
        told = [e.text for e in events if isinstance(e, Sentence | Notice)]
        assert isinstance(events[-1], Finished)
        return "\n".join(told), events[-1]

    return ask


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> World:
    folder = tmp_path_factory.mktemp("whole")
    return read_world(folder, tiny_encoder, OPEN + HIDDEN)


@pytest.fixture(scope="module")
def ask_open(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> World:
    """Ask where the documents of the board were never written."""
    return read_world(tmp_path_factory.mktemp("open"), tiny_encoder, OPEN)


def cited(end: Finished) -> list[str]:
    return [c.hit.document.id for c in end.references if c.cited]


@pytest.mark.parametrize(
    ("question", "ids", "begins"),
    [
        ("all documents by Ada Moss", ["docdb:15:1", "docdb:11:2"], "2 documents by"),
        ("documents by Ada Moss since 2025", ["docdb:15:1"], "1 document by Ada Moss"),
        ("How many talks by Ada Moss are there?", ["docdb:15:1"], "1 talk by Ada"),
        ("which talks did Cleo Park give?", ["docdb:14:1"], "1 talk by Cleo Park"),
        ("list the talks since February 2025", ["docdb:15:1"], "1 talk since"),
        ("which notes are there", ["docdb:11:2", "docdb:13:1"], "2 notes:"),
        ("show me all talks on oil", ["docdb:15:1", "docdb:14:1"], "2 talks with"),
        ("which notes are superseded?", ["docdb:11:1"], "1 note with"),
        ("what did Ben Reed write in 2024?", ["docdb:11:2", "docdb:12:1"], "2 doc"),
        ("how many talks are there?", ["docdb:15:1", "docdb:14:1"], "2 talks"),
        ("number of procedures", ["docdb:12:1"], "1 procedure"),
        ("How many talks did Ben Reed give?", [], "No talk by Ben Reed"),
        ("latest talk", ["docdb:15:1"], "The newest of 2 talks"),
        ("What is the newest note by Ada Moss?", ["docdb:11:2"], "The only note"),
        ("latest version of docdb 11", ["docdb:11:2"], "The newest version here is"),
        ("Who wrote documents?", [], "4 authors"),
        ("which kinds of documents are there?", [], "5 kinds of documents"),
    ],
)  # fmt: skip
def test_lists_come_from_typed_fields(
    ask: World, question: str, ids: list[str], begins: str
) -> None:
    told, end = ask(question)
    assert told.startswith(begins), told
    assert cited(end) == ids
    assert end.outcome is Outcome.ANSWERED


@pytest.mark.parametrize(
    "question",
    [
        "Which documents are needed to open the hatch?",
        "How many rods are there?",
        "list documents by Nobody Known",
        "what did the lamp cost",
        "Which talks should I give?",
        "Which group keeps the notes of the lamp?",
        "What rule do lamp reports follow?",
        "Why wait two minutes after the change of oil?",
    ],
)
def test_what_asks_for_content_is_no_list(ask: World, question: str) -> None:
    told, _ = ask(question)
    assert not re.match(r"\d+ (?:documents?|talks?|minutes)\b", told)


def test_a_list_obeys_filters(ask: World) -> None:
    told, end = ask("list all talks", filters=Filters(author="Moss"))
    assert cited(end) == ["docdb:15:1"]
    told, end = ask("list all talks by Cleo Park", without=["by Cleo Park"])
    assert cited(end) == ["docdb:15:1", "docdb:14:1"]
    told, end = ask("talks since 2024 author:park type:talk")
    assert cited(end) == ["docdb:14:1"], told


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("What does WCU stand for?", "WCU stands for wick control unit"),
        ("whats the HLS?", "HLS stands for hall lamp system"),
        ("Define wcu", "wick control unit"),
        ("HLS meaning", "hall lamp system"),
    ],
)
def test_acronyms_are_spelt_out(ask: World, question: str, said: str) -> None:
    told, end = ask(question)
    assert said in told
    assert cited(end) == ["docdb:13:1"]


def test_meanings_of_an_acronym_are_all_told(ask: World) -> None:
    told, _ = ask("What does WCU stand for?", BOARD)
    assert "wick control unit" in told
    assert "wattage cost unit" in told


def test_a_procedure_is_told_whole_and_in_order(ask: World) -> None:
    told, end = ask("How do I change the wick?")
    assert told.split("\n") == [
        "docdb:12:1 is “Changing the wick” by Ben Reed, dated 2024-03-05.",
        "Two people are needed, and the fan must be off.",
        "1. Open the hatch.",
        "2. Take the old wick out. It is hot.",
        "3. Put the new wick in.",
        "4. Close the hatch.",
    ]
    assert cited(end) == ["docdb:12:1"]


@pytest.mark.parametrize(
    "question",
    ["Compare docdb 11 v1 and v2", "what changed in version 2 of the lamp gap?",
     "docdb:11:1 vs docdb:11:2", "how does docdb-11 v2 differ from v1"],
)  # fmt: skip
def test_a_comparison_tells_differences(ask: World, question: str) -> None:
    told, end = ask(question)
    assert "docdb:11:1: “The gap is 12 mm.” docdb:11:2: “The gap is 14 mm.”" in told
    assert "Only in docdb:11:2: “A lid made of glass was added in May.”" in told
    assert "Only in docdb:11:1: “No lid was bought.”" in told
    assert "copper" not in told
    assert sorted(set(cited(end))) == ["docdb:11:1", "docdb:11:2"]


def test_overlapping_passages_tell_each_step_once(ask: World) -> None:
    told, _ = ask("what are the steps for lighting the stove")
    assert told.split("\n")[1:] == [
        "1. Fill the tank. Use the funnel.",
        "2. Light it.",
        "3. Wait for a minute.",
    ]


def test_a_version_that_is_missing_is_not_compared(ask: World) -> None:
    told, _ = ask("Compare docdb 11 v1 and docdb 11 v7")
    assert "Only in" not in told


def test_a_summary_begins_with_the_document(ask: World) -> None:
    for question in ("Summarize the lamp gap", "what is docdb 11 about?"):
        told, end = ask(question)
        first, *leads = told.split("\n")
        assert first.startswith("docdb:11:2 is “The lamp gap” by Ada Moss, Ben Reed")
        assert leads == ["The gap is 14 mm.", "It hangs on two rods."]
        assert cited(end) == ["docdb:11:2"]


def test_who_wrote_a_document_that_is_described(ask: World) -> None:
    told, end = ask("Who wrote the note on the words of the lamp group?")
    assert "by Cleo Park" in told
    assert cited(end) == ["docdb:13:1"]


def test_mentions_of_what_is_not_here(ask: World) -> None:
    told, end = ask("What is in DUNE doc. 999?")
    assert "DUNE doc. 999 is not in the index" in told
    assert "tested with oil as DUNE-doc-999 says" in told
    assert cited(end) == ["docdb:14:1"]
    told, end = ask("docdb #777")
    assert end.outcome is Outcome.NOT_IN_DOCUMENTS
    assert "is not in the index" in told


def test_a_name_alone_is_explained_by_what_mentions_it(ask: World) -> None:
    told, end = ask("What is LMP-OIL-07 about?")
    assert "Its drawing is LMP-OIL-07." in told
    assert cited(end) == ["docdb:15:1"]


def test_who_cites_what_is_here(ask: World) -> None:
    _, end = ask("which documents cite docdb 12?")
    assert cited(end) == ["docdb:16:1"]


def test_a_typing_error_is_read_with_words_of_the_reader(ask: World) -> None:
    told, _ = ask("what was the lamp tseted with")
    assert "“tseted” was read as “tested”" in told
    told, _ = ask("what is zirconede")
    assert "zirconade" not in told
    told, _ = ask("what is zirconede", BOARD)
    assert "“zirconede” was read as “zirconade”" in told


@pytest.mark.parametrize(
    "question",
    ["all documents by Ada Moss", "how many documents are there", "latest talk on oil",
     "talks about oil", "who wrote documents?", "which kinds of documents are there?",
     "what does WCU stand for", "what does VOR stand for", "summarize the lamp gap",
     "summarize the oil tender", "compare docdb 11 v2 and v3",
     "what changed in docdb 11",
     "What is the latest version of docdb 11?", "who cites docdb 12?", "DUNE-doc-999",
     "docdb 888", "docdb 17", "documents by Dora Quill", "how do I sell the lamps",
     "what is the zirconede oil", "restricted documents", "list the secret lists",
     "how many lamps were sold", "when did the gap become 20 mm"],
)  # fmt: skip
def test_hidden_documents_change_nothing(
    ask: World, ask_open: World, question: str
) -> None:
    """Whoever may not read them gets the same answer as if they did not exist."""
    told, end = ask(question)
    other, other_end = ask_open(question)
    assert told == other
    assert cited(end) == cited(other_end)
    assert end.outcome == other_end.outcome
