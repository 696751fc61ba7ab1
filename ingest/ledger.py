"""What happened: failures by document, runs, and what sources keep between runs.

The part of the catalog's file that is no document. Every change is one transaction.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dunegpt.errors import StorageError
from dunegpt.ingest import tables
from dunegpt.ingest.blobs import storage_errors
from dunegpt.types import Failure

_failures, _runs, _memory = tables.failures, tables.runs, tables.memory


def now() -> str:
    """Return the time, UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Ledger:
    """The catalog's file, made when it is first opened for writing."""

    def __init__(self, path: Path) -> None:
        """Open or make the file, and bring an older one to today's format.

        Raises:
            StorageError: Made by a newer version of the program, damaged, disk full.
        """
        with storage_errors(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._engine = sa.create_engine(f"sqlite:///{path}")
        sa.event.listen(self._engine, "connect", _set_up_connection)
        with self._errors():
            self._check_schema()

    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()

    def _check_schema(self) -> None:
        with self._engine.begin() as db:
            found = db.execute(sa.text("pragma user_version")).scalar_one()
            if not tables.upgrade(db, found):
                raise StorageError(
                    f"{self.path} has format {found}; this program reads"
                    f" {tables.SCHEMA}.",
                    hint="Use the program version that made it, or another data_dir.",
                )
            tables.meta.create_all(db)
            db.execute(sa.text(f"pragma user_version = {tables.SCHEMA}"))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as error:
            raise StorageError(
                f"The catalog {self.path} cannot be used: {error.orig}.",
                hint="Is the disk full, or the file damaged? A crawl makes a new one"
                " if you move it away.",
            ) from error

    @contextmanager
    def _change(self) -> Iterator[sa.Connection]:
        with self._errors(), self._engine.begin() as db:
            yield db

    @contextmanager
    def _look(self) -> Iterator[sa.Connection]:
        with self._errors(), self._engine.connect() as db:
            yield db

    # ── failures ──────────────────────────────────────────────────────────────────

    def put_failure(self, source: str, failure: Failure) -> None:
        """Enter a failure in the ledger, or renew the one that is there."""
        key = (_failures.c.id == failure.id) & (_failures.c.stage == failure.stage)
        with self._change() as db:
            first = db.execute(sa.select(_failures.c.first_at).where(key)).scalar()
            db.execute(_failures.delete().where(key))
            db.execute(
                _failures.insert().values(
                    source=source,
                    first_at=first or now(),
                    last_at=now(),
                    **asdict(failure),
                )
            )

    def settle(
        self, source: str, stage: str, failed: set[str], *, holder: str = ""
    ) -> None:
        """Take failures of a stage that did not recur out of the ledger.

        Args:
            source: Whose failures; empty for all sources.
            stage: ``list``, ``fetch`` or ``extract``.
            failed: Ids that failed in the run at hand; these stay.
            holder: Only failures of this document, its files, and what it holds.
        """
        where = _failures.c.stage == stage
        if source:
            where &= _failures.c.source == source
        if holder:
            where &= at_or_below(_failures.c.id, holder)
        with self._change() as db:
            known = set(db.execute(sa.select(_failures.c.id).where(where)).scalars())
            for stale in known - failed:
                db.execute(_failures.delete().where(where & (_failures.c.id == stale)))

    def failures(self) -> list[dict[str, str]]:
        """Return the ledger: id, stage, source, error, message, first_at, last_at."""
        with self._look() as db:
            rows = db.execute(
                sa.select(_failures).order_by(_failures.c.source, _failures.c.id)
            )
            return [dict(row._mapping) for row in rows]

    def failed(self, source: str, stage: str) -> list[str]:
        """Return the ids of a source's failures of a stage, the oldest first."""
        where = (_failures.c.source == source) & (_failures.c.stage == stage)
        order = (_failures.c.last_at, _failures.c.id)
        with self._look() as db:
            found = db.execute(sa.select(_failures.c.id).where(where).order_by(*order))
            return list(found.scalars())

    def due_failures(self, source: str) -> list[str]:
        """Return the ids of failures to list or fetch that are to be tried again.

        One that has failed for long waits as long again, a day at most; the longest
        untried come first.
        """
        where = (_failures.c.source == source) & (_failures.c.stage != "extract")
        columns = (_failures.c.id, _failures.c.first_at, _failures.c.last_at)
        with self._look() as db:
            rows = db.execute(
                sa.select(*columns).where(where).order_by(_failures.c.last_at)
            ).all()
        moment = datetime.now(UTC)
        due = []
        for failed, first, last in rows:
            since, until = map(datetime.fromisoformat, (first, last))
            if moment - until >= min(until - since, timedelta(days=1)):
                due.append(failed)
        return due

    # ── runs ──────────────────────────────────────────────────────────────────────

    def put_run(self, source: str, started_at: str, record: dict[str, Any]) -> None:
        """Keep the record of a run.

        It was good if it has neither an ``error`` nor was ``partial``.
        """
        good = not record["error"] and not record.get("partial", False)
        with self._change() as db:
            db.execute(
                _runs.insert().values(
                    source=source,
                    started_at=started_at,
                    finished_at=now(),
                    good=good,
                    record=record,
                )
            )

    def last_run(self, source: str, *, good: bool) -> dict[str, Any] | None:
        """Return the last run, or the last good one: its times and its record."""
        where = _runs.c.source == source
        if good:
            where &= _runs.c.good
        with self._look() as db:
            row = db.execute(
                sa.select(_runs).where(where).order_by(_runs.c.number.desc()).limit(1)
            ).first()
            return dict(row._mapping) if row else None

    # ── what sources keep ─────────────────────────────────────────────────────────

    def recall(self, source: str, key: str) -> Any:
        """Return the JSON value that a source keeps under a key, or None."""
        where = (_memory.c.source == source) & (_memory.c.key == key)
        with self._look() as db:
            return db.execute(sa.select(_memory.c.value).where(where)).scalar()

    def recall_below(self, source: str, prefix: str) -> Iterator[tuple[str, Any]]:
        """Yield the keys of a source that begin so, with their JSON values."""
        last, size = prefix, 1000
        end = f"{prefix[:-1]}{chr(ord(prefix[-1]) + 1)}"
        while True:
            where = (_memory.c.source == source) & (_memory.c.key > last)
            where &= _memory.c.key < end
            columns = sa.select(_memory.c.key, _memory.c.value).where(where)
            with self._look() as db:
                rows = db.execute(columns.order_by(_memory.c.key).limit(size)).all()
            for row in rows:
                yield row.key, row.value
            if len(rows) < size:
                return
            last = rows[-1].key

    def forget_marks(self, name: str) -> int:
        """Take away what sources keep of a document and its parts; count it."""
        with self._change() as db:
            done = db.execute(_memory.delete().where(at_or_below(_memory.c.key, name)))
            return int(done.rowcount)

    def marks(self, name: str) -> int:
        """Return how many marks sources keep of a document and its parts."""
        where = at_or_below(_memory.c.key, name)
        with self._look() as db:
            found = db.execute(
                sa.select(sa.func.count()).select_from(_memory).where(where)
            )
            return int(found.scalar_one())

    def remember(self, source: str, key: str, value: Any) -> None:
        """Keep a JSON value for a source; None takes it away."""
        where = (_memory.c.source == source) & (_memory.c.key == key)
        with self._change() as db:
            db.execute(_memory.delete().where(where))
            if value is not None:
                db.execute(_memory.insert().values(source=source, key=key, value=value))


def at_or_below(column: Any, holder: str) -> Any:
    """Return the condition that an id is a document's, or lies below it.

    Below lie its versions (``:``), its parts (``/``) and its files (``#``). Ranges, so
    that the index on the ids is used.
    """
    below = [
        (column >= f"{holder}{mark}") & (column < f"{holder}{chr(ord(mark) + 1)}")
        for mark in ":/#"
    ]
    return sa.or_(column == holder, *below)


def is_at_or_below(document_id: str, holder: str) -> bool:
    """Return what `at_or_below` asks a database, of one id."""
    return document_id == holder or (
        document_id.startswith(holder) and document_id[len(holder)] in ":/#"
    )


def _set_up_connection(connection: Any, _record: Any) -> None:
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma foreign_keys = on")
    connection.execute("pragma busy_timeout = 10000")
