"""What sources store between runs: JSON values by source and key."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from dunegpt.ingest.catalog import schema
from dunegpt.ingest.catalog.connection import CatalogFile, subtree_condition

_memory = schema.memory


class SyncStateTable(CatalogFile):
    """The table of the sources' state."""

    def get_state(self, source: str, key: str) -> Any:
        """Return the JSON value that a source stored under a key, or None."""
        where = (_memory.c.source == source) & (_memory.c.key == key)
        with self._read_connection() as db:
            return db.execute(sa.select(_memory.c.value).where(where)).scalar()

    def iter_state(self, source: str, prefix: str) -> Iterator[tuple[str, Any]]:
        """Yield the keys of a source with a prefix, and their JSON values."""
        last, size = prefix, 1000
        end = f"{prefix[:-1]}{chr(ord(prefix[-1]) + 1)}"
        while True:
            where = (_memory.c.source == source) & (_memory.c.key > last)
            where &= _memory.c.key < end
            columns = sa.select(_memory.c.key, _memory.c.value).where(where)
            with self._read_connection() as db:
                rows = db.execute(columns.order_by(_memory.c.key).limit(size)).all()
            for row in rows:
                yield row.key, row.value
            if len(rows) < size:
                return
            last = rows[-1].key

    def delete_state(self, name: str) -> int:
        """Delete the state of a document and all below it; return how many values."""
        with self._write_transaction() as db:
            done = db.execute(
                _memory.delete().where(subtree_condition(_memory.c.key, name))
            )
            return int(done.rowcount)

    def count_state(self, name: str) -> int:
        """Return the number of values stored for a document and all below it."""
        where = subtree_condition(_memory.c.key, name)
        with self._read_connection() as db:
            found = db.execute(
                sa.select(sa.func.count()).select_from(_memory).where(where)
            )
            return int(found.scalar_one())

    def put_state(self, source: str, key: str, value: Any) -> None:
        """Store a JSON value for a source; None deletes it."""
        where = (_memory.c.source == source) & (_memory.c.key == key)
        with self._write_transaction() as db:
            db.execute(_memory.delete().where(where))
            if value is not None:
                db.execute(_memory.insert().values(source=source, key=key, value=value))
