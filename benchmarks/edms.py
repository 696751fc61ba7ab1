"""Measures the EDMS crawl: completeness, access sets and cost.

    python -m benchmarks.edms [--documents N] [--json OUT]

A simulated EDMS with N documents, with all statuses and version formats, is crawled
through its SOAP services on loopback, without delay between requests, and through an
export. Every version and file is compared with the truth: missing, leaked, or too
narrow. Then increments are measured. Never run against the real EDMS: the simulator is
based on public code and on assumptions.
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

from dunegpt.config import Settings, SourceSettings
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.crawl import crawl
from simulators.edms import export as edms_export
from simulators.edms.model import EdmsModel
from simulators.edms.site import GROUP, OTHER, ROOT
from simulators.edms.soap_server import EdmsDoors
from simulators.http_server import FaultServer

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
    """The result of a crawl, compared with the truth.

    Attributes:
        versions: Existing versions, whoever may read them.
        found: Of these, versions in the catalog.
        files: Existing readable files; ``listed_only`` counts CAD files.
        right: Files with the right bytes, if anybody may read them.
        leaks: Versions and files with readers here that they lack in the EDMS.
        narrow: Versions and files with readers in the EDMS that they lack here.
        statuses: Number of found versions by status.
        forms: Number of found versions by version format.
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
    """A simulated EDMS on loopback, and an export of it."""

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
        """Return settings with a separate data folder."""
        table: dict[str, Any] = {"type": "edms", "transport": transport}
        other = {"node": OTHER, "principals": []}
        table |= {"principals": [GROUP], "nodes": [ROOT, other]}
        table |= {"delay_s": 0, "requests_per_hour": 0, "public_url": self.server.url}
        if transport == "soap":
            password = str(self.folder / "password")
            table |= {"user": "svc", "password_file": password, "url": self.server.url}
        else:
            export_folder = self.folder / "export"
            export_folder.mkdir(exist_ok=True)
            table |= edms_export.write(self.model, export_folder)
        sources = {"edms": SourceSettings(**table)}
        return Settings(data_dir=self.folder / f"data-{transport}", sources=sources)

    def run(self, what: str, settings: Settings, *, full: bool = False) -> None:
        """Crawl and record the measurements."""
        report = crawl("edms", settings, full=full)
        self.server.requests.clear()
        changed = report.new + report.changed
        figures = (report.seen, changed, report.fetched, report.requests)
        self.runs.append(Run(what, *figures, report.seconds, report.error))

    def compared(self, transport: str, settings: Settings) -> Found:
        """Return the comparison of the catalog with the truth."""
        readers = dict.fromkeys(self.model.nodes[ROOT].documents, frozenset({GROUP}))
        truth = self.model.truth("edms", readers)
        counts: Counter[str] = Counter()
        statuses: Counter[str] = Counter()
        forms: Counter[str] = Counter()
        seen = set()
        catalog = Catalog(settings.paths.catalog)
        for document in catalog.iter_documents():
            _, number, version = document.id.split(":")
            record = self.model.documents[number][version]
            seen.add(document.id)
            statuses[document.status] += 1
            forms[_form(version)] += 1
            expected = truth.get(document.id, frozenset())
            _compare(counts, document.access, expected)
            kind = "public" if "public" in document.access else "members"
            counts[kind if document.access else "nobody"] += 1
            for file in document.files:
                if file.key == "record":
                    continue
                if file.name.endswith(".stp"):
                    counts["listed_only"] += 1
                    continue
                counts["files"] += 1
                body = record.files[file.name]
                is_shown = self.model.given(number, version, file.name) == body
                members = readers.get(number, frozenset())
                _compare(
                    counts, file.access, frozenset({"public"}) if is_shown else members
                )
                is_right = file.sha256 == hashlib.sha256(body).hexdigest()
                counts["right"] += is_right or not file.access
        catalog.close()
        all_ids = {
            f"edms:{n}:{v}"
            for n, record in self.model.documents.items()
            for v in record
        }
        names = "files right listed_only leaks narrow public members nobody".split()
        return Found(
            transport=transport,
            documents=len(self.model.documents),
            versions=len(all_ids),
            found=len(seen & all_ids),
            statuses=dict(sorted(statuses.items())),
            forms=dict(sorted(forms.items())),
            **{name: counts[name] for name in names},
        )


def _compare(counts: Counter[str], here: frozenset[str], there: frozenset[str]) -> None:
    """Count access sets that are too wide or too narrow."""
    if "public" not in there:
        counts["leaks"] += bool(here - there)
    if "public" not in here:
        counts["narrow"] += bool(there - here)


def _form(version: str) -> str:
    return "letters" if version.isalpha() else "N.N" if "." in version else "N"


def measure(documents: int, folder: Path) -> tuple[list[Run], list[Found]]:
    """Return the cost and the results of all crawls."""
    served = Served(documents, folder)
    results = []
    with served.server:
        soap = served.settings("soap")
        served.run("SOAP, first", soap)
        results.append(served.compared("SOAP", soap))
        served.model.lacks = {"getModifiedDocuments"}
        served.run("SOAP, increment without a list of changes", soap)
        served.model.lacks = set()
        _change(served.model)
        served.run(f"SOAP, increment, {CHANGES} documents changed", soap)
        served.run("SOAP, full", soap, full=True)
        results.append(served.compared("SOAP, after changes", soap))
        export = served.settings("export")
        served.run("export, first", export)
        results.append(served.compared("export", export))
        served.run("export, increment, no change", export)
    return served.runs, results


def _change(model: EdmsModel) -> None:
    """Edit some documents, and make all others older."""
    for number in model.documents:
        for record in model.documents[number].values():
            record.changed = record.changed.replace(year=record.changed.year - 1)
    for count, number in enumerate(list(model.documents)[:CHANGES]):
        version = model.latest(number)
        if count % 2:
            model.put_file(number, version, "note.txt", f"Edited {count}.".encode())
        else:
            model.edit(number, version, status="Released", title=f"Edited {count}")


def costs(runs: list[Run]) -> Table:
    """Return a table of requests and seconds."""
    table = Table(title="Crawls of an EDMS in memory")
    for name in ("crawl", "versions seen", "changed", "files", "requests", "s"):
        table.add_column(name, justify="left" if name == "crawl" else "right")
    for run in runs:
        error = f" [red]{run.error}[/]" if run.error else ""
        numbers = (run.seen, run.changed, run.fetched, run.requests)
        table.add_row(run.what + error, *map(str, numbers), f"{run.seconds:.0f}")
    return table


def completeness(results: list[Found]) -> Table:
    """Return a table of the results and their readers."""
    table = Table(title="Results, compared with the truth")
    table.add_column("")
    for result in results:
        table.add_column(result.transport, justify="right")
    names = ("documents", "versions", "found", "files", "right", "listed_only")
    for name in (*names, "public", "members", "nobody", "leaks", "narrow"):
        title = name.replace("_", " ")
        table.add_row(title, *(str(getattr(result, name)) for result in results))
    for field in ("statuses", "forms"):
        for name in sorted(
            {key for result in results for key in getattr(result, field)}
        ):
            counts = (str(getattr(result, field).get(name, 0)) for result in results)
            table.add_row(f"  {name}", *counts)
    return table


def main() -> None:
    """Run the benchmark, print the results and write them if requested."""
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
