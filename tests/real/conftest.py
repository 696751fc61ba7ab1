"""Real parts for tests. With DUNEGPT_REAL=required, one that cannot start is a failure.

Otherwise the suite that needs it is skipped, by name and with the reason.
"""

import os
import shutil

import pytest

REQUIRED = os.environ.get("DUNEGPT_REAL") == "required"


def absent(part: str, reason: str) -> None:
    """End the test: as a failure where the real parts are required."""
    message = f"real part not started: {part}: {reason}"
    if REQUIRED:
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def require_programs(*names: str) -> None:
    """End the test unless all programs are installed: by name, or by path."""
    if lacking := [name for name in names if not shutil.which(name)]:
        absent(", ".join(lacking), "not installed; 'make test-real' installs them")
