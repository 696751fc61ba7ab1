"""The options that stand before a subcommand, for the subcommand that runs."""

from pathlib import Path


class Invocation:
    """The settings file and verbosity of this run of the command line."""

    config: Path | None = None
    verbose = False
    debug = False
