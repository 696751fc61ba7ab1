"""All that serve.db holds, opened at once: what the faces use."""

from types import TracebackType
from typing import Self

from dunegpt.config import Settings
from dunegpt.serve.accounts.audit import Audit
from dunegpt.serve.accounts.local import LocalAccounts
from dunegpt.serve.accounts.rate_limits import RateLimits
from dunegpt.serve.accounts.sessions import Sessions
from dunegpt.serve.accounts.tokens import Tokens


class AccountStore:
    """Accounts, sessions, tokens, limits and audit; safe to share between threads."""

    local: LocalAccounts
    sessions: Sessions
    tokens: Tokens
    limits: RateLimits
    audit: Audit

    def __init__(self, settings: Settings) -> None:
        """Open serve.db, bring its tables up to date, and remove what is too old.

        Raises:
            StorageError: It cannot be opened, or is of a newer version.
        """
        raise NotImplementedError

    def check(self) -> None:
        """Ask the database something, for ``/readyz``.

        Raises:
            StorageError: It does not answer.
        """
        raise NotImplementedError

    def prune(self) -> None:
        """Remove what is too old; a server calls it every hour."""
        raise NotImplementedError

    def close(self) -> None:
        """Close all connections."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
