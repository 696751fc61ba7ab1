"""The command ``replay``."""

from typing import Annotated

import typer

from dunegpt.cli import console, options, render_receipts
from dunegpt.types import Outcome


def replay(
    name: Annotated[str, typer.Argument(metavar="ID", help="Id of a receipt.")],
    as_then: Annotated[
        bool,
        typer.Option("--as-then", help="Ask the snapshot that was current then."),
    ] = False,
    as_principals: options.AsOption = "",
    as_json: options.JSONOption = False,
) -> None:
    """Ask the question of a receipt again, and show what has changed.

    `dunegpt ask` prints the id of its receipt last. The question is asked as the reader
    who asked it, so you need that reader's principals. It is asked of the current
    snapshot, or with `--as-then` of the one that was current then.

    Examples: `dunegpt replay 7K3QF2M9XD`; `dunegpt replay 7k3qf-2m9xd --as-then --json`

    Exit codes: 0 the same, 1 error (--as-then: that snapshot is not kept any more),
    3 no such receipt that you may see, 6 it differs.
    """
    found = options.open_reader(None, as_principals).replay(name, as_then=as_then)
    if found is None:
        console.print_message(f"There is no receipt {name} that you may see.")
        raise typer.Exit(options.EXIT_CODES[Outcome.NOT_IN_DOCUMENTS])
    options.print_json(found) if as_json else render_receipts.print_replay(found)
    raise typer.Exit(0 if found.same else options.EXIT_DIFFERS)
