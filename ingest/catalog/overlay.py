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
from typing import TYPE_CHECKING

from dunegpt.access import Access, intersect_access
from dunegpt.config import PrincipalRule
from dunegpt.datadir import DataDir
from dunegpt.errors import StorageError
from dunegpt.files import damaged, storage_errors
from dunegpt.permissions import get_file_mode

if TYPE_CHECKING:
    from dunegpt.ingest.catalog.database import Catalog

_MAX_CLOCK_SKEW = timedelta(minutes=5)
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


def write_overlay(catalog: "Catalog", data: Path, max_age: timedelta) -> None:
    """Write the overlay of a catalog into its data folder, whole or not at all.

    A document stands in it under the key "", each of its files under the file's key;
    one that is hidden, or that nobody may read, does not. Nor does what its source has
    not shown for longer than ``max_age``, be it public or not, if it could not be
    listed, or if all runs over the source have failed for as long. A date in the future
    was written by a wrong clock: nobody knows for how long.

    Raises:
        StorageError: The disk is full.
    """
    with storage_errors(data):
        handle, name = tempfile.mkstemp(dir=data, prefix=".overlay-")
        os.close(handle)
        try:
            with closing(sqlite3.connect(name)) as db, db:
                _write_access(db, catalog, max_age)
            with open(name, "rb") as file:
                os.fsync(file.fileno())
                os.fchmod(file.fileno(), get_file_mode(Path(name)))
            os.replace(name, DataDir(data).overlay)
        except sqlite3.OperationalError as error:
            raise damaged(
                error,
                f"Cannot write {DataDir(data).overlay}: {error}.",
                path=Path(name),
                kind=StorageError,
            ) from error
        finally:
            Path(name).unlink(missing_ok=True)


def format_principals(access: Access) -> str:
    """Return an access set in the one spelling that a comparison needs."""
    return json.dumps(sorted(access))


def _write_access(
    db: sqlite3.Connection, catalog: "Catalog", max_age: timedelta
) -> None:
    db.executescript(f"pragma journal_mode = off; {_TABLES}")
    db.execute(
        "insert into meta values (?)",
        (datetime.now(UTC).isoformat(timespec="seconds"),),
    )
    failing = set()
    unlisted = {
        f["id"]
        for f in catalog.failures()
        if f["stage"] == "list" and not _is_recent(f["first_at"], max_age)
    }
    for source in catalog.source_names():
        run = catalog.last_run(source, good=True)
        if run:
            row = (source, run["finished_at"])
            db.execute("insert into sources values (?, ?)", row)
        last = catalog.last_run(source, good=False)
        has_failed = last is not None and not last["good"]
        if has_failed and not (run and _is_recent(run["finished_at"], max_age)):
            failing.add(source)
        _write_people(db, catalog, source, max_age)
        for unit in catalog.get_state(source, "unconfirmed") or []:
            if not _is_recent(unit["since"], max_age):
                unlisted.update(unit["ids"])
    for each in catalog.iter_observed():
        if each.hidden:
            continue
        document = each.document
        readers = {"": document.access} | {
            file.key: intersect_access(document.access, file.access)
            for file in document.files
        }
        is_unconfirmed = document.source in failing or not unlisted.isdisjoint(
            _ancestor_ids(document.id)
        )
        if is_unconfirmed and not _is_recent(each.observed_at, max_age):
            continue
        db.executemany(
            "insert into access values (?, ?, ?)",
            [
                (document.id, key, format_principals(access))
                for key, access in readers.items()
                if access
            ],
        )


def _write_people(
    db: sqlite3.Connection, catalog: "Catalog", source: str, max_age: timedelta
) -> None:
    """Write who is in the groups of a source, unless that was told too long ago."""
    told = catalog.get_state(source, "people")
    if not told or not _is_recent(told["at"], max_age):
        return
    db.executemany(
        "insert into people values (?, ?, ?, ?, ?)",
        [
            (source, r["issuer"], r["claim"], r["value"], json.dumps(r["principals"]))
            for r in told["rules"]
        ],
    )


def _is_recent(at: str, max_age: timedelta) -> bool:
    """Return whether a date is neither too old nor, by a wrong clock, in the future."""
    return -_MAX_CLOCK_SKEW <= datetime.now(UTC) - datetime.fromisoformat(at) <= max_age


def load_people_rules(data: Path, max_age: timedelta) -> list[PrincipalRule]:
    """Return who is in which group by the groups' own lists, as rules for logins.

    Empty without an overlay, or with one older than ``max_age`` or dated in the future.

    Raises:
        StorageError: The overlay is damaged.
    """
    path = DataDir(data).overlay
    if not path.is_file():
        return []
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            [(written,)] = db.execute("select written_at from meta")
            if not _is_recent(written, max_age):
                return []
            tables = db.execute("select name from sqlite_master").fetchall()
            if ("people",) not in tables:
                return []  # by an older version of the program
            rows = db.execute(
                "select issuer, claim, value, principals from people"
            ).fetchall()
    except (sqlite3.Error, ValueError, TypeError) as error:
        raise damaged(
            error,
            f"The overlay {path} cannot be used: {error}.",
            path=path,
            kind=StorageError,
            hint="The next crawl writes a new one.",
        ) from error
    return [
        PrincipalRule(
            issuer=issuer, claim=claim, value=value, principals=json.loads(principals)
        )
        for issuer, claim, value, principals in rows
    ]


def _ancestor_ids(document_id: str) -> list[str]:
    """Return the id and the ids of all that could hold it."""
    ends = [i for i, mark in enumerate(document_id) if mark in ":/"]
    return [document_id, *(document_id[:end] for end in ends)]
