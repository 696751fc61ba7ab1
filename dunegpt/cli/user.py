"""The commands ``user add``, ``list``, ``disable``, ``passwd`` and more."""

import sys
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dunegpt.cli import console, options, render_accounts
from dunegpt.errors import UsageError
from dunegpt.files import write_atomically
from dunegpt.schemas.accounts import (
    ErasedResponse,
    NewTokenResponse,
    RevokedResponse,
    UserExportResponse,
    UserResponse,
    UsersResponse,
)
from dunegpt.text.surrogates import replace_surrogates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dunegpt.serve.accounts.directory import Account
    from dunegpt.serve.accounts.person import Role, Scope
    from dunegpt.serve.accounts.store import AccountStore

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="Manage who may use the server: accounts, roles, sessions.",
)

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of an account, or its number.")
]
RoleArgument = Annotated[
    str, typer.Argument(metavar="ROLE", help="`reader` or `operator`.")
]
StdinOption = Annotated[
    bool,
    typer.Option(
        "--password-stdin", help="Read the password from the first line of input."
    ),
]


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name to log in with.")],
    role: Annotated[
        str, typer.Option(metavar="ROLE", help="`reader` or `operator`.")
    ] = "reader",
    principal: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SOURCE:GROUP", help="What the person may read; repeatable."
        ),
    ] = None,
    password_stdin: StdinOption = False,
    generate: Annotated[
        bool, typer.Option("--generate", help="Make up a password, and print it.")
    ] = False,
    as_json: options.JSONOption = False,
) -> None:
    """Add a local account, which logs in with a name and a password.

    The password is asked for. Persons of a login provider need no account here: theirs
    is made at their first login.

    Examples: `dunegpt user add ada --principal docdb:DUNE`;
    `dunegpt user add tom --role operator --password-stdin < password`
    """
    from dunegpt.serve.accounts import names, passwords  # noqa: PLC0415 - start-up time

    chosen = _parse_role(role)
    if generate and password_stdin:
        raise UsageError("--generate cannot be combined with --password-stdin.")
    names.check_name(replace_surrogates(name))
    made_up = passwords.generate_password() if generate else ""
    password = made_up or _read_password(password_stdin)
    with _open_store() as store:
        account = store.local.add(
            replace_surrogates(name),
            password,
            role=chosen,
            principals=principal or (),
        )
        shape = _describe(store, account)
    if made_up:
        console.print_message(f"The password of {account.name} is {made_up}")
    _print_user(shape, "added", as_json=as_json)


@app.command("list")
def list_users(as_json: options.JSONOption = False) -> None:
    """List all accounts: roles, logins, sessions, and what they may read.

    Example: `dunegpt user list --json`
    """
    with _open_store() as store:
        sessions, tokens = _count_open(store)
        users = [
            _make_shape(account, sessions.get(account.id, 0), tokens.get(account.id, 0))
            for account in store.directory.list()
        ]
    if as_json:
        options.print_json(UsersResponse(users=users))
    else:
        render_accounts.print_users(users)


@app.command()
def disable(name: NameArgument, as_json: options.JSONOption = False) -> None:
    """Disable an account: its sessions end at once, and its tokens open nothing.

    Example: `dunegpt user disable ada`
    """
    with _open_store() as store:
        account = store.directory.find(replace_surrogates(name))
        store.directory.disable(account.id)
        shape = _reload(store, account)
    _print_user(shape, "disabled", as_json=as_json)


@app.command()
def enable(name: NameArgument, as_json: options.JSONOption = False) -> None:
    """Enable a disabled account; its tokens are valid again.

    Example: `dunegpt user enable ada`
    """
    with _open_store() as store:
        account = store.directory.find(replace_surrogates(name))
        store.directory.enable(account.id)
        shape = _reload(store, account)
    _print_user(shape, "enabled", as_json=as_json)


@app.command()
def passwd(
    name: NameArgument,
    password_stdin: StdinOption = False,
    as_json: options.JSONOption = False,
) -> None:
    """Set a new password of a local account; all its sessions end.

    Examples: `dunegpt user passwd ada`;
    `dunegpt user passwd ada --password-stdin < password`
    """
    with _open_store() as store:
        account = store.directory.find(replace_surrogates(name))
        store.local.set_password(account.id, _read_password(password_stdin))
        shape = _reload(store, account)
    _print_user(shape, "has a new password", as_json=as_json)


@app.command()
def role(
    name: NameArgument, role: RoleArgument, as_json: options.JSONOption = False
) -> None:
    """Give an account a role; it holds for its sessions at once.

    Operators see ids, reasons and counts of everything; titles and texts only as far as
    their own principals go.

    Example: `dunegpt user role ada operator`
    """
    chosen = _parse_role(role)
    with _open_store() as store:
        account = store.directory.find(replace_surrogates(name))
        store.directory.set_role(account.id, chosen)
        shape = _reload(store, account)
    _print_user(shape, f"is {chosen}", as_json=as_json)


@app.command()
def grant(
    name: NameArgument,
    principals: Annotated[
        list[str] | None,
        typer.Argument(metavar="SOURCE:GROUP", help="All of them; none to take away."),
    ] = None,
    as_json: options.JSONOption = False,
) -> None:
    """Set what an account may read, in addition to what its login grants.

    Replaces what was granted before.

    Examples: `dunegpt user grant ada docdb:DUNE`; `dunegpt user grant ada`
    """
    with _open_store() as store:
        account = store.directory.find(replace_surrogates(name))
        store.directory.grant(account.id, frozenset(principals or ()))
        shape = _reload(store, account)
    _print_user(shape, f"may read {', '.join(shape.principals)}", as_json=as_json)


@app.command()
def token(
    name: NameArgument,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SCOPE",
            help="`search`, `ask` or, of an operator, `operate`; repeatable."
            " Default: `search` and `ask`.",
        ),
    ] = None,
    principal: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SOURCE:GROUP",
            help="What it may read beside what is public; repeatable.",
        ),
    ] = None,
    days: Annotated[
        int, typer.Option(metavar="N", min=1, help="For how long it is valid.")
    ] = 90,
    label: Annotated[str, typer.Option(metavar="TEXT", help="What it is for.")] = "",
    as_json: options.JSONOption = False,
) -> None:
    """Make an API token of an account, and print it once.

    It never has more than its person: what they lose is lost by the token, too. Send it
    as `Authorization: Bearer TOKEN`.

    Examples: `dunegpt user token ada`;
    `dunegpt user token ada --scope search --principal docdb:DUNE --days 7`
    """
    scopes = _parse_scopes(scope or ["search", "ask"])
    principals = {"public", *(principal or ())}
    with _open_store() as store:
        account = store.directory.find(replace_surrogates(name))
        made = store.tokens.create(
            account.id,
            replace_surrogates(label),
            scopes=scopes,
            principals=principals,
            lifetime=timedelta(days=days),
        )
    shape = NewTokenResponse(
        id=made.id,
        token=made.secret,
        scopes=sorted(scopes),
        principals=sorted(principals),
        expires_at=made.expires_at.isoformat(timespec="seconds"),
    )
    if as_json:
        options.print_json(shape)
        return
    end = shape.expires_at[:10]
    console.print_message(
        f"Token {shape.id} of {account.name}, valid until {end}; it is not shown again:"
    )
    console.out.print(console.escape(shape.token))


@app.command()
def revoke(
    name: NameArgument,
    session: Annotated[str, typer.Option(metavar="ID", help="Only this session.")] = "",
    token: Annotated[
        int | None, typer.Option(metavar="NUMBER", help="Only this token.")
    ] = None,
    as_json: options.JSONOption = False,
) -> None:
    """End the sessions and API tokens of an account, which stays open.

    Ids of sessions and tokens are in `dunegpt user export`. Exit code 2 if the account
    has no such session or token.

    Examples: `dunegpt user revoke ada`; `dunegpt user revoke ada --token 3`
    """
    with _open_store() as store:
        account = store.directory.find(replace_surrogates(name))
        if session or token is not None:
            counts = _revoke_single(store, account, session, token)
        else:
            counts = store.directory.revoke_all(account.id)
    shape = RevokedResponse(id=account.id, sessions=counts[0], tokens=counts[1])
    if as_json:
        options.print_json(shape)
        return
    ended = f"{format_counts(shape)} of {account.name} ended"
    console.out.print(console.escape(ended))


@app.command()
def export(
    name: NameArgument,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File to write, with mode 600."),
    ] = None,
) -> None:
    """Print all that the server stores of a person, as JSON.

    Documents that were shown are named by their ids. Passwords, cookies and tokens are
    not in it: only hashes of them are stored.

    Example: `dunegpt user export ada --out ada.json`
    """
    with _open_store() as store:
        account = store.directory.find(replace_surrogates(name))
        shape = UserExportResponse(**store.export_person(account.id))
    if out is None:
        options.print_json(shape)
    else:
        write_atomically(out, shape.model_dump_json(indent=1).encode() + b"\n")


@app.command()
def erase(
    name: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: options.JSONOption = False,
) -> None:
    """Erase a person: account, sessions, tokens, networks. This cannot be undone.

    The audit keeps the number of the account, and when which document was shown to it.
    A person of a login provider who logs in again gets a new account, unless this one
    is disabled when it is erased.

    Example: `dunegpt user erase ada --yes`
    """
    with _open_store() as store:
        account = store.directory.find(replace_surrogates(name))
        if not yes:
            _confirm(account)
        store.erase_person(account.id)
        entries = store.audit.count_person(account.id)
    shape = ErasedResponse(id=account.id, audit_entries=entries)
    if as_json:
        options.print_json(shape)
        return
    kept = "1 audit entry" if entries == 1 else f"{entries} audit entries"
    console.out.print(f"erased; {kept} of account {account.id} kept")


def format_counts(shape: RevokedResponse) -> str:
    """Return the numbers of sessions and tokens in words."""
    sessions = console.format_count(shape.sessions, "session")
    return f"{sessions} and {console.format_count(shape.tokens, 'token')}"


@contextmanager
def _open_store() -> "Iterator[AccountStore]":
    """Give the accounts of the settings."""
    from dunegpt.serve.accounts.store import AccountStore  # noqa: PLC0415 - start-up

    with AccountStore(options.get_settings()) as store:
        yield store


def _parse_role(name: str) -> "Role":
    """Return a role.

    Raises:
        UsageError: There is none of this name.
    """
    from dunegpt.serve.accounts.person import Role  # noqa: PLC0415 - start-up time

    try:
        return Role(name)
    except ValueError as error:
        raise UsageError(
            f"There is no role {name!r}.", hint="Roles are reader and operator."
        ) from error


def _parse_scopes(names: list[str]) -> "frozenset[Scope]":
    from dunegpt.serve.accounts.person import (  # noqa: PLC0415 - start-up time
        TOKEN_SCOPES,
        Scope,
    )

    known = ", ".join(sorted(TOKEN_SCOPES))
    try:
        return frozenset(Scope(name) for name in names)
    except ValueError as error:
        raise UsageError(f"A token has scopes of: {known}.") from error


def _read_password(from_input: bool) -> str:
    """Return a new password, typed twice, or the first line of standard input.

    Raises:
        UsageError: The two differ, or there is nobody to ask.
    """
    if from_input:
        line = sys.stdin.buffer.readline()
        return line.decode("utf-8", "surrogateescape").rstrip("\r\n")
    if not sys.stdin.isatty():
        raise UsageError(
            "There is no terminal to ask for a password on.",
            hint="Pass it by --password-stdin.",
        )
    password: str = typer.prompt("Password", hide_input=True, err=True)
    if typer.prompt("Again", hide_input=True, err=True) != password:
        raise UsageError("The two passwords differ.")
    return password


def _confirm(account: "Account") -> None:
    """Ask before a person is erased.

    Raises:
        UsageError: The answer is no, or there is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise UsageError("Nothing was erased.", hint="Confirm it by --yes.")
    question = f"Erase {account.name} (account {account.id}, {account.issuer})?"
    if not typer.confirm(console.strip_control(question), err=True):
        raise UsageError("Nothing was erased.")


def _revoke_single(
    store: "AccountStore", account: "Account", session: str, token: int | None
) -> tuple[int, int]:
    """End one session, one token or both; return the numbers.

    Raises:
        UsageError: The account has no such session or token.
    """
    sessions = store.sessions.revoke(session, account_id=account.id) if session else 0
    tokens = 0
    if token is not None:
        tokens = store.tokens.revoke(token, account_id=account.id)
    if not sessions and not tokens:
        raise UsageError(f"{account.name} has no such session or token.")
    return int(sessions), int(tokens)


def _reload(store: "AccountStore", account: "Account") -> UserResponse:
    """Return an account as it is after a change."""
    return _describe(store, store.directory.get(account.id) or account)


def _count_open(store: "AccountStore") -> tuple[dict[int, int], dict[int, int]]:
    """Return how many sessions and tokens each account has."""
    return store.sessions.count_by_account(), store.tokens.count_by_account()


def _describe(store: "AccountStore", account: "Account") -> UserResponse:
    sessions, tokens = _count_open(store)
    return _make_shape(account, sessions.get(account.id, 0), tokens.get(account.id, 0))


def _make_shape(account: "Account", sessions: int, tokens: int) -> UserResponse:
    last, disabled = account.last_login_at, account.disabled_at
    return UserResponse(
        id=account.id,
        name=account.name,
        issuer=account.issuer,
        role=account.role,
        principals=sorted(account.principals),
        granted=sorted(account.granted),
        sessions=sessions,
        tokens=tokens,
        created_at=account.created_at.isoformat(timespec="seconds"),
        last_login_at=last.isoformat(timespec="seconds") if last else "",
        disabled_at=disabled.isoformat(timespec="seconds") if disabled else "",
    )


def _print_user(shape: UserResponse, what: str, *, as_json: bool) -> None:
    if as_json:
        options.print_json(shape)
    else:
        text = f"{shape.name} (account {shape.id}) {what}"
        console.out.print(console.escape(text))
