"""The tables of the catalog, and how an older catalog becomes one of today.

Knows what is stored, not what it means.
"""

import sqlalchemy as sa

SCHEMA = 3
"""Raised with every change of the tables; `migrate_schema` brings older ones along."""

metadata = sa.MetaData()
documents = sa.Table(
    "documents",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("source", sa.String, nullable=False, index=True),
    sa.Column("parent", sa.String, nullable=False, server_default=""),
    sa.Column("hash", sa.String, nullable=False),
    sa.Column("fields", sa.JSON, nullable=False),
    sa.Column("first_seen", sa.String, nullable=False),
    sa.Column("changed_at", sa.String, nullable=False),
    sa.Column("observed_at", sa.String, nullable=False, server_default=""),
    sa.Column("hidden_at", sa.String),
    sa.Column("hidden_why", sa.String, nullable=False, server_default=""),
    sa.Column("hidden_state", sa.String, nullable=False, server_default=""),
)
files = sa.Table(
    "files",
    metadata,
    sa.Column("document_id", sa.ForeignKey("documents.id"), primary_key=True),
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("fields", sa.JSON, nullable=False),
    sa.Column("sha256", sa.String, nullable=False, index=True),
    sa.Column("checksum", sa.String, nullable=False, server_default="", index=True),
)
tombstones = sa.Table(
    "tombstones",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("source", sa.String, nullable=False),
    sa.Column("removed_at", sa.String, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
)
failures = sa.Table(
    "failures",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("stage", sa.String, primary_key=True),
    sa.Column("source", sa.String, nullable=False, index=True),
    sa.Column("error", sa.String, nullable=False),
    sa.Column("message", sa.String, nullable=False),
    sa.Column("first_at", sa.String, nullable=False),
    sa.Column("last_at", sa.String, nullable=False),
)
runs = sa.Table(
    "runs",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("source", sa.String, nullable=False, index=True),
    sa.Column("started_at", sa.String, nullable=False),
    sa.Column("finished_at", sa.String, nullable=False),
    sa.Column("good", sa.Boolean, nullable=False),
    sa.Column("record", sa.JSON, nullable=False),
)
memory = sa.Table(
    "memory",
    metadata,
    sa.Column("source", sa.String, primary_key=True),
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("value", sa.JSON, nullable=False),
)
openings = sa.Table(
    "openings",
    metadata,
    sa.Column("document_id", sa.String, primary_key=True),
    sa.Column("source", sa.String, nullable=False, index=True),
    sa.Column("trusted", sa.JSON),
    sa.Column("wanted", sa.JSON, nullable=False),
)

_UPGRADES = {
    1: (
        "alter table documents add column parent varchar not null default ''",
        "alter table documents add column observed_at varchar not null default ''",
        "alter table documents add column hidden_why varchar not null default ''",
        "alter table documents add column hidden_state varchar not null default ''",
        "alter table files add column checksum varchar not null default ''",
        "create index ix_files_sha256 on files (sha256)",
        "create index ix_files_checksum on files (checksum)",
        "update documents set observed_at = changed_at,"
        " parent = json_extract(fields, '$.parent')",
        "update documents set hidden_state = 'suspect' where hidden_at is not null",
        "update files set checksum = json_extract(fields, '$.checksum')",
    ),
    # A new table only, which is created where it is missing.
    2: (),
}


def migrate_schema(db: sa.Connection, found: int) -> bool:
    """Bring the tables from a format to today's; return whether that is known how.

    Within a transaction of the caller, or each statement would be one of its own.
    """
    while found in _UPGRADES:
        for statement in _UPGRADES[found]:
            db.execute(sa.text(statement))
        found += 1
    return found in {0, SCHEMA}
