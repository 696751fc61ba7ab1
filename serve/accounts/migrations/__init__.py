"""The migrations of serve.db, by Alembic. See ``docs/accounts.md``."""
