"""Says what to do when a library crashes this process (segmentation fault, abort).

No Python code runs in a process that crashes. The interpreter's own fault handler still
writes the stack, here into a pipe; a small child, forked before anything was loaded,
waits at its other end and prints a message. It ends with this process.
"""

import contextlib
import faulthandler
import os
import signal
import sys
from collections.abc import Iterator
from typing import NoReturn

_HINT = (
    "A library failed, for lack of memory, on a damaged file or by a fault of its own."
    " Finished work is kept: run the same command again. If it crashes again, free some"
    " memory; check the index with 'dunegpt snapshot verify', or make it anew with"
    " 'dunegpt index --rebuild'; else report it with the output of 'dunegpt --debug"
    " COMMAND ...'."
)
_ENDED = b"ended"
_MAX_DESCRIPTOR = 4096


@contextlib.contextmanager
def report_crashes() -> Iterator[None]:
    """Print a message if this process crashes inside the context.

    Nothing is done if a fault handler is on already, or there can be no child.
    """
    if faulthandler.is_enabled():
        yield
        return
    reader, writer = os.pipe()
    try:
        child = os.fork()
    except OSError:
        os.close(reader)
        os.close(writer)
        yield
        return
    if child == 0:
        _wait_for_crash(reader)
    os.close(reader)
    faulthandler.enable(writer, all_threads=False)
    try:
        yield
    finally:
        faulthandler.disable()
        with contextlib.suppress(OSError):
            os.write(writer, _ENDED)
            os.close(writer)
            os.waitpid(child, 0)


def _wait_for_crash(reader: int) -> NoReturn:
    """Wait until the parent ends, print a message if it crashed, and exit."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)
        # Whoever reads the parent's output must not wait for this process.
        os.dup2(reader, 0)
        os.close(1)
        os.closerange(3, _MAX_DESCRIPTOR)
        stack = b""
        while not stack.endswith(_ENDED) and (more := os.read(0, 1 << 16)):
            stack += more
        if stack and not stack.endswith(_ENDED):
            message = format_crash(stack.decode(errors="replace"))
            os.write(2, f"{message}\n{_HINT}\n".encode())
            if "--debug" in sys.argv:
                os.write(2, stack)
    finally:
        os._exit(0)


def format_crash(stack: str) -> str:
    """Return one line that says how and where a process crashed.

    Args:
        stack: What `faulthandler` wrote.
    """
    lines = [line.strip() for line in stack.splitlines() if line.strip()]
    fault = lines[0].removeprefix("Fatal Python error: ")
    place = next((line for line in lines if line.startswith("File ")), "")
    where = f" in {place.removeprefix('File ')}" if place else ""
    return f"dunegpt crashed: {fault}{where}."
