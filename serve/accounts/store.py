"""All that serve.db holds, opened at once: what the faces use."""

from typing import Any, Self

from dunegpt.config import Settings
from dunegpt.serve.accounts import personal_data, retention
from dunegpt.serve.accounts.audit import Audit
from dunegpt.serve.accounts.database import Database, open_database
from dunegpt.serve.accounts.directory import Directory
from dunegpt.serve.accounts.identities import Identities
from dunegpt.serve.accounts.local import LocalAccounts
from dunegpt.serve.accounts.login_attempts import LoginAttempts
from dunegpt.serve.accounts.membership import Membership
from dunegpt.serve.accounts.migrate import migrate
from dunegpt.serve.accounts.passwords import Passwords
from dunegpt.serve.accounts.provider_sessions import ProviderSessions
from dunegpt.serve.accounts.rate_limits import RateLimits
from dunegpt.serve.accounts.sessions import Sessions
from dunegpt.serve.accounts.tokens import Tokens


class AccountStore:
    """Accounts, sessions, tokens, limits and audit; safe to share between threads.

    Attributes:
        directory: All accounts.
        local: Logins with a password.
        identities: Logins through a provider.
        login_attempts: Such logins that have begun.
        provider_sessions: What such sessions keep of their provider.
        sessions: Of persons in browsers.
        tokens: Of persons' programs.
        limits: Rate limits.
        audit: Who was shown what.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        database: Database | None = None,
        passwords: Passwords | None = None,
    ) -> None:
        """Open serve.db, bring its tables up to date, and remove what is too old.

        Args:
            settings: The settings.
            database: By default, the one of the settings.
            passwords: By default, hashes of the recommended strength.

        Raises:
            ConfigError: The address of the database cannot be used.
            StorageError: It cannot be opened, or is of a newer version.
        """
        self.database = database or open_database(settings)
        self._settings = settings.accounts
        try:
            migrate(self.database)
            self.prune()
        except BaseException:
            self.database.close()
            raise
        membership = Membership(settings)
        self.limits = RateLimits(self.database)
        self.directory = Directory(self.database, membership)
        self.local = LocalAccounts(
            self.database, self.directory, self.limits, passwords
        )
        self.identities = Identities(self.database, self.directory)
        self.login_attempts = LoginAttempts(self.database)
        self.provider_sessions = ProviderSessions(self.database)
        self.sessions = Sessions(self.database, membership, self._settings)
        self.tokens = Tokens(self.database, membership, self._settings)
        self.audit = Audit(self.database, self._settings.audit_kept)

    def export_person(self, account_id: int) -> dict[str, Any]:
        """Return all that is stored of a person; see `personal_data`."""
        return personal_data.export_person(self.database, account_id)

    def erase_person(self, account_id: int) -> None:
        """Erase all that is stored of a person; see `personal_data`."""
        personal_data.erase_person(self.database, account_id)

    def check(self) -> None:
        """Ask the database something, for ``/readyz``.

        Raises:
            StorageError: It does not answer.
        """
        self.database.check()

    def prune(self) -> int:
        """Remove what is too old; a server calls it every hour."""
        return retention.prune(self.database, self._settings)

    def close(self) -> None:
        """Close all connections."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
