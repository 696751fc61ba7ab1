"""The first tables: accounts, sessions, tokens, limits, the audit.

Never edit a migration that was released: add one.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_TIME = sa.DateTime(timezone=True)
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_DOCUMENT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    _make_accounts()
    _make_sessions()
    _make_tokens()
    _make_limits()
    _make_audit()


def _make_accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("issuer", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("name_key", sa.String, nullable=False),
        sa.Column("email", sa.String, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("principals", sa.JSON, nullable=False),
        sa.Column("claims", sa.JSON, nullable=False),
        sa.Column("password_hash", sa.String),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("last_login_at", _TIME),
        sa.Column("disabled_at", _TIME),
        sa.Column("erased_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.UniqueConstraint("issuer", "subject", name="uq_accounts_issuer_subject"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_accounts_name_key", "accounts", ["name_key"])


def _make_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("secret_hash", sa.String, nullable=False),
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("last_seen_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("network", sa.String, nullable=False),
        sa.Column("agent", sa.String, nullable=False),
        sa.Column("sid", sa.String),
        sa.Column("id_token", sa.String),
        sa.Column("refresh_token", sa.String),
        sa.Column("groups_refreshed_at", _TIME),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_sessions_account_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.UniqueConstraint("secret_hash", name="uq_sessions_secret_hash"),
    )
    for column in ("account_id", "expires_at", "sid"):
        op.create_index(f"ix_sessions_{column}", "sessions", [column])


def _make_tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("secret_hash", sa.String, nullable=False),
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("principals", sa.JSON, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("last_used_at", _TIME),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("revoked_at", _TIME),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_tokens_account_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("secret_hash", name="uq_tokens_secret_hash"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_tokens_account_id", "tokens", ["account_id"])


def _make_limits() -> None:
    op.create_table(
        "known_networks",
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("network", sa.String, nullable=False),
        sa.Column("last_login_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_known_networks_account_id"
        ),
        sa.PrimaryKeyConstraint("account_id", "network", name="pk_known_networks"),
    )
    op.create_index(
        "ix_known_networks_last_login_at", "known_networks", ["last_login_at"]
    )
    op.create_table(
        "rate_limits",
        sa.Column("key", sa.String, nullable=False),
        sa.Column("full_at_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_rate_limits"),
    )
    op.create_index("ix_rate_limits_full_at_us", "rate_limits", ["full_at_us"])


def _make_audit() -> None:
    op.create_table(
        "shown_documents",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("account_id", sa.Integer),
        sa.Column("token_id", sa.Integer),
        sa.Column("document", _DOCUMENT, nullable=False),
        sa.Column("face", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_shown_documents"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "account_events",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("detail", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_account_events"),
        sqlite_autoincrement=True,
    )
    for table, column in (
        ("shown_documents", "account_id"),
        ("shown_documents", "document"),
        ("account_events", "account_id"),
    ):
        op.create_index(f"ix_{table}_{column}_at", table, [column, "at"])
    for table in ("shown_documents", "account_events"):
        op.create_index(f"ix_{table}_at", table, ["at"])
