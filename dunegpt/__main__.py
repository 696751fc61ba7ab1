"""Runs the command line with ``python -m dunegpt``."""

from dunegpt.cli.main import main

main()
