"""The command ``chat``: questions and follow-ups, in a terminal or through a pipe."""

import io
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from dunegpt.cli import console, options, render_answer
from dunegpt.errors import DuneGPTError, UsageError
from dunegpt.schemas.reading import ChatErrorResponse
from dunegpt.types import Outcome

if TYPE_CHECKING:
    from dunegpt.serve.assistant import AnswerStream, Conversation

_PROMPT = "? "
_MAX_DIGITS = 4
_HELP = """\
A question, or a follow-up: "and its length?", "who wrote that?"
/without N  ask again without the filter N that was found in the words
/new        start a new conversation
/quit       leave; so does the end of the input"""


class ChatSession:
    """Reads lines, asks, and prints.

    Attributes:
        failed: Whether a line could not be carried out.
        last_outcome: Of the latest answer; None before the first.
    """

    def __init__(self, conversation: "Conversation", *, as_json: bool) -> None:
        self._conversation = conversation
        self._as_json = as_json
        self.failed = False
        self.last_outcome: Outcome | None = None

    def handle_line(self, line: str) -> bool:
        """Carry out a line; return whether to go on."""
        command, _, rest = line.strip().partition(" ")
        if command in {"/quit", "/exit"}:
            return False
        if not line.strip():
            return True
        try:
            self._run_command(command, rest.strip(), line)
        except KeyboardInterrupt:
            console.err.print("Stopped. /quit leaves the chat.")
        except DuneGPTError as error:
            self._print_error(error)
        return True

    def _run_command(self, command: str, rest: str, line: str) -> None:
        """Ask, or carry out a command.

        Raises:
            UsageError: There is no such command, or it cannot be carried out.
        """
        if command == "/new":
            self._conversation.clear()
        elif command == "/help":
            console.err.print(_HELP, markup=False)
        elif command == "/without":
            if not rest.isdecimal() or len(rest) > _MAX_DIGITS:
                raise UsageError(
                    "/without needs the number of a filter, as in /without 1."
                )
            self._print_answer(self._conversation.ask_without(int(rest)))
        elif command.startswith("/"):
            raise UsageError(f"There is no command {command}.", hint=_HELP)
        else:
            self._print_answer(self._conversation.ask(line.strip()))

    def _print_answer(self, answer: "AnswerStream") -> None:
        with answer:
            for event in answer:
                if not self._as_json:
                    render_answer.print_event(event, numbered=True)
            response = answer.response
        self.last_outcome = response.outcome
        if self._as_json:
            options.print_json(response, one_line=True)
            sys.stdout.flush()
        else:
            render_answer.print_outcome(response)
            console.out.print()

    def _print_error(self, error: DuneGPTError) -> None:
        """Print why a line could not be carried out; the chat goes on."""
        self.failed = True
        if self._as_json:
            response = ChatErrorResponse(
                question=self._conversation.question, error=str(error), hint=error.hint
            )
            options.print_json(response, one_line=True)
            sys.stdout.flush()
            return
        console.print_message(str(error), "bold red")
        if error.hint:
            console.print_message(error.hint)


def chat(  # noqa: PLR0913, PLR0917 - its options are its arguments
    folder: options.FolderOption = None,
    source: options.SourceOption = None,
    since: options.SinceOption = None,
    until: options.UntilOption = None,
    author: options.AuthorOption = "",
    kind: options.TypeOption = None,
    status: options.StatusOption = None,
    document: options.DocumentOption = None,
    k: Annotated[
        int,
        typer.Option(
            "-k", min=1, max=50, metavar="N", help="Maximum number of references."
        ),
    ] = 8,
    no_llm: options.NoLLMOption = False,
    as_asked: options.AsAskedOption = False,
    as_principals: options.AsOption = "",
    as_json: options.JSONOption = False,
) -> None:
    r"""Ask questions and follow-ups, one after the other.

    A follow-up is shown as the question that it was understood as, and so are filters
    found in its words; `/without 1` asks again without the first of them, `/new` starts
    a new conversation, `/quit` leaves. Ctrl-C stops an answer. Nothing is stored.

    Examples: `dunegpt chat`; `dunegpt chat --folder ~/papers`;
    `printf 'What is LTS-0007 about?\nWho wrote it?\n' | dunegpt chat --json`

    With `--json`, one JSON object per line. Exit codes: 0 ended, 1 a line could not be
    carried out, 4 search unavailable.
    """
    reader = options.open_reader(folder, as_principals)
    filters = options.make_filters(
        source, since, until, author, kinds=kind, statuses=status, documents=document
    )
    conversation = reader.conversation(
        filters=filters, k=k, use_model=not no_llm, as_asked=as_asked
    )
    session = ChatSession(conversation, as_json=as_json)
    for line in _read_lines():
        if not session.handle_line(line):
            break
    if session.last_outcome is Outcome.SEARCH_UNAVAILABLE:
        raise typer.Exit(options.EXIT_CODES[session.last_outcome])
    raise typer.Exit(1 if session.failed else 0)


def _read_lines() -> Iterator[str]:
    """Yield what is typed, or comes through a pipe, line by line."""
    if not sys.stdin.isatty():
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(errors="replace")
        yield from sys.stdin
        return
    console.err.print(_HELP, markup=False)
    while True:
        try:
            yield input(_PROMPT)
        except EOFError:
            return
        except KeyboardInterrupt:
            console.err.print("\n/quit leaves the chat.")
