"""Logging setup: one line per record on standard error.

Modules log with ``logging.getLogger(__name__)``; no record may contain a secret. Does
not depend on other modules of the package.
"""

import logging

from rich.console import Console
from rich.logging import RichHandler

_NOISY = ("httpx", "httpcore", "openai", "sentence_transformers", "transformers")


def set_up_logging(*, verbose: bool, debug: bool) -> None:
    """Log to standard error at level WARNING, INFO (verbose) or DEBUG.

    Libraries always log at WARNING, because HTTP clients log URLs at INFO, and a URL
    may contain a secret.
    """
    level = logging.DEBUG if debug else logging.INFO if verbose else logging.WARNING
    handler = RichHandler(
        console=Console(stderr=True), show_path=debug, rich_tracebacks=False
    )
    handler.setFormatter(logging.Formatter("%(message)s", datefmt="[%X]"))
    root = logging.getLogger("dunegpt")
    root.handlers[:] = [handler]
    root.setLevel(level)
    root.propagate = False
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
