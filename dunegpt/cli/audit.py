"""The command ``audit``."""

from typing import TYPE_CHECKING, Annotated

import typer

from dunegpt.cli import options, render_accounts
from dunegpt.schemas.accounts import (
    AccountEventResponse,
    AuditResponse,
    ShownResponse,
)
from dunegpt.text.surrogates import replace_surrogates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dunegpt.serve.accounts.audit import AccountEvent, Shown
    from dunegpt.serve.accounts.store import AccountStore


def audit(
    name: Annotated[
        str,
        typer.Argument(
            metavar="PERSON|DOCUMENT",
            help="Name or number of an account, or id of a document.",
        ),
    ],
    last: Annotated[
        int, typer.Option(min=0, metavar="N", help="How many to list; 0: all.")
    ] = 100,
    as_json: options.JSONOption = False,
) -> None:
    """Show which documents a person was shown, or who was shown a document.

    Documents are named by ids, and have a colon in them; an id includes its versions
    and parts. Titles, questions and answers are not in the audit. A number finds the
    entries of an account that was erased, too.

    Examples: `dunegpt audit ada`; `dunegpt audit docdb:12345 --json`
    """
    from dunegpt.serve.accounts.store import AccountStore  # noqa: PLC0415 - start-up

    settings = options.get_settings()
    name, limit = replace_surrogates(name), last or None
    with AccountStore(settings) as store:
        find = _find_document if ":" in name else _find_person
        shape = find(store, name, limit)
    shape.kept_days = settings.accounts.audit_days
    options.print_json(shape) if as_json else render_accounts.print_audit(shape)


def _find_document(
    store: "AccountStore", name: str, limit: int | None
) -> AuditResponse:
    shown = store.audit.list_document(name, limit=limit)
    return _make(None, name, store.audit.count_document(name), shown, ())


def _find_person(store: "AccountStore", name: str, limit: int | None) -> AuditResponse:
    """Return the entries of a person; of an erased one, by its number."""
    number = name.removeprefix("#")
    is_number = number.isascii() and number.isdecimal() and len(number) < 10
    person = int(number) if is_number else store.directory.find(name).id
    return _make(
        person,
        "",
        store.audit.count_person(person),
        store.audit.list_person(person, limit=limit),
        store.audit.list_events(person, limit=limit),
    )


def _make(
    person: int | None,
    document: str,
    total: int,
    shown: "Sequence[Shown]",
    events: "Sequence[AccountEvent]",
) -> AuditResponse:
    return AuditResponse(
        person=person,
        document=document,
        total=total,
        shown=[
            ShownResponse(
                at=each.at.isoformat(timespec="seconds"),
                account_id=each.account_id,
                name=each.name,
                token_id=each.token_id,
                document=each.document,
                face=each.face,
            )
            for each in shown
        ],
        events=[
            AccountEventResponse(
                at=each.at.isoformat(timespec="seconds"),
                kind=each.kind,
                detail=each.detail,
            )
            for each in events
        ],
        kept_days=0,
    )
