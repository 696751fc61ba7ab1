"""The command ``index``."""

from dataclasses import asdict
from typing import Annotated

import typer

from dunegpt.cli import console, options, render_operations
from dunegpt.schemas.operations import IndexRunResponse


def index(
    rebuild: Annotated[
        bool,
        typer.Option("--rebuild", help="Extract and embed every file again."),
    ] = False,
    accept_loss: Annotated[
        bool,
        typer.Option(
            "--accept-loss",
            help="Publish even if many files of the current index cannot be read now.",
        ),
    ] = False,
    as_json: options.JSONOption = False,
) -> None:
    """Bring the index up to date with the catalog, and publish it.

    Examples: `dunegpt index`; `dunegpt index --rebuild`
    """
    from dunegpt.operations.index import build_index  # noqa: PLC0415 - start-up time

    settings = options.get_settings()
    with console.show_stages() as show:
        report = build_index(
            settings, rebuild=rebuild, accept_loss=accept_loss, progress=show
        )
    shape = IndexRunResponse(**asdict(report))
    options.print_json(
        shape, one_line=True
    ) if as_json else render_operations.print_index(shape)
