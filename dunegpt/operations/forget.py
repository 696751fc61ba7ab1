"""Removes a document from every place in the data folder, and verifies the result.

The places are the catalog, ledger, overlay, blobs, extracted pages, shards, snapshots,
change notices and receipts. Crawls do not fetch the document again until `lift_forget`.
Copies of snapshots on other hosts are not affected.
"""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from dunegpt.config import Settings
from dunegpt.datadir import DataDir
from dunegpt.errors import StorageError, UsageError
from dunegpt.index.build import build
from dunegpt.index.garbage import find_orphans, remove_orphans
from dunegpt.index.shards import ShardFolder
from dunegpt.ingest import change_notices, revoked_now
from dunegpt.ingest.catalog import overlay
from dunegpt.ingest.catalog.database import Catalog, is_in_subtree, list_parent_ids
from dunegpt.schemas.operations import ForgetResponse, PlaceResponse
from dunegpt.serve.receipts.store import ReceiptStore


def forget(settings: Settings, name: str) -> ForgetResponse:
    """Remove a document, its versions and its parts from all places.

    First all access is revoked; then a snapshot without the document is published, and
    older ones that contain it are removed. If the process is killed, call it again.

    Args:
        settings: Location of the data folder.
        name: Id of a document, of one version, or of a parent document.

    Returns:
        For each place, how much was removed and how much a new search found there.

    Raises:
        UsageError: The document is neither known nor forgotten.
        StorageError: There is no catalog, or another run holds the lock.
    """
    paths = settings.paths
    if not paths.catalog.is_file():
        raise StorageError(
            f"There is no catalog in {paths.root}.", hint="Run 'dunegpt crawl' first."
        )
    with paths.lock():
        catalog = Catalog(paths.catalog)
        try:
            ids = _remove_from_catalog(catalog, name)
            overlay.write_overlay(catalog, paths.root, settings.access.max_overlay_age)
            removed = {"catalog": len(ids), "overlay": len(ids)}
            parent_shards = [
                _remove_shards(paths.shards, parent, exact=True)
                for parent in list_parent_ids(name)
            ]
            removed["shards"] = _remove_shards(paths.shards, name) + sum(parent_shards)
            removed["blobs"], removed["pages"] = remove_orphans(catalog, paths)
        finally:
            catalog.close()
    if paths.current_snapshot.exists():
        build(settings, repack=True)
    with paths.lock():
        removed["snapshots"] = _remove_snapshots(paths.snapshots, name)
        removed["notices"] = _remove_notices(paths, name)
        removed["withdrawals"] = revoked_now.forget_documents(
            paths.root, lambda document_id: is_in_subtree(document_id, name)
        )
        receipts = ReceiptStore(paths.root, settings.receipts.keep_days)
        removed["receipts"] = receipts.remove(name)
    places = [
        PlaceResponse(place=place, removed=removed.get(place, 0), left=count)
        for place, count in count_remaining(settings, name).items()
    ]
    return ForgetResponse(id=name, documents=sorted(ids), places=places)


def lift_forget(settings: Settings, name: str) -> bool:
    """Let crawls fetch a forgotten document again; return whether it was forgotten."""
    paths = settings.paths
    if not (paths.catalog.is_file() or paths.forgotten.is_file()):
        return False
    with paths.lock():
        catalog = Catalog(settings.paths.catalog)
        done = catalog.remove_tombstone(name)
        catalog.close()
    return done


def count_remaining(settings: Settings, name: str) -> dict[str, int]:
    """Return how many items of a document a new search finds in each place."""
    paths = settings.paths
    catalog = Catalog(paths.catalog)
    receipts = ReceiptStore(paths.root, settings.receipts.keep_days)
    blobs, pages = find_orphans(catalog, paths)
    counts = {
        "catalog": sum(1 for _ in catalog.iter_observed(name)),
        "ledger": sum(is_in_subtree(f["id"], name) for f in catalog.failures()),
        "overlay": _count_rows(paths.overlay, "access", name),
        "snapshots": sum(
            _count_in_snapshot(path, name)
            for path in paths.snapshots.glob("*/documents.db")
        ),
        "shards": len(_find_shards(paths.shards, name)),
        "pages": len(pages),
        "blobs": len(blobs),
        "notices": len(_find_notices(paths, name)),
        "withdrawals": sum(
            is_in_subtree(entry.document_id, name)
            for entry in revoked_now.read_revoked(paths.root)
        ),
        "receipts": receipts.count_naming(name),
        "marks": catalog.count_state(name),
    }
    catalog.close()
    return counts


def _remove_from_catalog(catalog: Catalog, name: str) -> set[str]:
    """Remove a document from the catalog permanently; return all its ids."""
    if not name.strip():
        raise UsageError("The id of the document to forget is empty.")
    known = [observed.document for observed in catalog.iter_observed(name)]
    if not known and name not in catalog.forgotten_ids():
        raise UsageError(
            f"{name} is not in the catalog.",
            hint="Run 'dunegpt access --all' to list all ids.",
        )
    return catalog.forget(name) | {name}


def _remove_snapshots(folder: Path, name: str) -> int:
    """Remove every snapshot that contains the document; return the number."""
    count = 0
    for path in sorted(folder.glob("*/documents.db")):
        if path.parent.is_symlink() or not _count_in_snapshot(path, name):
            continue
        shutil.rmtree(path.parent)
        count += 1
    return count


def _remove_shards(folder: Path, name: str, *, exact: bool = False) -> int:
    """Remove the shards with texts of a document; return the number.

    Other documents in these shards are embedded again by the next index run.

    Args:
        folder: Folder of the shards.
        name: Id of the document.
        exact: Keep shards that only contain its parts.
    """
    paths = _find_shards(folder, name, exact=exact)
    for path in paths:
        shutil.rmtree(path)
    return len(paths)


def _find_shards(folder: Path, name: str, *, exact: bool = False) -> list[Path]:
    shards = ShardFolder(folder)
    matches = str.__eq__ if exact else is_in_subtree
    return [
        folder / shard
        for shard in shards.list_names()
        if any(matches(i, name) for i in shards.read_document_ids(shard))
    ]


def _find_notices(paths: DataDir, name: str) -> list[Path]:
    return [
        path
        for path in sorted(paths.notices.glob("*/*.txt"))
        if any(is_in_subtree(i, name) for i in change_notices.read_ids([path]))
    ]


def _remove_notices(paths: DataDir, name: str) -> int:
    notices = _find_notices(paths, name)
    change_notices.remove_notices(notices)
    return len(notices)


def _count_in_snapshot(path: Path, name: str) -> int:
    """Return how many documents a snapshot contains, including dead ones."""
    return _count_rows(path, "documents", name) + _count_rows(path, "dead", name)


def _count_rows(path: Path, table: str, name: str) -> int:
    """Return how many rows of a table have the id of the document or its parts."""
    if not path.is_file():
        return 0
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
        rows = db.execute(f"select id from {table}")
        return sum(is_in_subtree(document_id, name) for (document_id,) in rows)
