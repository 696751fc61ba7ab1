"""Regular expressions that are compiled when they are first used.

The modules on the way to an answer have some 400 of them, of which one question uses
less than half; compiling all would take a tenth of the time of ``dunegpt ask``.
"""

import re
from typing import Any, cast


class _LazyPattern:
    """Has the attributes of the compiled pattern, which is made for the first of them.

    Each attribute is then kept, so later uses cost what they cost a compiled pattern.
    """

    def __init__(self, pattern: str, flags: int) -> None:
        self.pattern = pattern
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # asked of every object, by copy and pickle
            raise AttributeError(name)
        # re.compile returns the same object again, from its own cache.
        attribute = getattr(re.compile(self.pattern, self._flags), name)
        setattr(self, name, attribute)
        return attribute


def compile_re(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """Return what behaves like ``re.compile(pattern, flags)``, without its cost yet.

    It is not an instance of `re.Pattern`: call its methods, do not pass it to `re.sub`
    and the like, nor compare it with the ``re`` of a match. An invalid pattern raises
    `re.error` at its first use.

    >>> compile_re(r"[A-Z]+-(?P<number>[0-9]+)").findall("DUNE-7 and DUNE-12")
    ['7', '12']
    """
    return cast("re.Pattern[str]", _LazyPattern(pattern, flags))
