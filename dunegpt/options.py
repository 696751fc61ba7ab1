"""What the commands share: their options, the settings of this call, exit codes, JSON.

Knows no command and prints nothing for people.
"""

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel

from dunegpt import config
from dunegpt.types import Access, Outcome, access_set

EXIT_CODES = {
    Outcome.ANSWERED: 0,
    Outcome.NOT_IN_DOCUMENTS: 3,
    Outcome.SEARCH_UNAVAILABLE: 4,
    Outcome.MODEL_UNAVAILABLE: 5,
}
DIFFERS = 6
"""Exit code of a replay that differs."""

JSONOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsOption = Annotated[
    str,
    typer.Option("--as", metavar="PRINCIPAL,...", help="Read as these principals."),
]
SourceOption = Annotated[
    list[str] | None,
    typer.Option("--source", metavar="NAME", help="Only this source; repeatable."),
]
SinceOption = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Not older than this day.")
]
UntilOption = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Not newer than this day.")
]
AuthorOption = Annotated[str, typer.Option(help="Only by this author; any part of it.")]
TypeOption = Annotated[
    list[str] | None,
    typer.Option("--type", help="Only of this kind, as contribution; repeatable."),
]
StatusOption = Annotated[
    list[str] | None,
    typer.Option("--status", help="Only with this status, as approved; repeatable."),
]
DocumentOption = Annotated[
    list[str] | None,
    typer.Option(
        "--document", metavar="ID", help="Only in it and its parts; repeatable."
    ),
]
FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        metavar="DIR",
        help="Ask the files of this folder instead; they are indexed first.",
    ),
]
WithoutOption = Annotated[
    list[str] | None,
    typer.Option(
        "--without",
        metavar="WORDS",
        help="No filter from these words of the question; repeatable.",
    ),
]
AsAskedOption = Annotated[
    bool, typer.Option("--as-asked", help="No filters from the question's words.")
]
FullOption = Annotated[
    bool, typer.Option("--full", help="Look at all that exists again.")
]
DatedSinceOption = Annotated[
    datetime | None,
    typer.Option(
        "--since",
        formats=["%Y-%m-%d"],
        help="Look again at all dated from this day on.",
    ),
]
LimitOption = Annotated[
    int, typer.Option(min=0, help="Stop after so many documents; 0: never.")
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only tell what a run would find.")
]
AcceptLossOption = Annotated[
    bool,
    typer.Option(
        "--accept-loss", help="Take for gone what is gone, even if it is much."
    ),
]
EveryOption = Annotated[
    float, typer.Option("--every", min=0, metavar="MINUTES", help="Again and again.")
]
AndIndexOption = Annotated[
    bool, typer.Option("--index", help="Index what has changed after each round.")
]


class Call:
    """What stands before the command: settings file and how much to say."""

    config: Path | None = None
    debug = False


def settings() -> config.Settings:
    """Return the settings of this call."""
    return config.load_settings(Call.config)


def reader(settings: config.Settings, principals: str) -> Access:
    """Return who reads: the principals of --as, or else those of the settings."""
    if not principals:
        return settings.reader()
    return access_set(name.strip() for name in principals.split(",") if name.strip())


def print_json(shape: BaseModel, *, one_line: bool = False) -> None:
    """Print a shape as JSON on standard output."""
    sys.stdout.write(shape.model_dump_json(indent=None if one_line else 1) + "\n")
