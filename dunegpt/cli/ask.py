"""The command ``ask``."""

from typing import Annotated

import typer

from dunegpt.cli import options, render_answer
from dunegpt.types import Outcome


def ask(  # noqa: PLR0913, PLR0917 - its options are its arguments
    question: Annotated[str, typer.Argument(help="In words, or a document's id.")],
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
            "-k", min=1, max=50, metavar="N", help="Maximum number of references."
        ),
    ] = 8,
    no_llm: options.NoLLMOption = False,
    without: options.WithoutOption = None,
    as_asked: options.AsAskedOption = False,
    as_principals: options.AsOption = "",
    as_json: options.JSONOption = False,
) -> None:
    """Answer a question with cited references.

    Words that act as filters ("last year", "a talk by Okonjo") are shown with the
    answer; `--without` turns one off.

    Examples: `dunegpt ask "Why was the cathode voltage lowered?"`;
    `dunegpt ask --folder ~/papers "What is the drift velocity at 500 V/cm?"`;
    `dunegpt ask --since 2024-01-01 --author Okonjo "purge flow"`;
    `dunegpt ask 'purge flow author:okonjo after:2024 status:approved'`;
    `dunegpt ask "What was decided on purity last year?" --without "last year"`

    Exit codes: 0 answered, 1 error, 2 usage, 3 not in the documents, 4 search
    unavailable, 5 model unavailable.
    """
    reader = options.open_reader(folder, as_principals)
    filters = options.make_filters(
        source, since, until, author, kinds=kind, statuses=status, documents=document
    )
    with reader.stream(
        question,
        filters=filters,
        k=k,
        use_model=not no_llm,
        without=without or (),
        as_asked=as_asked,
    ) as answer:
        for event in answer:
            if not as_json:
                render_answer.print_event(event)
        response = answer.response
    if as_json:
        options.print_json(response)
    else:
        render_answer.print_outcome(response)
        if response.outcome is Outcome.NOT_IN_DOCUMENTS:
            options.explain_public_reader(reader, folder)
    raise typer.Exit(options.EXIT_CODES[response.outcome])
