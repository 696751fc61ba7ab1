"""Programs that reading some files needs: found where installed, never required.

Each has a version, "absent" where it is not: part of the key of what it helped make.
"""

import re
import shutil
import subprocess
from functools import cache

ABSENT = "absent"
TESSERACT = "tesseract"
LIBREOFFICE = "soffice"


@cache
def path(tool: str) -> str | None:
    """Return where a program is, or None."""
    return shutil.which(tool)


@cache
def version(tool: str) -> str:
    """Return a program's version as it says it itself, or ``absent``."""
    program = path(tool)
    if program is None:
        return ABSENT
    try:
        said = subprocess.run(
            [program, "--version"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ABSENT
    found = re.search(r"\d+(?:\.\d+)+", said.stdout + said.stderr)
    return found[0] if found else "unknown"


def forget() -> None:
    """Look again, as after an installation."""
    path.cache_clear()
    version.cache_clear()
