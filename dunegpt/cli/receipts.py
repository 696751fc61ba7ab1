"""The command ``receipts``."""

from typing import Annotated

import typer

from dunegpt.cli import options, render_receipts


def receipts(
    last: Annotated[
        int, typer.Option(min=0, metavar="N", help="How many to list.")
    ] = 20,
    as_principals: options.AsOption = "",
    as_json: options.JSONOption = False,
) -> None:
    """List the latest answers that you may see, and count all of them.

    Answers are counted by outcome, the sentences of models by the check that they
    failed, and requests to model servers by how they ended.

    Examples: `dunegpt receipts`; `dunegpt receipts --last 0 --json`
    """
    found = options.open_reader(None, as_principals).receipts(last=last)
    options.print_json(found) if as_json else render_receipts.print_receipts(found)
