"""The commands on accounts and the audit, through the door of the command line."""

import io
import json
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dunegpt.cli import main
from dunegpt.config import Settings, load_settings
from dunegpt.serve.accounts.person import ANONYMOUS, Person, Scope
from dunegpt.serve.accounts.store import AccountStore
from tests.serve.accounts.opened import ADDRESS, PASSWORD, quick_passwords

Run = Callable[..., SimpleNamespace]
SETTINGS = '[accounts]\naudit_days = 30\n[cli]\nprincipals = ["public"]\n'


class Input(io.TextIOWrapper):
    """Standard input, which tests can take for a terminal."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "dunegpt.toml"
    file.write_text(f'data_dir = "data"\n{SETTINGS}', encoding="utf-8")
    return file


@pytest.fixture
def settings(path: Path) -> Settings:
    return load_settings(path)


@pytest.fixture
def run(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Give a function that runs ``dunegpt`` with a password on standard input."""
    monkeypatch.setattr("dunegpt.serve.accounts.local.Passwords", quick_passwords)

    def call(*arguments: str, typed: str = PASSWORD) -> SimpleNamespace:
        given = Input(io.BytesIO(typed.encode("utf-8", "surrogateescape")))
        monkeypatch.setattr(sys, "stdin", given)
        words = ["dunegpt", "--config", str(path), *arguments]
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as ended:
            main.main()
        printed = capsys.readouterr()
        return SimpleNamespace(
            code=ended.value.code or 0, out=printed.out, err=printed.err
        )

    return call


@pytest.fixture
def store(settings: Settings, run: Run) -> Iterator[AccountStore]:
    """Give the accounts with one of Ada, who may read for DUNE."""
    assert add(run, "Ada", "--principal", "docdb:DUNE").code == 0
    with AccountStore(settings, passwords=quick_passwords()) as opened:
        yield opened


def add(run: Run, name: str, *more: str) -> SimpleNamespace:
    return run("user", "add", name, "--password-stdin", *more)


def read(result: SimpleNamespace) -> Any:
    assert result.code == 0, result.err
    return json.loads(result.out)


def show(store: AccountStore, person: Person, *documents: str) -> None:
    store.audit.record(person, documents, face="web")


def test_an_account_is_added_and_logs_in(store: AccountStore, run: Run) -> None:
    account = store.local.log_in("ada", PASSWORD, address=ADDRESS)
    assert account.principals == {"public", "docdb:DUNE"}
    store.sessions.create(account.id)
    [user] = read(run("user", "list", "--json"))["users"]
    assert (user["name"], user["issuer"], user["role"]) == ("Ada", "local", "reader")
    assert (user["sessions"], user["tokens"]) == (1, 0)
    printed = run("user", "list").out
    assert "Ada" in printed
    assert "docdb:DUNE" in printed


def test_the_file_is_for_its_owner_alone(
    store: AccountStore, settings: Settings
) -> None:
    files = list(settings.data.glob("serve.db*"))
    assert settings.paths.accounts in files
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_password_can_be_made_up(run: Run, settings: Settings) -> None:
    result = run("user", "add", "Bob", "--generate", typed="")
    assert result.code == 0
    password = result.err.split()[-1]
    assert password not in result.out
    with AccountStore(settings, passwords=quick_passwords()) as store:
        store.local.log_in("Bob", password, address=ADDRESS)


@pytest.mark.parametrize(
    ("arguments", "typed", "reason"),
    [
        (["add", "Ada", "--password-stdin"], PASSWORD, "already"),
        (["add", "Åda", "--password-stdin"], "short", "12 to 1024"),
        (["add", "B:b", "--password-stdin"], PASSWORD, "has spaces"),
        (["add", "Bob"], PASSWORD, "no terminal"),
        (["add", "Bob", "--password-stdin", "--generate"], "", "--generate"),
        (["add", "Bob", "--password-stdin", "--role", "king"], PASSWORD, "no role"),
        (["add", "B", "--password-stdin", "--principal", "x"], PASSWORD, "principal"),
        (["disable", "Nobody"], "", "no account"),
        (["disable", "77"], "", "no account"),
        (["role", "ada", "king"], "", "no role"),
        (["revoke", "ada", "--session", "x"], "", "no such session"),
        (["erase", "ada"], "", "Nothing was erased"),
    ],
)
def test_what_cannot_be_done_is_said(
    store: AccountStore, run: Run, arguments: list[str], typed: str, reason: str
) -> None:
    result = run("user", *arguments, typed=typed)
    assert result.code == 2
    assert reason in result.err
    assert [account.name for account in store.directory.list()] == ["Ada"]


def test_disabling_ends_sessions_and_tokens(store: AccountStore, run: Run) -> None:
    number = store.directory.find("ada").id
    session = store.sessions.create(number)
    token = store.tokens.create(number, "ci", scopes=[Scope.SEARCH])
    assert read(run("user", "disable", "ADA", "--json"))["disabled_at"]
    assert store.sessions.find(session.secret) is None
    assert store.tokens.find(token.secret) is None
    assert read(run("user", "enable", "ada", "--json"))["disabled_at"] == ""
    assert store.sessions.find(session.secret) is None
    assert store.tokens.find(token.secret) is not None


def test_a_new_password_ends_sessions(store: AccountStore, run: Run) -> None:
    number = store.directory.find("ada").id
    session = store.sessions.create(number)
    again = "an otter full of trams"
    result = run("user", "passwd", "ada", "--password-stdin", typed=f"{again}\n")
    assert result.code == 0
    assert store.sessions.find(session.secret) is None
    store.local.log_in("ada", again, address=ADDRESS)


@pytest.mark.parametrize(
    ("typed", "code"), [([PASSWORD, PASSWORD], 0), ([PASSWORD, "another"], 2)]
)
def test_a_password_is_asked_for_twice_and_not_shown(
    run: Run, monkeypatch: pytest.MonkeyPatch, typed: list[str], code: int
) -> None:
    asked: list[bool] = []

    def prompt(_text: str, *, hide_input: bool, err: bool) -> str:
        asked.append(hide_input and err)
        return typed[len(asked) - 1]

    monkeypatch.setattr("typer.prompt", prompt)
    monkeypatch.setattr(Input, "isatty", lambda _self: True)
    result = run("user", "add", "Ada")
    assert (result.code, asked) == (code, [True, True])
    assert PASSWORD not in result.out + result.err


@pytest.mark.parametrize(("answer", "code"), [(True, 0), (False, 2)])
def test_an_erasure_is_asked_about(
    store: AccountStore,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    answer: bool,
    code: int,
) -> None:
    monkeypatch.setattr("typer.confirm", lambda *_, **__: answer)
    monkeypatch.setattr(Input, "isatty", lambda _self: True)
    assert run("user", "erase", "ada").code == code
    assert bool(store.directory.list()) != answer


def test_roles_and_principals_change(store: AccountStore, run: Run) -> None:
    assert read(run("user", "role", "ada", "operator", "--json"))["role"] == "operator"
    granted = read(run("user", "grant", "ada", "edms:A", "edms:B", "--json"))
    assert granted["principals"] == ["edms:A", "edms:B", "public"]
    assert read(run("user", "grant", "ada", "--json"))["principals"] == ["public"]


def test_a_token_is_made_and_shown_once(store: AccountStore, run: Run) -> None:
    run("user", "add", "ada", "--principal", "docdb:DUNE", "--password-stdin")
    wanted = ("--scope", "search", "--principal", "docdb:DUNE", "--days", "7")
    made = run("user", "token", "ada", *wanted)
    assert made.code == 0
    person = store.tokens.find(made.out.strip())
    assert person is not None
    assert person.scopes == {Scope.SEARCH}
    assert person.principals == {"public", "docdb:DUNE"}
    shape = json.loads(run("user", "token", "ada", "--json").out)
    assert shape["scopes"] == ["ask", "search"]
    assert shape["principals"] == ["public"]
    assert shape["token"] not in run("user", "export", "ada").out


@pytest.mark.parametrize(
    "wrong",
    [
        ("--scope", "operate"),
        ("--scope", "everything"),
        ("--principal", "docdb:board"),
        ("--days", "100000"),
    ],
)
def test_no_token_has_more_than_its_person(run: Run, wrong: tuple[str, ...]) -> None:
    run("user", "add", "ada", "--password-stdin")
    refused = run("user", "token", "ada", *wrong)
    assert refused.code == 2
    assert refused.out == ""


def test_sessions_and_tokens_are_revoked(store: AccountStore, run: Run) -> None:
    number = store.directory.find("ada").id
    first, _ = store.sessions.create(number), store.sessions.create(number)
    token = store.tokens.create(number, "ci", scopes=[Scope.ASK])
    assert read(run("user", "revoke", "ada", "--session", first.id, "--json")) == {
        "id": number, "sessions": 1, "tokens": 0,
    }  # fmt: skip
    assert "1 session and 1 token of Ada" in run("user", "revoke", "ada").out
    assert store.tokens.find(token.secret) is None


def test_a_person_is_exported_without_secrets(
    store: AccountStore, run: Run, tmp_path: Path
) -> None:
    number = store.directory.find("ada").id
    session = store.sessions.create(number, address=ADDRESS, agent="Firefox")
    token = store.tokens.create(number, "ci", scopes=[Scope.ASK])
    show(store, Person(account_id=number), "docdb:7:1")
    target = tmp_path / "ada.json"
    assert run("user", "export", "ada", "--out", str(target)).code == 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    text = target.read_text(encoding="utf-8")
    found = json.loads(text)
    assert found["account"]["name"] == "Ada"
    assert found["sessions"][0]["agent"] == "Firefox"
    assert [each["name"] for each in found["tokens"]] == ["ci"]
    assert [each["document"] for each in found["shown"]] == ["docdb:7:1"]
    assert {"password_hash", "secret_hash"}.isdisjoint(found["account"])
    for secret in (session.secret, token.secret, "argon2"):
        assert secret not in text


def test_an_erased_person_is_a_number_in_the_audit(
    store: AccountStore, run: Run, settings: Settings
) -> None:
    number = store.directory.find("ada").id
    store.local.log_in("ada", PASSWORD, address="203.0.113.77")
    show(store, Person(account_id=number), "docdb:7:1")
    erased = read(run("user", "erase", "ada", "--yes", "--json"))
    assert erased == {"id": number, "audit_entries": 1}
    assert run("user", "disable", "ada").code == 2
    [entry] = read(run("audit", "docdb:7", "--json"))["shown"]
    assert (entry["account_id"], entry["name"]) == (number, "")
    assert read(run("audit", str(number), "--json"))["total"] == 1
    for file in settings.data.glob("serve.db*"):
        content = file.read_bytes()
        assert b"203.0.113.77" not in content
        assert b"docdb:DUNE" not in content
    assert add(run, "ada").code == 0
    assert store.directory.find("ada").id > number


def test_the_audit_is_asked_by_person_and_by_document(
    store: AccountStore, run: Run
) -> None:
    number = store.directory.find("ada").id
    show(store, Person(account_id=number), "docdb:7:1", "docdb:71:1")
    show(store, ANONYMOUS, "docdb:7:2")
    found = read(run("audit", "ada", "--json"))
    assert [each["document"] for each in found["shown"]] == ["docdb:71:1", "docdb:7:1"]
    assert [each["kind"] for each in found["events"]] == ["added"]
    found = read(run("audit", "docdb:7", "--json"))
    assert found["kept_days"] == 30
    who = [(each["document"], each["name"]) for each in found["shown"]]
    assert who == [("docdb:7:2", ""), ("docdb:7:1", "Ada")]
    printed = run("audit", "docdb:7", "--last", "1").out
    assert "no login" in printed
    assert "2 entries, the latest 1 listed" in printed
    assert run("audit", "nobody").code == 2
    assert "0 entries" in run("audit", "docdb:8").out
