"""Optional external programs (tesseract, LibreOffice) that some formats use.

The version of a program, or "absent", is part of the cache key of its output.
"""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from dunegpt.files import host_error
from dunegpt.ingest.extract.scratch import scratch_folder

ABSENT = "absent"
TESSERACT = "tesseract"
LIBREOFFICE = "soffice"
_PROFILE_MB = 64


@cache
def path(tool: str) -> str | None:
    """Return the path of a program, or None if it is not installed."""
    return shutil.which(tool)


@cache
def version(tool: str) -> str:
    """Return the version that a program reports, or ``absent``."""
    program = path(tool)
    if program is None:
        return ABSENT
    try:
        with scratch_folder(_PROFILE_MB) as folder:
            result = subprocess.run(
                [program, "--version"],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=60,
                stdin=subprocess.DEVNULL,
                env=build_environment(folder),
                check=False,
            )
    except (OSError, subprocess.TimeoutExpired) as error:
        if os_error := host_error(error, Path(program)):
            raise os_error from error
        return ABSENT
    match = re.search(r"\d+(?:\.\d+)+", result.stdout + result.stderr)
    return match[0] if match else "unknown"


def build_environment(folder: Path) -> dict[str, str]:
    """Return the complete environment variables for a program."""
    home = {"HOME": str(folder), "TMPDIR": str(folder)}
    return {**home, "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}


def clear_cache() -> None:
    """Forget paths and versions, so that programs are looked up again."""
    path.cache_clear()
    version.cache_clear()
