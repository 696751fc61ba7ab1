"""Programs that reading some files needs: found where installed, never required.

Each has a version, "absent" where it is not: part of the key of what it helped make.
"""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from dunegpt.ingest.extract.scratch import scratch

ABSENT = "absent"
TESSERACT = "tesseract"
LIBREOFFICE = "soffice"
_PROFILE_MB = 64


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
        with scratch(_PROFILE_MB) as folder:
            said = subprocess.run(
                [program, "--version"],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=60,
                stdin=subprocess.DEVNULL,
                env=environment(folder),
                check=False,
            )
    except (OSError, subprocess.TimeoutExpired):
        return ABSENT
    found = re.search(r"\d+(?:\.\d+)+", said.stdout + said.stderr)
    return found[0] if found else "unknown"


def environment(folder: Path) -> dict[str, str]:
    """Return all that a program is told of its surroundings."""
    home = {"HOME": str(folder), "TMPDIR": str(folder)}
    return {**home, "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}


def forget() -> None:
    """Look again, as after an installation."""
    path.cache_clear()
    version.cache_clear()
