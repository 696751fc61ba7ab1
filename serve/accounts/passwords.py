"""Passwords: their hashes by argon2, and which are accepted.

Sources: RFC 9106 (the parameters are its second recommended option); NIST SP 800-63B-4
(length instead of composition, no expiry, no common passwords, Unicode normalized);
D. L. Wheeler, "zxcvbn: low-budget password strength estimation", USENIX Security 2016.
"""

import secrets
import threading
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from argon2.profiles import RFC_9106_LOW_MEMORY

from dunegpt.errors import UsageError

MIN_LENGTH, MAX_LENGTH = 12, 1024
_LEAST_STRENGTH = 3
"""Of 0 to 4 by zxcvbn: more than 100 million guesses."""

_ESTIMATED_LENGTH = 72
_AT_ONCE = 2
"""Hashes computed at a time; each takes 64 MiB."""

_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP_LENGTH = 5, 4


class Passwords:
    """Hashes passwords and compares them; safe to share between threads."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        """Use a hasher; by default with the parameters of RFC 9106."""
        self._hasher = hasher or PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        self._gate = threading.BoundedSemaphore(_AT_ONCE)
        self._lock = threading.Lock()
        self._nobodys_hash = ""

    def hash(self, password: str) -> str:
        """Return what is stored of a password."""
        with self._gate:
            return self._hasher.hash(_encode(password))

    def verify(self, stored: str | None, password: str) -> bool:
        """Return whether a password is the one that was stored.

        Without a stored hash, the same work is done and nothing is right.
        """
        expected = stored or self._get_nobodys_hash()
        with self._gate:
            try:
                self._hasher.verify(expected, _encode(password))
            except VerifyMismatchError:
                return False
            except (InvalidHashError, VerificationError):
                return False  # damaged: nobody can log in with it
        return stored is not None and len(password) <= MAX_LENGTH

    def is_outdated(self, stored: str) -> bool:
        """Return whether a hash should be made again with today's parameters."""
        return self._hasher.check_needs_rehash(stored)

    def prepare(self) -> None:
        """Make what the first login needs, so that it takes no longer than others."""
        self._get_nobodys_hash()

    def _get_nobodys_hash(self) -> str:
        with self._lock:
            if not self._nobodys_hash:
                self._nobodys_hash = self.hash(secrets.token_urlsafe(16))
            return self._nobodys_hash


def check_password(password: str, name: str) -> None:
    """Check that a new password is hard enough to guess.

    Raises:
        UsageError: It is too short or too long, is one of the passwords that are often
            used, or is made of few words, repetitions, keyboard rows or the name.
    """
    from zxcvbn import zxcvbn  # noqa: PLC0415 - start-up time

    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise UsageError(
            f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters.",
            hint="Several words are easy to remember and hard to guess.",
        )
    estimate = zxcvbn(password[:_ESTIMATED_LENGTH], user_inputs=[name, "dunegpt"])
    if estimate["score"] < _LEAST_STRENGTH:
        reason = estimate["feedback"]["warning"].rstrip(".")
        raise UsageError(
            "The password is too easy to guess" + (f": {reason}." if reason else "."),
            hint="Several words that do not belong together are hard to guess.",
        )


def generate_password() -> str:
    """Return a random password that is easy to type, with 100 random bits."""
    groups = (
        "".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH))
        for _ in range(_GROUPS)
    )
    return "-".join(groups)


def _encode(password: str) -> bytes:
    """Return the bytes to hash; of a password that is too long, its beginning."""
    normalized = unicodedata.normalize("NFKC", password[: MAX_LENGTH + 1])
    return normalized.encode("utf-8", "surrogatepass")
