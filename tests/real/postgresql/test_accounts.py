"""The tests of accounts in an SQLite file, on PostgreSQL."""

from tests.serve.accounts.test_audit import *  # noqa: F403
from tests.serve.accounts.test_local import *  # noqa: F403
from tests.serve.accounts.test_membership import *  # noqa: F403
from tests.serve.accounts.test_migrations import *  # noqa: F403
from tests.serve.accounts.test_provider_logins import *  # noqa: F403
from tests.serve.accounts.test_queries import *  # noqa: F403
from tests.serve.accounts.test_rate_limits import *  # noqa: F403
from tests.serve.accounts.test_sessions import *  # noqa: F403
from tests.serve.accounts.test_tokens import *  # noqa: F403
