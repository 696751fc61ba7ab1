"""The terminal: standard output and error, escaping, progress bars.

Does not know what the commands print.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape as escape_markup

if TYPE_CHECKING:
    from rich.progress import Progress

out = Console(highlight=False, emoji=False, soft_wrap=True)


err = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)


_CONTROL_CHARACTERS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)


_STAGES = {
    "read": "Reading files",
    "embed": "Embedding",
    "pack": "Packing",
    "export": "Exporting",
    "measure": "Measuring",
    "verify": "Verifying",
}


def strip_control(text: str) -> str:
    """Return a text that cannot steer a terminal: control and bidi characters out."""
    return _CONTROL_CHARACTERS.sub("", text)


def escape(text: str) -> str:
    """Return a text that neither a terminal nor our own markup takes for a command."""
    return escape_markup(strip_control(text))


def format_count(count: int, noun: str) -> str:
    """Return a count of things in words."""
    return f"{count} {noun}" if count == 1 else f"{count:,} {noun}s"


def print_message(message: str, style: str = "") -> None:
    """Print a message on standard error, as it is but for control characters."""
    err.print(strip_control(message), style=style, markup=False)


@contextmanager
def show_stages() -> Iterator[Callable[[str, int, int], None]]:
    """Give a function that shows how far each stage is, on a terminal only."""
    with _make_progress() as bars:
        tasks = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(_STAGES.get(stage, stage), total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield show


@contextmanager
def show_count(name: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function that shows a count, of about how many if that is known."""
    with _make_progress() as bars:
        task = bars.add_task(f"Crawling {escape(name)}", total=None)

        def show(seen: int, known: int) -> None:
            bars.update(task, completed=seen, total=max(seen, known) or None)

        yield show


def _make_progress() -> "Progress":
    from rich import progress  # noqa: PLC0415 - start-up time

    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        console=err,
        disable=not err.is_terminal,
    )
