"""Checks whether what is sent to an address is encrypted on the way."""

import ipaddress
from urllib.parse import urlsplit


def is_encrypted(url: str) -> bool:
    """Return whether what is sent to a URL can be read by nobody on the way.

    What is sent to this host itself needs no encryption.
    """
    parts = urlsplit(url)
    return parts.scheme != "http" or _is_loopback(parts.hostname or "")


def _is_loopback(host: str) -> bool:
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
