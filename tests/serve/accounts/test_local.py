import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
import time_machine
from argon2 import PasswordHasher

from dunegpt.errors import LoginRefusedError, TooManyAttemptsError, UsageError
from dunegpt.serve.accounts import local
from dunegpt.serve.accounts.local import (
    FAILURES_PER_ACCOUNT,
    PERIOD_S,
)
from dunegpt.serve.accounts.passwords import Passwords
from dunegpt.serve.accounts.store import AccountStore
from dunegpt.serve.accounts.tables import AccountRow
from tests.serve.accounts.opened import ADDRESS, OTHER_ADDRESS, PASSWORD

START = dt.datetime(2030, 3, 1, 12, tzinfo=dt.UTC)
NAMES = ["Ada", "Ødegård", "山田", "a.b-c_d@example.org", "Straße", "ﬁona"]


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


def fail(store: AccountStore, name: str = "Ada", address: str = OTHER_ADDRESS) -> str:
    """Try a wrong password; return the name of what is raised."""
    with pytest.raises(LoginRefusedError) as raised:
        store.local.log_in(name, "a wrong password", address=address)
    return type(raised.value).__name__


def log_in(store: AccountStore, name: str = "Ada", address: str = ADDRESS) -> int:
    return store.local.log_in(name, PASSWORD, address=address).id


@pytest.mark.parametrize("name", NAMES)
def test_names_are_found_in_any_spelling(store: AccountStore, name: str) -> None:
    number = store.local.add(name, PASSWORD).id
    for typed in (name, name.upper(), f" {name.casefold()} "):
        assert log_in(store, typed) == number
    with pytest.raises(UsageError, match="already"):
        store.local.add(name.upper(), PASSWORD)


@pytest.mark.parametrize(
    "name",
    ["", " ", "a b", "docdb:7", "a/b", "#3", "17", "a\u200bb", "\udcff", "x" * 101],
)
def test_names_that_could_be_something_else_are_refused(
    store: AccountStore, name: str
) -> None:
    with pytest.raises(UsageError):
        store.local.add(name, PASSWORD)
    assert fail(store, name) == "LoginRefusedError"


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "x" * 1025,
        "a" * 40,
        "abab" * 5,
        "passwordpassword",
        "qwertyuiop123",
        "ada-ada-ada-1",
        "Lovelace1815 ",
    ],
)
def test_passwords_that_are_easy_to_guess_are_refused(
    store: AccountStore, password: str
) -> None:
    with pytest.raises(UsageError, match="password"):
        store.local.add("Lovelace1815", password)


@pytest.mark.parametrize(
    "password",
    [
        "Seven otters on a tram, " * 42,
        "пароль из слов",
        "  space at both ends  ",
        "cafe\u0301 au lait!",
    ],
)
def test_any_other_password_is_accepted(store: AccountStore, password: str) -> None:
    number = store.local.add("Ada", password).id
    assert store.local.log_in("Ada", password, address=ADDRESS).id == number


def test_a_password_is_the_same_however_it_is_composed(store: AccountStore) -> None:
    store.local.add("Ada", "cafe\u0301 au lait!")
    store.local.log_in("Ada", "caf\u00e9 au lait!", address=ADDRESS)


@pytest.mark.parametrize("typed", ["", "\udcff\x00", "y" * 200_000, PASSWORD + "\n"])
def test_wrong_passwords_of_any_kind_are_refused(
    store: AccountStore, typed: str
) -> None:
    store.local.add("Ada", PASSWORD)
    with pytest.raises(LoginRefusedError, match="Name or password"):
        store.local.log_in("Ada", typed, address=ADDRESS)


def test_refusals_are_alike_and_take_the_same_work(
    store: AccountStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.local.add("Ada", PASSWORD)
    store.directory.disable(store.local.add("Bob", PASSWORD).id)
    store.identities.log_in({"iss": "https://x.example", "sub": "1"}, name="Eve")
    store.local.prepare()
    work: list[str] = []

    def note(_c: object, _k: object, statement: str, *_rest: object) -> None:
        work.append(statement.split(maxsplit=1)[0])

    verify = Passwords.verify

    def note_hash(self: Passwords, stored: str | None, password: str) -> bool:
        work.append("hash")
        return verify(self, stored, password)

    monkeypatch.setattr(Passwords, "verify", note_hash)
    sa.event.listen(store.database.engine, "before_cursor_execute", note)
    seen = []
    for name, password in (
        ("Ada", "a wrong password"),
        ("nobody", PASSWORD),
        ("Bob", PASSWORD),
        ("Eve", PASSWORD),
    ):
        with pytest.raises(LoginRefusedError) as raised:
            store.local.log_in(name, password, address=ADDRESS)
        seen.append((str(raised.value), raised.value.hint, tuple(work)))
        work.clear()
    assert len(set(seen)) == 1
    assert "hash" in seen[0][2]


def test_only_a_hash_of_the_password_is_stored(store: AccountStore) -> None:
    store.local.add("Ada", PASSWORD)
    with store.database.read() as db:
        [stored] = db.scalars(sa.select(AccountRow.password_hash))
    assert stored is not None
    assert stored.startswith("$argon2id$")
    assert PASSWORD not in stored


def test_a_hash_is_renewed_at_login(store: AccountStore) -> None:
    store.local.add("Ada", PASSWORD)
    stored = Passwords(PasswordHasher(2, 64, 1)).hash(PASSWORD)
    with store.database.write() as db:
        db.execute(sa.update(AccountRow).values(password_hash=stored))
    log_in(store)
    with store.database.read() as db:
        [renewed] = db.scalars(sa.select(AccountRow.password_hash))
    assert renewed != stored
    log_in(store)


@pytest.mark.parametrize("name", ["Ada", "nobody"])
def test_attempts_on_an_account_are_limited(
    store: AccountStore, clock: time_machine.Traveller, name: str
) -> None:
    store.local.add("Ada", PASSWORD)
    kinds = [
        fail(store, name, f"198.51.100.{i}") for i in range(FAILURES_PER_ACCOUNT + 1)
    ]
    assert kinds == ["LoginRefusedError"] * FAILURES_PER_ACCOUNT + [
        "TooManyAttemptsError"
    ]
    with pytest.raises(TooManyAttemptsError) as raised:
        store.local.log_in(name, PASSWORD, address=ADDRESS)
    assert 0 < raised.value.retry_after_s <= PERIOD_S / FAILURES_PER_ACCOUNT
    clock.shift(PERIOD_S / FAILURES_PER_ACCOUNT)
    assert fail(store, name) == "LoginRefusedError"
    assert fail(store, name) == "TooManyAttemptsError"


def test_strangers_do_not_lock_a_person_out(store: AccountStore) -> None:
    store.local.add("Ada", PASSWORD)
    log_in(store)
    while fail(store) != "TooManyAttemptsError":
        pass
    log_in(store)
    with pytest.raises(TooManyAttemptsError):
        log_in(store, address="203.0.113.5")
    for _ in range(FAILURES_PER_ACCOUNT):
        assert fail(store, address=ADDRESS) == "LoginRefusedError"
    assert fail(store, address=ADDRESS) == "TooManyAttemptsError"


def test_strangers_at_the_same_address_do_not_lock_a_person_out(
    store: AccountStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "FAILURES_PER_ADDRESS", 4)
    store.local.add("Ada", PASSWORD)
    store.local.add("Bob", PASSWORD)
    log_in(store)
    while fail(store, "nobody", ADDRESS) != "TooManyAttemptsError":
        pass
    log_in(store)
    with pytest.raises(TooManyAttemptsError):
        log_in(store, "Bob")


def test_a_new_password_lifts_the_limit(store: AccountStore) -> None:
    number = store.local.add("Ada", PASSWORD).id
    while fail(store) != "TooManyAttemptsError":
        pass
    store.local.set_password(number, PASSWORD)
    assert log_in(store) == number


@pytest.mark.parametrize(
    ("addresses", "is_shared"),
    [
        (("2001:db8::1", "2001:db8::ffff:1"), True),
        (("2001:db8::1", "2001:db8:0:1::1"), False),
        (("192.0.2.7", "::ffff:192.0.2.7"), True),
        (("192.0.2.7", "192.0.2.8"), False),
        (("testclient", ""), True),
    ],
)
def test_attempts_from_a_network_are_limited(
    store: AccountStore,
    addresses: tuple[str, str],
    is_shared: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local, "FAILURES_PER_ADDRESS", 4)
    first, second = addresses
    for i in range(4):
        assert fail(store, f"nobody{i}", first) == "LoginRefusedError"
    assert fail(store, "somebody", first) == "TooManyAttemptsError"
    assert (fail(store, "anybody", second) == "TooManyAttemptsError") == is_shared


def test_attempts_at_once_are_counted(store: AccountStore) -> None:
    store.local.add("Ada", PASSWORD)
    with ThreadPoolExecutor(8) as pool:
        kinds = list(pool.map(lambda _: fail(store), range(24)))
    assert kinds.count("LoginRefusedError") == FAILURES_PER_ACCOUNT


def test_logins_that_succeed_use_nothing_up(store: AccountStore) -> None:
    store.local.add("Ada", PASSWORD)
    for _ in range(FAILURES_PER_ACCOUNT + 1):
        log_in(store)


def test_an_account_of_a_provider_has_no_password(store: AccountStore) -> None:
    claims = {"iss": "https://x.example", "sub": "1"}
    account = store.identities.log_in(claims, name="Eve")
    with pytest.raises(UsageError, match="Only local"):
        store.local.set_password(account.id, PASSWORD)
