"""The command ``chat``: questions one after the other, in a terminal or through a pipe.

The dialogue is kept in memory only, and ends with the process. Knows how to ask and to
print; the rest is in `dunegpt.serve.dialogue`.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dunegpt import options, output, reading, telling
from dunegpt.errors import DuneGPTError, UsageError
from dunegpt.schemas import AskShape, ChatErrorShape
from dunegpt.types import AnswerEvent, Outcome

if TYPE_CHECKING:
    from dunegpt.serve.dialogue import Turn

_PROMPT = "? "
_HELP = """\
A question, or a follow-up: "and its length?", "who wrote that?"
/without N  ask again without the filter N that was found in the words
/new        begin anew
/quit       end; so does the end of the input"""

Answers = Callable[..., Iterator[AnswerEvent]]
"""From a question, with a history and words without filters, to the events."""


@dataclass
class Chat:
    """One dialogue.

    Attributes:
        turns: What was asked and answered, the last one last.
        failed: Whether a line could not be carried out.
    """

    answers: Answers
    as_json: bool
    notices: list[str]
    turns: list["Turn"] = field(default_factory=list)
    failed: bool = False
    last: Outcome | None = None
    _typed: str = ""
    _before: list["Turn"] = field(default_factory=list)
    _without: list[str] = field(default_factory=list)
    _chips: list[str] = field(default_factory=list)

    def line(self, line: str) -> bool:
        """Carry out a line; return whether to go on."""
        command, _, rest = line.strip().partition(" ")
        if command in {"/quit", "/exit"}:
            return False
        if not line.strip():
            return True
        try:
            self._carried_out(command, rest.strip(), line)
        except KeyboardInterrupt:
            output.err.print("Stopped. /quit ends the chat.")
        except DuneGPTError as error:
            self._told(error)
        return True

    def _carried_out(self, command: str, rest: str, line: str) -> None:
        """Ask, or do what a command says.

        Raises:
            UsageError: It is no command, or cannot be carried out.
        """
        if command == "/new":
            self.turns, self._typed, self._chips = [], "", []
        elif command == "/help":
            output.err.print(_HELP, markup=False)
        elif command == "/without":
            self._asked_without(rest)
        elif command.startswith("/"):
            raise UsageError(f"There is no command {command}.", hint=_HELP)
        else:
            self._typed, self._before = line.strip(), list(self.turns)
            self._without = []
            self._ask()

    def _asked_without(self, number: str) -> None:
        """Ask the last question again, without one of its filters.

        Raises:
            UsageError: There is no such filter.
        """
        if not number.isdecimal() or not 1 <= int(number) <= len(self._chips):
            there = f"1 to {len(self._chips)}" if self._chips else "none"
            raise UsageError(
                f"There is no filter {number or 'without a number'}.",
                hint=f"The filters of the last question: {there}.",
            )
        self._without.append(self._chips[int(number) - 1])
        self._ask()

    def _ask(self) -> None:
        from dunegpt.serve.dialogue import Turn  # noqa: PLC0415 - start-up time

        heard: list[AnswerEvent] = []
        self._chips = []
        events = self.answers(self._typed, history=self._before, without=self._without)
        try:
            shape = telling.told(
                self._typed, _kept(events, heard), quiet=self.as_json, numbered=True
            )
        finally:
            # What was begun counts, so that a follow-up knows what it follows.
            self.turns = [*self._before, Turn.of(self._typed, heard)]
        shape.notices[:0] = self.notices
        self.notices = []
        self._chips = list(output.by_words(shape.chips))
        self.last = shape.outcome
        self._printed(shape)

    def _printed(self, shape: AskShape) -> None:
        if self.as_json:
            options.print_json(shape, one_line=True)
            sys.stdout.flush()
        else:
            output.print_outcome(shape)
            output.out.print()

    def _told(self, error: DuneGPTError) -> None:
        """Say what went wrong with a line; the chat goes on."""
        self.failed = True
        if self.as_json:
            shape = ChatErrorShape(
                question=self._typed, error=str(error), hint=error.hint
            )
            options.print_json(shape, one_line=True)
            sys.stdout.flush()
            return
        output.complain(str(error), "bold red")
        if error.hint:
            output.complain(error.hint)


def chat(  # noqa: PLR0913, PLR0917 - its options are its arguments
    folder: options.FolderOption = None,
    source: options.SourceOption = None,
    since: options.SinceOption = None,
    until: options.UntilOption = None,
    author: options.AuthorOption = "",
    kind: options.TypeOption = None,
    status: options.StatusOption = None,
    document: options.DocumentOption = None,
    k: Annotated[int, typer.Option("-k", min=1, max=50, help="References.")] = 8,
    no_llm: Annotated[
        bool, typer.Option("--no-llm", help="Answer with the documents' sentences.")
    ] = False,
    as_asked: options.AsAskedOption = False,
    as_principals: options.AsOption = "",
    as_json: options.JSONOption = False,
) -> None:
    r"""Ask one question after the other; a follow-up knows what was asked before.

    What a follow-up was taken for is shown, and so are filters found in its words;
    `/without 1` asks again without the first of them, `/new` begins anew, `/quit` ends.
    Ctrl-C stops an answer. The dialogue is not kept.

    Examples: `dunegpt chat`; `dunegpt chat --folder ~/papers`;
    `printf 'What is LTS-0007 about?\nWho wrote it?\n' | dunegpt chat --json`

    With `--json`, one JSON object a line. Exit codes: 0 ended, 1 a line could not be
    carried out, 4 search unavailable.
    """
    from dunegpt.serve.answer import answer  # noqa: PLC0415 - start-up time
    from dunegpt.serve.models import Models  # noqa: PLC0415 - start-up time

    settings, reader, notices = reading.for_reading(folder, as_principals)
    filters = reading.as_filters(
        source, since, until, author, kinds=kind, statuses=status, documents=document
    )
    models = Models(settings)

    def answers(question: str, **more: Any) -> Iterator[AnswerEvent]:
        return answer(
            question,
            settings,
            reader=reader,
            filters=filters,
            k=k,
            use_model=not no_llm,
            models=models,
            as_asked=as_asked,
            **more,
        )

    for notice in notices:
        output.complain(notice, "yellow")
    own = Chat(answers, as_json, notices)
    for line in _lines():
        if not own.line(line):
            break
    if own.last is Outcome.SEARCH_UNAVAILABLE:
        raise typer.Exit(options.EXIT_CODES[own.last])
    raise typer.Exit(1 if own.failed else 0)


def _kept(
    events: Iterator[AnswerEvent], heard: list[AnswerEvent]
) -> Iterator[AnswerEvent]:
    for event in events:
        heard.append(event)
        yield event


def _lines() -> Iterator[str]:
    """Yield what is typed, or comes through a pipe, line by line."""
    if not sys.stdin.isatty():
        yield from sys.stdin
        return
    output.err.print(_HELP, markup=False)
    while True:
        try:
            yield input(_PROMPT)
        except EOFError:
            return
        except KeyboardInterrupt:
            output.err.print("\n/quit ends the chat.")
