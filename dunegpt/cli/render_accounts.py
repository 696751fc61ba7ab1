"""Prints accounts and the audit for people."""

from dunegpt.cli.console import escape, format_count, out
from dunegpt.schemas.accounts import AuditResponse, ShownResponse, UserResponse


def print_users(users: list[UserResponse]) -> None:
    """Print a line for each account, then what its person may read."""
    for user in users:
        state = "disabled" if user.disabled_at else user.role
        login = f"last login {_shorten(user.last_login_at)}"
        facts = [
            user.issuer,
            state,
            login if user.last_login_at else "no login yet",
            format_count(user.sessions, "session"),
            format_count(user.tokens, "token"),
        ]
        out.print(f"[bold]{user.id:>4}  {escape(user.name)}[/bold]")
        out.print(f"      {escape(', '.join(facts))}", style="dim")
        out.print(f"      {escape(', '.join(user.principals))}", style="dim")
    if not users:
        out.print("There are no accounts: 'dunegpt user add NAME' makes one.")


def print_audit(shape: AuditResponse) -> None:
    """Print a line for each document that was shown, the latest first."""
    for event in shape.events:
        text = f"{_shorten(event.at)}  {event.kind} {event.detail}".rstrip()
        out.print(escape(text), style="dim")
    for entry in shape.shown:
        out.print(escape(_format_shown(entry, has_person=shape.person is None)))
    listed = f", the latest {len(shape.shown)} listed"
    left_out = listed if shape.total > len(shape.shown) else ""
    count = "1 entry" if shape.total == 1 else f"{shape.total} entries"
    out.print(f"{count}{left_out}; kept for {shape.kept_days:g} days")


def _format_shown(entry: ShownResponse, *, has_person: bool) -> str:
    who = "no login" if entry.account_id is None else f"#{entry.account_id}"
    if entry.name:
        who += f" {entry.name}"
    token = f" token {entry.token_id}" if entry.token_id is not None else ""
    person = f"  {who}" if has_person else ""
    return f"{_shorten(entry.at)}  {entry.face}{token}  {entry.document}{person}"


def _shorten(at: str) -> str:
    """Return an ISO time to the minute."""
    return at[:16].replace("T", " ")
