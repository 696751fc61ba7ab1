"""Decides whether documents that vanished from a source are believed to be gone.

A broken login or a half-written list looks like a mass deletion. So when many vanish at
once, or a source raised an alarm, they are only hidden until a person confirms. Which
documents are missing is decided by the sources and the crawl.
"""

_AT_LEAST, _SHARE = 20, 0.05


def is_mass_loss(
    lost: int, known: int, *, at_least: int = _AT_LEAST, share: float = _SHARE
) -> bool:
    """Return whether so many of the known documents vanished that it is suspicious.

    The same measure says whether so many open to one principal that it is.

    >>> is_mass_loss(20, 100), is_mass_loss(21, 100), is_mass_loss(21, 1000)
    (False, True, False)
    """
    return lost > max(at_least, share * known)
