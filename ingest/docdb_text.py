"""The text that a DocDB stores, made readable again.

Old rows were typed into forms of another encoding, escaped once or twice, and are sent
under a header that may be wrong. Facts: DocDB 8.9.0. Knows no XML and no HTML page.
"""

import html
import re
from urllib.parse import unquote_to_bytes

_MOST_ESCAPES = 4
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")


def decoded(body: bytes) -> str:
    """Return the text of an answer, whatever its header claims.

    UTF-8 if it is that throughout, else cp1252; without control characters, but tab
    and line ends.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        text = body.decode("cp1252", errors="replace")
    return _CONTROLS.sub(" ", text.removeprefix("\ufeff"))


def readable(text: str | None) -> str:
    """Return what somebody wrote: escapes undone, bytes of another encoding repaired.

    >>> readable("Mu&#xF1;oz &#x26;#62; caf&#xC3;&#xA9;")
    'Muñoz > café'
    """
    found = text or ""
    for _ in range(_MOST_ESCAPES):
        plain = html.unescape(found)
        if plain == found:
            break
        found = plain
    found = _BEYOND_ASCII.sub(lambda run: _repaired(run[0]), found)
    return _CONTROLS.sub(" ", found).strip()


def file_name(encoded: str) -> tuple[str, bytes]:
    """Return a file's name for people and its bytes, from a percent-encoded address."""
    raw = unquote_to_bytes(encoded)
    return readable(decoded(raw)), raw


def _repaired(run: str) -> str:
    """Return characters that are the bytes of UTF-8 as what these bytes say."""
    try:
        return b"".join(map(_byte, run)).decode("utf-8")
    except UnicodeError:
        return run


def _byte(character: str) -> bytes:
    """Return the byte that a character of cp1252, or of latin-1, stands for.

    Raises:
        UnicodeEncodeError: It stands for none.
    """
    try:
        return character.encode("latin-1")
    except UnicodeEncodeError:
        return character.encode("cp1252")
