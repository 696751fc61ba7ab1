"""Access that a source was found to have withdrawn since the last crawl.

It narrows the revocations of the access overlay further. Who asks the source, and how,
is behind two protocols: without an option in the settings nothing is imported for it.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from dunegpt.access import Access
from dunegpt.files import damaged
from dunegpt.index.search.revocations import Revocations
from dunegpt.ingest.access_check import ShownDocument
from dunegpt.ingest.revoked_now import RevokedAccess

_DOCUMENT = """
select d.number, a.principals from documents d join access a on a.number = d.access
  where d.id = ?
"""
_FILES = """
select f.key, a.principals from files f join access a on a.number = f.access
  where f.document = ?
"""


class Confirmation(Protocol):
    """Confirms what one reader is about to be shown."""

    def find_closed(self, shown: Sequence[ShownDocument]) -> Sequence[RevokedAccess]:
        """Return what closes documents, or files of them, to the reader by now.

        Asks their sources, within a time limit.
        """

    def find_known_closed(
        self, shown: Sequence[ShownDocument]
    ) -> Sequence[RevokedAccess]:
        """Return the same from what is known, without asking a source."""

    def knows_closed(self) -> bool:
        """Return whether anything was found closed since the last crawl."""

    def describe(self) -> Sequence[str]:
        """Return notes on what was shown unconfirmed; they name no document."""


class Confirmer(Protocol):
    """Confirms access for all readers of an index."""

    def start(self, principals: Access) -> Confirmation:
        """Return what confirms the documents of one answer."""

    def close(self) -> None:
        """Close all connections."""


def apply_withdrawals(
    revocations: Revocations, snapshot: Path, entries: Iterable[RevokedAccess]
) -> Revocations:
    """Return revocations that are narrowed by what was found closed since.

    Args:
        revocations: What the access overlay revokes.
        snapshot: Folder of the snapshot.
        entries: What was found closed; documents that the snapshot does not have count
            for nothing.

    Raises:
        IndexBrokenError: The documents of the snapshot cannot be read.
    """
    entries = list(entries)
    if not entries:
        return revocations
    documents, files = dict(revocations.documents), dict(revocations.files)
    path = snapshot / "documents.db"
    try:
        uri = f"{path.resolve().as_uri()}?immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as db:
            for entry in entries:
                found = db.execute(_DOCUMENT, (entry.document_id,)).fetchone()
                if found is None:
                    continue
                number = int(found[0])
                if not entry.key:
                    then = frozenset(json.loads(found[1]))
                    now = documents.get(number, then)
                    documents[number] = now - entry.principals
                # What is closed with its document is closed as a file of it, too.
                for key, packed in db.execute(_FILES, (number,)):
                    if entry.key in {"", key}:
                        own = files.get((number, key), frozenset(json.loads(packed)))
                        files[number, key] = own - entry.principals
    except (sqlite3.Error, ValueError) as error:
        raise damaged(error, f"{path} cannot be read: {error}.", path=path) from error
    return replace(revocations, documents=documents, files=files)
