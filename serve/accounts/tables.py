"""The tables of serve.db. Migrations bring an older file to what is described here.

No column holds a password, a cookie or a token of ours, only hashes of them; sessions
hold the ID token and the refresh token of their provider. No column holds a title, a
question or an answer.
"""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class UTCDateTime(sa.TypeDecorator[datetime]):
    """A time with its zone in Python, and UTC in the database."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(
        self, value: datetime | None, dialect: sa.Dialect
    ) -> datetime | None:
        """Return the time as UTC; SQLite stores it without a zone."""
        return value.astimezone(UTC) if value else None

    def process_result_value(
        self, value: datetime | None, dialect: sa.Dialect
    ) -> datetime | None:
        """Return the time as UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value


DOCUMENT_ID = sa.String().with_variant(sa.String(collation="C"), "postgresql")
"""Compared byte by byte, so that ranges of ids are found by an index."""

MAX_NUMBER = 2**31 - 1
"""The largest number of an account or a token."""


class Base(DeclarativeBase):
    """The tables of serve.db."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - as SQLAlchemy documents it
        datetime: UTCDateTime,
        dict[str, Any]: sa.JSON,
        list[str]: sa.JSON,
    }


class AccountRow(Base):
    """A person who can log in.

    Attributes:
        issuer: Address of the OIDC provider; ``local`` for a local account.
        subject: The provider's name for the person; for a local account, its name as
            `make_name_key` gives it. Of an erased account, see `erase`.
        principals: Granted by an operator, in addition to those of the claims.
        claims: Of the last login or refresh; empty for a local account.
        claims_at: When the provider told them.
        password_hash: By argon2; only of a local account.
    """

    __tablename__ = "accounts"
    __table_args__ = (
        sa.UniqueConstraint("issuer", "subject"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    issuer: Mapped[str]
    subject: Mapped[str]
    name: Mapped[str]
    name_key: Mapped[str] = mapped_column(index=True)
    email: Mapped[str] = mapped_column(default="")
    role: Mapped[str]
    principals: Mapped[list[str]]
    claims: Mapped[dict[str, Any]]
    claims_at: Mapped[datetime | None]
    password_hash: Mapped[str | None]
    created_at: Mapped[datetime]
    last_login_at: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    erased_at: Mapped[datetime | None]


class SessionRow(Base):
    """A session of a person in a browser.

    Attributes:
        id: For lists and revocation; no secret.
        secret_hash: sha256 of the cookie's value, in hex.
        last_seen_at: Not more exact than a few minutes.
        sid: Session id of the provider; likewise the tokens, for refresh and logout.
        groups_refreshed_at: When the provider was last asked for the claims.
        refresh_at: When it is to be asked again; null for never.
    """

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(primary_key=True)
    secret_hash: Mapped[str] = mapped_column(unique=True)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey("accounts.id"), index=True)
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    network: Mapped[str]
    agent: Mapped[str]
    sid: Mapped[str | None] = mapped_column(index=True)
    id_token: Mapped[str | None]
    refresh_token: Mapped[str | None]
    groups_refreshed_at: Mapped[datetime | None]
    refresh_at: Mapped[datetime | None]
    account: Mapped[AccountRow] = relationship(lazy="raise")


class LoginAttemptRow(Base):
    """A login by a provider that a browser has begun.

    Attributes:
        state_hash: sha256 of the value that comes back with the browser, in hex.
        browser_hash: sha256 of the value of the browser's cookie, in hex.
        provider: Name of the provider.
        verifier: Of PKCE; worth nothing without a code of the provider.
    """

    __tablename__ = "login_attempts"

    state_hash: Mapped[str] = mapped_column(primary_key=True)
    browser_hash: Mapped[str]
    provider: Mapped[str]
    next_path: Mapped[str]
    nonce: Mapped[str]
    verifier: Mapped[str]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class UsedTokenRow(Base):
    """A logout token of a provider, which may be used once."""

    __tablename__ = "used_tokens"

    issuer: Mapped[str] = mapped_column(primary_key=True)
    jti: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class TokenRow(Base):
    """A personal API token.

    Attributes:
        secret_hash: sha256 of the token, in hex.
        principals: What it may read, of what the person may.
    """

    __tablename__ = "tokens"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    secret_hash: Mapped[str] = mapped_column(unique=True)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey("accounts.id"), index=True)
    name: Mapped[str]
    scopes: Mapped[list[str]]
    principals: Mapped[list[str]]
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    account: Mapped[AccountRow] = relationship(lazy="raise")


class KnownNetworkRow(Base):
    """A network from which a local account has logged in."""

    __tablename__ = "known_networks"

    account_id: Mapped[int] = mapped_column(
        sa.ForeignKey("accounts.id"), primary_key=True
    )
    network: Mapped[str] = mapped_column(primary_key=True)
    last_login_at: Mapped[datetime] = mapped_column(index=True)


class RateLimitRow(Base):
    """A counter of a rate limit; see `RateLimits`.

    Attributes:
        key: Kind of the limit, and a hash of who is limited.
        full_at_us: When the full limit is there again, in microseconds since 1970.
    """

    __tablename__ = "rate_limits"

    key: Mapped[str] = mapped_column(primary_key=True)
    full_at_us: Mapped[int] = mapped_column(sa.BigInteger, index=True)


class ShownRow(Base):
    """A document that a person was shown.

    Attributes:
        account_id: Number of the account; null for anonymous readers. Of an erased
            account, it is a pseudonym.
        face: By which face, such as ``web``.
    """

    __tablename__ = "shown_documents"
    __table_args__ = (
        sa.Index(None, "account_id", "at"),
        sa.Index(None, "document", "at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True
    )
    at: Mapped[datetime] = mapped_column(index=True)
    account_id: Mapped[int | None]
    token_id: Mapped[int | None]
    document: Mapped[str] = mapped_column(DOCUMENT_ID)
    face: Mapped[str]


class EventRow(Base):
    """Something that was done to an account, or that it did.

    Attributes:
        kind: Such as ``login``, ``disabled`` or ``role``; see `accounts.events`.
        detail: Such as the new role; never a secret or personal data.
    """

    __tablename__ = "account_events"
    __table_args__ = (
        sa.Index(None, "account_id", "at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True
    )
    at: Mapped[datetime] = mapped_column(index=True)
    account_id: Mapped[int]
    kind: Mapped[str]
    detail: Mapped[str]
