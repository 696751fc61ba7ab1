"""The operator's commands: crawl, extract, index, access, status, forget, and more.

Operators see ids, reasons and counts of everything, titles of nothing.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from dunegpt import options, output
from dunegpt.config import Settings
from dunegpt.errors import ConfigError, DuneGPTError, UsageError
from dunegpt.operating_schemas import (
    AccessShape,
    CrawlShape,
    ExtractShape,
    IndexRunShape,
    PersonShape,
)
from dunegpt.polling import Rounds


def crawl(  # noqa: PLR0913, PLR0917 - its options are its arguments
    sources: Annotated[
        list[str] | None, typer.Argument(help="Names of sources; all if none.")
    ] = None,
    full: options.FullOption = False,
    since: options.DatedSinceOption = None,
    limit: options.LimitOption = 0,
    dry_run: options.DryRunOption = False,
    accept_loss: options.AcceptLossOption = False,
    every: options.EveryOption = 0,
    and_index: options.AndIndexOption = False,
    as_json: options.JSONOption = False,
) -> None:
    """Bring the catalog up to date with the configured sources.

    Without options it looks where changes are likely, and over all within a month; the
    first run looks at everything. Exit code 1 if any source failed or raised an alarm.
    With `--every` it goes on until it is interrupted; a round that fails is told, and
    the next one tries again.

    Examples: `dunegpt crawl`; `dunegpt crawl indico.fnal.gov --full`;
    `dunegpt crawl --since 2026-01-01`; `dunegpt crawl --dry-run --limit 100 --json`;
    `dunegpt crawl dune-log --every 1 --index`
    """
    settings = options.settings()
    names = sources or list(settings.sources)
    if not names:
        raise UsageError(
            "No sources are configured.",
            hint="Run 'dunegpt config > dunegpt.toml' and edit it.",
        )
    if unknown := [name for name in names if name not in settings.sources]:
        known = ", ".join(settings.sources) or "none"
        raise ConfigError(f"No source is called {unknown[0]!r}; configured: {known}.")
    if dry_run and and_index:
        raise UsageError("--index means nothing with --dry-run.")
    how = {"since": since.date() if since else None, "limit": limit}
    how |= {"full": full, "dry_run": dry_run, "accept_loss": accept_loss}
    if not every:
        failed = _round(names, settings, and_index, as_json=as_json, **how)
        raise typer.Exit(1 if failed else 0)
    with Rounds(every * 60).until_ended() as rounds:
        for _ in rounds:
            try:
                _round(names, settings, and_index, as_json=as_json, **how)
            except DuneGPTError as error:
                output.complain(f"{error} {error.hint}".strip(), "bold red")
    output.complain("Stopped.")


def _round(
    names: list[str],
    settings: Settings,
    and_index: bool,
    *,
    as_json: bool,
    **how: Any,
) -> bool:
    """Return whether any of the sources, crawled and told of, failed or warned.

    With ``and_index`` the index is brought up to date too, if anything has changed.
    """
    failed = changed = False
    for name in names:
        shape = _crawl_one(name, settings, **how)
        failed |= bool(shape.error or shape.warnings)
        changed |= bool(shape.new + shape.changed + shape.removed + shape.hidden)
        if as_json:
            options.print_json(shape, one_line=True)
        else:
            output.print_crawl(shape)
    is_missing = not (settings.data / "snapshots" / "current").exists()
    if and_index and (changed or is_missing):
        index(as_json=as_json)
    return failed


def _crawl_one(name: str, settings: Settings, **how: Any) -> CrawlShape:
    """Return the record of a run; a source that cannot be used stops no other.

    Raises:
        StorageError: The data folder cannot be used: no source can be crawled.
    """
    from dunegpt.ingest.crawl import (  # noqa: PLC0415 - start-up time
        CrawlReport,
    )
    from dunegpt.ingest.crawl import crawl as run  # noqa: PLC0415

    try:
        with output.count_bar(name) as bar:
            report = run(name, settings, progress=lambda r: bar(r.seen, r.known), **how)
    except ConfigError as error:
        report = CrawlReport(name, error=str(error), hint=error.hint)
    return CrawlShape(**asdict(report))


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

    For the operator: it shows ids of everything, titles of nothing. An id stands for
    its versions and its parts too. Examples:
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


def forget(
    name: Annotated[str, typer.Argument(metavar="ID", help="Of a document.")],
    prove: Annotated[
        bool, typer.Option("--prove", help="List every place, searched anew.")
    ] = False,
    lift: Annotated[
        bool, typer.Option("--lift", help="Let crawls take it in again instead.")
    ] = False,
    as_json: options.JSONOption = False,
) -> None:
    """Take a document out of everything here: catalog, files, pages, every snapshot.

    It is closed to all readers at once. An id stands for its versions and its parts
    too. No crawl brings it back until `--lift`. Copies of snapshots on other machines
    are not reached. Exit code 1 if anything is left.

    Examples: `dunegpt forget examples:LTS-0003:2 --prove`;
    `dunegpt forget indico.fnal.gov:22661 --lift`
    """
    from dunegpt.index import forget as forgetting  # noqa: PLC0415 - start-up time

    settings = options.settings()
    if lift:
        if not forgetting.lift(settings, name):
            raise UsageError(f"{name} was not forgotten.")
        told = f"'dunegpt crawl --full' takes {name} in again, if it still exists."
        output.out.print(output.escape(told))
        return
    shape = forgetting.forget(settings, name)
    options.print_json(shape) if as_json else output.print_forget(shape, prove=prove)
    raise typer.Exit(1 if any(place.left for place in shape.places) else 0)


def notice(
    source: Annotated[str, typer.Argument(help="Name of the source.")],
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Of documents; none: one a line, read."),
    ] = None,
) -> None:
    """Say that documents have changed: the next crawl looks at them first.

    May be called while a crawl is at work, by a web hook for example. Examples:
    `dunegpt notice indico.fnal.gov 22661 22670`; `changed-ids | dunegpt notice docdb`
    """
    from dunegpt.ingest import notices  # noqa: PLC0415 - start-up time

    settings = options.settings()
    if source not in settings.sources:
        known = ", ".join(settings.sources) or "none"
        raise UsageError(f"No source is called {source!r}; there are: {known}.")
    count = notices.leave(settings.data, source, ids or sys.stdin.read().split())
    output.out.print(f"{count} ids wait for the next crawl of {output.escape(source)}.")


def principals(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Claims of a login, as JSON.")
    ],
    as_json: options.JSONOption = False,
) -> None:
    """Show which principals a person with these login claims has.

    By the table `[[access.people]]` of the settings, and by the members of groups that
    a source with `[sources.NAME.people]` told of; what no rule names gives nothing.
    Example: `dunegpt principals claims.json`
    """
    from dunegpt.ingest import overlay, people  # noqa: PLC0415 - start-up time

    settings = options.settings()
    members = overlay.people(settings.data, settings.access.max_overlay_age)
    rules = [*settings.access.people, *members]
    try:
        claims = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"Cannot read claims from {file}: {error}") from error
    if not isinstance(claims, dict):
        raise UsageError(f"{file} holds no JSON object of claims.")
    shape = PersonShape(
        principals=sorted(people.principals(claims, rules)),
        rules=[f"{r.claim} = {r.value}" for r in people.matching(claims, rules)],
    )
    options.print_json(shape) if as_json else output.print_person(shape)
