"""What an operator sees: sources, failures, and the state of the published index.

Ids, reasons and counts of everything; titles of nothing.
"""

from collections import Counter
from typing import Any

from dunegpt.config import Settings
from dunegpt.errors import DuneGPTError, StorageError
from dunegpt.index.snapshot import CURRENT, Snapshot
from dunegpt.ingest.catalog import Catalog
from dunegpt.schemas import (
    FailureShape,
    IndexShape,
    ReadersShape,
    SourceShape,
    StatusShape,
)
from dunegpt.types import narrow


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


def access(settings: Settings, name: str) -> list[ReadersShape]:
    """Return who may read a document and its files; of all documents if name is empty.

    The order is that of ids; a document comes before its files.

    Raises:
        StorageError: There is no catalog, or it cannot be read.
    """
    path = settings.data / "catalog.db"
    if not path.is_file():
        raise StorageError(f"There is no catalog in {settings.data}.")
    catalog = Catalog(path)
    one = [catalog.get(name)] if name else None
    documents = catalog.documents() if one is None else (d for d in one if d)
    observed = {
        source: (catalog.last_run(source, good=True) or {"finished_at": ""})
        for source in catalog.sources()
    }
    rows = [
        ReadersShape(
            id=document.id,
            file=file.key if file else None,
            principals=sorted(
                narrow(document.access, file.access) if file else document.access
            ),
            evidence=file.evidence if file else document.evidence,
            observed_at=observed[document.source]["finished_at"],
        )
        for document in documents
        for file in (None, *document.files)
    ]
    catalog.close()
    return rows


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
