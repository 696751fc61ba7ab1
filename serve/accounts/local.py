"""Local accounts: persons who log in with a name and a password.

Failed logins are counted by address, and by account. Strangers can use up the attempts
of an account, but not those of the networks from which its person has logged in, so
they cannot lock the person out; nor can those who share an address with the person use
up more than the attempts of the account there.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dunegpt.access import PUBLIC, make_reader
from dunegpt.errors import LoginRefusedError, TooManyAttemptsError, UsageError
from dunegpt.serve.accounts.clock import utc_now
from dunegpt.serve.accounts.database import Database
from dunegpt.serve.accounts.directory import LOCAL, Account, Directory
from dunegpt.serve.accounts.events import Event, add_event
from dunegpt.serve.accounts.names import check_name, find_network, make_name_key
from dunegpt.serve.accounts.passwords import Passwords, check_password
from dunegpt.serve.accounts.person import Role
from dunegpt.serve.accounts.rate_limits import RateLimits
from dunegpt.serve.accounts.tables import AccountRow, KnownNetworkRow, SessionRow

log = logging.getLogger(__name__)

FAILURES_PER_ACCOUNT = 10
FAILURES_PER_ADDRESS = 50
PERIOD_S = 900.0
"""So many attempts may fail in this time; one more is allowed as its share passes."""

NETWORK_KNOWN = timedelta(days=90)
"""How long a network is known from which a person has logged in."""

_ADDRESS, _ACCOUNT, _KNOWN = "login-address", "login-account", "login-known"


class _Attempts(NamedTuple):
    """Where failed logins are counted: kind, whose they are, how many may fail."""

    kind: str
    key: str
    limit: int


class LocalAccounts:
    """The local accounts in serve.db. All methods block: call them in a thread."""

    def __init__(
        self,
        database: Database,
        directory: Directory,
        limits: RateLimits,
        passwords: Passwords | None = None,
    ) -> None:
        """Use a database, and a hasher of passwords."""
        self._database = database
        self._directory = directory
        self._limits = limits
        self._passwords = passwords or Passwords()

    def add(
        self,
        name: str,
        password: str,
        *,
        role: Role = Role.READER,
        principals: Iterable[str] = (),
    ) -> Account:
        """Make an account.

        Raises:
            UsageError: The name is taken or not valid, the password is too easy to
                guess, or a principal is not valid.
        """
        shown = check_name(name)
        check_password(password, shown)
        granted = sorted(make_reader(principals) - {PUBLIC})
        row = AccountRow(
            issuer=LOCAL,
            subject=make_name_key(shown),
            name=shown,
            name_key=make_name_key(shown),
            email="",
            role=role.value,
            principals=granted,
            claims={},
            password_hash=self._passwords.hash(password),
            created_at=utc_now(),
        )
        with self._database.write() as db:
            if _find(db, row.subject):
                raise UsageError(f"There is a local account {shown!r} already.")
            db.add(row)
            db.flush()
            add_event(db, row.id, Event.ADDED, role.value)
        return self._directory.describe(row)

    def set_password(self, account_id: int, password: str) -> None:
        """Give an account a new password; all its sessions end.

        Raises:
            UsageError: It is too easy to guess, or the account is no local one.
        """
        account = self._directory.get(account_id)
        if account is None or not account.is_local:
            raise UsageError("Only local accounts have a password here.")
        check_password(password, account.name)
        stored = self._passwords.hash(password)
        with self._database.write() as db:
            own = AccountRow.id == account_id
            db.execute(sa.update(AccountRow).where(own).values(password_hash=stored))
            db.execute(sa.delete(SessionRow).where(SessionRow.account_id == account_id))
            add_event(db, account_id, Event.PASSWORD)
        self._limits.clear(_ACCOUNT, make_name_key(account.name))

    def prepare(self) -> None:
        """Make what the first login needs; a server calls it at its start."""
        self._passwords.prepare()

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
        key, network = make_name_key(name), find_network(address)
        with self._database.read() as db:
            row = _find(db, key)
            is_known = _is_known(db, row.id if row else 0, network)
        by_address = _Attempts(_ADDRESS, network, FAILURES_PER_ADDRESS)
        by_account = _Attempts(_ACCOUNT, key, FAILURES_PER_ACCOUNT)
        if is_known:
            by_account = _Attempts(_KNOWN, f"{network} {key}", FAILURES_PER_ACCOUNT)
        counted = [by_address] * self._count(by_address, is_binding=not is_known)
        counted += [by_account] * self._count(by_account)
        is_right = self._passwords.verify(row.password_hash if row else None, password)
        if not is_right or row is None or row.disabled_at is not None:
            log.info("login of %s refused", f"account {row.id}" if row else "nobody")
            raise LoginRefusedError("Name or password are wrong.")
        for each in counted:
            self._limits.give_back(
                each.kind, each.key, limit=each.limit, per_s=PERIOD_S
            )
        return self._note_login(row.id, row.password_hash or "", password, network)

    def _count(self, which: "_Attempts", *, is_binding: bool = True) -> bool:
        """Count an attempt before it is made, so that many at once are counted, too.

        Returns: Whether it was counted.

        Args:
            which: Where it counts.
            is_binding: Whether it is refused if there were too many.

        Raises:
            TooManyAttemptsError: There were.
        """
        state = self._limits.take(
            which.kind, which.key, limit=which.limit, per_s=PERIOD_S
        )
        if is_binding and not state.is_allowed:
            log.warning("a login was not tried: too many have failed")
            raise TooManyAttemptsError(
                "Too many logins have failed.", retry_after_s=state.retry_after_s
            )
        return state.is_allowed

    def _note_login(
        self, account_id: int, stored: str, password: str, network: str
    ) -> Account:
        """Record a login; return the account as it is now.

        Raises:
            LoginRefusedError: It was disabled, or its password changed, meanwhile.
        """
        renewed = None
        if self._passwords.is_outdated(stored):
            renewed = self._passwords.hash(password)
        with self._database.write() as db:
            row = db.get(AccountRow, account_id, with_for_update=True)
            if row is None or row.disabled_at or row.password_hash != stored:
                raise LoginRefusedError("Name or password are wrong.")
            row.last_login_at = utc_now()
            row.password_hash = renewed or stored
            known = KnownNetworkRow(
                account_id=account_id, network=network, last_login_at=row.last_login_at
            )
            if network:
                db.merge(known)
            add_event(db, account_id, Event.LOGIN, LOCAL)
            db.flush()
            return self._directory.describe(row)


def _find(db: Session, key: str) -> AccountRow | None:
    """Return the row of a local account; an erased one has no such key."""
    return db.scalar(
        sa.select(AccountRow).where(
            AccountRow.issuer == LOCAL, AccountRow.subject == key
        )
    )


def _is_known(db: Session, account_id: int, network: str) -> bool:
    """Return whether a person has logged in from a network not long ago."""
    at: datetime | None = db.scalar(
        sa.select(KnownNetworkRow.last_login_at).where(
            KnownNetworkRow.account_id == account_id,
            KnownNetworkRow.network == network,
        )
    )
    return at is not None and at > utc_now() - NETWORK_KNOWN
