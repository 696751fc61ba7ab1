"""The status of an installation: sources, failures, access and the current index.

Returns ids, reasons and counts of all documents, but never titles.
"""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from dunegpt.access import intersect_access
from dunegpt.config import Settings
from dunegpt.errors import DuneGPTError, StorageError
from dunegpt.ids import split_id
from dunegpt.index.snapshot.snapshot import Snapshot
from dunegpt.ingest import change_notices
from dunegpt.ingest.catalog.database import Catalog, ObservedDocument
from dunegpt.ingest.registry import untested_parts
from dunegpt.schemas.operations import (
    FailureResponse,
    IndexResponse,
    ReadersResponse,
    SourceResponse,
    StatusResponse,
)
from dunegpt.types import FileRef


def get_status(settings: Settings) -> StatusResponse:
    """Return the state of the data folder: catalog, ledger and current snapshot.

    Raises:
        StorageError: The catalog cannot be read.
    """
    sources: list[SourceResponse] = []
    failures: list[dict[str, str]] = []
    path = settings.paths.catalog
    if path.is_file():
        catalog = Catalog(path)
        failures = catalog.failures()
        names = sorted({*catalog.source_names(), *settings.sources})
        sources = [
            _describe_source(name, settings, catalog, failures) for name in names
        ]
        catalog.close()
    return StatusResponse(
        data_dir=str(settings.data),
        sources=sources,
        index=_describe_index(settings),
        failures=[
            FailureResponse(**{k: v for k, v in failure.items() if k != "source"})
            for failure in failures
        ],
    )


def list_access(settings: Settings, name: str) -> list[ReadersResponse]:
    """Return the access sets of documents and files, and the evidence for them.

    Args:
        settings: Location of the catalog.
        name: Id of a document, to list it, its versions and its parts; empty for all.

    Returns:
        One response per document and file, ordered by id, documents before files.

    Raises:
        StorageError: There is no catalog, or it cannot be read.
    """
    path = settings.paths.catalog
    if not path.is_file():
        raise StorageError(
            f"There is no catalog in {settings.data}.",
            hint="Run 'dunegpt crawl' first.",
        )
    catalog = Catalog(path)
    rows = [
        _describe_readers(observed, file)
        for observed in catalog.iter_observed(name)
        for file in (None, *observed.document.files)
    ]
    catalog.close()
    return rows


def _describe_readers(
    observed: ObservedDocument, file: FileRef | None
) -> ReadersResponse:
    """Return the access of a document or of one file; nobody if it is hidden."""
    document, item = observed.document, file or observed.document
    access = intersect_access(document.access, file.access) if file else document.access
    return ReadersResponse(
        id=document.id,
        file=file.key if file else None,
        principals=[] if observed.hidden else sorted(access),
        evidence=f"hidden: {observed.hidden}" if observed.hidden else item.evidence,
        observed_at=observed.observed_at,
    )


def _describe_source(
    name: str, settings: Settings, catalog: Catalog, failures: list[dict[str, str]]
) -> SourceResponse:
    last_good = catalog.last_run(name, good=True)
    last_run = catalog.last_run(name, good=False)
    source_failures = [f for f in failures if f["source"] == name]
    ids = catalog.ids(name)
    return SourceResponse(
        name=name,
        versions=len(ids),
        **{
            **catalog.get_statistics(name),
            "documents": len(set(map(_strip_version, ids))),
        },
        failures=dict(Counter(f["stage"] for f in source_failures)),
        errors=dict(Counter(f["error"] for f in source_failures)),
        last_good_run=last_good["finished_at"] if last_good else "",
        age_h=_count_hours(last_good["finished_at"]) if last_good else None,
        last_error=last_run["record"]["error"] if last_run else "",
        warnings=last_run["record"].get("warnings", []) if last_run else [],
        withheld=catalog.get_state(name, "withheld") or {},
        notices=len(change_notices.list_pending(settings.data, name)),
        untried=untested_parts(name, settings),
        unconfirmed={
            unit["unit"]: _count_hours(unit["since"])
            for unit in catalog.get_state(name, "unconfirmed") or []
        },
        held=len([o for o in catalog.list_openings(name) if o.is_held]),
    )


def _count_hours(since: str) -> float:
    """Return the hours since a moment, ISO 8601."""
    age = datetime.now(UTC) - datetime.fromisoformat(since)
    return round(age.total_seconds() / 3600, 2)


def _strip_version(document_id: str) -> tuple[str, str]:
    prefix, number, _ = split_id(document_id)
    return prefix, number


def _describe_index(settings: Settings) -> IndexResponse:
    facts: dict[str, Any] = dict.fromkeys(
        ("snapshot", "created_at", "encoder", "error"), ""
    )
    facts |= {"documents": 0, "passages": 0}
    try:
        snapshot = Snapshot(settings.paths.current_snapshot)
    except DuneGPTError as error:
        return IndexResponse(**{**facts, "error": f"{error} {error.hint}"})
    manifest = snapshot.manifest
    snapshot.close()
    return IndexResponse(
        snapshot=manifest["content_id"],
        created_at=manifest["created_at"],
        encoder=manifest["encoder"],
        documents=manifest["counts"]["documents"],
        passages=manifest["counts"]["passages"],
        error="",
    )
