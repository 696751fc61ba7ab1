"""The operator's commands on model servers: start one, try them."""

import os
import sys
from typing import Annotated

import typer

from dunegpt import options, output
from dunegpt.config import Settings
from dunegpt.errors import ConfigError
from dunegpt.operating_schemas import CheckedShape, LLMCheckShape, LLMServerShape
from dunegpt.types import Outcome

app = typer.Typer(
    no_args_is_help=True,
    help="Start and try the model servers that write the answers.",
)

NameArgument = Annotated[
    str, typer.Argument(metavar="[NAME]", help="Of an [llm.NAME].")
]


@app.command()
def serve(
    name: NameArgument = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print the command.")
    ] = False,
) -> None:
    """Start a server from its settings, and be it until it is stopped.

    The first one with an [llm.NAME.serve], if none is named. vLLM, or llama.cpp through
    xllamacpp, in an environment of its own; the key goes through the environment.

    Examples: `dunegpt llm serve`; `dunegpt llm serve local --dry-run`
    """
    from dunegpt.serve.start import command  # noqa: PLC0415 - start-up time

    settings = options.settings()
    own = [each for each, table in settings.llm.items() if table.serve]
    chosen = _known(name, settings) if name else next(iter(own), "")
    if not chosen:
        raise ConfigError("No [llm.NAME.serve] says how to start a server.")
    line, variables = command(chosen, settings)
    if dry_run:
        output.out.print(output.escape(" ".join(line)))
        return
    sys.stdout.flush()
    try:
        os.execve(line[0], line, variables)
    except OSError as error:
        raise ConfigError(f"{line[0]} cannot be run: {error}") from error


@app.command()
def check(name: NameArgument = "", as_json: options.JSONOption = False) -> None:
    """Try servers: chat, streaming, cancelling, structured output, and the key.

    All, if none is named. Only words of our own are sent. Exit code 5 if any fails.

    Examples: `dunegpt llm check`; `dunegpt llm check local --json`
    """
    from dunegpt.serve.check import Check  # noqa: PLC0415 - start-up time

    settings = options.settings()
    names = [_known(name, settings)] if name else list(settings.llm)
    if not names:
        raise ConfigError("No model server is configured.")
    servers = []
    for each in names:
        found = Check(each, settings).all()
        servers.append(
            LLMServerShape(
                name=each,
                model=settings.llm[each].model,
                ok=all(one.ok for one in found),
                checks=[
                    CheckedShape(name=one.name, ok=one.ok, detail=one.detail)
                    for one in found
                ],
            )
        )
        if not as_json:
            output.print_llm(servers[-1])
    if as_json:
        options.print_json(LLMCheckShape(servers=servers))
    good = all(server.ok for server in servers)
    raise typer.Exit(0 if good else options.EXIT_CODES[Outcome.MODEL_UNAVAILABLE])


def _known(name: str, settings: Settings) -> str:
    if name not in settings.llm:
        known = ", ".join(settings.llm) or "none"
        raise ConfigError(f"No model server is called {name!r}; configured: {known}.")
    return name
