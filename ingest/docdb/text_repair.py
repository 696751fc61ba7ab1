"""Repairs the encoding of text stored in a DocDB.

Old rows were entered in forms with another encoding, escaped once or twice, and are
sent with a header that may be wrong. Based on DocDB 8.9.0. Does not parse XML or HTML.
"""

import html
import re
from urllib.parse import unquote_to_bytes

from dunegpt.ingest.extract.html.markup import set_scripts

_MAX_UNESCAPES = 4
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
_NON_ASCII = re.compile(r"[^\x00-\x7f]+")


def decode_body(body: bytes) -> str:
    """Return the text of an answer, whatever its header claims.

    UTF-8 if it is that throughout, else cp1252; without control characters, but tab
    and line ends.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        text = body.decode("cp1252", errors="replace")
    return _CONTROLS.sub(" ", text.removeprefix("\ufeff"))


def repair_text(text: str | None) -> str:
    """Return what somebody wrote: escapes undone, bytes of another encoding repaired.

    Raised and lowered text is Unicode; what else stands between < and > stays.

    >>> repair_text("Mu&#xF1;oz &#x26;#62; caf&#xC3;&#xA9;")
    'Muñoz > café'
    """
    found = text or ""
    for _ in range(_MAX_UNESCAPES):
        plain = html.unescape(found)
        if plain == found:
            break
        found = plain
    found = _NON_ASCII.sub(lambda run: _repair_encoding(run[0]), found)
    found = set_scripts(found)
    return _CONTROLS.sub(" ", found).strip()


def parse_file_name(encoded: str) -> tuple[str, bytes]:
    """Return a file's name for people and its bytes, from a percent-encoded address."""
    raw = unquote_to_bytes(encoded)
    return repair_text(decode_body(raw)), raw


def _repair_encoding(run: str) -> str:
    """Return characters that are the bytes of UTF-8 as what these bytes say."""
    try:
        return b"".join(map(_to_byte, run)).decode("utf-8")
    except UnicodeError:
        return run


def _to_byte(character: str) -> bytes:
    """Return the byte that a character of cp1252, or of latin-1, stands for.

    Raises:
        UnicodeEncodeError: It stands for none.
    """
    try:
        return character.encode("latin-1")
    except UnicodeEncodeError:
        return character.encode("cp1252")
