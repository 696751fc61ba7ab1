"""Access that was revoked since a snapshot was built, according to the access overlay.

The two are compared once, when a snapshot is opened, and only the differences are kept;
`reader_view` applies them to a reader's rows, documents and files. Of sources whose
access was last confirmed too long ago, or at a date in the future, only public
documents remain. Does not depend on the reader.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dunegpt.access import NOBODY, Access, intersect_access
from dunegpt.files import damaged

_CHANGED_ACCESS = """
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

_READ_ERRORS = (sqlite3.Error, ValueError, TypeError, LookupError)
_MAX_CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class StaleSources:
    """Sources whose access information cannot be trusted.

    Attributes:
        old: Their last successful crawl is too old, or there is none.
        future: Their last successful crawl is dated in the future, by a wrong clock, so
            its age is unknown.
    """

    old: frozenset[str] = frozenset()
    future: frozenset[str] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        """All of them."""
        return self.old | self.future

    def describe(self, max_age: timedelta) -> str:
        """Return the message for a reader; empty if no source is stale."""
        reasons = []
        if self.old:
            hours = max_age.total_seconds() / 3600
            reasons.append(
                f"Access was not confirmed for {hours:g} h in"
                f" {', '.join(sorted(self.old))}"
            )
        if self.future:
            reasons.append(
                "Access was confirmed at a date in the future in"
                f" {', '.join(sorted(self.future))} (check the clocks)"
            )
        if not reasons:
            return ""
        return (
            f"{'; '.join(reasons)}: only public documents there are searched."
            " Run 'dunegpt crawl'."
        )


@dataclass(frozen=True, slots=True)
class Revocations:
    """Differences between current access and the access sets of a snapshot.

    Attributes:
        documents: Current access by document number, where it differs.
        files: Current access by document number and file key, where it differs.
        stale: Sources of which only public documents may be shown; None for all.
        notice: Message for the reader if sources are stale; otherwise empty.
    """

    documents: dict[int, Access] = field(default_factory=dict)
    files: dict[tuple[int, str], Access] = field(default_factory=dict)
    stale: frozenset[str] | None = frozenset()
    notice: str = ""

    def is_stale(self, source: str) -> bool:
        """Return whether only public documents of a source may be shown."""
        return self.stale is None or source in self.stale


def read_revocations(
    snapshot: Path, sources: list[str], overlay: Path, max_age: timedelta
) -> Revocations:
    """Return the access that an overlay revokes from a snapshot.

    Args:
        snapshot: Folder of the snapshot.
        sources: Sources of the documents in the snapshot.
        overlay: File of the overlay; if it is missing, only public documents remain.
        max_age: Maximum age of the last successful crawl of a source.

    Raises:
        IndexBrokenError: The overlay or the document store is damaged.
    """
    if not overlay.is_file():
        return Revocations(
            stale=None,
            notice="There is no record of current access rights, so only public"
            " documents are searched. Run 'dunegpt crawl'.",
        )
    try:
        documents, files = _find_revoked(snapshot, overlay)
    except _READ_ERRORS as error:
        _check_overlay(overlay)
        path = snapshot / "documents.db"
        raise damaged(
            error, f"The document store {path}: {error}", path=path
        ) from error
    stale = find_stale_sources(sources, overlay, max_age)
    return Revocations(documents, files, stale.names, stale.describe(max_age))


def find_stale_sources(
    sources: list[str], overlay: Path, max_age: timedelta
) -> StaleSources:
    """Return the sources whose last successful crawl does not confirm their access now.

    Raises:
        IndexBrokenError: The overlay is damaged.
    """
    with _translate_errors(overlay), closing(_connect(overlay, "mode=ro")) as db:
        rows = db.execute("select name, last_good_run from sources")
        runs = {name: _parse_date(text) for name, text in rows}
    now = datetime.now(UTC)
    newest = now + _MAX_CLOCK_SKEW
    return StaleSources(
        old=frozenset(n for n in sources if n not in runs or runs[n] < now - max_age),
        future=frozenset(n for n in sources if n in runs and runs[n] > newest),
    )


def _parse_date(text: str) -> datetime:
    """Return a date with its time zone.

    Raises:
        ValueError: It is not one, or has no time zone.
    """
    date = datetime.fromisoformat(text)
    if date.tzinfo is None:
        raise ValueError(f"the date {text} has no time zone")
    return date


@contextmanager
def _translate_errors(overlay: Path) -> Iterator[None]:
    try:
        yield
    except _READ_ERRORS as error:
        raise damaged(
            error,
            f"The access overlay {overlay}: {error}.",
            path=overlay,
            hint="Run 'dunegpt crawl': it writes a new one.",
        ) from error


def _check_overlay(overlay: Path) -> None:
    """Read the whole overlay.

    Raises:
        IndexBrokenError: It is damaged.
    """
    with _translate_errors(overlay), closing(_connect(overlay, "mode=ro")) as db:
        for _, _, principals in db.execute("select id, key, principals from access"):
            json.loads(principals)


def _connect(path: Path, options: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?{options}", uri=True)


def _find_revoked(
    snapshot: Path, overlay: Path
) -> tuple[dict[int, Access], dict[tuple[int, str], Access]]:
    documents: dict[int, Access] = {}
    files: dict[tuple[int, str], Access] = {}
    with closing(_connect(snapshot / "documents.db", "immutable=1")) as db:
        path = f"{overlay.resolve().as_uri()}?mode=ro"
        db.execute("attach database ? as overlay", (path,))
        for number, key, _, packed, current in db.execute(_CHANGED_ACCESS):
            then = frozenset(json.loads(packed))
            now = frozenset(json.loads(current)) if current else NOBODY
            if key:
                files[number, key] = intersect_access(then, now)
            else:
                documents[number] = intersect_access(then, now)
    return documents, files
