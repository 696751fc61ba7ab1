"""The command ``show``."""

from typing import Annotated

import typer

from dunegpt.cli import console, options, render_answer
from dunegpt.types import Outcome


def show(
    name: Annotated[str, typer.Argument(metavar="ID", help="Id of a document.")],
    page: Annotated[
        int, typer.Option(min=0, metavar="N", help="Print the text of this page.")
    ] = 0,
    as_principals: options.AsOption = "",
    as_json: options.JSONOption = False,
) -> None:
    """Show a document: versions, files, readers, and the text of a page.

    Examples: `dunegpt show LTS-0003`; `dunegpt show LTS-0001 --page 5`
    """
    reader = options.open_reader(None, as_principals)
    found = reader.show(name, page=page)
    if not found.documents:
        day = reader.get_index_date()
        console.print_message(f"{name} is not in the index as of {day}.")
        options.explain_public_reader(reader, None)
        raise typer.Exit(options.EXIT_CODES[Outcome.NOT_IN_DOCUMENTS])
    if as_json:
        options.print_json(found)
    for document in () if as_json else found.documents:
        render_answer.print_show(document)
    if page and not any(document.pages for document in found.documents):
        console.print_message(f"{name} has no page {page}.")
        raise typer.Exit(options.EXIT_CODES[Outcome.NOT_IN_DOCUMENTS])
