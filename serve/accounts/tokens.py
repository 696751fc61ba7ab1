"""Personal API tokens: explicit scopes and principals, an end, and only a hash."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dunegpt.access import PUBLIC, Access
from dunegpt.serve.accounts.person import Person, Scope


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made; ``secret`` is stored nowhere else."""

    secret: str
    id: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token as its person or an operator sees it."""

    id: int
    name: str
    scopes: frozenset[Scope]
    principals: Access
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime
    revoked_at: datetime | None


class Tokens:
    """The tokens in serve.db. All methods block: call them in a thread."""

    def create(
        self,
        account_id: int,
        name: str,
        *,
        scopes: Collection[Scope],
        principals: Collection[str] = (PUBLIC,),
        lifetime: timedelta = timedelta(days=90),
    ) -> NewToken:
        """Make a token of an account.

        Raises:
            UsageError: A scope that no token has, a principal that the person lacks,
                or a lifetime that is too long.
        """
        raise NotImplementedError

    def find(self, secret: str) -> Person | None:
        """Return the person of a bearer token; None if it is not valid any more.

        Its principals are those of the token that the person still holds.
        """
        raise NotImplementedError

    def list(self, account_id: int) -> Sequence[TokenRecord]:
        """Return the tokens of an account, latest first."""
        raise NotImplementedError

    def revoke(self, token_id: int, *, account_id: int | None = None) -> bool:
        """End a token (of this account, if given); return whether there was one."""
        raise NotImplementedError
