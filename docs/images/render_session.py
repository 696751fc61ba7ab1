"""Renders ``ask.svg``: a terminal session with the example documents.

Run it after ``make demo``, from the folder that has ``demo/``. What is shown is the
output of the commands; only the path of that folder is shortened.
"""

import io
import re
import shlex
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

COMMANDS = (
    'dunegpt ask "How much argon evaporates each hour when Larch loses power?"',
    'dunegpt ask "What is the radon concentration in the liquid argon of Larch?"',
)
SETTINGS = ("-m", "dunegpt", "--config", "examples/dunegpt.toml")


def run(command: str) -> str:
    """Return what a command prints on a terminal, its colours included."""
    arguments = shlex.split(command)[1:]
    done = subprocess.run(
        ["env", "FORCE_COLOR=1", "COLUMNS=100", sys.executable, *SETTINGS, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout.replace(str(Path.cwd()), "/...").rstrip()


def main() -> None:
    """Write the picture beside this file."""
    console = Console(record=True, width=100, file=io.StringIO())
    for command in COMMANDS:
        console.print(f"[bold green]$[/] [bold]{command}[/]", highlight=False)
        console.print(Text.from_ansi(run(command)), end="\n\n")
    svg = console.export_svg(title="DUNE-GPT", unique_id="dunegpt")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    Path(__file__).with_name("ask.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
