"""The access overlay: who may read what as of the last crawl, beside the snapshots.

A crawl writes it whole within seconds, long before the next snapshot; whatever searches
lays it over the snapshot that it opens, an old one after a rollback too. It can only
narrow: what it does not list is closed, and what it lists is open at most to those that
the snapshot names too. It also tells who is in which group, where a source knows that:
that is for logins, and shown to no reader. Knows no snapshot.
"""

import json
import os
import sqlite3
import tempfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dunegpt.config import PeopleRule
from dunegpt.errors import StorageError
from dunegpt.ingest.blobs import storage_errors
from dunegpt.ingest.catalog import Catalog, now
from dunegpt.types import PUBLIC, Access, narrow

FILE = "overlay.db"

_TABLES = """
create table meta (written_at text not null);
create table sources (name text primary key, last_good_run text not null);
create table access (
  id text not null, key text not null, principals text not null,
  primary key (id, key)) without rowid;
create table people (
  source text not null, issuer text not null, claim text not null, value text not null,
  principals text not null);
"""


def write(catalog: Catalog, data: Path, max_age: timedelta) -> None:
    """Write the overlay of a catalog into its data folder, whole or not at all.

    A document stands in it under the key "", each of its files under the file's key;
    one that is hidden, or that nobody may read, does not. Of what the source could not
    list, and nobody has seen for longer than ``max_age``, only what is public does.

    Raises:
        StorageError: The disk is full.
    """
    with storage_errors(data):
        handle, name = tempfile.mkstemp(dir=data, prefix=".overlay-")
        os.close(handle)
        try:
            with closing(sqlite3.connect(name)) as db, db:
                _fill(db, catalog, max_age)
            with open(name, "rb") as file:
                os.fsync(file.fileno())
            os.replace(name, data / FILE)
        except sqlite3.OperationalError as error:
            raise OSError(28, f"{error}") from error
        finally:
            Path(name).unlink(missing_ok=True)


def principals_text(access: Access) -> str:
    """Return an access set in the one spelling that a comparison needs."""
    return json.dumps(sorted(access))


def _fill(db: sqlite3.Connection, catalog: Catalog, max_age: timedelta) -> None:
    db.executescript(f"pragma journal_mode = off; {_TABLES}")
    db.execute("insert into meta values (?)", (now(),))
    for source in catalog.sources():
        run = catalog.last_run(source, good=True)
        if run:
            row = (source, run["finished_at"])
            db.execute("insert into sources values (?, ?)", row)
        _fill_people(db, catalog, source, max_age)
    oldest = (datetime.now(UTC) - max_age).isoformat(timespec="seconds")
    unlisted = {f["id"] for f in catalog.failures() if f["stage"] == "list"}
    for each in catalog.observed():
        if each.hidden:
            continue
        document = each.document
        readers = {"": document.access} | {
            file.key: narrow(document.access, file.access) for file in document.files
        }
        is_unlisted = not unlisted.isdisjoint(_holders(document.id))
        if is_unlisted and each.observed_at <= oldest:
            readers = {k: a for k, a in readers.items() if PUBLIC in a}
        db.executemany(
            "insert into access values (?, ?, ?)",
            [
                (document.id, key, principals_text(access))
                for key, access in readers.items()
                if access
            ],
        )


def _fill_people(
    db: sqlite3.Connection, catalog: Catalog, source: str, max_age: timedelta
) -> None:
    """Write who is in the groups of a source, unless that was told too long ago."""
    told = catalog.recall(source, "people")
    if not told or datetime.now(UTC) - datetime.fromisoformat(told["at"]) > max_age:
        return
    db.executemany(
        "insert into people values (?, ?, ?, ?, ?)",
        [
            (source, r["issuer"], r["claim"], r["value"], json.dumps(r["principals"]))
            for r in told["rules"]
        ],
    )


def people(data: Path, max_age: timedelta) -> list[PeopleRule]:
    """Return who is in which group by the groups' own lists, as rules for logins.

    Empty without an overlay, or with one older than ``max_age``.

    Raises:
        StorageError: The overlay is damaged.
    """
    path = data / FILE
    if not path.is_file():
        return []
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            [(written,)] = db.execute("select written_at from meta")
            if datetime.now(UTC) - datetime.fromisoformat(written) > max_age:
                return []
            tables = db.execute("select name from sqlite_master").fetchall()
            if ("people",) not in tables:
                return []  # by an older version of the program
            rows = db.execute(
                "select issuer, claim, value, principals from people"
            ).fetchall()
    except (sqlite3.Error, ValueError) as error:
        raise StorageError(
            f"The overlay {path} cannot be used: {error}.",
            hint="The next crawl writes a new one.",
        ) from error
    return [
        PeopleRule(
            issuer=issuer, claim=claim, value=value, principals=json.loads(principals)
        )
        for issuer, claim, value, principals in rows
    ]


def _holders(document_id: str) -> list[str]:
    """Return the id and the ids of all that could hold it."""
    ends = [i for i, mark in enumerate(document_id) if mark in ":/"]
    return [document_id, *(document_id[:end] for end in ends)]
