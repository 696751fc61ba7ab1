"""Where a login leads to: a path of this server, and never anywhere else."""

import re

_LOCAL = re.compile(r"/(?![/\\])[^\\\s\x00-\x1f\x7f]*", re.ASCII)
_UP = re.compile(r"/(\.|%2e){2}(/|[?#]|$)", re.IGNORECASE)
"""A step upwards, which browsers take encoded, too (WHATWG URL, double-dot segment)."""
_MAX_CHARACTERS = 2000


def get_local_path(path: str, base: str = "") -> str:
    """Return a path if it is one of this server's own; otherwise its start page.

    Args:
        path: As a browser sent it, with query and fragment.
        base: Path below which all pages are, without a slash at its end.
    """
    is_local = (
        len(path) <= _MAX_CHARACTERS
        and path.isascii()
        and path.isprintable()
        and _LOCAL.fullmatch(path) is not None
        and _UP.search(path.partition("?")[0]) is None
        and (path == base or path.startswith((f"{base}/", f"{base}?", f"{base}#")))
    )
    return path if is_local else f"{base}/"
