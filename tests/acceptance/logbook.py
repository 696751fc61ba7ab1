"""The journey's log and git repository: what they hold, and what is done to them.

The log is for the member, the code for the board; a visitor reads neither.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from simulators.elog.model import LogModel
from simulators.git.repository import Repository
from simulators.http_server import FaultServer
from tests.acceptance.world import PEOPLE, Fact

Told = Callable[[Any, Fact], None]
ENTRIES, FILES, RUNS = 60, 40, 200
MEMBER, BOARD = frozenset({"member"}), frozenset({"board"})
LAST_BEAM = "When did we last see beam?"


@dataclass
class Logbook:
    """A log behind a socket, and a repository in a folder."""

    model: LogModel
    repository: Repository
    url: str

    def settings(self) -> str:
        """Return the tables of both sources."""
        return f"""
        [sources.shiftlog]
        type = "elog"
        url = "{self.url}/ECL/larch"
        access = ["notes:member"]
        first_day = 2025-01-01
        delay_s = 0
        requests_per_hour = 0
        runs_url = "{self.url}/ECL/larch/runs.csv"
        [sources.code]
        type = "git"
        path = "{self.repository.folder}"
        access = ["larch:board"]
        """

    def fill(self) -> list[Fact]:
        """Write entries, runs and files; return the facts of one of each."""
        facts = [self.entry(number) for number in range(ENTRIES)]
        self.model.take_runs("2026-10-01", RUNS, ["LArTPC running", "HV ramp"])
        files = [self.file(number) for number in range(FILES)]
        commit = self.repository.commit()
        return [facts[0], replace(files[0], id=f"code@{commit[:12]}:{files[0].id}")]

    def entry(self, number: int, days: int | None = None) -> Fact:
        """Return the fact of a new entry of so many days ago."""
        days = number if days is None else days
        part, value = f"purifier P{number:04}", f"{910000 + number}.5 ppt"
        entry = self.model.recent(days, f"The set point of {part} is {value}.")
        question = f"What is the set point of {part}?"
        return Fact(f"shiftlog:{entry.number}", question, value, MEMBER)

    def file(self, number: int, value: int = 0) -> Fact:
        """Return the fact of a file, without the commit in its id."""
        part, told = f"module M{number:04}", f"{920000 + value + number}.5 ticks"
        text = f"# Module {number}\n\nThe set point of {part} is {told}.\n"
        self.repository.write({f"docs/m{number}.md": text})
        question = f"What is the set point of {part}?"
        return Fact(f"docs/m{number}.md", question, told, BOARD)

    def change(self, run: Any, told: Told) -> list[Fact]:
        """Edit, delete and add; nobody is told what is gone. Return what is new."""
        edited, deleted = self.entry(100, 3), self.entry(101, 4)
        run("crawl", "shiftlog")
        run("index")
        told(run, edited)
        told(run, deleted)
        number = int(deleted.id.rpartition(":")[2])
        del self.model.entries[number]
        entry = self.model.entries[int(edited.id.rpartition(":")[2])]
        entry.text = entry.text.replace(edited.value, "990100.5 ppt")
        late = self.entry(102, 6)
        changed = self.file(1, 5000)
        (self.repository.folder / "docs" / "m2.md").unlink()
        commit = self.repository.commit()
        for name in ("shiftlog", "code"):
            run("crawl", name)
        told(run, replace(deleted, readers=frozenset()))
        gone = self.file(2)
        told(run, replace(gone, id="code@000000000000:docs/m2.md", readers=frozenset()))
        (self.repository.folder / "docs" / "m2.md").unlink()
        new = replace(changed, id=f"code@{commit[:12]}:{changed.id}")
        return [replace(edited, value="990100.5 ppt"), late, new]

    def assert_runs(self, run: Any) -> None:
        """Ask for the last beam as each person: only the member is told, exactly."""
        last = [r for r in self.model.runs if r.beam == "on"][-1]
        for person, principals in PEOPLE.items():
            names = ",".join(sorted(principals))
            answer = run("ask", "--json", "--as", names, LAST_BEAM, good=False).json
            rows = run("runs", "--beam", "on", "--last", "--as", names, good=False)
            if person in MEMBER:
                assert (
                    f"Run {last.number} of shiftlog began {last.start}"
                    in (answer["answer"])
                )
                [row, *_] = [r for r in answer["references"] if r["cited"]]
                assert str(last.number) in row["quote"]
                assert rows.code == 0 and str(last.number) in rows.out
            else:
                assert str(last.number) not in str(answer) + rows.out
                assert rows.code == 3


@contextmanager
def logbook(folder: Path) -> Iterator[Logbook]:
    """Give a log that is served, and a repository."""
    model = LogModel()
    with FaultServer(model.answer) as server:
        yield Logbook(model, Repository(folder / "code"), server.url)
