"""Names of persons, and the networks that they come from."""

import ipaddress
import unicodedata

from dunegpt.errors import UsageError

MAX_NAME_LENGTH = 100
_MAX_TEXT_LENGTH = 200


def make_name_key(name: str) -> str:
    """Return the spelling under which a name is found: in any case, width and form.

    Source: RFC 8265, UsernameCaseMapped, with Unicode's NFKC and full case folding.
    """
    folded = unicodedata.normalize("NFKC", clean_text(name).strip()).casefold()
    return unicodedata.normalize("NFKC", folded)


def check_name(name: str) -> str:
    """Return the name of a new local account, as it is shown.

    Raises:
        UsageError: It is empty or too long, or has characters that are not seen or
            that ids are recognized by.
    """
    shown = unicodedata.normalize("NFKC", name).strip()
    if not shown or len(shown) > MAX_NAME_LENGTH:
        raise UsageError(f"A name has 1 to {MAX_NAME_LENGTH} characters.")
    if any(unicodedata.category(c)[0] in "CZ" or c in ":#/" for c in shown):
        raise UsageError(f"{shown!r} has spaces, ':', '#', '/' or invisible signs.")
    if shown.isdecimal():
        raise UsageError("A name of digits only would be taken for a number.")
    return shown


def clean_text(text: str, length: int = _MAX_TEXT_LENGTH) -> str:
    """Return a text of a client that any database can store: no control characters."""
    kept = (c for c in text if unicodedata.category(c) not in {"Cc", "Cs"})
    return "".join(kept)[:length]


def find_network(address: str) -> str:
    """Return the network of a client: its IPv4 address, or the /64 of an IPv6 one.

    A household or a machine has a whole /64. Empty for what is no address.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is None:
            return str(ipaddress.ip_network((int(parsed), 64), strict=False))
        parsed = parsed.ipv4_mapped
    return str(parsed)
