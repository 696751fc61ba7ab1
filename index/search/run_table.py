"""The table of detector runs that one reader may see.

It is parsed from the pages of documents of kind ``runs`` in the snapshot. Hidden
documents are not read at all. Values are copied or counted exactly, never estimated.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np

from dunegpt.errors import IndexBrokenError
from dunegpt.index.search.lookup import DocumentLookup
from dunegpt.index.search.reader_view import ReaderView
from dunegpt.index.snapshot.snapshot import Snapshot
from dunegpt.ingest.elog.run_table import COLUMNS, KIND
from dunegpt.types import FoundBy, Hit

_BEAM_OFF = frozenset(
    {"", "off", "no", "none", "0", "false", "down", "no beam", "-", "n/a"}
)


@dataclass(frozen=True, slots=True)
class DetectorRun:
    """One detector run: a row of a run table.

    Attributes:
        source: Name of the source.
        document: Number of the table's document in the snapshot.
        page: Page of the row.
        row: The row, verbatim.
        number: Run number.
        start: Start time.
        stop: End time; None while the run continues.
        beam: State of the beam.
        state: State of the detector.
        comment: Comment of the shift crew.
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
        return self.beam.casefold() not in _BEAM_OFF


class RunTable:
    """The runs that one reader may see.

    Attributes:
        all_runs: Runs of all sources, oldest first.
    """

    def __init__(
        self, snapshot: Snapshot, view: ReaderView, lookup: DocumentLookup
    ) -> None:
        """Read the tables.

        Raises:
            IndexBrokenError: The store cannot be read.
        """
        self._snapshot = snapshot
        self._view = view
        self._lookup = lookup
        runs = (run for n in self._find_tables() for run in self._read_table(n))
        self.all_runs = sorted(runs, key=lambda r: (r.start, r.source, r.number, r.row))

    def select(
        self,
        *,
        sources: Sequence[str] = (),
        since: date | None = None,
        until: date | None = None,
        state: str = "",
        beam: str = "",
        number: int | None = None,
    ) -> list[DetectorRun]:
        """Return the runs that match all given conditions, oldest first.

        Args:
            sources: Names of sources, or their first parts before a dot.
            since: First day on which a run may start.
            until: Last day on which a run may start.
            state: State of the detector; if no run has exactly this one, runs whose
                state contains it match.
            beam: ``on``, ``off``, or text as for the state.
            number: Run number.
        """
        found = [
            run
            for run in self.all_runs
            if (not sources or any(_matches_source(run.source, s) for s in sources))
            and (since is None or run.start.date() >= since)
            and (until is None or run.start.date() <= until)
            and number in {None, run.number}
        ]
        if beam.casefold() in {"on", "off"}:
            found = [r for r in found if r.has_beam is (beam.casefold() == "on")]
        elif beam:
            found = _filter_runs(found, beam, "beam")
        return _filter_runs(found, state, "state") if state else found

    def make_hit(self, run: DetectorRun, rank: int) -> Hit:
        """Return the passage that holds the row of a run.

        Raises:
            IndexBrokenError: There is no such passage.
        """
        store = self._snapshot.store
        rows = [row for row in store.get_rows(run.document) if self._view.rows[row]]
        passages = store.get_passages(rows)
        [stored] = self._lookup.get_documents([run.document])
        row_of_run = re.compile(rf"^{re.escape(run.row)}$", re.M)
        for row in rows:
            _, passage = passages[row]
            if row_of_run.search(passage.text):
                document = self._lookup.redact_document(stored)
                return Hit(row, passage, document, 1.0, rank, FoundBy.FILTER)
        raise IndexBrokenError(f"{stored.document.id} has no passage of its row.")

    def get_address(self, run: DetectorRun) -> tuple[str, str]:
        """Return the id and URL of the document of a run."""
        [stored] = self._lookup.get_documents([run.document])
        return stored.document.id, stored.document.url

    def _find_tables(self) -> Iterator[int]:
        """Yield the document numbers of the run tables that the reader may find."""
        kinds = self._snapshot.manifest["kinds"]
        if KIND not in kinds:
            return
        visible = np.flatnonzero(self._view.find_documents_with_rows())
        is_table = self._snapshot.documents["kind"][visible] == kinds.index(KIND)
        yield from (int(number) for number in visible[is_table])

    def _read_table(self, number: int) -> Iterator[DetectorRun]:
        [stored] = self._lookup.get_documents([number])
        document = self._lookup.redact_document(stored)
        for file in document.files:
            for page in self._snapshot.store.get_pages(document.id, file.key):
                for line in page.text.split("\n"):
                    cells = f"{line} ".split(" | ")
                    if len(cells) == len(COLUMNS) and tuple(cells) != _HEADER:
                        yield _parse_row(
                            document.source, number, page.number, line, cells
                        )


_HEADER = tuple([*COLUMNS[:-1], f"{COLUMNS[-1]} "])


def _parse_row(
    source: str, number: int, page: int, line: str, cells: list[str]
) -> DetectorRun:
    """Return the run in a row.

    Raises:
        IndexBrokenError: A time or the run number is invalid.
    """
    run, start, stop, beam, state, comment = (cell.strip() for cell in cells)
    try:
        times = datetime.fromisoformat(start), stop and datetime.fromisoformat(stop)
        run_number = int(run)
    except ValueError as error:
        raise IndexBrokenError(f"A table of runs cannot be read: {error}") from error
    ended = times[1] or None
    return DetectorRun(
        source, number, page, line, run_number, times[0], ended, beam, state, comment
    )


def _matches_source(source: str, name: str) -> bool:
    source, name = source.casefold(), name.casefold()
    return source == name or source.startswith(f"{name}.")


def _filter_runs(
    runs: Iterable[DetectorRun], text: str, field: str
) -> list[DetectorRun]:
    """Return the runs whose field equals a text or, if none does, contains it."""
    runs, wanted = list(runs), text.casefold()
    equal = [run for run in runs if getattr(run, field).casefold() == wanted]
    return equal or [run for run in runs if wanted in getattr(run, field).casefold()]
