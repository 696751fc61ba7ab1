"""The commands ``llm serve`` and ``llm check``."""

import os
import sys
from typing import Annotated

import typer

from dunegpt.cli import console, options, render_operations
from dunegpt.config import Settings
from dunegpt.errors import ConfigError
from dunegpt.schemas.operations import (
    CheckedResponse,
    LLMCheckResponse,
    LLMServerResponse,
)
from dunegpt.types import Outcome

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="Start and check the model servers that write the answers.",
)

NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="Name of a server: [llm.NAME] in the settings."
    ),
]


@app.command()
def serve(
    name: NameArgument = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print the command.")
    ] = False,
) -> None:
    """Start a model server from its settings, and run it until it is stopped.

    Default: the first one with [llm.NAME.serve]. The program is vLLM, or llama.cpp
    through xllamacpp, in a Python environment of its own; the key is passed in the
    environment.

    Examples: `dunegpt llm serve`; `dunegpt llm serve local --dry-run`
    """
    from dunegpt.serve.llm.launch import build_command  # noqa: PLC0415 - start-up time

    settings = options.get_settings()
    own = [each for each, table in settings.llm.items() if table.serve]
    chosen = _check_name(name, settings) if name else next(iter(own), "")
    if not chosen:
        raise ConfigError("No [llm.NAME.serve] says how to start a server.")
    line, variables = build_command(chosen, settings)
    if dry_run:
        console.out.print(console.escape(" ".join(line)))
        return
    sys.stdout.flush()
    try:
        os.execve(line[0], line, variables)
    except OSError as error:
        raise ConfigError(f"{line[0]} cannot be run: {error}") from error


@app.command()
def check(name: NameArgument = "", as_json: options.JSONOption = False) -> None:
    """Check servers: chat, streaming, cancelling, structured output, and the key.

    Default: all of them. Only built-in text is sent. Exit code 5 if any check fails.

    Examples: `dunegpt llm check`; `dunegpt llm check local --json`
    """
    from dunegpt.serve.llm.check import ServerCheck  # noqa: PLC0415 - start-up time

    settings = options.get_settings()
    names = [_check_name(name, settings)] if name else list(settings.llm)
    if not names:
        raise ConfigError("No model server is configured.")
    servers = []
    for each in names:
        found = ServerCheck(each, settings).run()
        servers.append(
            LLMServerResponse(
                name=each,
                model=settings.llm[each].model,
                ok=all(one.ok for one in found),
                checks=[
                    CheckedResponse(name=one.name, ok=one.ok, detail=one.detail)
                    for one in found
                ],
            )
        )
        if not as_json:
            render_operations.print_llm_check(servers[-1])
    if as_json:
        options.print_json(LLMCheckResponse(servers=servers))
    good = all(server.ok for server in servers)
    raise typer.Exit(0 if good else options.EXIT_CODES[Outcome.MODEL_UNAVAILABLE])


def _check_name(name: str, settings: Settings) -> str:
    if name not in settings.llm:
        known = ", ".join(settings.llm) or "none"
        raise ConfigError(f"No model server is called {name!r}; configured: {known}.")
    return name
