"""Principals of persons: by the rules of the settings, and by DocDB's members."""

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime

import pytest

from dunegpt.config import AccessSettings, PrincipalRule, Settings
from dunegpt.serve.accounts import membership
from dunegpt.serve.accounts.store import AccountStore
from tests.serve.accounts.opened import open_store

ISSUER = "https://login.example.org"
CLAIMS = {
    "iss": ISSUER,
    "sub": "1",
    "preferred_username": "ada",
    "groups": ["dune-members"],
}


def rule(claim: str, value: str, *principals: str) -> PrincipalRule:
    return PrincipalRule(claim=claim, value=value, principals=principals)


@pytest.fixture
def with_rules(account_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(membership, "_CHECK_EVERY_S", 0)
    people = (
        rule("groups", "dune-members", "indico.example.org:member"),
        rule("groups", "dune-members", "public"),
        rule("groups", "board", "edms:BOARD"),
        rule("name_key", "ada", "docdb:WRONG"),
    )
    access = AccessSettings(people=people)
    return account_settings.model_copy(update={"access": access})


def write_members(settings: Settings, *names: str) -> None:
    """Write the overlay of a crawl that found these members of a DocDB group."""
    settings.paths.prepare()
    path = settings.paths.overlay
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(
            "create table meta (written_at);"
            "create table people (source, issuer, claim, value, principals)"
        )
        now = datetime.now(UTC).isoformat(timespec="seconds")
        db.execute("insert into meta values (?)", (now,))
        granted = json.dumps(["docdb:DUNE"])
        rows = [("docdb", ISSUER, "preferred_username", n, granted) for n in names]
        db.executemany("insert into people values (?, ?, ?, ?, ?)", rows)


def read_principals(store: AccountStore, secret: str) -> set[str]:
    person = store.sessions.find(secret)
    assert person is not None
    return set(person.principals)


def test_claims_and_members_become_principals(with_rules: Settings) -> None:
    write_members(with_rules, "ada", "bob")
    with open_store(with_rules) as store:
        account = store.identities.log_in(CLAIMS, name="Ada")
        secret = store.sessions.create(account.id).secret
        held = {"public", "indico.example.org:member", "docdb:DUNE"}
        assert set(account.principals) == read_principals(store, secret) == held
        store.directory.grant(account.id, frozenset({"edms:X"}))
        assert read_principals(store, secret) == held | {"edms:X"}


def test_a_member_who_left_loses_it_at_once(with_rules: Settings) -> None:
    write_members(with_rules, "ada")
    with open_store(with_rules) as store:
        account = store.identities.log_in(CLAIMS, name="Ada")
        secret = store.sessions.create(account.id).secret
        assert "docdb:DUNE" in read_principals(store, secret)
        write_members(with_rules, "bob")
        assert "docdb:DUNE" not in read_principals(store, secret)


def test_a_refresh_replaces_the_groups(with_rules: Settings) -> None:
    with open_store(with_rules) as store:
        account = store.identities.log_in(CLAIMS, name="Ada")
        made = store.sessions.create(account.id)
        other = store.sessions.create(account.id)
        assert store.identities.refresh(made.id, CLAIMS | {"groups": ["board"]})
        for secret in (made.secret, other.secret):
            assert read_principals(store, secret) == {"public", "edms:BOARD"}
        assert not store.identities.refresh("unknown", CLAIMS)


def test_a_local_account_has_what_was_granted_only(with_rules: Settings) -> None:
    write_members(with_rules, "ada")
    with open_store(with_rules) as store:
        account = store.local.add("ada", "a tram full of otters")
        assert account.principals == {"public"}


@pytest.mark.parametrize(
    "claims", [{}, {"iss": ISSUER}, {"iss": "local", "sub": "ada"}, {"sub": "1"}]
)
def test_claims_that_name_nobody_are_refused(
    store: AccountStore, claims: dict[str, str]
) -> None:
    with pytest.raises(Exception, match="did not name"):
        store.identities.log_in(claims, name="Ada")
    assert store.directory.list() == []


def test_a_first_login_twice_at_once_makes_one_account(store: AccountStore) -> None:
    with ThreadPoolExecutor(4) as pool:
        accounts = list(
            pool.map(lambda _: store.identities.log_in(CLAIMS, name="Ada"), range(4))
        )
    assert len({account.id for account in accounts}) == 1
    events = store.audit.list_events(accounts[0].id)
    assert [event.kind for event in events].count("added") == 1
