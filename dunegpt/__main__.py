"""Runs the command line with ``python -m dunegpt``."""

from dunegpt.cli import main

main()
