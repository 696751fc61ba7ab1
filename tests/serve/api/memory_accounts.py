"""Persons in memory, for tests of what stands above the accounts."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from dunegpt.errors import LoginRefusedError, TooManyAttemptsError
from dunegpt.serve.accounts.directory import Account
from dunegpt.serve.accounts.person import SCOPES_OF_ROLE, Person, Role, Scope
from dunegpt.serve.accounts.rate_limits import RateLimit
from dunegpt.serve.accounts.sessions import NewSession, SessionRecord

PASSWORD = "correct horse"
_NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class MemoryAccounts:
    """As `AccountStore`; each of its parts is this object."""

    persons: dict[str, Person] = field(default_factory=dict)
    audited: list[tuple[str, tuple[str, ...], str]] = field(default_factory=list)
    used: dict[tuple[str, str], int] = field(default_factory=dict)
    fails: dict[str, Exception] = field(default_factory=dict)
    is_closed: bool = False

    @property
    def local(self) -> Any:
        return _Local(self)

    @property
    def sessions(self) -> Any:
        return _Sessions(self)

    @property
    def provider_sessions(self) -> Any:
        return _ProviderSessions(self)

    @property
    def tokens(self) -> Any:
        return _Tokens(self)

    @property
    def limits(self) -> Any:
        return _Limits(self)

    @property
    def audit(self) -> Any:
        return _Audit(self)

    def add_session(self, name: str, *principals: str, role: Role = Role.READER) -> str:
        """Return the cookie's value of a new session."""
        secret = secrets.token_urlsafe(24)
        self.persons[secret] = Person(
            name,
            frozenset({"public", *principals}),
            role,
            SCOPES_OF_ROLE[role],
            "local",
            account_id=sum(map(ord, name)),
            session_id=secrets.token_hex(8),
        )
        return secret

    def add_token(
        self, *scopes: Scope, role: Role = Role.READER, principals: Sequence[str] = ()
    ) -> str:
        """Return the secret of a new token."""
        secret = secrets.token_urlsafe(24)
        self.persons[secret] = Person(
            "token",
            frozenset({"public", *principals}),
            role,
            frozenset(scopes),
            "token",
            account_id=7,
            token_id=len(self.persons),
        )
        return secret

    def fail(self, part: str) -> None:
        if part in self.fails:
            raise self.fails[part]

    def check(self) -> None:
        self.fail("check")

    def prune(self) -> None:
        self.fail("prune")

    def close(self) -> None:
        self.is_closed = True


@dataclass
class _Part:
    store: MemoryAccounts


class _Local(_Part):
    def prepare(self) -> None:
        """Do nothing."""

    def log_in(self, name: str, password: str, *, address: str) -> Account:
        if name == "throttled":
            raise TooManyAttemptsError("Too many logins have failed.", retry_after_s=7)
        if (name, password) != ("ada", PASSWORD):
            raise LoginRefusedError("Name or password are wrong.")
        public = frozenset({"public"})
        return Account(
            3, name, "local", Role.READER, public, frozenset(), _NOW, None, None
        )


class _Sessions(_Part):
    def create(self, account_id: int, *, replaces: str = "", **_: Any) -> NewSession:
        self.store.persons.pop(replaces, None)
        secret = self.store.add_session("ada", "notes:team")
        return NewSession(secret, secret[:4], _NOW + timedelta(hours=9))

    def find(self, secret: str) -> Person | None:
        self.store.fail("sessions")
        found = self.store.persons.get(secret)
        return found if found and found.session_id else None

    def list(self, account_id: int) -> list[SessionRecord]:
        return [
            SessionRecord(str(p.session_id), _NOW, _NOW, _NOW, "127.0.0.0/24", "curl")
            for p in self.store.persons.values()
            if p.account_id == account_id and p.session_id
        ]

    def revoke(self, session_id: str, *, account_id: int | None = None) -> bool:
        ended = [
            secret
            for secret, person in self.store.persons.items()
            if person.session_id == session_id
            and account_id in {None, person.account_id}
        ]
        for secret in ended:
            del self.store.persons[secret]
        return bool(ended)

    def revoke_account(self, account_id: int, *, but: str = "") -> int:
        ended = [r.id for r in self.list(account_id) if r.id != but]
        return sum(self.revoke(each) for each in ended)


class _ProviderSessions(_Part):
    def get_tokens(self, session_id: str) -> None:
        """Return nothing: all have signed in with a password."""


class _Tokens(_Part):
    def find(self, secret: str) -> Person | None:
        found = self.store.persons.get(secret)
        return found if found and found.kind == "token" else None


class _Limits(_Part):
    def take(self, kind: str, key: str, *, limit: int, per_s: float) -> RateLimit:
        used = self.store.used.get((kind, key), 0)
        allowed = used < limit
        self.store.used[kind, key] = used + allowed
        left = max(limit - used - 1, 0)
        return RateLimit(allowed, limit, left, per_s, 0 if left else per_s / limit)


class _Audit(_Part):
    def record(self, person: Person, documents: Iterable[str], *, face: str) -> None:
        self.store.fail("audit")
        self.store.audited.append((person.name, tuple(documents), face))
