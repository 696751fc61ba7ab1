"""A made-up collaboration: thousands of documents, each with one fact of its own.

Knows who may read which of them, and so what each person must and must not be told.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from simulators.docdb.model import DocDBModel
from simulators.indico.model import Event, File, IndicoModel, Readers, Talk

ACCOUNTS = ("mia", "mo", "otto")
GROUP, BOARD = frozenset({"mia", "mo"}), frozenset({"otto"})
PEOPLE = {
    "visitor": frozenset({"public"}),
    "member": frozenset(
        {"larch:member", "notes:member", "docdb:All", "edms:CENF-LBNF-DUNE"}
    ),
    "board": frozenset({"larch:board", "docdb:Board"}),
}
_READERS: tuple[Readers, ...] = (None, None, GROUP, BOARD, frozenset({"mia"}))
_PARTS = ("valve", "pump", "heater", "sensor", "relay", "filter", "gauge", "burner")
_NOTE_VERSIONS = 3


@dataclass(frozen=True)
class Fact:
    """One sentence of one document.

    Attributes:
        id: Of the document.
        readers: Names of those of `PEOPLE` who may read it.
    """

    id: str
    question: str
    value: str
    readers: frozenset[str]


def who(readers: Readers) -> frozenset[str]:
    """Return the people that a list of accounts stands for."""
    if readers is None:
        return frozenset(PEOPLE)
    found = {"member"} if readers >= GROUP else set()
    return frozenset(found | ({"board"} if readers >= BOARD else set()))


def _sentence(number: int) -> tuple[str, str, str]:
    """Return part, value and the sentence of a fact."""
    part = f"{_PARTS[number % len(_PARTS)]} K{number:05}"
    value = f"{100000 + number}.5 mbar"
    return part, value, f"The set point of {part} is {value}."


def fill(model: IndicoModel, events: int) -> list[Fact]:
    """Put events of three talks each into a site; return the facts of the talks."""
    facts = []
    for number in range(events):
        day = f"20{12 + number % 14}-{number % 12 + 1:02}-{number % 28 + 1:02}"
        event = model.add(f"Meeting {number}", day, readers=_READERS[number // 3 % 5])
        for _ in range(3):
            facts.append(add_talk(model, event, _READERS[model.last % 5]))
    return facts


def add_talk(model: IndicoModel, event: Event, readers: Readers) -> Fact:
    """Return the fact of a new talk with a file."""
    talk = Talk(model.next(), f"Report {model.last}", readers)
    part, value, sentence = _sentence(talk.number)
    talk.files = [File(model.next(), f"{sentence} It was checked in week 7.")]
    event.talks[talk.number] = talk
    return Fact(
        f"larch:{event.number}/c{talk.number}",
        f"What is the set point of {part}?",
        value,
        who(event.readers) & who(readers),
    )


def write_notes(folder: Path, notes: int) -> list[Fact]:
    """Write notes of three versions each; return the facts of the newest ones."""
    facts, entries = [], []
    for number in range(notes):
        access = "notes:member" if number % 3 == 0 else "public"
        for version in range(1, _NOTE_VERSIONS + 1):
            name = f"n{number}v{version}.txt"
            part, value, sentence = _sentence(70000 + 10 * number + version)
            (folder / name).write_text(f"{sentence}\n", encoding="utf-8")
            entries.append(
                f'[[document]]\nid = "N-{number:04}"\nversion = {version}\n'
                f'title = "Note {number}"\nfiles = ["{name}"]\naccess = ["{access}"]\n'
            )
        readers = {"member"} if number % 3 == 0 else set(PEOPLE)
        question = f"What is the set point of {part}?"
        facts.append(
            Fact(f"notes:N-{number:04}:3", question, value, frozenset(readers))
        )
    (folder / "documents.toml").write_text("".join(entries), encoding="utf-8")
    return facts


def fill_docdb(model: DocDBModel, documents: int) -> list[Fact]:
    """Put documents into a DocDB, each version for others; return their facts."""
    facts = []
    kinds: tuple[tuple[str, ...], ...] = ((), ("All",), ("Board",))
    for number in range(documents):
        own = model.add(f"Report {number}", kinds[number % 3])
        facts.append(write_version(model, own, 1))
        if number % 2:
            model.add_version(own, f"Report {number}, again", kinds[number // 2 % 3])
            facts.append(write_version(model, own, 2))
    return facts


def write_version(model: DocDBModel, number: int, version: int) -> Fact:
    """Return the fact of a version, after it was written into its file."""
    part, value, sentence = _sentence(80000 + 10 * number + version)
    text = f"{sentence} It was checked in week 9."
    model.put_file(number, version, "note.txt", text.encode())
    question = f"What is the set point of {part}?"
    readers = docdb_readers(model, number, version)
    return Fact(f"docdb:{number}:{version}", question, value, readers)


def docdb_readers(model: DocDBModel, number: int, version: int) -> frozenset[str]:
    """Return the people who may read a version."""
    groups = model.readers(number, version)
    names = {"All": {"member"}, "Board": {"board"}, "public": set(PEOPLE)}
    return frozenset().union(*(names[group] for group in groups))


def one_of_each(facts: list[Fact]) -> Iterator[Fact]:
    """Yield a fact for each set of readers that there is."""
    seen = set()
    for fact in facts:
        if fact.readers not in seen:
            seen.add(fact.readers)
            yield fact
