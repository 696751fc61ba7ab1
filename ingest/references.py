"""The documents that texts name: DocDB, EDMS, Indico and arXiv identifiers.

A snapshot holds them as a small table, ``references.db``, with a row for each place.
Does not know which of the named documents exist.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from dunegpt.errors import StorageError

FILE = "references.db"


def cited(path: Path, beginning: str) -> frozenset[str]:
    """Return the identifiers in a table that begin so (``edms:``); none without one.

    Raises:
        StorageError: The table is damaged.
    """
    if not path.is_file():
        return frozenset()
    last = beginning[:-1] + chr(ord(beginning[-1]) + 1)
    try:
        uri = f"{path.resolve().as_uri()}?immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as db:
            rows = db.execute(
                "select distinct target from edges where target >= ? and target < ?",
                (beginning, last),
            )
            return frozenset(target for (target,) in rows)
    except sqlite3.Error as error:
        raise StorageError(
            f"The table of references {path} cannot be read: {error}",
            hint="Run 'dunegpt index --rebuild'.",
        ) from error
