"""Logins by providers: attempts, used logout tokens, and when claims are refreshed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add two tables and two columns."""
    op.create_table(
        "login_attempts",
        sa.Column("state_hash", sa.String, nullable=False),
        sa.Column("browser_hash", sa.String, nullable=False),
        sa.Column("provider", sa.String, nullable=False),
        sa.Column("next_path", sa.String, nullable=False),
        sa.Column("nonce", sa.String, nullable=False),
        sa.Column("verifier", sa.String, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("state_hash", name="pk_login_attempts"),
    )
    op.create_index("ix_login_attempts_expires_at", "login_attempts", ["expires_at"])
    op.create_table(
        "used_tokens",
        sa.Column("issuer", sa.String, nullable=False),
        sa.Column("jti", sa.String, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("issuer", "jti", name="pk_used_tokens"),
    )
    op.create_index("ix_used_tokens_expires_at", "used_tokens", ["expires_at"])
    op.add_column("sessions", sa.Column("refresh_at", _TIME))
    op.add_column("accounts", sa.Column("claims_at", _TIME))
