"""Personal API tokens: explicit scopes and principals, an end, and only a hash."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import contains_eager

from dunegpt.access import PUBLIC, Access, make_reader
from dunegpt.account_settings import AccountSettings
from dunegpt.errors import UsageError
from dunegpt.serve.accounts.clock import is_in_future, utc_now
from dunegpt.serve.accounts.database import Database
from dunegpt.serve.accounts.events import Event, add_event
from dunegpt.serve.accounts.membership import Membership
from dunegpt.serve.accounts.names import clean_text
from dunegpt.serve.accounts.person import (
    SCOPES_OF_ROLE,
    TOKEN_SCOPES,
    Person,
    Role,
    Scope,
)
from dunegpt.serve.accounts.recognized import make_token_person
from dunegpt.serve.accounts.secret_values import hash_secret, make_secret
from dunegpt.serve.accounts.tables import MAX_NUMBER, AccountRow, TokenRow

PREFIX = "dunegpt_"
"""With which every token begins."""

_USED_EVERY = timedelta(hours=1)
_MAX_TOKENS = 50


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made; ``secret`` is stored nowhere else."""

    secret: str
    id: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token as its person or an operator sees it."""

    id: int
    name: str
    scopes: frozenset[Scope]
    principals: Access
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime
    revoked_at: datetime | None


class Tokens:
    """The tokens in serve.db. All methods block: call them in a thread."""

    def __init__(
        self, database: Database, membership: Membership, settings: AccountSettings
    ) -> None:
        """Use a database."""
        self._database = database
        self._membership = membership
        self._longest = timedelta(days=settings.token_max_days)

    def create(
        self,
        account_id: int,
        name: str,
        *,
        scopes: Collection[Scope],
        principals: Collection[str] = (PUBLIC,),
        lifetime: timedelta = timedelta(days=90),
    ) -> NewToken:
        """Make a token of an account.

        Raises:
            UsageError: A scope that no token has or that the person lacks, a principal
                that the person lacks, a lifetime that is too long, or too many tokens.
        """
        now, secret = utc_now(), make_secret(PREFIX)
        wanted = make_reader(principals) | {PUBLIC}
        if not timedelta(0) < lifetime <= self._longest:
            raise UsageError(f"A token lasts at most {self._longest.days} days.")
        with self._database.write() as db:
            account = db.get(AccountRow, account_id, with_for_update=True)
            if account is None or account.erased_at or account.disabled_at:
                raise UsageError("The account is closed.")
            allowed = SCOPES_OF_ROLE[Role(account.role)] & TOKEN_SCOPES
            if not scopes or not frozenset(scopes) <= allowed:
                names = ", ".join(sorted(allowed))
                raise UsageError(f"A token of this account has scopes of: {names}.")
            held = self._membership.resolve(
                account.claims, account.principals, account.claims_at
            )
            if lacking := wanted - held:
                raise UsageError(f"You do not have {', '.join(sorted(lacking))}.")
            if (db.scalar(_count_valid(account_id, now)) or 0) >= _MAX_TOKENS:
                raise UsageError(
                    f"An account has at most {_MAX_TOKENS} tokens.",
                    hint="Revoke one that is not needed any more.",
                )
            row = TokenRow(
                secret_hash=hash_secret(secret),
                account_id=account_id,
                name=clean_text(name).strip() or "token",
                scopes=sorted(scopes),
                principals=sorted(wanted),
                created_at=now,
                expires_at=now + lifetime,
            )
            db.add(row)
            db.flush()
            add_event(db, account_id, Event.TOKEN, f"token {row.id}")
        return NewToken(secret, row.id, row.expires_at)

    def find(self, secret: str) -> Person | None:
        """Return the person of a bearer token; None if it is not valid any more.

        Its principals are those of the token that the person still holds. One query;
        every hour a second one, which notes when it was last used.
        """
        now = utc_now()
        query = (
            sa.select(TokenRow)
            .join(TokenRow.account)
            .options(contains_eager(TokenRow.account))
            .where(TokenRow.secret_hash == hash_secret(secret))
        )
        with self._database.read() as db:
            row = db.scalar(query)
        if row is None or not _is_valid(row, now):
            return None
        if row.last_used_at is None or now - row.last_used_at >= _USED_EVERY:
            with self._database.write() as db:
                own = TokenRow.id == row.id
                db.execute(sa.update(TokenRow).where(own).values(last_used_at=now))
        return make_token_person(row, self._membership)

    def list(self, account_id: int) -> Sequence[TokenRecord]:
        """Return the tokens of an account, latest first; also those that are over."""
        query = (
            sa.select(TokenRow)
            .where(TokenRow.account_id == account_id)
            .order_by(TokenRow.id.desc())
        )
        with self._database.read() as db:
            return [
                TokenRecord(
                    row.id,
                    row.name,
                    frozenset(map(Scope, row.scopes)),
                    frozenset(row.principals),
                    row.created_at,
                    row.last_used_at,
                    row.expires_at,
                    row.revoked_at,
                )
                for row in db.scalars(query)
            ]

    def count_by_account(self) -> dict[int, int]:
        """Return how many tokens each account has that are not over."""
        query = (
            sa.select(TokenRow.account_id, sa.func.count())
            .where(TokenRow.revoked_at.is_(None), TokenRow.expires_at > utc_now())
            .group_by(TokenRow.account_id)
        )
        with self._database.read() as db:
            return {account: count for account, count in db.execute(query)}

    def revoke(self, token_id: int, *, account_id: int | None = None) -> bool:
        """End a token (of this account, if given); return whether there was one."""
        if not 0 < token_id <= MAX_NUMBER:
            return False
        whose = () if account_id is None else (TokenRow.account_id == account_id,)
        with self._database.write() as db:
            revoked = db.execute(
                sa.update(TokenRow)
                .where(TokenRow.id == token_id, TokenRow.revoked_at.is_(None), *whose)
                .values(revoked_at=utc_now())
                .returning(TokenRow.account_id)
            ).first()
            if revoked is None:
                return False
            add_event(db, revoked[0], Event.REVOKED, f"token {token_id}")
            return True


def _count_valid(account_id: int, now: datetime) -> sa.Select[int]:
    return sa.select(sa.func.count(TokenRow.id)).where(
        TokenRow.account_id == account_id,
        TokenRow.revoked_at.is_(None),
        TokenRow.expires_at > now,
    )


def _is_valid(row: TokenRow, now: datetime) -> bool:
    """Return whether a token can be used; one of the future cannot."""
    account = row.account
    return (
        row.revoked_at is None
        and now < row.expires_at
        and not is_in_future(row.created_at, now)
        and account.disabled_at is None
        and account.erased_at is None
    )
