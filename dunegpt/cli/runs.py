"""The command ``runs``."""

from typing import Annotated

import typer

from dunegpt.cli import options, render_answer
from dunegpt.types import Outcome


def runs(  # noqa: PLR0913, PLR0917 - its options are its arguments
    source: options.SourceOption = None,
    since: options.SinceOption = None,
    until: options.UntilOption = None,
    state: Annotated[
        str, typer.Option(metavar="TEXT", help="State of the detector, or part of it.")
    ] = "",
    beam: Annotated[
        str, typer.Option(metavar="TEXT", help="on, off, or as the table says.")
    ] = "",
    run: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Number of the run.")
    ] = None,
    last: Annotated[bool, typer.Option("--last", help="Only the newest one.")] = False,
    as_principals: options.AsOption = "",
    as_json: options.JSONOption = False,
) -> None:
    """List beam runs from the run tables of logbooks, oldest first.

    Each row is shown exactly as it stands in its table.

    Examples: `dunegpt runs --beam on --last`; `dunegpt runs --run 28871`;
    `dunegpt runs --since 2026-10-01 --until 2026-10-31 --state "LArTPC running"`

    Exit code 3 if there is none that you may see.
    """
    found = options.open_reader(None, as_principals).runs(
        sources=source or (),
        since=since.date() if since else None,
        until=until.date() if until else None,
        state=state,
        beam=beam,
        number=run,
        last=last,
    )
    options.print_json(found) if as_json else render_answer.print_runs(found)
    raise typer.Exit(0 if found.runs else options.EXIT_CODES[Outcome.NOT_IN_DOCUMENTS])
