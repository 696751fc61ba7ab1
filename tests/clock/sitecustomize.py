"""Moves the clock of a Python process as its parent's was; see `tests.clock`."""

import os
import sys
import time
from contextlib import suppress

OFFSET = "DUNEGPT_TESTS_CLOCK_OFFSET_S"


def move(moment: float) -> None:
    """Make this process believe that a moment, seconds since 1970, is now."""
    # time_machine imports pytest if it can: 0.3 s for each child, and not needed there.
    hides = "pytest" not in sys.modules
    if hides:
        sys.modules["pytest"] = None  # type: ignore[assignment]
    try:
        import time_machine  # noqa: PLC0415
    finally:
        if hides:
            del sys.modules["pytest"]
    time_machine.travel(moment).start()


def move_as_parent() -> None:
    """Move the clock by what the parent process left in the environment, if any."""
    if OFFSET in os.environ:
        move(time.time() + float(os.environ[OFFSET]))


def runs_tests() -> bool:
    """Return whether this is pytest, or a worker of pytest-xdist.

    The plugin moves their clocks: time_machine must be imported as a plugin there.
    """
    line = sys.orig_argv
    return "pytest" in line or "stdin.readline" in line[-1]


if __name__ == "sitecustomize" and not runs_tests():
    with suppress(ModuleNotFoundError):  # an interpreter of another environment
        move_as_parent()
