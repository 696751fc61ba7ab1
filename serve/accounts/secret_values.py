"""Random values that open something, and what is stored of them.

They have 256 random bits, so a plain hash is enough: nobody can try them all.
"""

import hashlib
import secrets

_BYTES = 32
_MAX_LENGTH = 200


def make_secret(prefix: str = "") -> str:
    """Return a new value; a prefix lets programs that look for leaks recognize it."""
    return prefix + secrets.token_urlsafe(_BYTES)


def make_public_id() -> str:
    """Return a random id that opens nothing."""
    return secrets.token_hex(8)


def hash_secret(secret: str) -> str:
    """Return the sha256 of a value, in hex; of any value that a client may send."""
    value = secret[:_MAX_LENGTH].encode("utf-8", "surrogatepass")
    return hashlib.sha256(value).hexdigest()
