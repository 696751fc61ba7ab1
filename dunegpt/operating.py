"""The operator's commands: crawl, extract, index, access, status.

Operators see ids, reasons and counts of everything, titles of nothing.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from dunegpt import options, output
from dunegpt.errors import UsageError
from dunegpt.schemas import AccessShape, CrawlShape, ExtractShape, IndexRunShape


def crawl(
    sources: Annotated[
        list[str] | None, typer.Argument(help="Names of sources; all if none.")
    ] = None,
    accept_loss: Annotated[
        bool, typer.Option(help="Forget documents even if suspiciously many are gone.")
    ] = False,
    as_json: options.JSONOption = False,
) -> None:
    """Bring the catalog up to date with the configured sources.

    Examples: `dunegpt crawl`; `dunegpt crawl indico.fnal.gov`
    """
    from dunegpt.ingest.crawl import crawl as run  # noqa: PLC0415 - start-up time

    settings = options.settings()
    names = sources or list(settings.sources)
    if not names:
        raise UsageError(
            "No sources are configured.",
            hint="Run 'dunegpt config > dunegpt.toml' and edit it.",
        )
    failed = False
    for name in names:
        with output.count_bar(name) as bar:
            report = run(
                name,
                settings,
                accept_loss=accept_loss,
                progress=lambda r, bar=bar: bar(r.seen),  # type: ignore[misc]
            )
        shape = CrawlShape(**asdict(report))
        failed |= bool(report.error)
        options.print_json(shape, one_line=True) if as_json else output.print_crawl(
            shape
        )
    raise typer.Exit(1 if failed else 0)


def extract(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...")],
    quote: Annotated[
        str, typer.Option(help="Show where on --page this stands, instead of the text.")
    ] = "",
    page: Annotated[int, typer.Option(help="Number of the page of --quote.")] = 1,
    as_json: options.JSONOption = False,
) -> None:
    """Show what files become: their pages, as the index would have them.

    Examples: `dunegpt extract talk.pptx`; `dunegpt extract --json *.pdf`
    """
    from dunegpt.ingest.extract.sandbox import (  # noqa: PLC0415 - start-up time
        Sandbox,
    )

    limits = options.settings().extract
    failed = False
    with Sandbox(limits) as sandbox:
        for path in files:
            if not path.is_file():
                raise UsageError(f"There is no file {path}.")
            kind = "application/octet-stream"
            if quote:
                boxes = sandbox.boxes(path, path.name, kind, page, quote)
                output.print_boxes(path.name, boxes)
                continue
            found = sandbox.extract(path, path.name, kind)
            failed |= bool(found.error)
            shape = ExtractShape(name=path.name, **asdict(found))
            options.print_json(
                shape, one_line=True
            ) if as_json else output.print_extracted(shape)
    raise typer.Exit(1 if failed else 0)


def index(
    rebuild: Annotated[bool, typer.Option(help="Read and embed all again.")] = False,
    as_json: options.JSONOption = False,
) -> None:
    """Bring the index up to date with the catalog, and publish it."""
    from dunegpt.index.build import build  # noqa: PLC0415 - start-up time

    settings = options.settings()
    with output.stage_bars() as show:
        report = build(settings, rebuild=rebuild, progress=show)
    shape = IndexRunShape(**asdict(report))
    options.print_json(shape, one_line=True) if as_json else output.print_index(shape)


def access(
    name: Annotated[str, typer.Argument(metavar="ID", help="Of a document.")] = "",
    every: Annotated[bool, typer.Option("--all", help="All documents.")] = False,
    as_json: options.JSONOption = False,
) -> None:
    """Show who may read a document and its files, and what that rests on.

    For the operator: it shows ids of everything, titles of nothing. Examples:
    `dunegpt access examples:LTS-0003:2`; `dunegpt access --all --json`
    """
    from dunegpt.index.status import access as rows_of  # noqa: PLC0415 - start-up time

    if bool(name) == every:
        raise UsageError("Name one document, or give --all.")
    rows = rows_of(options.settings(), name)
    if as_json:
        options.print_json(AccessShape(rows=rows))
    else:
        output.print_access(rows)
    if not rows:
        output.complain(f"{name} is not in the catalog.")
        raise typer.Exit(1)


def status(as_json: options.JSONOption = False) -> None:
    """Show sources, the index, and each failure by document."""
    from dunegpt.index.status import status as state  # noqa: PLC0415 - start-up time

    shape = state(options.settings())
    options.print_json(shape) if as_json else output.print_status(shape)
