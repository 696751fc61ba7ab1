"""The journey's EDMS: its documents, what is done to them, and who may know of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from simulators.edms.model import FORMS, STATUSES, EdmsModel
from simulators.edms.site import GROUP, OTHER, ROOT
from simulators.edms.soap_server import EdmsDoors
from simulators.http_server import FaultServer
from tests.acceptance.world import PEOPLE, Fact, _sentence

_APPROVED = {"Released": "approved", "In Work": "not approved"}


@contextmanager
def served() -> Iterator[EdmsDoors]:
    """Give an EDMS on a socket, with an address."""
    model = EdmsModel()
    model.node(ROOT, "Cold electronics")
    model.node(OTHER, "Elsewhere, where nobody vouches for readers")
    model.lacks = {"getModifiedDocuments"}
    doors = EdmsDoors(model)
    with FaultServer(doors.answer) as server:
        doors.url = server.url
        yield doors


def table(doors: EdmsDoors) -> str:
    """Return the settings of the source."""
    return f"""
        [sources.edms]
        type = "edms"
        transport = "soap"
        url = "{doors.url}"
        user = "svc"
        password_env = "EDMS_PASSWORD"
        nodes = [
            {{node = "{ROOT}", principals = ["{GROUP}"]}},
            {{node = "{OTHER}", principals = []}},
        ]
        delay_s = 0
        requests_per_hour = 0
        """


def fill(model: EdmsModel, documents: int) -> list[Fact]:
    """Put documents into an EDMS: public, for members, for nobody; return facts."""
    facts: list[Fact] = []
    for count in range(documents):
        form = FORMS[count % len(FORMS)]
        place = OTHER if count % 4 == 3 else ROOT
        status = STATUSES[count % len(STATUSES)]
        number = model.add(f"Sheet {count}", place, version=form[0], status=status)
        if count % 3 == 1:
            model.add_version(number, form[1], title=f"Sheet {count}", status=status)
        for version in model.documents[number]:
            part, value, sentence = _sentence(90000 + 10 * count + len(facts) % 10)
            text = f"{sentence} It was checked in week 11.".encode()
            is_shown = count % 2 == 0 and count % 4 < 3
            model.put_file(number, version, "note.txt", text, shown=is_shown)
            facts.append(
                Fact(
                    f"edms:{number}:{version}",
                    f"What is the set point of {part}?",
                    value,
                    readers(model, number, version),
                )
            )
    return facts


def cite(model: EdmsModel, folder: Path) -> Fact:
    """Let a note name a public document that no node holds; return its fact."""
    number = model.add("A sheet that a note cites", version="2.6")
    part, value, sentence = _sentence(99991)
    model.put_file(number, "2.6", "note.txt", sentence.encode(), shown=True)
    told = f"The procedure is in EDMS {number} v. 2.6, and in no other place.\n"
    (folder / "cites.txt").write_text(told, encoding="utf-8")
    question = f"What is the set point of {part}?"
    return Fact(f"edms:{number}:2.6", question, value, frozenset(PEOPLE))


def readers(model: EdmsModel, number: str, version: str) -> frozenset[str]:
    """Return the people who may read a version."""
    own = model.documents.get(number, {}).get(version)
    if own is None or own.closed:
        return frozenset()
    if model.is_public(number, version):
        return frozenset(PEOPLE)
    return frozenset({"member"} if number in model.nodes[ROOT].documents else ())


def assert_standing(
    run: Callable[..., Any], model: EdmsModel, facts: list[Fact]
) -> None:
    """Ask for what is approved and what is not: the citation says so."""
    for status, standing in _APPROVED.items():
        fact = next(f for f in facts if _status(model, f) == status and f.readers)
        told = run("ask", "--as", GROUP, fact.question).out
        assert (f"{status} (not approved)" in told) == (standing == "not approved")
        answer = run("ask", "--json", "--as", GROUP, fact.question).json
        cited = [r["document"] for r in answer["references"] if r["cited"]]
        assert (cited[0]["status"], cited[0]["standing"]) == (status, standing)


def change(run: Callable[..., Any], model: EdmsModel, facts: list[Fact]) -> list[Fact]:
    """Restrict, revoke and delete versions, and crawl; return what holds then."""
    everybody, member = frozenset(PEOPLE), frozenset({"member"})
    newest = [f for f in facts if len(model.documents[_place(f)[0]]) == 1]
    restricted, deleted, *_ = (f for f in newest if f.readers == everybody)
    revoked, unlinked, *_ = (f for f in newest if f.readers == member)
    number, version = _place(restricted)
    own = model.documents[number][version]
    model.put_file(number, version, "note.txt", own.files["note.txt"])
    model.open(number, version)
    model.edit(*_place(revoked), closed=True)
    model.delete(_place(deleted)[0])
    model.nodes[ROOT].documents.discard(_place(unlinked)[0])
    for fact in (restricted, revoked, deleted, unlinked):
        run("notice", "edms", fact.id)
    run("crawl", "edms", "--full", "--json")
    nobody = frozenset[str]()
    closed = [replace(f, readers=nobody) for f in (revoked, deleted, unlinked)]
    return [replace(restricted, readers=member), *closed]


def _place(fact: Fact) -> tuple[str, str]:
    """Return number and version of a sheet."""
    _, number, version = fact.id.split(":")
    return number, version


def _status(model: EdmsModel, fact: Fact) -> str:
    number, version = _place(fact)
    return model.documents[number][version].status
