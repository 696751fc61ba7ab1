"""The ``dunegpt`` command: its subcommands, and the one place that handles errors.

A subcommand is a module of the same name, imported when it is run: ``dunegpt --help``
imports none of them.

Exit codes: 0 answered or done, 1 error, 2 usage, 3 not in the documents, 4 search
unavailable, 5 model unavailable, 6 a replay differs.
"""

import atexit
import gc
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
import typer.exceptions
from typer.core import TyperCommand, TyperGroup

from dunegpt.cli import console
from dunegpt.cli.crash import report_crashes
from dunegpt.cli.invocation import Invocation
from dunegpt.errors import SEARCH_UNAVAILABLE, DuneGPTError, HostError, UsageError
from dunegpt.files import describe_os_error, host_error
from dunegpt.log import set_up_logging
from dunegpt.version import __version__

_INTERRUPTED = 130
_SEARCH_UNAVAILABLE = 4
_COLLECT_AFTER = 50_000
"""So many new objects start a collection; Python's default is 700."""
_UNEXPECTED_HINT = (
    "Data is damaged, or dunegpt has a fault. 'dunegpt snapshot verify' checks the"
    " index, and 'dunegpt index --rebuild' makes it anew. If neither helps, run"
    " 'dunegpt --debug COMMAND ...' for a traceback, and report it."
)

COMMANDS = {
    "config": "Print a commented settings file: `dunegpt config > dunegpt.toml`.",
    "crawl": "Bring the catalog up to date with the configured sources.",
    "extract": "Show the text of files, page by page, as the index would contain it.",
    "index": "Bring the index up to date with the catalog, and publish it.",
    "ask": "Answer a question with cited references.",
    "chat": "Ask questions and follow-ups, one after the other.",
    "search": "List the passages that match best, without writing an answer.",
    "show": "Show a document: versions, files, readers, and the text of a page.",
    "runs": "List beam runs from the run tables of logbooks, oldest first.",
    "replay": "Ask the question of a receipt again, and show what has changed.",
    "receipts": "List the latest answers that you may see, and count all of them.",
    "access": "Show who may read a document and its files, and the evidence.",
    "status": "Show sources, the index, and each failure by document.",
    "forget": "Remove a document from the catalog, files, pages and snapshots.",
    "notice": "Report changed documents: the next crawl looks at them first.",
    "principals": "Show which principals a person with these login claims has.",
    "user": "Manage who may use the server: accounts, roles, sessions.",
    "audit": "Show which documents a person was shown, or who was shown a document.",
    "snapshot": "Manage the snapshots of the index: what a server searches.",
    "serve": "Serve the web pages and the API, until interrupted.",
    "llm": "Start and check the model servers that write the answers.",
}
"""Subcommands in the order of ``--help``, each with its summary."""


def load_command(name: str) -> Any:
    """Import and return a subcommand, or a group of them such as ``snapshot``."""
    module = import_module(f"dunegpt.cli.{name}")
    app = getattr(module, "app", None)
    if app is None:
        app = typer.Typer(add_completion=False, rich_markup_mode="markdown")
        app.command(name)(getattr(module, name))
    command = typer.main.get_command(app)
    command.name = name
    return command


class CommandGroup(TyperGroup):
    """Imports the module of a subcommand only when it is run."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, summary in COMMANDS.items():
            self.add_command(TyperCommand(name, help=summary))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the subcommand that the arguments name, imported."""
        if args[0] in COMMANDS:
            self.add_command(load_command(args[0]))
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=CommandGroup,
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
        typer.Option(
            "--config", metavar="FILE", help="Settings file; default: ./dunegpt.toml."
        ),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log progress to standard error.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Debug logging, with tracebacks.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.")
    ] = False,
) -> None:
    """Handle the options that stand before the command."""
    if version:
        console.out.print(f"dunegpt {__version__}")
        raise typer.Exit
    Invocation.config = config_file
    Invocation.verbose, Invocation.debug = verbose, debug
    set_up_logging(verbose=verbose, debug=debug)


def main() -> None:
    """Run the command line; turn errors into a message, a hint and an exit code."""
    before = gc.get_threshold()
    _collect_garbage_rarely()
    try:
        with report_crashes(), Invocation.opened:
            _run()
    finally:
        gc.set_threshold(*before)


def _collect_garbage_rarely() -> None:
    """Keep the garbage collector from going through all modules again and again.

    Their imports make hundreds of thousands of objects that live to the end: to look
    through them while importing, and once more at exit, takes a quarter of the CPU time
    of ``dunegpt ask`` (`benchmarks.startup`).
    """
    gc.set_threshold(_COLLECT_AFTER)
    atexit.register(gc.freeze)


def _run() -> NoReturn:
    try:
        # Without standalone mode the exit code of the command is returned.
        code = app(standalone_mode=False, prog_name="dunegpt")
        if code == _INTERRUPTED:
            console.err.print("Interrupted; the next run continues from here.")
        sys.exit(code)
    except typer.exceptions.TyperException as error:
        message = getattr(error, "format_message", error.__str__)()
        console.print_message(message, "bold red")
        console.print_message(
            "Run the command with --help to see its options; put -- before a question"
            " that begins with a dash."
        )
        sys.exit(2)
    except DuneGPTError as error:
        _fail(error)
    except Exception as error:  # the last door: most people have no use for a traceback
        if Invocation.debug:
            raise
        if refused := host_error(error):
            _fail(refused)
        if isinstance(error, OSError):
            _fail(describe_os_error(error))
        console.print_message(f"Unexpected {type(error).__name__}: {error}", "bold red")
        console.print_message(_UNEXPECTED_HINT)
        sys.exit(1)


def _fail(error: DuneGPTError) -> NoReturn:
    """Print an error and its hint; exit with its code."""
    if Invocation.debug:
        console.err.print_exception()
    console.print_message(str(error), "bold red")
    if error.hint:
        console.print_message(error.hint)
    sys.exit(_exit_code(error))


def _exit_code(error: DuneGPTError) -> int:
    if isinstance(error, UsageError):
        return 2
    if isinstance(error, SEARCH_UNAVAILABLE) and not isinstance(error, HostError):
        return _SEARCH_UNAVAILABLE
    return 1
