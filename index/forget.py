"""Forgets a document: takes it out of every place that holds it, and proves it.

The places are those of one data folder: catalog, ledger, overlay, fetched bytes,
extracted pages, shards, every snapshot, notices, receipts of answers. No crawl brings
it back, until `forget` is lifted. A copy of a snapshot on another machine is not
reached.
"""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from dunegpt.config import Settings
from dunegpt.errors import StorageError, UsageError
from dunegpt.index.build import build
from dunegpt.index.orphans import orphans, remove_orphans
from dunegpt.index.receipt_store import ReceiptStore
from dunegpt.index.shards import ShardFolder
from dunegpt.index.snapshot import CURRENT
from dunegpt.ingest import notices, overlay
from dunegpt.ingest.catalog import FORGOTTEN, Catalog
from dunegpt.ingest.crawl import only_writer
from dunegpt.ingest.ledger import is_at_or_below
from dunegpt.operating_schemas import ForgetShape, PlaceShape


def forget(settings: Settings, name: str) -> ForgetShape:
    """Take a document, its versions and its parts out of everything.

    It is closed to all readers first; then a snapshot without it is published, and the
    older ones that hold it are removed. If it is killed, the same call goes on.

    Args:
        settings: Where the data folder is.
        name: Id of the document, of one version, or of what holds others.

    Returns:
        What was removed from each place, and what a search of that place found after.

    Raises:
        UsageError: Nothing of that name is or was here.
        StorageError: There is no catalog, or another run is at work.
    """
    data = settings.data
    if not (data / "catalog.db").is_file():
        raise StorageError(f"There is no catalog in {data}.")
    with only_writer(data):
        catalog = Catalog(data / "catalog.db")
        try:
            ids = _take_out(catalog, name)
            overlay.write(catalog, data, settings.access.max_overlay_age)
            removed = {"catalog": len(ids), "overlay": len(ids)}
            held = [
                _remove_shards(data, holder, exact=True) for holder in _holders(name)
            ]
            removed["shards"] = _remove_shards(data, name) + sum(held)
            removed["blobs"], removed["pages"] = remove_orphans(catalog, data)
        finally:
            catalog.close()
    if (data / "snapshots" / CURRENT).exists():
        build(settings, repack=True)
    with only_writer(data):
        removed["snapshots"] = _remove_snapshots(data, name)
        removed["notices"] = _remove_notices(data, name)
        receipts = ReceiptStore(data, settings.receipts.keep_days)
        removed["receipts"] = receipts.remove(name)
    places = [
        PlaceShape(place=place, removed=removed.get(place, 0), left=left)
        for place, left in find(settings, name).items()
    ]
    return ForgetShape(id=name, documents=sorted(ids), places=places)


def lift(settings: Settings, name: str) -> bool:
    """Let crawls take a forgotten document in again; return whether it was one."""
    with only_writer(settings.data):
        catalog = Catalog(settings.data / "catalog.db")
        done = catalog.dig_up(name)
        catalog.close()
    return done


def find(settings: Settings, name: str) -> dict[str, int]:
    """Return how much of a document each place holds, by searching it anew."""
    data = settings.data
    catalog = Catalog(data / "catalog.db")
    blobs, pages = orphans(catalog, data)
    found = {
        "catalog": sum(1 for _ in catalog.observed(name)),
        "ledger": sum(is_at_or_below(f["id"], name) for f in catalog.failures()),
        "overlay": _count(data / overlay.FILE, "access", name),
        "snapshots": sum(
            _held(path, name) for path in (data / "snapshots").glob("*/documents.db")
        ),
        "shards": len(_shards_with(data, name)),
        "pages": len(pages),
        "blobs": len(blobs),
        "notices": len(_notices_with(data, name)),
        "receipts": ReceiptStore(data, settings.receipts.keep_days).holding(name),
        "marks": catalog.marks(name),
    }
    catalog.close()
    return found


def _take_out(catalog: Catalog, name: str) -> set[str]:
    """Take a document out of the catalog, for good; return all ids that it had.

    What holds it loses its timetable, which names it.
    """
    if not name.strip():
        raise UsageError("Name what is to be forgotten.")
    known = [each.document for each in catalog.observed(name)]
    if not known and name not in catalog.forgotten():
        raise UsageError(
            f"{name} is not in the catalog.",
            hint="'dunegpt access --all' lists the ids of all that is.",
        )
    for source in {document.source for document in known}:
        catalog.bury(name, source)
    catalog.remove({document.id for document in known}, reason=FORGOTTEN)
    catalog.forget_marks(name)
    for holder in map(catalog.get, _holders(name)):
        if holder:
            files = [f for f in holder.files if not f.key.startswith("timetable")]
            catalog.put(replace(holder, files=tuple(files)))
            catalog.forget_marks(holder.id)
    return {document.id for document in known} | {name}


def _holders(name: str) -> list[str]:
    """Return the ids of the documents that may hold one: an event, a talk."""
    return [name[:end] for end, mark in enumerate(name) if mark == "/"]


def _remove_snapshots(data: Path, name: str) -> int:
    """Remove every snapshot that holds the document."""
    folder, count = data / "snapshots", 0
    for path in sorted(folder.glob("*/documents.db")):
        if path.parent.is_symlink() or not _held(path, name):
            continue
        shutil.rmtree(path.parent)
        count += 1
    return count


def _remove_shards(data: Path, name: str, *, exact: bool = False) -> int:
    """Remove the shards with its texts; what else was in them is made again.

    Args:
        data: The data folder.
        name: Of the document.
        exact: Leave those that only have its parts.
    """
    found = _shards_with(data, name, exact=exact)
    for path in found:
        shutil.rmtree(path)
    return len(found)


def _shards_with(data: Path, name: str, *, exact: bool = False) -> list[Path]:
    shards = ShardFolder(data / "shards")
    is_meant = str.__eq__ if exact else is_at_or_below
    return [
        data / "shards" / shard
        for shard in shards.names()
        if any(is_meant(i, name) for i in shards.document_ids(shard))
    ]


def _notices_with(data: Path, name: str) -> list[Path]:
    return [
        path
        for path in sorted((data / "notices").glob("*/*.txt"))
        if any(is_at_or_below(i, name) for i in notices.ids([path]))
    ]


def _remove_notices(data: Path, name: str) -> int:
    found = _notices_with(data, name)
    notices.done(found)
    return len(found)


def _held(path: Path, name: str) -> int:
    """Return how many documents a snapshot holds, dead rows of them included."""
    return _count(path, "documents", name) + _count(path, "dead", name)


def _count(path: Path, table: str, name: str) -> int:
    """Return how many rows of a table of one of our files are of the document."""
    if not path.is_file():
        return 0
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
        found = db.execute(f"select id from {table}")
        return sum(is_at_or_below(document_id, name) for (document_id,) in found)
