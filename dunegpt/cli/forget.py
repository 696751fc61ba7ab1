"""The command ``forget``."""

from typing import Annotated

import typer

from dunegpt.cli import console, options, render_operations
from dunegpt.errors import UsageError
from dunegpt.text.surrogates import replace_surrogates


def forget(
    name: Annotated[str, typer.Argument(metavar="ID", help="Id of a document.")],
    prove: Annotated[
        bool,
        typer.Option(
            "--prove", help="List every place that was searched for it afterwards."
        ),
    ] = False,
    lift: Annotated[
        bool,
        typer.Option("--lift", help="Undo: allow crawls to bring the document back."),
    ] = False,
    as_json: options.JSONOption = False,
) -> None:
    """Remove a document from the catalog, files, pages and snapshots.

    It is hidden from all readers at once. An id includes its versions and its parts.
    No crawl brings it back until `--lift`. Copies of snapshots on other machines are
    not reached. Exit code 1 if anything is left.

    Examples: `dunegpt forget examples:LTS-0003:2 --prove`;
    `dunegpt forget indico.fnal.gov:22661 --lift`
    """
    from dunegpt.operations import forget as operation  # noqa: PLC0415 - start-up time

    name = replace_surrogates(name)
    settings = options.get_settings()
    if lift:
        if not operation.lift_forget(settings, name):
            raise UsageError(f"{name} was not forgotten.")
        message = f"'dunegpt crawl --full' brings {name} back, if it still exists."
        console.out.print(console.escape(message))
        return
    report = operation.forget(settings, name)
    if as_json:
        options.print_json(report)
    else:
        render_operations.print_forget(report, prove=prove)
    raise typer.Exit(1 if any(place.left for place in report.places) else 0)
