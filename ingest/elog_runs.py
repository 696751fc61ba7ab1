"""The table of runs of a log to documents: one for each month, a row for each run.

Reads CSV or JSON with column names as logs have them. Each document holds one small CSV
file, so that a run is found, cited and closed as any text is. Does not ask anything.
"""

import csv
import hashlib
import io
import json
from calendar import month_name
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from dunegpt.errors import SourceFormatError
from dunegpt.ingest.elog_entries import read_time
from dunegpt.ingest.extract.clean import one_line
from dunegpt.types import Access, Document, FileRef

KIND, RUNS_FILE = "runs", "runs"
COLUMNS = ("run", "start", "stop", "beam", "detector state", "comment")
"""Head of each table, in this order."""

_NAMES = {
    "run": "run,run number,runnumber,run no,run_number,number,run id,id",
    "start": "start,start time,begin,started,run start,tstart,start_time",
    "stop": "stop,stop time,end,end time,stopped,run stop,run end,tstop,end_time",
    "beam": "beam,beam status,beam state,beam mode,beam_status",
    "detector state": "detector state,state,status,detector status,detector",
    "comment": "comment,comments,remark,remarks,note,notes,description",
}


@dataclass(frozen=True, slots=True)
class Run:
    """One run; ``stop`` is None while it goes on."""

    number: int
    start: datetime
    stop: datetime | None = None
    beam: str = ""
    state: str = ""
    comment: str = ""

    @property
    def row(self) -> tuple[str, ...]:
        """Its cells, in the order of `COLUMNS`."""
        stop = str(self.stop) if self.stop else ""
        rest = (stop, self.beam, self.state, self.comment)
        return (str(self.number), str(self.start), *rest)


@dataclass(slots=True)
class Table:
    """What a table of runs holds.

    Attributes:
        problems: Line and reason of each row that could not be read.
        twice: Numbers that several differing rows have.
    """

    runs: list[Run] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)
    twice: list[int] = field(default_factory=list)


def read_table(content: bytes, own: Mapping[str, str]) -> Table:
    """Return the runs of a table in CSV or JSON.

    Args:
        content: Of the file.
        own: Name of a column there, by its name here, where that cannot be guessed.

    Raises:
        SourceFormatError: It is no such table, or has no column of runs or starts.
    """
    text = content.decode("utf-8-sig", "replace")
    start = text.lstrip()[:100].lower()
    if start.startswith(("<!doctype", "<html", "<?xml", "<")):
        raise SourceFormatError("The table of runs is a page for people, or XML.")
    rows = _json(text) if start.startswith(("[", "{")) else _csv(text)
    heads = {head for row in rows for head in row}
    columns = _columns(heads, own)
    table = Table()
    seen: dict[int, Run] = {}
    for line, row in enumerate(rows, start=2):
        cells = {name: row.get(head, "") for name, head in columns.items()}
        if not any(cells.values()):
            continue
        try:
            run = _run(cells)
        except ValueError as error:
            table.problems.append((line, f"{error}"))
            continue
        before = seen.setdefault(run.number, run)
        if before is run:
            table.runs.append(run)
        elif before != run:
            table.runs.append(run)
            table.twice.append(run.number)
    return table


def _csv(text: str) -> list[dict[str, str]]:
    csv.field_size_limit(1_000_000)
    lines = text.replace("\r\n", "\n").split("\n")
    delimiter = max(",;\t|", key=lines[0].count) if lines else ","
    reader = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    try:
        return [
            {one_line(k): one_line(v or "") for k, v in row.items() if k is not None}
            for row in reader
        ]
    except csv.Error as error:
        raise SourceFormatError(f"The table of runs is no CSV: {error}.") from error


def _json(text: str) -> list[dict[str, str]]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise SourceFormatError(f"The table of runs is cut short: {error}.") from error
    promised = found.get("count") if isinstance(found, dict) else None
    rows = found.get("runs") if isinstance(found, dict) else found
    if not isinstance(rows, list) or not all(isinstance(r, dict) for r in rows):
        raise SourceFormatError("The table of runs is no list of rows.")
    if promised is not None and promised != len(rows):
        raise SourceFormatError(
            f"The table of runs has {len(rows)} rows where {promised} are promised."
        )
    return [{one_line(str(k)): _cell(v) for k, v in row.items()} for row in rows]


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "" if value is None else one_line(str(value))


def _columns(heads: set[str], own: Mapping[str, str]) -> dict[str, str]:
    """Return the column's name there, by its name here.

    Raises:
        SourceFormatError: There is no column for the runs, or none for their starts.
    """
    folded = {_folded(head): head for head in sorted(heads)}
    found = {}
    for name in COLUMNS:
        wanted = [own[name]] if name in own else _NAMES[name].split(",")
        known = [folded[_folded(w)] for w in wanted if _folded(w) in folded]
        if known:
            found[name] = known[0]
        elif name in own or name in {"run", "start"}:
            raise SourceFormatError(
                f"The table of runs has no column for {name!r}.",
                hint="Name it in runs_columns; nothing was removed.",
            )
    return found


def _folded(head: str) -> str:
    return "".join(c for c in head.casefold() if c.isalnum())


def _run(cells: dict[str, str]) -> Run:
    """Return the run of a row.

    Raises:
        ValueError: It has no number, or a time that is none.
    """
    number = cells["run"].removeprefix("#").strip()
    if not (number.isascii() and number.isdigit()):
        raise ValueError(f"The number of the run is {number!r}.")
    start, stop = _time(cells["start"]), cells.get("stop", "")
    ended = _time(stop) if stop.lower() not in {"", "-", "none", "null"} else None
    if ended and ended < start:
        raise ValueError(f"Run {number} stops before it starts.")
    rest = (cells.get(name, "").replace("|", "/") for name in COLUMNS[3:])
    return Run(int(number), start, ended, *rest)


def _time(text: str) -> datetime:
    if text.isascii() and text.isdigit() and len(text) in {10, 13}:
        seconds = int(text[:10])
        return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    return read_time(text)


def months(
    runs: Iterable[Run],
    *,
    source: str,
    prefix: str,
    access: Access,
    url: str,
    evidence: str,
) -> list[Document]:
    """Return a document for each month, the oldest first, its runs in order."""
    by_month: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: (run.start, run.number, run.row)):
        by_month.setdefault(f"{run.start:%Y-%m}", []).append(run)
    return [
        _month(month, own, source, prefix, access, url=url, evidence=evidence)
        for month, own in sorted(by_month.items())
    ]


def _month(
    month: str,
    runs: list[Run],
    source: str,
    prefix: str,
    access: Access,
    *,
    url: str,
    evidence: str,
) -> Document:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(run.row for run in runs)
    body = out.getvalue().encode()
    file = FileRef(
        key=RUNS_FILE,
        name=f"runs-{month}.csv",
        media_type="text/csv",
        url=url,
        access=access,
        checksum=f"sha256:{hashlib.sha256(body).hexdigest()}",
        body=body,
        evidence=evidence,
    )
    year, number = month.split("-")
    return Document(
        id=f"{prefix}:runs-{month}",
        source=source,
        kind=KIND,
        url=url,
        title=f"Runs of {source}, {month_name[int(number)]} {year}",
        access=access,
        date=runs[-1].start.date(),
        files=(file,),
        evidence=evidence,
    )
