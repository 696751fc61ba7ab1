"""What an operator sees: sources, failures, and the state of the published index.

Ids, reasons and counts of everything; titles of nothing.
"""

from collections import Counter
from typing import Any

from dunegpt.config import Settings
from dunegpt.errors import DuneGPTError
from dunegpt.index.snapshot import CURRENT, Snapshot
from dunegpt.ingest.catalog import Catalog
from dunegpt.schemas import FailureShape, IndexShape, SourceShape, StatusShape


def status(settings: Settings) -> StatusShape:
    """Return the state of the data folder: catalog, ledger and current snapshot.

    Raises:
        StorageError: The catalog cannot be read.
    """
    sources: list[SourceShape] = []
    failures: list[dict[str, str]] = []
    path = settings.data / "catalog.db"
    if path.is_file():
        catalog = Catalog(path)
        failures = catalog.failures()
        names = sorted({*catalog.sources(), *settings.sources})
        sources = [_source(name, catalog, failures) for name in names]
        catalog.close()
    return StatusShape(
        data_dir=str(settings.data),
        sources=sources,
        index=_index(settings),
        failures=[
            FailureShape(**{k: v for k, v in failure.items() if k != "source"})
            for failure in failures
        ],
    )


def _source(name: str, catalog: Catalog, failures: list[dict[str, str]]) -> SourceShape:
    good = catalog.last_run(name, good=True)
    last = catalog.last_run(name, good=False)
    counts = catalog.counts(name)
    kinds = Counter(f["stage"] for f in failures if f["source"] == name)
    return SourceShape(
        name=name,
        documents=counts["documents"],
        hidden=counts["hidden"],
        files=counts["files"],
        fetched=counts["fetched"],
        bytes=counts["bytes"],
        failures=dict(kinds),
        last_good_run=good["finished_at"] if good else "",
        last_error=last["record"]["error"] if last else "",
    )


def _index(settings: Settings) -> IndexShape:
    facts: dict[str, Any] = dict.fromkeys(
        ("snapshot", "created_at", "encoder", "error"), ""
    )
    facts |= {"documents": 0, "passages": 0}
    try:
        snapshot = Snapshot(settings.data / "snapshots" / CURRENT)
    except DuneGPTError as error:
        return IndexShape(**{**facts, "error": f"{error} {error.hint}"})
    manifest = snapshot.manifest
    snapshot.close()
    return IndexShape(
        snapshot=manifest["content_id"],
        created_at=manifest["created_at"],
        encoder=manifest["encoder"],
        documents=manifest["counts"]["documents"],
        passages=manifest["counts"]["passages"],
        error="",
    )
