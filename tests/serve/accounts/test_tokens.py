import datetime as dt
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
import time_machine

from dunegpt.access import PUBLIC
from dunegpt.errors import UsageError
from dunegpt.serve.accounts.person import Role, Scope
from dunegpt.serve.accounts.store import AccountStore
from dunegpt.serve.accounts.tables import TokenRow
from dunegpt.serve.accounts.tokens import PREFIX
from tests.serve.accounts.opened import PASSWORD

START = dt.datetime(2030, 3, 1, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def ada(store: AccountStore) -> int:
    granted = ["docdb:DUNE", "edms:X"]
    return store.local.add("Ada", PASSWORD, principals=granted).id


def test_a_token_reads_what_is_public_unless_it_says_more(
    store: AccountStore, ada: int
) -> None:
    plain = store.tokens.create(ada, "plain", scopes=[Scope.SEARCH])
    person = store.tokens.find(plain.secret)
    assert person is not None
    assert (person.kind, person.account_id, person.token_id) == ("token", ada, plain.id)
    assert person.principals == {PUBLIC}
    assert person.scopes == {Scope.SEARCH}
    more = store.tokens.create(ada, "", scopes=[Scope.ASK], principals=["docdb:DUNE"])
    person = store.tokens.find(more.secret)
    assert person is not None
    assert person.principals == {PUBLIC, "docdb:DUNE"}


def test_a_token_loses_what_its_person_loses(store: AccountStore, ada: int) -> None:
    store.directory.set_role(ada, Role.OPERATOR)
    made = store.tokens.create(
        ada, "ci", scopes=[Scope.OPERATE, Scope.ASK], principals=["docdb:DUNE"]
    )
    person = store.tokens.find(made.secret)
    assert person is not None
    assert person.is_operator
    store.directory.set_role(ada, Role.READER)
    store.directory.grant(ada, frozenset({"edms:X"}))
    person = store.tokens.find(made.secret)
    assert person is not None
    assert person.scopes == {Scope.ASK}
    assert person.principals == {PUBLIC}


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": []},
        {"scopes": [Scope.ACCOUNT]},
        {"scopes": [Scope.OPERATE]},
        {"principals": ["docdb:OTHER"]},
        {"principals": ["nonsense"]},
        {"lifetime": dt.timedelta(0)},
        {"lifetime": 367 * DAY},
    ],
)
def test_a_token_that_would_do_too_much_is_refused(
    store: AccountStore, ada: int, wrong: dict[str, object]
) -> None:
    values = {"scopes": [Scope.SEARCH]} | wrong
    with pytest.raises(UsageError):
        store.tokens.create(ada, "x", **values)  # type: ignore[arg-type]
    assert store.tokens.list(ada) == []


def test_a_token_ends(
    store: AccountStore, ada: int, clock: time_machine.Traveller
) -> None:
    made = store.tokens.create(ada, "x", scopes=[Scope.ASK], lifetime=DAY)
    clock.shift(DAY - dt.timedelta(seconds=1))
    assert store.tokens.find(made.secret) is not None
    clock.shift(1)
    assert store.tokens.find(made.secret) is None
    clock.shift(-2 * DAY)
    assert store.tokens.find(made.secret) is None


def test_a_token_is_revoked_by_its_person_only(store: AccountStore, ada: int) -> None:
    bob = store.local.add("Bob", PASSWORD).id
    made = store.tokens.create(ada, "x", scopes=[Scope.ASK])
    assert not store.tokens.revoke(made.id, account_id=bob)
    assert store.tokens.find(made.secret) is not None
    assert store.tokens.revoke(made.id, account_id=ada)
    assert not store.tokens.revoke(made.id)
    assert store.tokens.find(made.secret) is None
    [listed] = store.tokens.list(ada)
    assert listed.revoked_at is not None
    assert store.tokens.count_by_account() == {}


def test_only_a_hash_of_a_token_is_stored(store: AccountStore, ada: int) -> None:
    made = store.tokens.create(ada, "x", scopes=[Scope.ASK])
    assert made.secret.startswith(PREFIX)
    with store.database.read() as db:
        [row] = db.execute(sa.select(TokenRow.__table__)).mappings()
    assert made.secret not in map(str, row.values())
    for wrong in ("", PREFIX, made.secret[:-1], made.secret + "x", "é\udcff\x00"):
        assert store.tokens.find(wrong) is None


def test_an_account_has_a_limited_number_of_tokens(
    store: AccountStore, ada: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dunegpt.serve.accounts.tokens._MAX_TOKENS", 2)
    made = [store.tokens.create(ada, "x", scopes=[Scope.ASK]) for _ in range(2)]
    with pytest.raises(UsageError, match="at most"):
        store.tokens.create(ada, "x", scopes=[Scope.ASK])
    store.tokens.revoke(made[0].id)
    store.tokens.create(ada, "x", scopes=[Scope.ASK])
