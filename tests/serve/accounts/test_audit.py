"""What is recorded of persons, how long, and what an erasure leaves of it."""

import datetime as dt
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
import time_machine

from dunegpt.errors import LoginRefusedError, UsageError
from dunegpt.serve.accounts.person import ANONYMOUS, Person, Scope
from dunegpt.serve.accounts.store import AccountStore
from dunegpt.serve.accounts.tables import Base, EventRow, ShownRow
from tests.serve.accounts.opened import ADDRESS, OTHER_ADDRESS, PASSWORD

START = dt.datetime(2030, 3, 1, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
CLAIMS = {"iss": "https://login.example.org", "sub": "s-1", "groups": ["dune"]}


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


def count(store: AccountStore, table: type[Base]) -> int:
    with store.database.read() as db:
        return db.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def test_what_was_shown_is_found_by_person_and_document(store: AccountStore) -> None:
    number = store.local.add("Ada", PASSWORD).id
    ada = Person(account_id=number, token_id=4)
    store.audit.record(ada, ["docdb:7:1", "docdb:7:1", "docdb:71:1"], face="api")
    store.audit.record(ANONYMOUS, ["docdb:7:2"], face="web")
    store.audit.record(ANONYMOUS, [], face="web")
    shown = store.audit.list_person(number)
    assert [each.document for each in shown] == ["docdb:71:1", "docdb:7:1"]
    assert {(each.name, each.token_id, each.face) for each in shown} == {
        ("Ada", 4, "api")
    }
    found = store.audit.list_document("docdb:7")
    assert [(each.account_id, each.face) for each in found] == [
        (None, "web"),
        (number, "api"),
    ]
    assert store.audit.count_document("docdb:7") == 2
    assert store.audit.count_document("docdb:7:1") == 1


@pytest.mark.parametrize(
    ("asked", "others"),
    [
        ("i.org:22", ["i.org:221", "i.org:2", "I.ORG:22", "i.org:2_"]),
        ("réf:a_b", ["réf:aXb", "réf:a_b2", "Réf:a_b"]),
        ("git@c%:f", ["git@cx:f", "git@c%:f0"]),
    ],
)
def test_a_document_is_found_with_its_parts_and_no_other(
    store: AccountStore, asked: str, others: list[str]
) -> None:
    own = [asked, f"{asked}:3", f"{asked}/c6", f"{asked}/c6/s1", f"{asked}#file"]
    store.audit.record(ANONYMOUS, own + others, face="web")
    found = {each.document for each in store.audit.list_document(asked)}
    assert found == set(own)


def test_entries_are_listed_up_to_a_limit(store: AccountStore) -> None:
    store.audit.record(ANONYMOUS, [f"d:{i}" for i in range(9)], face="web")
    assert len(store.audit.list_document("d", limit=4)) == 4
    assert len(store.audit.list_document("d", limit=None)) == 9


def test_entries_are_kept_for_the_retention(
    store: AccountStore, clock: time_machine.Traveller
) -> None:
    number = store.local.add("Ada", PASSWORD).id
    store.audit.record(Person(account_id=number), ["d:1"], face="web")
    clock.shift(364 * DAY)
    store.prune()
    assert store.audit.count_person(number) == 1
    clock.shift(2 * DAY)
    assert store.audit.count_person(number) == 0
    assert store.audit.list_document("d") == []
    assert store.audit.list_events(number) == []
    assert count(store, ShownRow) == 1
    store.prune()
    assert count(store, ShownRow) == count(store, EventRow) == 0
    assert store.directory.find("Ada").id == number


def test_what_is_over_is_removed(
    store: AccountStore, clock: time_machine.Traveller
) -> None:
    number = store.local.add("Ada", PASSWORD).id
    store.local.log_in("Ada", PASSWORD, address=ADDRESS)
    store.sessions.create(number)
    store.tokens.create(number, "x", scopes=[Scope.ASK], lifetime=DAY)
    assert store.prune() == 0
    clock.shift(DAY)
    assert store.prune() == 3  # the session, and two counters
    clock.shift(91 * DAY)
    assert store.prune() == 2  # the token, and the network
    assert store.prune() == 0


def test_removal_goes_in_small_steps(
    store: AccountStore, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dunegpt.serve.accounts.retention._BATCH", 2)
    store.audit.record(ANONYMOUS, [f"d:{i}" for i in range(5)], face="web")
    clock.shift(366 * DAY)
    assert store.prune() == 5


def test_events_of_an_account_are_kept(store: AccountStore) -> None:
    number = store.local.add("Ada", PASSWORD).id
    store.local.log_in("Ada", PASSWORD, address=ADDRESS)
    store.directory.grant(number, frozenset({"docdb:DUNE"}))
    store.directory.disable(number)
    store.directory.enable(number)
    token = store.tokens.create(number, "x", scopes=[Scope.ASK])
    store.directory.revoke_all(number)
    kinds = [(each.kind, each.detail) for each in store.audit.list_events(number)]
    assert kinds == [
        ("revoked", "all"), ("token", f"token {token.id}"), ("enabled", ""),
        ("disabled", ""), ("principals", "docdb:DUNE"), ("login", "local"),
        ("added", "reader"),
    ]  # fmt: skip


def fill(store: AccountStore) -> int:
    """Make an account that has everything that is stored of a person."""
    number = store.identities.log_in(CLAIMS, name="Ada", email="a@example.org").id
    store.sessions.create(number, address=OTHER_ADDRESS, agent="Firefox")
    store.tokens.create(number, "my laptop", scopes=[Scope.ASK])
    store.audit.record(Person(account_id=number), ["d:1"], face="web")
    return number


def test_an_erasure_leaves_numbers_only(store: AccountStore) -> None:
    number, other = fill(store), store.local.add("Bob", PASSWORD).id
    store.erase_person(number)
    assert [account.id for account in store.directory.list()] == [other]
    with store.database.read() as db:
        rows = [
            str(tuple(row))
            for table in Base.metadata.sorted_tables
            for row in db.execute(sa.select(table))
        ]
    for trace in ("Ada", "a@example.org", "s-1", "Firefox", "laptop", OTHER_ADDRESS):
        assert not any(trace in row for row in rows), trace
    [entry] = store.audit.list_document("d:1")
    assert (entry.account_id, entry.name) == (number, "")
    for refused in (store.erase_person, store.export_person, store.directory.disable):
        with pytest.raises(UsageError):
            refused(number)


def test_an_erased_person_who_returns_is_a_new_one(store: AccountStore) -> None:
    number = fill(store)
    store.erase_person(number)
    again = store.identities.log_in(CLAIMS, name="Ada")
    assert again.id > number
    assert store.audit.count_person(again.id) == 0


def test_erasing_does_not_open_a_disabled_account(store: AccountStore) -> None:
    number = fill(store)
    store.directory.disable(number)
    with pytest.raises(LoginRefusedError):
        store.identities.log_in(CLAIMS, name="Ada")
    store.erase_person(number)
    with pytest.raises(LoginRefusedError):
        store.identities.log_in(CLAIMS, name="Ada")
    assert store.identities.log_in(CLAIMS | {"sub": "s-2"}, name="Ada").id != number


def test_an_export_has_all_but_the_secrets(store: AccountStore) -> None:
    number = fill(store)
    found = store.export_person(number)
    assert found["account"]["claims"] == CLAIMS
    assert found["account"]["created_at"].endswith("+00:00")
    assert [each["network"] for each in found["sessions"]] == [OTHER_ADDRESS]
    assert [each["name"] for each in found["tokens"]] == ["my laptop"]
    assert [each["document"] for each in found["shown"]] == ["d:1"]
    assert [each["kind"] for each in found["events"]][-1] == "exported"
    columns = {key for rows in found.values() if isinstance(rows, list)
               for row in rows for key in row} | found["account"].keys()  # fmt: skip
    secret = {"secret_hash", "password_hash", "id_token", "refresh_token"}
    assert columns.isdisjoint(secret)
