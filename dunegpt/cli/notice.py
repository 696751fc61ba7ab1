"""The command ``notice``."""

import sys
from typing import Annotated

import typer

from dunegpt.cli import console, options
from dunegpt.errors import UsageError


def notice(
    source: Annotated[str, typer.Argument(help="Name of the source.")],
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ID",
            help="Ids of documents; default: read from standard input.",
        ),
    ] = None,
) -> None:
    """Report changed documents: the next crawl looks at them first.

    May be called while a crawl is running, by a web hook for example.

    Examples: `dunegpt notice indico.fnal.gov 22661 22670`;
    `changed-ids | dunegpt notice docdb`
    """
    from dunegpt.ingest import change_notices  # noqa: PLC0415 - start-up time

    settings = options.get_settings()
    if source not in settings.sources:
        known = ", ".join(settings.sources) or "none"
        raise UsageError(f"No source is called {source!r}; configured: {known}.")
    count = change_notices.write_notice(
        settings.data, source, ids or sys.stdin.read().split()
    )
    console.out.print(
        f"{count} ids are pending for the next crawl of {console.escape(source)}."
    )
