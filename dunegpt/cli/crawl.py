"""The command ``crawl``."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from dunegpt.cli import console, options, render_operations
from dunegpt.cli.polling import PollingLoop
from dunegpt.config import Settings
from dunegpt.errors import ConfigError, DuneGPTError, UsageError
from dunegpt.schemas.operations import CrawlResponse


def crawl(  # noqa: PLR0913, PLR0917 - its options are its arguments
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="SOURCE", help="Names of sources; default: all."),
    ] = None,
    full: options.FullOption = False,
    since: options.DatedSinceOption = None,
    limit: options.LimitOption = 0,
    dry_run: options.DryRunOption = False,
    accept_loss: options.AcceptLossOption = False,
    accept_opening: options.AcceptOpeningOption = False,
    every: options.EveryOption = 0,
    and_index: options.AndIndexOption = False,
    as_json: options.JSONOption = False,
) -> None:
    """Bring the catalog up to date with the configured sources.

    The first crawl of a source checks every document. Later ones check those that are
    likely to have changed, and each document once a month. With `--every` it repeats
    until interrupted; a round that fails is reported, and the next one tries again.
    Exit code 1 if a source failed or raised an alarm.

    Examples: `dunegpt crawl`; `dunegpt crawl indico.fnal.gov --full`;
    `dunegpt crawl --since 2026-01-01`; `dunegpt crawl --dry-run --limit 100 --json`;
    `dunegpt crawl dune-log --every 1 --index`
    """
    settings = options.get_settings()
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
        raise UsageError("--index cannot be combined with --dry-run.")
    crawl_options = {"since": since.date() if since else None, "limit": limit}
    crawl_options |= {"full": full, "dry_run": dry_run}
    crawl_options |= {"accept_loss": accept_loss, "accept_opening": accept_opening}
    if not every:
        failed = _crawl_sources(
            names, settings, and_index, as_json=as_json, **crawl_options
        )
        raise typer.Exit(1 if failed else 0)
    with PollingLoop(every * 60).until_interrupted() as rounds:
        for _ in rounds:
            try:
                _crawl_sources(
                    names, settings, and_index, as_json=as_json, **crawl_options
                )
            except DuneGPTError as error:
                console.print_message(f"{error} {error.hint}".strip(), "bold red")
    console.print_message("Stopped.")


def _crawl_sources(
    names: list[str],
    settings: Settings,
    and_index: bool,
    *,
    as_json: bool,
    **how: Any,
) -> bool:
    """Crawl sources and print what was done; return whether any failed or warned.

    Args:
        names: Of the sources.
        settings: Of the installation.
        and_index: Update the index, too, if anything has changed.
        as_json: Print JSON.
        how: Options of `dunegpt.ingest.crawl.crawl`.
    """
    failed = changed = False
    for name in names:
        report = _crawl_one(name, settings, **how)
        failed |= bool(report.error or report.warnings)
        changed |= bool(report.new + report.changed + report.removed + report.hidden)
        if as_json:
            options.print_json(report, one_line=True)
        else:
            render_operations.print_crawl(report)
    is_missing = not settings.paths.current_snapshot.exists()
    if and_index and (changed or is_missing):
        from dunegpt.cli.index import index  # noqa: PLC0415 - start-up time

        index(as_json=as_json)
    return failed


def _crawl_one(name: str, settings: Settings, **how: Any) -> CrawlResponse:
    """Crawl one source; one that cannot be used does not stop the others.

    Raises:
        StorageError: The data folder cannot be used: no source can be crawled.
    """
    from dunegpt.ingest.crawl import (  # noqa: PLC0415 - start-up time
        CrawlReport,
    )
    from dunegpt.ingest.crawl import crawl as run  # noqa: PLC0415

    try:
        with console.show_count(name) as bar:
            report = run(name, settings, progress=lambda r: bar(r.seen, r.known), **how)
    except ConfigError as error:
        report = CrawlReport(name, error=str(error), hint=error.hint)
    return CrawlResponse(**asdict(report))
