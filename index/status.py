"""What an operator sees: sources, failures, and the state of the published index.

Ids, reasons and counts of everything; titles of nothing.
"""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from dunegpt.config import Settings
from dunegpt.errors import DuneGPTError, StorageError
from dunegpt.index.snapshot import CURRENT, Snapshot
from dunegpt.ingest import notices
from dunegpt.ingest.catalog import Catalog, Observed
from dunegpt.ingest.source import untried
from dunegpt.operating_schemas import (
    FailureShape,
    IndexShape,
    ReadersShape,
    SourceShape,
    StatusShape,
)
from dunegpt.types import FileRef, narrow, parts_of_id


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
        sources = [_source(name, settings, catalog, failures) for name in names]
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
    """Return who may read documents and their files, and what that rests on.

    Args:
        settings: Where the catalog is.
        name: Id of a document, for it, its versions and its parts; empty for all.

    Returns:
        In the order of ids; a document comes before its files.

    Raises:
        StorageError: There is no catalog, or it cannot be read.
    """
    path = settings.data / "catalog.db"
    if not path.is_file():
        raise StorageError(f"There is no catalog in {settings.data}.")
    catalog = Catalog(path)
    rows = [_readers(each, f) for each in catalog.observed(name) for f in _parts(each)]
    catalog.close()
    return rows


def _parts(each: Observed) -> list[FileRef | None]:
    return [None, *each.document.files]


def _readers(each: Observed, file: FileRef | None) -> ReadersShape:
    """Return who may read a document, or one of its files; nobody, if it is hidden."""
    document, own = each.document, file or each.document
    access = narrow(document.access, file.access) if file else document.access
    return ReadersShape(
        id=document.id,
        file=file.key if file else None,
        principals=[] if each.hidden else sorted(access),
        evidence=f"hidden: {each.hidden}" if each.hidden else own.evidence,
        observed_at=each.observed_at,
    )


def _source(
    name: str, settings: Settings, catalog: Catalog, failures: list[dict[str, str]]
) -> SourceShape:
    good = catalog.last_run(name, good=True)
    last = catalog.last_run(name, good=False)
    own = [f for f in failures if f["source"] == name]
    ids = catalog.ids(name)
    age = None
    if good:
        age = datetime.now(UTC) - datetime.fromisoformat(good["finished_at"])
    return SourceShape(
        name=name,
        versions=len(ids),
        **{**catalog.counts(name), "documents": len(set(map(_without_version, ids)))},
        failures=dict(Counter(f["stage"] for f in own)),
        errors=dict(Counter(f["error"] for f in own)),
        last_good_run=good["finished_at"] if good else "",
        age_h=round(age.total_seconds() / 3600, 2) if age is not None else None,
        last_error=last["record"]["error"] if last else "",
        warnings=last["record"].get("warnings", []) if last else [],
        withheld=catalog.recall(name, "withheld") or {},
        notices=len(notices.waiting(settings.data, name)),
        untried=untried(name, settings),
    )


def _without_version(document_id: str) -> tuple[str, str]:
    prefix, number, _ = parts_of_id(document_id)
    return prefix, number


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
