"""The command ``config``."""

import sys

import dunegpt.config


def config() -> None:
    """Print a commented settings file: `dunegpt config > dunegpt.toml`."""
    sys.stdout.write(dunegpt.config.read_example())
