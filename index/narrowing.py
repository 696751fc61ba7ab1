"""What the access overlay takes away from a snapshot.

Compares the two once, when a snapshot is opened, and keeps only the differences. Where
access was last observed too long ago, only what is public is left. Does not know who
asks.
"""

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

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
    """

    documents: dict[int, Access] = field(default_factory=dict)
    files: dict[tuple[int, str], Access] = field(default_factory=dict)
    stale: frozenset[str] | None = frozenset()
    notice: str = ""


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
    try:
        with closing(
            sqlite3.connect(f"{overlay.resolve().as_uri()}?mode=ro", uri=True)
        ) as db:
            runs = dict(db.execute("select name, last_good_run from sources"))
        documents, files = _differences(snapshot, overlay)
    except (sqlite3.Error, ValueError) as error:
        raise IndexBrokenError(
            f"The access overlay {overlay}: {error}.",
            hint="Run 'dunegpt crawl': it writes a new one.",
        ) from error
    oldest = datetime.now(UTC) - max_age
    stale = sorted(
        name
        for name in sources
        if name not in runs or datetime.fromisoformat(runs[name]) < oldest
    )
    notice = ""
    if stale:
        hours = max_age.total_seconds() / 3600
        notice = (
            f"Access was not confirmed for {hours:g} h in {', '.join(stale)}:"
            " only what is public there is searched. Run 'dunegpt crawl'."
        )
    return Narrowing(documents, files, frozenset(stale), notice)


def _open(path: Path, how: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?{how}", uri=True)


def _differences(
    snapshot: Path, overlay: Path
) -> tuple[dict[int, Access], dict[tuple[int, str], Access]]:
    documents: dict[int, Access] = {}
    files: dict[tuple[int, str], Access] = {}
    with closing(_open(snapshot / "passages.db", "immutable=1")) as db:
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
