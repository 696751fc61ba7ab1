"""Response models of the commands for accounts and the audit.

Names of persons, ids of documents and counts; no titles. Does not depend on other
packages. See `dunegpt.schemas.registry` for all models.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict


class _Response(BaseModel):
    model_config = ConfigDict(extra="forbid")


class UserResponse(_Response):
    """An account in ``dunegpt user list``.

    Attributes:
        id: Its number, which is never given to another account.
        issuer: ``local``, or the address of the provider of the login.
        role: ``reader`` or ``operator``.
        principals: What the person may read now.
        granted: Those of them that an operator has granted.
        sessions: Number of sessions that are not over.
        tokens: Number of tokens that are valid.
        last_login_at: ISO 8601; empty if the person never logged in.
        disabled_at: ISO 8601; empty if the account is open.
    """

    id: int
    name: str
    issuer: str
    role: str
    principals: list[str]
    granted: list[str]
    sessions: int
    tokens: int
    created_at: str
    last_login_at: str
    disabled_at: str


class UsersResponse(_Response):
    """The output of ``dunegpt user list``."""

    users: list[UserResponse]


class NewTokenResponse(_Response):
    """The output of ``dunegpt user token``.

    Attributes:
        id: Number of the token, by which it can be revoked.
        token: The secret, which is shown this once.
        expires_at: ISO 8601.
    """

    id: int
    token: str
    scopes: list[str]
    principals: list[str]
    expires_at: str


class RevokedResponse(_Response):
    """The output of ``dunegpt user revoke``: how many were ended."""

    id: int
    sessions: int
    tokens: int


class ErasedResponse(_Response):
    """The output of ``dunegpt user erase``.

    Attributes:
        id: Number of the account, by which the audit still names it.
        audit_entries: Number of entries that do.
    """

    id: int
    audit_entries: int


class UserExportResponse(_Response):
    """The output of ``dunegpt user export``: all that is stored of a person."""

    account: dict[str, Any]
    sessions: list[dict[str, Any]]
    tokens: list[dict[str, Any]]
    networks: list[dict[str, Any]]
    events: list[dict[str, Any]]
    shown: list[dict[str, Any]]


class ShownResponse(_Response):
    """A document that a person was shown.

    Attributes:
        at: ISO 8601, UTC.
        account_id: Number of the account; null for readers without a login.
        name: Name of the account now; empty without a login, or if it was erased.
        token_id: Number of the API token that was used; null without one.
        face: Where: ``web``, ``api``, ``openai``, ``slack`` or ``mcp``.
    """

    at: str
    account_id: int | None
    name: str
    token_id: int | None
    document: str
    face: str


class AccountEventResponse(_Response):
    """What was done to an account, or a login."""

    at: str
    kind: str
    detail: str


class AuditResponse(_Response):
    """The output of ``dunegpt audit``.

    Attributes:
        person: Number of the account that was asked for; null for a document.
        document: Id that was asked for; empty for a person.
        total: Number of entries, of which the latest are in ``shown``.
        events: Of a person: what was done to the account, and its logins.
        kept_days: How long entries are kept.
    """

    person: int | None
    document: str
    total: int
    shown: list[ShownResponse]
    events: list[AccountEventResponse]
    kept_days: float
