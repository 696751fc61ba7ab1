"""What serve.db keeps of logins through providers: attempts, tokens, notices."""

import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import time_machine

from dunegpt.config import PrincipalRule, Settings
from dunegpt.login_settings import OIDCSettings
from dunegpt.serve.accounts.login_attempts import LoginAttempt
from dunegpt.serve.accounts.person import Scope
from dunegpt.serve.accounts.sessions import NewSession, ProviderSession
from dunegpt.serve.accounts.store import AccountStore
from dunegpt.serve.accounts.tables import LoginAttemptRow
from dunegpt.server_settings import ServerSettings
from tests.serve.accounts.opened import open_store

START = dt.datetime(2030, 3, 1, 12, tzinfo=dt.UTC)
ISSUER, OTHER = "https://login.example.org", "https://other.example.org"
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


def sign_in(
    store: AccountStore, sub: str, sid: str = "", issuer: str = ISSUER
) -> NewSession:
    claims = {"iss": issuer, "sub": sub, "groups": ["members"]}
    account = store.identities.log_in(claims, name=sub)
    provider = ProviderSession(
        sid=sid, id_token="x.y.z", refresh_token="r1", refresh_after=15 * MINUTE
    )
    return store.sessions.create(account.id, provider=provider)


def test_an_attempt_is_taken_once_by_its_browser(store: AccountStore) -> None:
    attempt = LoginAttempt("lab", "/view")
    store.login_attempts.add(attempt, "cookie")
    assert store.login_attempts.take(attempt.state, "another", "lab") is None
    assert store.login_attempts.take(attempt.state, "cookie", "site") is None
    assert store.login_attempts.take("another", "cookie", "lab") is None
    assert store.login_attempts.take(attempt.state, "cookie", "lab") == attempt
    assert store.login_attempts.take(attempt.state, "cookie", "lab") is None


def test_an_attempt_is_taken_by_one_process(store: AccountStore) -> None:
    attempt = LoginAttempt("lab")
    store.login_attempts.add(attempt, "cookie")
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(
            lambda _: store.login_attempts.take(attempt.state, "cookie", "lab"),
            range(4),
        )
    assert sorted(map(bool, found)) == [False, False, False, True]


def test_attempts_end_and_are_removed(
    store: AccountStore, clock: time_machine.Traveller
) -> None:
    attempts = [LoginAttempt("lab") for _ in range(2)]
    for attempt in attempts:
        store.login_attempts.add(attempt, "cookie")
    clock.move_to(START - dt.timedelta(hours=1))  # the clock was wrong
    assert store.login_attempts.take(attempts[0].state, "cookie", "lab") is None
    clock.move_to(START + 10 * MINUTE)
    assert store.login_attempts.take(attempts[1].state, "cookie", "lab") is None
    store.login_attempts.add(LoginAttempt("lab"), "cookie")
    clock.shift(11 * MINUTE)
    store.prune()
    with store.database.read() as db:
        assert db.query(LoginAttemptRow).count() == 0


def test_no_value_of_a_browser_is_stored(store: AccountStore) -> None:
    attempt = LoginAttempt("lab")
    store.login_attempts.add(attempt, "the-cookie")
    with store.database.read() as db:
        row = db.query(LoginAttemptRow).one()
        stored = [getattr(row, column.key) for column in row.__table__.columns]
    assert attempt.state not in stored and "the-cookie" not in stored


@pytest.mark.parametrize(
    ("sid", "subject", "ended"),
    [
        ("s1", "", {"one"}),
        ("", "ada", {"one", "two", "without"}),
        ("s1", "ada", {"one", "without"}),
        ("s1", "bob", {"bobs"}),
        ("s9", "", set()),
    ],
)
def test_a_notice_ends_what_it_names_once(
    store: AccountStore, sid: str, subject: str, ended: set[str]
) -> None:
    sessions = {
        "one": sign_in(store, "ada", "s1"),
        "two": sign_in(store, "ada", "s2"),
        "without": sign_in(store, "ada"),
        "bobs": sign_in(store, "bob"),
        "elsewhere": sign_in(store, "ada", "s1", OTHER),
    }
    end = dt.datetime.now(dt.UTC) + 10 * MINUTE
    values = {"jti": "j1", "expires_at": end, "sid": sid, "subject": subject}
    notify = store.provider_sessions.end_by_notice
    assert notify(ISSUER, **values) == len(ended)  # type: ignore[arg-type]
    gone = {n for n, s in sessions.items() if store.sessions.find(s.secret) is None}
    assert gone == ended
    assert notify(ISSUER, **values) is None  # type: ignore[arg-type]
    assert notify(OTHER, **values) is not None  # type: ignore[arg-type]


def test_one_process_refreshes_a_session(
    store: AccountStore, clock: time_machine.Traveller
) -> None:
    session = sign_in(store, "ada")
    person = store.sessions.find(session.secret)
    assert person is not None and person.refresh_at == START + 15 * MINUTE
    due = person.refresh_at
    begin = store.provider_sessions.begin_refresh
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: begin(session.id, due), range(4)))
    [tokens] = [each for each in found if each]
    assert (tokens.issuer, tokens.refresh_token) == (ISSUER, "r1")
    store.provider_sessions.keep_refresh_token(session.id, "r2")
    store.provider_sessions.postpone_refresh(session.id, MINUTE)
    later = store.sessions.find(session.secret)
    assert later is not None and later.refresh_at == START + MINUTE
    again = begin(session.id, later.refresh_at)
    assert again is not None and again.refresh_token == "r2"
    assert begin("unknown", due) is None


def test_claims_give_nothing_once_they_are_too_old(
    account_settings: Settings, clock: time_machine.Traveller
) -> None:
    rule = PrincipalRule(claim="groups", value="members", principals=("docdb:LARCH",))
    provider = OIDCSettings(issuer=ISSUER, client_id="gpt", max_claims_age_min=60)
    settings = account_settings.model_copy(
        update={
            "server": ServerSettings(oidc={"lab": provider}),
            "access": account_settings.access.model_copy(update={"people": (rule,)}),
        }
    )
    with open_store(settings) as store:
        session = sign_in(store, "ada")
        person = store.sessions.find(session.secret)
        assert person is not None and "docdb:LARCH" in person.principals
        token = store.tokens.create(
            person.account_id or 0,
            "script",
            scopes=[Scope.SEARCH],
            principals=["docdb:LARCH"],
        )
        for minutes, expected in ((59, True), (2, False)):
            clock.shift(minutes * MINUTE)
            by_token = store.tokens.find(token.secret)
            person = store.sessions.find(session.secret)
            assert person is not None and by_token is not None
            assert ("docdb:LARCH" in person.principals) == expected
            assert ("docdb:LARCH" in by_token.principals) == expected
        claims = {"iss": ISSUER, "sub": "ada", "groups": ["members"]}
        store.identities.refresh(session.id, claims, refresh_after=MINUTE)
        person = store.sessions.find(session.secret)
        assert person is not None and "docdb:LARCH" in person.principals
        clock.move_to(START - dt.timedelta(minutes=30))  # the clock was wrong
        [account] = store.directory.list()
        assert account.principals == {"public"}


def test_a_session_may_last_less_than_others(
    store: AccountStore, clock: time_machine.Traveller
) -> None:
    account = store.identities.log_in({"iss": ISSUER, "sub": "ada"}, name="Ada")
    provider = ProviderSession(id_token="x.y.z", lifetime=30 * MINUTE)
    session = store.sessions.create(account.id, provider=provider)
    assert session.expires_at == START + 30 * MINUTE
    person = store.sessions.find(session.secret)
    assert person is not None and person.refresh_at is None
    clock.shift(31 * MINUTE)
    assert store.sessions.find(session.secret) is None
