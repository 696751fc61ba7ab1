import datetime as dt
import hashlib
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
import time_machine

from dunegpt.access import PUBLIC
from dunegpt.errors import LoginRefusedError
from dunegpt.serve.accounts.person import ANONYMOUS, Role, Scope
from dunegpt.serve.accounts.store import AccountStore
from dunegpt.serve.accounts.tables import SessionRow
from tests.serve.accounts.opened import ADDRESS, PASSWORD

START = dt.datetime(2030, 3, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


def add(store: AccountStore, name: str = "Ada", **values: object) -> int:
    return store.local.add(name, PASSWORD, **values).id  # type: ignore[arg-type]


@pytest.mark.smoke
def test_a_session_is_found_as_its_person(store: AccountStore) -> None:
    number = add(store, principals=["docdb:DUNE"])
    made = store.sessions.create(number, address=ADDRESS, agent="Firefox\n")
    person = store.sessions.find(made.secret)
    assert person is not None
    assert (person.name, person.kind, person.account_id) == ("Ada", "local", number)
    assert person.principals == {PUBLIC, "docdb:DUNE"}
    assert person.session_id == made.id
    assert Scope.OPERATE not in person.scopes
    [listed] = store.sessions.list(number)
    assert (listed.network, listed.agent) == (ADDRESS, "Firefox")


def test_only_a_hash_of_the_cookie_is_stored(store: AccountStore) -> None:
    made = store.sessions.create(add(store))
    with store.database.read() as db:
        [row] = db.execute(sa.select(SessionRow.__table__)).mappings()
    assert row["secret_hash"] == hashlib.sha256(made.secret.encode()).hexdigest()
    assert made.secret not in map(str, row.values())


@pytest.mark.parametrize("secret", ["", "x", "é\x00\udcff", "a" * 100_000])
def test_an_unknown_cookie_is_nobodys(store: AccountStore, secret: str) -> None:
    store.sessions.create(add(store))
    assert store.sessions.find(secret) is None


def test_a_login_replaces_the_session_before(store: AccountStore) -> None:
    number = add(store)
    first = store.sessions.create(number)
    second = store.sessions.create(number, replaces=first.secret)
    assert store.sessions.find(first.secret) is None
    assert store.sessions.find(second.secret) is not None


def test_a_session_ends_when_idle(
    store: AccountStore, clock: time_machine.Traveller
) -> None:
    made = store.sessions.create(add(store))
    for _ in range(3):
        clock.shift(dt.timedelta(hours=11))
        assert store.sessions.find(made.secret) is not None
    clock.shift(dt.timedelta(hours=12))
    assert store.sessions.find(made.secret) is None


def test_a_session_ends_at_its_absolute_age(
    store: AccountStore, clock: time_machine.Traveller
) -> None:
    made = store.sessions.create(add(store))
    assert made.expires_at == START + dt.timedelta(days=7)
    for _ in range(7 * 4 - 1):
        clock.shift(dt.timedelta(hours=6))
        assert store.sessions.find(made.secret) is not None
    clock.shift(dt.timedelta(hours=6))
    assert store.sessions.find(made.secret) is None


@pytest.mark.parametrize(("back", "is_found"), [(4, True), (6, False)])
def test_a_session_of_the_future_is_over(
    store: AccountStore, clock: time_machine.Traveller, back: int, is_found: bool
) -> None:
    made = store.sessions.create(add(store))
    clock.shift(-dt.timedelta(minutes=back))
    assert (store.sessions.find(made.secret) is not None) == is_found


def test_sessions_are_revoked(store: AccountStore) -> None:
    ada, bob = add(store), add(store, "Bob")
    first, second, third = (store.sessions.create(ada) for _ in range(3))
    others = store.sessions.create(bob)
    assert not store.sessions.revoke(first.id, account_id=bob)
    assert store.sessions.revoke(first.id, account_id=ada)
    assert store.sessions.find(first.secret) is None
    assert store.sessions.revoke_account(ada, but=second.id) == 1
    assert store.sessions.find(third.secret) is None
    assert store.sessions.find(second.secret) is not None
    assert store.sessions.find(others.secret) is not None


def test_a_disabled_account_has_no_sessions(store: AccountStore) -> None:
    number = add(store)
    made = store.sessions.create(number)
    store.directory.disable(number)
    assert store.sessions.find(made.secret) is None
    with pytest.raises(LoginRefusedError):
        store.sessions.create(number)
    store.directory.enable(number)
    assert store.sessions.find(made.secret) is None


def test_a_role_holds_at_once(store: AccountStore) -> None:
    number = add(store)
    made = store.sessions.create(number)
    store.directory.set_role(number, Role.OPERATOR)
    person = store.sessions.find(made.secret)
    assert person is not None
    assert person.is_operator
    assert not ANONYMOUS.is_operator


def test_looking_a_session_up_writes_nothing(
    store: AccountStore, clock: time_machine.Traveller
) -> None:
    made = store.sessions.create(add(store))
    statements: list[str] = []

    def note(_c: object, _k: object, statement: str, *_rest: object) -> None:
        if not statement.startswith("begin"):
            statements.append(statement.split(maxsplit=1)[0])

    sa.event.listen(store.database.engine, "before_cursor_execute", note)
    for _ in range(5):
        store.sessions.find(made.secret)
    assert statements == ["SELECT"] * 5
    clock.shift(dt.timedelta(minutes=6))
    store.sessions.find(made.secret)
    store.sessions.find(made.secret)
    assert statements[5:] == ["SELECT", "UPDATE", "SELECT"]


@pytest.mark.parametrize("text", ["\x00", "\udcff", "a" * 10_000, "'; --"])
def test_ids_that_nothing_has_are_found_nowhere(store: AccountStore, text: str) -> None:
    number = add(store)
    assert not store.sessions.revoke(text)
    assert store.audit.list_document(f"d:{text}") == []
    assert store.audit.count_document(f"d:{text}") == 0
    for value in (0, -1, 2**31, 10**30):
        assert not store.tokens.revoke(value, account_id=number)
        assert store.directory.get(value) is None
