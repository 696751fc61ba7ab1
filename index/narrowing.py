"""What the access overlay takes away from a snapshot.

Compares the two once, when a snapshot is opened, and keeps only the differences. Where
access was last observed too long ago, only what is public is left. Does not know who
asks.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any

from dunegpt.errors import IndexBrokenError
from dunegpt.types import NOBODY, Access, narrow

_CHANGED = """
select d.number, '', d.id, a.principals, o.principals
  from documents d join access a on a.number = d.access
  left join overlay.access o on o.id = d.id and o.key = ''
  where o.principals is null or o.principals != a.principals
union all
select d.number, f.key, d.id, a.principals, o.principals
  from files f join documents d on d.number = f.document
  join access a on a.number = f.access
  left join overlay.access o on o.id = d.id and o.key = f.key
  where o.principals is null or o.principals != a.principals
"""


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What may be read no longer as the snapshot says.

    Attributes:
        documents: Number of a document to its readers now.
        files: Number of a document and key of a file to the file's readers now.
        stale: Sources of which only what is public may be shown; None for all.
        notice: Why something is held back; empty if nothing is.
        views: What readers may find of a snapshot, worked out once; with ``lock``.
    """

    documents: dict[int, Access] = field(default_factory=dict)
    files: dict[tuple[int, str], Access] = field(default_factory=dict)
    stale: frozenset[str] | None = frozenset()
    notice: str = ""
    views: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)
    lock: Lock = field(default_factory=Lock, compare=False, repr=False)

    def is_stale(self, source: str) -> bool:
        """Return whether only what is public of a source may be shown."""
        return self.stale is None or source in self.stale


def read(
    snapshot: Path, sources: list[str], overlay: Path, max_age: timedelta
) -> Narrowing:
    """Return what an overlay takes away from a snapshot.

    Args:
        snapshot: Folder of the snapshot.
        sources: That have documents in it.
        overlay: The overlay's file; if there is none, all but public is held back.
        max_age: Of the last good crawl of a source.

    Raises:
        IndexBrokenError: The overlay is damaged.
    """
    if not overlay.is_file():
        return Narrowing(
            stale=None,
            notice="There is no record of who may read what now, so only public"
            " documents are searched. Run 'dunegpt crawl'.",
        )
    with _errors(overlay):
        documents, files = _differences(snapshot, overlay)
    stale = stale_sources(sources, overlay, max_age)
    notice = ""
    if stale:
        hours = max_age.total_seconds() / 3600
        notice = (
            f"Access was not confirmed for {hours:g} h in {', '.join(sorted(stale))}:"
            " only what is public there is searched. Run 'dunegpt crawl'."
        )
    return Narrowing(documents, files, stale, notice)


def stale_sources(
    sources: list[str], overlay: Path, max_age: timedelta
) -> frozenset[str]:
    """Return the sources whose last good crawl is too old to trust their access.

    Raises:
        IndexBrokenError: The overlay is damaged.
    """
    with _errors(overlay), closing(_open(overlay, "mode=ro")) as db:
        runs = dict(db.execute("select name, last_good_run from sources"))
        oldest = datetime.now(UTC) - max_age
        return frozenset(
            name
            for name in sources
            if name not in runs or datetime.fromisoformat(runs[name]) < oldest
        )


@contextmanager
def _errors(overlay: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, ValueError) as error:
        raise IndexBrokenError(
            f"The access overlay {overlay}: {error}.",
            hint="Run 'dunegpt crawl': it writes a new one.",
        ) from error


def _open(path: Path, how: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?{how}", uri=True)


def _differences(
    snapshot: Path, overlay: Path
) -> tuple[dict[int, Access], dict[tuple[int, str], Access]]:
    documents: dict[int, Access] = {}
    files: dict[tuple[int, str], Access] = {}
    with closing(_open(snapshot / "documents.db", "immutable=1")) as db:
        path = f"{overlay.resolve().as_uri()}?mode=ro"
        db.execute("attach database ? as overlay", (path,))
        for number, key, _, packed, current in db.execute(_CHANGED):
            then = frozenset(json.loads(packed))
            now = frozenset(json.loads(current)) if current else NOBODY
            if key:
                files[number, key] = narrow(then, now)
            else:
                documents[number] = narrow(then, now)
    return documents, files
