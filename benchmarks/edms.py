"""Measures the crawl of an EDMS: what is found of it, and for whom.

    python -m benchmarks.edms [--documents N] [--json OUT]

An EDMS in memory with N documents, in all statuses and forms of versions, is crawled by
its SOAP services on loopback, without a pause between requests, and by an export of it.
What is found is compared with the truth, version by version and file by file: missing,
leaked, too narrow. Then what increments cost. The real EDMS was never tried: the model
is what public code shows of it, and guesses.
"""

import argparse
import hashlib
import json
import sys
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.append(str(Path(__file__).resolve().parents[1]))

from dunegpt.config import Settings, SourceTable
from dunegpt.ingest.catalog import Catalog
from dunegpt.ingest.crawl import crawl
from tests.servers import edms_export
from tests.servers.edms_model import EdmsModel
from tests.servers.edms_site import GROUP, OTHER, ROOT
from tests.servers.edms_soap import EdmsDoors
from tests.servers.faults import FaultServer

CHANGES = 20


@dataclass(frozen=True)
class Run:
    """One crawl; ``changed`` counts new and changed versions."""

    what: str
    seen: int
    changed: int
    fetched: int
    requests: int
    seconds: float
    error: str


@dataclass(frozen=True)
class Found:
    """What a crawl found, against the truth.

    Attributes:
        versions: That exist; those of the model, whoever may read them.
        found: Of these, in the catalog.
        files: That exist and can be read; ``listed_only`` are CAD.
        right: Of the files, those with the right bytes, where somebody may read them.
        leaks: Versions and files that somebody may read here and not there.
        narrow: Versions and files that somebody may read there and not here.
        statuses: Versions by status, as found.
        forms: Versions by the form of their string, as found.
    """

    transport: str
    documents: int
    versions: int
    found: int
    files: int
    right: int
    listed_only: int
    leaks: int
    narrow: int
    public: int
    members: int
    nobody: int
    statuses: dict[str, int]
    forms: dict[str, int]


class Served:
    """An EDMS on loopback, and an export of it."""

    def __init__(self, documents: int, folder: Path) -> None:
        self.model, self.folder = EdmsModel(), folder
        edms_export.fill(self.model, documents)
        self.doors = EdmsDoors(self.model)
        self.server = FaultServer(self.doors.answer)
        self.runs: list[Run] = []
        password = folder / "password"
        password.touch(mode=0o600)
        password.write_text(self.doors.users["svc"], encoding="utf-8")

    def settings(self, transport: str) -> Settings:
        """Return settings with an own data folder."""
        table: dict[str, Any] = {"type": "edms", "transport": transport}
        other = {"node": OTHER, "principals": []}
        table |= {"principals": [GROUP], "nodes": [ROOT, other]}
        table |= {"delay_s": 0, "requests_per_hour": 0, "public_url": self.server.url}
        if transport == "soap":
            password = str(self.folder / "password")
            table |= {"user": "svc", "password_file": password, "url": self.server.url}
        else:
            place = self.folder / "export"
            place.mkdir(exist_ok=True)
            table |= edms_export.write(self.model, place)
        sources = {"edms": SourceTable(**table)}
        return Settings(data_dir=self.folder / f"data-{transport}", sources=sources)

    def run(self, what: str, settings: Settings, *, full: bool = False) -> None:
        """Crawl, and keep the figures."""
        report = crawl("edms", settings, full=full)
        self.server.requests.clear()
        changed = report.new + report.changed
        figures = (report.seen, changed, report.fetched, report.requests)
        self.runs.append(Run(what, *figures, report.seconds, report.error))

    def compared(self, transport: str, settings: Settings) -> Found:
        """Return what is in the catalog, against what is true."""
        readers = dict.fromkeys(self.model.nodes[ROOT].documents, frozenset({GROUP}))
        truth = self.model.truth("edms", readers)
        counts: Counter[str] = Counter()
        statuses: Counter[str] = Counter()
        forms: Counter[str] = Counter()
        seen = set()
        catalog = Catalog(settings.data / "catalog.db")
        for document in catalog.documents():
            _, number, version = document.id.split(":")
            own = self.model.documents[number][version]
            seen.add(document.id)
            statuses[document.status] += 1
            forms[_form(version)] += 1
            wanted = truth.get(document.id, frozenset())
            _compare(counts, document.access, wanted)
            kind = "public" if "public" in document.access else "members"
            counts[kind if document.access else "nobody"] += 1
            for file in document.files:
                if file.key == "record":
                    continue
                if file.name.endswith(".stp"):
                    counts["listed_only"] += 1
                    continue
                counts["files"] += 1
                body = own.files[file.name]
                is_shown = self.model.given(number, version, file.name) == body
                inner = readers.get(number, frozenset())
                _compare(
                    counts, file.access, frozenset({"public"}) if is_shown else inner
                )
                is_right = file.sha256 == hashlib.sha256(body).hexdigest()
                counts["right"] += is_right or not file.access
        catalog.close()
        every = {
            f"edms:{n}:{v}" for n, own in self.model.documents.items() for v in own
        }
        names = "files right listed_only leaks narrow public members nobody".split()
        return Found(
            transport=transport,
            documents=len(self.model.documents),
            versions=len(every),
            found=len(seen & every),
            statuses=dict(sorted(statuses.items())),
            forms=dict(sorted(forms.items())),
            **{name: counts[name] for name in names},
        )


def _compare(counts: Counter[str], here: frozenset[str], there: frozenset[str]) -> None:
    """Count what is open here and not there, and the other way round."""
    if "public" not in there:
        counts["leaks"] += bool(here - there)
    if "public" not in here:
        counts["narrow"] += bool(there - here)


def _form(version: str) -> str:
    return "letters" if version.isalpha() else "N.N" if "." in version else "N"


def measure(documents: int, folder: Path) -> tuple[list[Run], list[Found]]:
    """Return what crawls cost, and what they found."""
    served = Served(documents, folder)
    found = []
    with served.server:
        soap = served.settings("soap")
        served.run("SOAP, first", soap)
        found.append(served.compared("SOAP", soap))
        served.model.lacks = {"getModifiedDocuments"}
        served.run("SOAP, increment without a list of changes", soap)
        served.model.lacks = set()
        _change(served.model)
        served.run(f"SOAP, increment, {CHANGES} documents changed", soap)
        served.run("SOAP, full", soap, full=True)
        found.append(served.compared("SOAP, after changes", soap))
        export = served.settings("export")
        served.run("export, first", export)
        found.append(served.compared("export", export))
        served.run("export, increment, no change", export)
    return served.runs, found


def _change(model: EdmsModel) -> None:
    """Edit, close and open some documents, and let all others be older."""
    for number in model.documents:
        for own in model.documents[number].values():
            own.changed = own.changed.replace(year=own.changed.year - 1)
    for count, number in enumerate(list(model.documents)[:CHANGES]):
        version = model.latest(number)
        if count % 2:
            model.put_file(number, version, "note.txt", f"Edited {count}.".encode())
        else:
            model.edit(number, version, status="Released", title=f"Edited {count}")


def costs(runs: list[Run]) -> Table:
    """Return the table of requests and seconds."""
    shown = Table(title="Crawls of an EDMS in memory")
    for name in ("crawl", "versions seen", "changed", "files", "requests", "s"):
        shown.add_column(name, justify="left" if name == "crawl" else "right")
    for run in runs:
        error = f" [red]{run.error}[/]" if run.error else ""
        numbers = (run.seen, run.changed, run.fetched, run.requests)
        shown.add_row(run.what + error, *map(str, numbers), f"{run.seconds:.0f}")
    return shown


def completeness(found: list[Found]) -> Table:
    """Return the table of what was found, and for whom."""
    shown = Table(title="What was found, against the truth")
    shown.add_column("")
    for each in found:
        shown.add_column(each.transport, justify="right")
    names = ("documents", "versions", "found", "files", "right", "listed_only")
    for name in (*names, "public", "members", "nobody", "leaks", "narrow"):
        title = name.replace("_", " ")
        shown.add_row(title, *(str(getattr(each, name)) for each in found))
    for field in ("statuses", "forms"):
        for name in sorted({key for each in found for key in getattr(each, field)}):
            counts = (str(getattr(each, field).get(name, 0)) for each in found)
            shown.add_row(f"  {name}", *counts)
    return shown


def main() -> None:
    """Measure, print, and write the figures if asked to."""
    parser = argparse.ArgumentParser(description="Crawls of an EDMS.")
    parser.add_argument("--documents", type=int, default=2000, metavar="N")
    parser.add_argument("--json", type=Path, metavar="OUT")
    options = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory(prefix="dunegpt-bench-") as folder:
        runs, found = measure(options.documents, Path(folder))
    console.print(costs(runs))
    console.print(completeness(found))
    if options.json:
        result = {
            "crawls": [asdict(run) for run in runs],
            "found": [asdict(each) for each in found],
        }
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    is_wrong = any(
        each.leaks
        or each.narrow
        or each.found < each.versions
        or each.right < each.files
        for each in found
    )
    sys.exit(1 if is_wrong or any(run.error for run in runs) else 0)


if __name__ == "__main__":
    main()
