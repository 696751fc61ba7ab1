"""The audit: who was shown which document, when, and by which face. Ids only.

No title, question or answer is in it. Entries older than the retention are not shown
any more, and are removed by `retention`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from dunegpt.serve.accounts.clock import utc_now
from dunegpt.serve.accounts.database import Database
from dunegpt.serve.accounts.names import clean_text
from dunegpt.serve.accounts.person import Person
from dunegpt.serve.accounts.tables import DOCUMENT_ID, AccountRow, EventRow, ShownRow

MAX_ENTRIES = 1000
"""Entries that are listed at most, unless more are asked for."""

_ROWS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Shown:
    """A document that a person was shown.

    Attributes:
        account_id: Number of the account; None for anonymous readers.
        name: Name of the account now; empty for anonymous readers and erased accounts.
        token_id: Number of the token that was used, if one was.
    """

    at: datetime
    account_id: int | None
    name: str
    token_id: int | None
    document: str
    face: str


@dataclass(frozen=True, slots=True)
class AccountEvent:
    """Something that was done to an account, or that it did; see `events`."""

    at: datetime
    kind: str
    detail: str


class Audit:
    """The audit in serve.db. All methods block: call them in a thread."""

    def __init__(self, database: Database, kept: timedelta) -> None:
        """Use a database; entries are kept so long."""
        self._database = database
        self._kept = kept

    def record(self, person: Person, documents: Iterable[str], *, face: str) -> None:
        """Record that a person is shown documents; call it before they are sent.

        One statement for each thousand documents; none for no documents.

        Args:
            person: The person, ``ANONYMOUS`` included.
            documents: Ids of documents, such as ``docdb:12345:3``.
            face: ``web``, ``api``, ``openai``, ``slack`` or ``mcp``.

        Raises:
            StorageError: It cannot be recorded; then nothing may be shown.
        """
        now = utc_now()
        rows = [
            {
                "at": now,
                "account_id": person.account_id,
                "token_id": person.token_id,
                "document": document,
                "face": face,
            }
            for document in dict.fromkeys(documents)
        ]
        if rows:
            with self._database.write() as db:
                for start in range(0, len(rows), _ROWS_AT_ONCE):
                    some = rows[start : start + _ROWS_AT_ONCE]
                    db.execute(sa.insert(ShownRow).values(some))

    def list_person(
        self, account_id: int, *, limit: int | None = MAX_ENTRIES
    ) -> Sequence[Shown]:
        """Return what a person was shown, latest first; of an erased one, too."""
        return self._list(ShownRow.account_id == account_id, limit=limit)

    def list_document(
        self, document: str, *, limit: int | None = MAX_ENTRIES
    ) -> Sequence[Shown]:
        """Return who was shown a document, its versions or parts, latest first."""
        return self._list(_is_document(document), limit=limit)

    def count_person(self, account_id: int) -> int:
        """Return how many entries there are of a person."""
        return self._count(ShownRow.account_id == account_id)

    def count_document(self, document: str) -> int:
        """Return how many entries there are of a document, its versions and parts."""
        return self._count(_is_document(document))

    def list_events(
        self, account_id: int, *, limit: int | None = MAX_ENTRIES
    ) -> Sequence[AccountEvent]:
        """Return what was done to an account, and its logins, latest first."""
        query = (
            sa.select(EventRow)
            .where(EventRow.account_id == account_id, EventRow.at >= self._cutoff())
            .order_by(EventRow.at.desc(), EventRow.id.desc())
            .limit(limit)
        )
        with self._database.read() as db:
            return [AccountEvent(e.at, e.kind, e.detail) for e in db.scalars(query)]

    def _list(
        self, condition: sa.ColumnElement[bool], *, limit: int | None
    ) -> Sequence[Shown]:
        query = (
            sa.select(ShownRow, AccountRow.name)
            .outerjoin(AccountRow, AccountRow.id == ShownRow.account_id)
            .where(condition, ShownRow.at >= self._cutoff())
            .order_by(ShownRow.at.desc(), ShownRow.id.desc())
            .limit(limit)
        )
        with self._database.read() as db:
            return [
                Shown(
                    row.at, row.account_id, name or "", row.token_id,
                    row.document, row.face,
                )
                for row, name in db.execute(query)
            ]  # fmt: skip

    def _count(self, condition: sa.ColumnElement[bool]) -> int:
        query = sa.select(sa.func.count()).select_from(ShownRow)
        with self._database.read() as db:
            recent = query.where(condition, ShownRow.at >= self._cutoff())
            return db.scalar(recent) or 0

    def _cutoff(self) -> datetime:
        return utc_now() - self._kept


def _is_document(document: str) -> sa.ColumnElement[bool]:
    """Return the condition that an id is a document's, or lies below it.

    Below it lie its versions (``:``), parts (``/``) and files (``#``).
    """
    document = clean_text(document, len(document))
    column = ShownRow.document
    ranges = [column == document] + [
        sa.and_(
            column >= sa.literal(f"{document}{mark}", DOCUMENT_ID),
            column < sa.literal(f"{document}{chr(ord(mark) + 1)}", DOCUMENT_ID),
        )
        for mark in ":/#"
    ]
    # One query for each range, so that each uses the index on ids.
    return ShownRow.id.in_(
        sa.union_all(*(sa.select(ShownRow.id).where(each) for each in ranges))
    )
