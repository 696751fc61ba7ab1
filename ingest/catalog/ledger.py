"""What happened: failures by document, and the record of each crawl."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from dunegpt.ingest.catalog import connection, schema
from dunegpt.ingest.catalog.connection import CatalogFile, subtree_condition
from dunegpt.types import Failure

_failures, _runs = schema.failures, schema.runs


class Ledger(CatalogFile):
    """The tables of failures and runs."""

    # ── failures ──────────────────────────────────────────────────────────────────

    def put_failure(self, source: str, failure: Failure) -> None:
        """Add a failure to the ledger, or update the existing one."""
        key = (_failures.c.id == failure.id) & (_failures.c.stage == failure.stage)
        with self._write_transaction() as db:
            first = db.execute(sa.select(_failures.c.first_at).where(key)).scalar()
            db.execute(_failures.delete().where(key))
            db.execute(
                _failures.insert().values(
                    source=source,
                    first_at=first or connection.now(),
                    last_at=connection.now(),
                    **asdict(failure),
                )
            )

    def resolve_failures(
        self, source: str, stage: str, failed: set[str], *, holder: str = ""
    ) -> None:
        """Remove failures of a stage that did not recur.

        Args:
            source: Name of the source; empty for all sources.
            stage: ``list``, ``fetch``, ``extract`` or ``describe``.
            failed: Ids that failed in the current run; these stay.
            holder: Only failures at or below this document.
        """
        where = _failures.c.stage == stage
        if source:
            where &= _failures.c.source == source
        if holder:
            where &= subtree_condition(_failures.c.id, holder)
        with self._write_transaction() as db:
            known = set(db.execute(sa.select(_failures.c.id).where(where)).scalars())
            for stale in known - failed:
                db.execute(_failures.delete().where(where & (_failures.c.id == stale)))

    def failures(self) -> list[dict[str, str]]:
        """Return the ledger: id, stage, source, error, message, first_at, last_at."""
        with self._read_connection() as db:
            rows = db.execute(
                sa.select(_failures).order_by(_failures.c.source, _failures.c.id)
            )
            return [dict(row._mapping) for row in rows]

    def failed_ids(self, source: str, stage: str) -> list[str]:
        """Return the ids of a source's failures of a stage, the oldest first."""
        where = (_failures.c.source == source) & (_failures.c.stage == stage)
        order = (_failures.c.last_at, _failures.c.id)
        with self._read_connection() as db:
            found = db.execute(sa.select(_failures.c.id).where(where).order_by(*order))
            return list(found.scalars())

    def retry_ids(self, source: str) -> list[str]:
        """Return the ids of failures to list or fetch that are due for a retry.

        The wait grows with the time since the first failure, up to a day; the longest
        untried come first.
        """
        where = _failures.c.source == source
        where &= _failures.c.stage.in_(("list", "fetch"))
        columns = (_failures.c.id, _failures.c.first_at, _failures.c.last_at)
        with self._read_connection() as db:
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
        """Store the record of a run.

        A run is good if it has no ``error`` and is not ``partial``.
        """
        good = not record["error"] and not record.get("partial", False)
        with self._write_transaction() as db:
            db.execute(
                _runs.insert().values(
                    source=source,
                    started_at=started_at,
                    finished_at=connection.now(),
                    good=good,
                    record=record,
                )
            )

    def last_run(self, source: str, *, good: bool) -> dict[str, Any] | None:
        """Return the last run, or the last good one, with its times and record."""
        where = _runs.c.source == source
        if good:
            where &= _runs.c.good
        with self._read_connection() as db:
            row = db.execute(
                sa.select(_runs).where(where).order_by(_runs.c.number.desc()).limit(1)
            ).first()
            return dict(row._mapping) if row else None
