"""What commands share: options, settings, exit codes and JSON output."""

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import BaseModel

from dunegpt import config
from dunegpt.access import PUBLIC
from dunegpt.cli import console
from dunegpt.cli.invocation import Invocation
from dunegpt.errors import UsageError
from dunegpt.types import Outcome

if TYPE_CHECKING:
    from dunegpt.serve.assistant import Filters, ReaderAssistant

EXIT_CODES = {
    Outcome.ANSWERED: 0,
    Outcome.NOT_IN_DOCUMENTS: 3,
    Outcome.SEARCH_UNAVAILABLE: 4,
    Outcome.MODEL_UNAVAILABLE: 5,
}
EXIT_DIFFERS = 6
"""Exit code of a replay that differs."""

JSONOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsOption = Annotated[
    str,
    typer.Option(
        "--as",
        metavar="PRINCIPAL,...",
        help="Read as somebody with these principals, such as docdb:DUNE.",
    ),
]
SourceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--source", metavar="NAME", help="Only documents of this source; repeatable."
    ),
]
SinceOption = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d"],
        metavar="YYYY-MM-DD",
        help="Only documents from this day on.",
    ),
]
UntilOption = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d"],
        metavar="YYYY-MM-DD",
        help="Only documents up to this day.",
    ),
]
AuthorOption = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="Only documents by this author; part of a name is enough."
    ),
]
TypeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--type",
        metavar="KIND",
        help="Only documents of this kind (contribution, entry, ...); repeatable.",
    ),
]
StatusOption = Annotated[
    list[str] | None,
    typer.Option(
        "--status",
        metavar="STATUS",
        help="Only documents with this status (approved, ...); repeatable.",
    ),
]
DocumentOption = Annotated[
    list[str] | None,
    typer.Option(
        "--document",
        metavar="ID",
        help="Only this document and its parts; repeatable.",
    ),
]
FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        metavar="DIR",
        help="Ask the files in this folder instead; they are indexed first.",
    ),
]
WithoutOption = Annotated[
    list[str] | None,
    typer.Option(
        "--without",
        metavar="WORDS",
        help="Do not use these words of the question as a filter; repeatable.",
    ),
]
NoLLMOption = Annotated[
    bool,
    typer.Option(
        "--no-llm",
        help="Use no language model: answer with sentences of the documents.",
    ),
]
AsAskedOption = Annotated[
    bool,
    typer.Option("--as-asked", help="Use no words of the question as filters."),
]
FullOption = Annotated[bool, typer.Option("--full", help="Check every document again.")]
DatedSinceOption = Annotated[
    datetime | None,
    typer.Option(
        "--since",
        formats=["%Y-%m-%d"],
        metavar="YYYY-MM-DD",
        help="Check every document dated from this day on again.",
    ),
]
LimitOption = Annotated[
    int,
    typer.Option(
        min=0, metavar="N", help="Stop after this many documents; 0: no limit."
    ),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only report what a run would change.")
]
AcceptLossOption = Annotated[
    bool,
    typer.Option(
        "--accept-loss",
        help="Remove the documents that are gone from the source, even if suspiciously"
        " many are.",
    ),
]
AcceptOpeningOption = Annotated[
    bool,
    typer.Option(
        "--accept-opening",
        help="Show documents to everybody who may read them at the source now, even"
        " if suspiciously many became readable at once.",
    ),
]
EveryOption = Annotated[
    float,
    typer.Option(
        "--every",
        min=0,
        metavar="MINUTES",
        help="Repeat at this interval until interrupted.",
    ),
]
AndIndexOption = Annotated[
    bool,
    typer.Option(
        "--index", help="Update the index after each round that changed anything."
    ),
]


_LOGIN_KEYS = {
    *("doors", "audiences", "token_env", "token_file", "cookie_env", "cookie_file"),
    *("password_env", "password_file"),
}
"""Settings of sources that log in."""


def get_settings() -> config.Settings:
    """Return the settings of this run.

    Raises:
        ConfigError: The file is missing, or has a key or value that is not valid.
    """
    return config.load_settings(Invocation.config)


def open_reader(folder: Path | None, principals: str) -> "ReaderAssistant":
    """Return the assistant of whoever runs the command, closed when that ends.

    Args:
        folder: Ask the files of this folder, which is indexed first, instead.
        principals: Those of --as; empty for those of the settings.

    Raises:
        UsageError: Both are given, or a principal is not valid.
    """
    from dunegpt.serve.assistant import Assistant  # noqa: PLC0415 - start-up time

    names = [name.strip() for name in principals.split(",") if name.strip()]
    if folder is None:
        assistant = Invocation.opened.enter_context(Assistant(get_settings()))
        return assistant.as_reader(names or None)
    if names:
        raise UsageError(
            "--as cannot be combined with --folder: the folder is yours alone."
        )
    with console.show_stages() as show:
        assistant = Assistant.open_folder(folder, get_settings(), progress=show)
    return Invocation.opened.enter_context(assistant).as_reader()


def explain_public_reader(reader: "ReaderAssistant", folder: Path | None) -> None:
    """Tell somebody who found nothing as the public how to read as a member.

    That is told of the settings alone: whether there is more to find is not known.
    """
    if folder is not None or reader.principals != {PUBLIC}:
        return
    closed = [
        name for name, table in get_settings().sources.items() if _is_closed(table)
    ]
    if closed:
        console.print_message(
            f"You read as the public. {', '.join(closed)} may have documents for"
            " members only: read as one with --as SOURCE:GROUP (for example"
            " docdb:DUNE), or set 'principals' in [cli] of the settings."
        )


def _is_closed(table: config.SourceSettings) -> bool:
    """Return whether a source is read with a login, or given to some readers only."""
    keys = table.model_extra or {}
    access = keys.get("access")
    is_restricted = access is not None and PUBLIC not in access
    return is_restricted or bool(_LOGIN_KEYS & keys.keys())


def make_filters(
    sources: list[str] | None,
    since: datetime | None,
    until: datetime | None,
    author: str,
    **names: list[str] | None,
) -> "Filters":
    """Return the filter options of a command as filters."""
    from dunegpt.serve.assistant import Filters  # noqa: PLC0415 - start-up time

    return Filters(
        sources=tuple(sources or ()),
        since=since.date() if since else None,
        until=until.date() if until else None,
        author=author,
        **{name: tuple(values or ()) for name, values in names.items()},
    )


def print_json(shape: BaseModel, *, one_line: bool = False) -> None:
    """Print a response as JSON on standard output."""
    sys.stdout.write(shape.model_dump_json(indent=None if one_line else 1) + "\n")
