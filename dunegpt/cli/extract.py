"""The command ``extract``."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from dunegpt.cli import options, render_operations
from dunegpt.errors import UsageError
from dunegpt.schemas.operations import ExtractResponse


def extract(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Files of any format.")
    ],
    quote: Annotated[
        str,
        typer.Option(
            metavar="TEXT", help="Show where on --page this quote stands, instead."
        ),
    ] = "",
    page: Annotated[int, typer.Option(metavar="N", help="Page of --quote.")] = 1,
    as_json: options.JSONOption = False,
) -> None:
    """Show the text of files, page by page, as the index would contain it.

    Examples: `dunegpt extract talk.pptx`; `dunegpt extract --json *.pdf`
    """
    from dunegpt.ingest.extract.sandbox import (  # noqa: PLC0415 - start-up time
        Sandbox,
    )

    limits = options.get_settings().extract
    failed = False
    with Sandbox(limits) as sandbox:
        for path in files:
            if not path.is_file():
                raise UsageError(f"There is no file {path}.")
            kind = "application/octet-stream"
            if quote:
                boxes = sandbox.find_boxes(path, path.name, kind, page, quote)
                render_operations.print_boxes(path.name, boxes)
                continue
            found = sandbox.extract(path, path.name, kind)
            failed |= bool(found.error)
            shape = ExtractResponse(name=path.name, **asdict(found))
            options.print_json(
                shape, one_line=True
            ) if as_json else render_operations.print_extraction(shape)
    raise typer.Exit(1 if failed else 0)
