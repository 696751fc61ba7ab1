"""The command ``search``."""

from typing import Annotated

import typer

from dunegpt.cli import options, render_answer
from dunegpt.types import Outcome


def search(  # noqa: PLR0913, PLR0917 - its options are its arguments
    question: Annotated[str, typer.Argument(help="Words, or a document's id.")],
    folder: options.FolderOption = None,
    source: options.SourceOption = None,
    since: options.SinceOption = None,
    until: options.UntilOption = None,
    author: options.AuthorOption = "",
    kind: options.TypeOption = None,
    status: options.StatusOption = None,
    document: options.DocumentOption = None,
    k: Annotated[
        int,
        typer.Option(
            "-k", min=1, max=1000, metavar="N", help="Maximum number of hits."
        ),
    ] = 10,
    as_principals: options.AsOption = "",
    as_json: options.JSONOption = False,
) -> None:
    """List the passages that match best, without writing an answer.

    The question may contain filters: author: source: type: status: doc: (a document
    with its parts) after: before: (2024, 2024-03 or 2024-03-31). If it contains nothing
    else, the newest matching documents are listed.

    Examples: `dunegpt search "liquid level meter"`; `dunegpt search LTS-0003 -k 3`;
    `dunegpt search 'source:indico after:2024-03 author:"Amara Okonjo" purity'`
    """
    reader = options.open_reader(folder, as_principals)
    filters = options.make_filters(
        source, since, until, author, kinds=kind, statuses=status, documents=document
    )
    found = reader.search(question, filters=filters, k=k)
    options.print_json(found) if as_json else render_answer.print_search(found)
    if not found.hits and not as_json:
        options.explain_public_reader(reader, folder)
    raise typer.Exit(0 if found.hits else options.EXIT_CODES[Outcome.NOT_IN_DOCUMENTS])
