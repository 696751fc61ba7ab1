"""The options that stand before a subcommand, for the subcommand that runs."""

from contextlib import ExitStack
from pathlib import Path


class Invocation:
    """What belongs to this run of the command line.

    Attributes:
        config: The settings file.
        opened: What is closed when the command ends.
    """

    config: Path | None = None
    verbose = False
    debug = False
    opened = ExitStack()
