"""The command ``access``."""

from typing import Annotated

import typer

from dunegpt.cli import console, options, render_operations
from dunegpt.errors import UsageError
from dunegpt.schemas.operations import AccessResponse
from dunegpt.text.surrogates import replace_surrogates


def access(
    name: Annotated[str, typer.Argument(metavar="ID", help="Id of a document.")] = "",
    every: Annotated[bool, typer.Option("--all", help="All documents.")] = False,
    as_json: options.JSONOption = False,
) -> None:
    """Show who may read a document and its files, and the evidence.

    For operators: shows the ids of all documents, and no titles. An id includes its
    versions and its parts.

    Examples: `dunegpt access examples:LTS-0003:2`; `dunegpt access --all --json`
    """
    from dunegpt.operations.status import list_access  # noqa: PLC0415 - start-up time

    if bool(name) == every:
        raise UsageError("Name one document, or add --all.")
    rows = list_access(options.get_settings(), replace_surrogates(name))
    if as_json:
        options.print_json(AccessResponse(rows=rows))
    else:
        render_operations.print_access(rows)
    if not rows:
        console.print_message(f"{name} is not in the catalog.")
        raise typer.Exit(1)
