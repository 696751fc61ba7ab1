"""Who calls: the person that each request of a face is served for.

Does not know how the person was found.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, TypeAlias

from dunegpt.access import PUBLIC, Access


class Role(StrEnum):
    """What a person may do beside reading."""

    READER = "reader"
    OPERATOR = "operator"


class Scope(StrEnum):
    """What a request may do; a session has all scopes of its role.

    ``account`` is the management of one's own sessions and tokens: no token has it.
    """

    SEARCH = "search"
    ASK = "ask"
    ACCOUNT = "account"
    OPERATE = "operate"


PersonKind: TypeAlias = Literal["anonymous", "local", "oidc", "token"]

_READER_SCOPES = frozenset({Scope.SEARCH, Scope.ASK, Scope.ACCOUNT})
SCOPES_OF_ROLE = {
    Role.READER: _READER_SCOPES,
    Role.OPERATOR: _READER_SCOPES | {Scope.OPERATE},
}
TOKEN_SCOPES = frozenset(Scope) - {Scope.ACCOUNT}
"""Scopes that a token can have."""


@dataclass(frozen=True, slots=True)
class Person:
    """A person for whom a request is served.

    Attributes:
        name: Name to show; empty for nobody in particular.
        principals: What the person may read; always with ``public``.
        role: Role of the account.
        scopes: What this request may do.
        kind: How the person was recognized.
        account_id: Number of the account; None without one.
        session_id: Id of the session, by which it can be revoked; no secret.
        token_id: Number of the token, for kind ``token``.
        refresh_at: When the provider of the login is to be asked again; None for never.
    """

    name: str = ""
    principals: Access = frozenset({PUBLIC})
    role: Role = Role.READER
    scopes: frozenset[Scope] = frozenset()
    kind: PersonKind = "anonymous"
    account_id: int | None = None
    session_id: str | None = None
    token_id: int | None = None
    refresh_at: datetime | None = None

    @property
    def is_operator(self) -> bool:
        """Whether this request may do what operators may."""
        return self.role is Role.OPERATOR and Scope.OPERATE in self.scopes


ANONYMOUS = Person(scopes=frozenset({Scope.SEARCH, Scope.ASK}))
"""Nobody in particular, who may read what is public."""
