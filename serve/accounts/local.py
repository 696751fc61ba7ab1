"""Local accounts: persons who log in with a name and a password."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    """An account, local or of an OIDC provider."""

    id: int
    name: str


class LocalAccounts:
    """The local accounts in serve.db. All methods block: call them in a thread."""

    def log_in(self, name: str, password: str, *, address: str) -> Account:
        """Return the account of a name and a password.

        An unknown name, a wrong password and a disabled account are refused alike and
        after the same work.

        Args:
            name: Name of the account, as typed.
            password: Its password, as typed.
            address: IP address of the client.

        Raises:
            LoginRefusedError: Name or password are wrong.
            TooManyAttemptsError: A subclass, with ``retry_after_s``.
        """
        raise NotImplementedError
