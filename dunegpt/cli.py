"""The ``dunegpt`` command: its commands, and its one door for errors.

Exit codes: 0 answered or done, 1 error, 2 usage, 3 not in the documents, 4 search
unavailable, 5 model unavailable, 6 a replay differs.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer
import typer.exceptions

from dunegpt import (
    __version__,
    chat,
    config,
    llms,
    operating,
    options,
    output,
    reading,
    replaying,
    snapshots,
)
from dunegpt.errors import (
    DuneGPTError,
    IndexBrokenError,
    IndexMismatchError,
    IndexMissingError,
    UsageError,
)
from dunegpt.log import set_up_logging
from dunegpt.options import Call
from dunegpt.types import Outcome

_INTERRUPTED = 130
_NO_SEARCH = (IndexMissingError, IndexBrokenError, IndexMismatchError)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Answers questions from a collaboration's documents, with citations that open"
    " the right page.",
)


@app.callback(invoke_without_command=True)
def start(
    config_file: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Settings; ./dunegpt.toml."),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")] = False,
    debug: Annotated[bool, typer.Option(help="Say all; show traces.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Show it, end.")] = False,
) -> None:
    """Read the options that stand before the command."""
    if version:
        output.out.print(f"dunegpt {__version__}")
        raise typer.Exit
    Call.config, Call.debug = config_file, debug
    set_up_logging(verbose=verbose, debug=debug)


@app.command("config")
def show_config() -> None:
    """Print a commented settings file: `dunegpt config > dunegpt.toml`."""
    sys.stdout.write(config.example())


for command in (
    operating.crawl,
    operating.extract,
    operating.index,
    reading.ask,
    chat.chat,
    reading.search,
    reading.show,
    reading.runs,
    replaying.replay,
    replaying.receipts,
    operating.access,
    operating.status,
    operating.forget,
    operating.notice,
    operating.principals,
):
    app.command()(command)
app.add_typer(snapshots.app, name="snapshot")
app.add_typer(llms.app, name="llm")


def main() -> None:
    """Run the command line; turn our errors into a message, a hint and a code."""
    try:
        # Without standalone mode, what comes back is the code that a command ends with.
        code = app(standalone_mode=False, prog_name="dunegpt")
        if code == _INTERRUPTED:
            output.err.print("Stopped; the next run goes on from here.")
        sys.exit(code)
    except typer.exceptions.TyperException as error:
        tell = getattr(error, "format_message", error.__str__)
        message = tell()
        output.complain(message, "bold red")
        output.complain(
            "Add --help to the command to see what it takes; put -- before a question"
            " that begins with a dash."
        )
        sys.exit(2)
    except DuneGPTError as error:
        _complain(error)
        sys.exit(_code(error))
    except Exception as error:  # the last door: a trace helps nobody but us
        if Call.debug:
            raise
        output.complain(f"Unexpected {type(error).__name__}: {error}", "bold red")
        output.err.print("Run again with --debug before the command for a trace.")
        sys.exit(1)


def _complain(error: DuneGPTError) -> None:
    if Call.debug:
        output.err.print_exception()
    output.complain(str(error), "bold red")
    if error.hint:
        output.complain(error.hint)


def _code(error: DuneGPTError) -> int:
    if isinstance(error, UsageError):
        return 2
    if isinstance(error, _NO_SEARCH):
        return options.EXIT_CODES[Outcome.SEARCH_UNAVAILABLE]
    return 1
