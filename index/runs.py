"""The runs that one reader may see: rows of the tables that logs keep of them.

They are read out of the snapshot's own pages, of the documents whose kind is ``runs``
and of which the reader may find a row; a table that is hidden is not opened at all.
Answers exactly: what is said of runs is counted or copied, never guessed.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np

from dunegpt.errors import IndexBrokenError
from dunegpt.index.narrowing import Narrowing
from dunegpt.index.router import Router
from dunegpt.index.snapshot import Snapshot
from dunegpt.index.view import View
from dunegpt.ingest.elog_runs import COLUMNS, KIND
from dunegpt.types import Access, FoundBy, Hit

_OFF = frozenset({"", "off", "no", "none", "0", "false", "down", "no beam", "-", "n/a"})


@dataclass(frozen=True, slots=True)
class Run:
    """One row of a table.

    Attributes:
        document: Number of its document in the snapshot.
        page: That its row stands on.
        row: The row, verbatim.
        stop: None while the run goes on.
    """

    source: str
    document: int
    page: int
    row: str
    number: int
    start: datetime
    stop: datetime | None
    beam: str
    state: str
    comment: str

    @property
    def has_beam(self) -> bool:
        """Whether the beam was on."""
        return self.beam.casefold() not in _OFF


class Runs:
    """All runs that a reader may see, the oldest first.

    Attributes:
        every: Of all sources.
    """

    def __init__(
        self, snapshot: Snapshot, narrowing: Narrowing, reader: Access
    ) -> None:
        """Read the tables.

        Raises:
            IndexBrokenError: The store cannot be read.
        """
        self._snapshot = snapshot
        self._view = View(snapshot, narrowing, reader)
        self._router = Router(snapshot.store, self._view)
        found = [run for number in self._tables() for run in self._read(number)]
        self.every = sorted(found, key=lambda r: (r.start, r.source, r.number, r.row))

    def select(
        self,
        *,
        sources: Sequence[str] = (),
        since: date | None = None,
        until: date | None = None,
        state: str = "",
        beam: str = "",
        number: int | None = None,
    ) -> list[Run]:
        """Return the runs for which all holds that is given, the oldest first.

        Args:
            sources: Names, or their beginnings before a dot.
            since: First day on which a run begins.
            until: Last one.
            state: Of the detector: the whole of it, or if no run has that, a part.
            beam: ``on``, ``off``, or as for the state.
            number: Of the run.
        """
        found = [
            run
            for run in self.every
            if (not sources or any(_is_called(run.source, s) for s in sources))
            and (since is None or run.start.date() >= since)
            and (until is None or run.start.date() <= until)
            and number in {None, run.number}
        ]
        if beam.casefold() in {"on", "off"}:
            found = [r for r in found if r.has_beam is (beam.casefold() == "on")]
        elif beam:
            found = _with(found, beam, "beam")
        return _with(found, state, "state") if state else found

    def hit(self, run: Run, rank: int) -> Hit:
        """Return the passage that holds the row of a run.

        Raises:
            IndexBrokenError: There is none.
        """
        store = self._snapshot.store
        rows = [row for row in store.rows_of(run.document) if self._view.rows[row]]
        passages = store.passages(rows)
        [stored] = self._router.documents([run.document])
        row_of_run = re.compile(rf"^{re.escape(run.row)}$", re.M)
        for row in rows:
            _, passage = passages[row]
            if row_of_run.search(passage.text):
                document = self._router.as_seen(stored)
                return Hit(row, passage, document, 1.0, rank, FoundBy.FILTER)
        raise IndexBrokenError(f"{stored.document.id} has no passage of its row.")

    def address(self, run: Run) -> tuple[str, str]:
        """Return id and address of the document of a run."""
        [stored] = self._router.documents([run.document])
        return stored.document.id, stored.document.url

    def _tables(self) -> Iterator[int]:
        """Yield the numbers of the tables of which the reader may find a row."""
        kinds = self._snapshot.manifest["kinds"]
        if KIND not in kinds:
            return
        found = np.unique(self._snapshot.row_document[self._view.rows])
        own = self._snapshot.documents["kind"][found] == kinds.index(KIND)
        yield from (int(number) for number in found[own])

    def _read(self, number: int) -> Iterator[Run]:
        [stored] = self._router.documents([number])
        document = self._router.as_seen(stored)
        for file in document.files:
            for page in self._snapshot.store.pages(document.id, file.key):
                for line in page.text.split("\n"):
                    cells = f"{line} ".split(" | ")
                    if len(cells) == len(COLUMNS) and tuple(cells) != _HEAD:
                        yield _run(document.source, number, page.number, line, cells)


_HEAD = tuple([*COLUMNS[:-1], f"{COLUMNS[-1]} "])


def _run(source: str, number: int, page: int, line: str, cells: list[str]) -> Run:
    """Return the run of a row.

    Raises:
        IndexBrokenError: It is none.
    """
    run, start, stop, beam, state, comment = (cell.strip() for cell in cells)
    try:
        times = datetime.fromisoformat(start), stop and datetime.fromisoformat(stop)
        own = int(run)
    except ValueError as error:
        raise IndexBrokenError(f"A table of runs cannot be read: {error}") from error
    ended = times[1] or None
    return Run(source, number, page, line, own, times[0], ended, beam, state, comment)


def _is_called(source: str, name: str) -> bool:
    own, asked = source.casefold(), name.casefold()
    return own == asked or own.startswith(f"{asked}.")


def _with(runs: Iterable[Run], text: str, what: str) -> list[Run]:
    """Return the runs whose state or beam is a text, else those that hold it."""
    found, wanted = list(runs), text.casefold()
    equal = [run for run in found if getattr(run, what).casefold() == wanted]
    return equal or [run for run in found if wanted in getattr(run, what).casefold()]
