"""What Alembic runs for each of its commands, on the connection that it is given."""

from alembic import context

from dunegpt.serve.accounts.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
)
context.run_migrations()
