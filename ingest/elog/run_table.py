"""Converts a table of beam runs to documents: one for each month, a row for each run.

Reads CSV or JSON with the usual column names. Each document contains one small CSV
file, so that a run is found, cited and access-controlled like any text. Makes no
requests.
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

from dunegpt.access import Access
from dunegpt.errors import SourceFormatError
from dunegpt.ingest.elog.entries import parse_time
from dunegpt.ingest.extract.clean import to_one_line
from dunegpt.types import Document, FileRef

KIND, RUNS_FILE = "runs", "runs"
COLUMNS = ("run", "start", "stop", "beam", "detector state", "comment")
"""Head of each table, in this order."""

_COLUMN_ALIASES = {
    "run": "run,run number,runnumber,run no,run_number,number,run id,id",
    "start": "start,start time,begin,started,run start,tstart,start_time",
    "stop": "stop,stop time,end,end time,stopped,run stop,run end,tstop,end_time",
    "beam": "beam,beam status,beam state,beam mode,beam_status",
    "detector state": "detector state,state,status,detector status,detector",
    "comment": "comment,comments,remark,remarks,note,notes,description",
}


@dataclass(frozen=True, slots=True)
class BeamRun:
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
class RunTable:
    """The parsed table.

    Attributes:
        problems: Line and reason of each row that could not be read.
        duplicates: Run numbers with several differing rows.
    """

    runs: list[BeamRun] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)
    duplicates: list[int] = field(default_factory=list)


def parse_run_table(content: bytes, own: Mapping[str, str]) -> RunTable:
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
        raise SourceFormatError("The table of runs is an HTML page or XML.")
    rows = _parse_json(text) if start.startswith(("[", "{")) else _parse_csv(text)
    heads = {head for row in rows for head in row}
    columns = _map_columns(heads, own)
    table = RunTable()
    seen: dict[int, BeamRun] = {}
    for line, row in enumerate(rows, start=2):
        cells = {name: row.get(head, "") for name, head in columns.items()}
        if not any(cells.values()):
            continue
        try:
            run = _parse_run(cells)
        except ValueError as error:
            table.problems.append((line, f"{error}"))
            continue
        before = seen.setdefault(run.number, run)
        if before is run:
            table.runs.append(run)
        elif before != run:
            table.runs.append(run)
            table.duplicates.append(run.number)
    return table


def _parse_csv(text: str) -> list[dict[str, str]]:
    csv.field_size_limit(1_000_000)
    lines = text.replace("\r\n", "\n").split("\n")
    delimiter = max(",;\t|", key=lines[0].count) if lines else ","
    reader = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    try:
        return [
            {
                to_one_line(k): to_one_line(v or "")
                for k, v in row.items()
                if k is not None
            }
            for row in reader
        ]
    except csv.Error as error:
        raise SourceFormatError(f"The table of runs is not CSV: {error}.") from error


def _parse_json(text: str) -> list[dict[str, str]]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise SourceFormatError(f"The table of runs is truncated: {error}.") from error
    promised = found.get("count") if isinstance(found, dict) else None
    rows = found.get("runs") if isinstance(found, dict) else found
    if not isinstance(rows, list) or not all(isinstance(r, dict) for r in rows):
        raise SourceFormatError("The table of runs is not a list of rows.")
    if promised is not None and promised != len(rows):
        raise SourceFormatError(
            f"The table of runs has {len(rows)} rows where {promised} are promised."
        )
    return [
        {to_one_line(str(k)): _format_cell(v) for k, v in row.items()} for row in rows
    ]


def _format_cell(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "" if value is None else to_one_line(str(value))


def _map_columns(heads: set[str], own: Mapping[str, str]) -> dict[str, str]:
    """Return the column's name there, by its name here.

    Raises:
        SourceFormatError: There is no column for the runs, or none for their starts.
    """
    folded = {_normalize_header(head): head for head in sorted(heads)}
    found = {}
    for name in COLUMNS:
        wanted = [own[name]] if name in own else _COLUMN_ALIASES[name].split(",")
        known = [
            folded[_normalize_header(w)]
            for w in wanted
            if _normalize_header(w) in folded
        ]
        if known:
            found[name] = known[0]
        elif name in own or name in {"run", "start"}:
            raise SourceFormatError(
                f"The table of runs has no column for {name!r}.",
                hint="Name it in runs_columns; nothing was removed.",
            )
    return found


def _normalize_header(head: str) -> str:
    return "".join(c for c in head.casefold() if c.isalnum())


def _parse_run(cells: dict[str, str]) -> BeamRun:
    """Return the run of a row.

    Raises:
        ValueError: It has no number, or a time that is none.
    """
    number = cells["run"].removeprefix("#").strip()
    if not (number.isascii() and number.isdigit()):
        raise ValueError(f"The number of the run is {number!r}.")
    start, stop = _parse_time(cells["start"]), cells.get("stop", "")
    ended = _parse_time(stop) if stop.lower() not in {"", "-", "none", "null"} else None
    if ended and ended < start:
        raise ValueError(f"Run {number} stops before it starts.")
    rest = (cells.get(name, "").replace("|", "/") for name in COLUMNS[3:])
    return BeamRun(int(number), start, ended, *rest)


def _parse_time(text: str) -> datetime:
    if text.isascii() and text.isdigit() and len(text) in {10, 13}:
        seconds = int(text[:10])
        return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    return parse_time(text)


def build_month_documents(
    runs: Iterable[BeamRun],
    *,
    source: str,
    prefix: str,
    access: Access,
    url: str,
    evidence: str,
) -> list[Document]:
    """Return a document for each month, the oldest first, its runs in order."""
    by_month: dict[str, list[BeamRun]] = {}
    for run in sorted(runs, key=lambda run: (run.start, run.number, run.row)):
        by_month.setdefault(f"{run.start:%Y-%m}", []).append(run)
    return [
        _build_month(month, own, source, prefix, access, url=url, evidence=evidence)
        for month, own in sorted(by_month.items())
    ]


def _build_month(
    month: str,
    runs: list[BeamRun],
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
