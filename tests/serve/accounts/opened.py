"""Opens the accounts for tests: with settings of any database, and quick hashes."""

from argon2 import PasswordHasher

from dunegpt.config import Settings
from dunegpt.serve.accounts.passwords import Passwords
from dunegpt.serve.accounts.store import AccountStore

PASSWORD = "a tram full of otters"
ADDRESS = "192.0.2.7"
OTHER_ADDRESS = "198.51.100.9"


def quick_passwords() -> Passwords:
    """Return a hasher that is too weak for anything but tests."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


def open_store(settings: Settings) -> AccountStore:
    """Return the accounts of some settings."""
    return AccountStore(settings, passwords=quick_passwords())
