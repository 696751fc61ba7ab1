"""Sets up logging: one line a record on standard error, nothing secret in it.

Knows no other module of the program; modules log with ``logging.getLogger(__name__)``.
"""

import logging

from rich.console import Console
from rich.logging import RichHandler

_NOISY = ("httpx", "httpcore", "openai", "sentence_transformers", "transformers")


def set_up_logging(*, verbose: bool, debug: bool) -> None:
    """Send our records to standard error, from WARNING, INFO or DEBUG on.

    The libraries' own records are shown from WARNING on, whatever is asked: HTTP
    clients log addresses at INFO, and an address may carry what must not be logged.
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
