"""Rounds at minute intervals, until somebody ends them: `dunegpt crawl --every`.

Knows the clock and the signals, not what a round does.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType


class PollingLoop:
    """Counts out rounds; a signal to end breaks off a round, or the wait for the next.

    A round that is broken off is like one that was killed: the next run goes on.
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s

    def __iter__(self) -> Iterator[int]:
        """Yield 1, 2, ... when a round is due; a long one delays the next, no more."""
        number = 0
        while True:
            number += 1
            begun = time.monotonic()
            yield number
            time.sleep(max(begun + self._every_s - time.monotonic(), 0))

    @contextmanager
    def until_interrupted(self) -> Iterator["PollingLoop"]:
        """Take SIGINT and SIGTERM for the wish to end; give them back afterwards."""
        before = {s: signal.signal(s, _raise_interrupt) for s in _SIGNALS}
        try:
            with suppress(KeyboardInterrupt):
                yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _raise_interrupt(number: int, frame: FrameType | None) -> None:
    # It must take no lock: what it interrupts may hold it.
    raise KeyboardInterrupt


_SIGNALS = (signal.SIGINT, signal.SIGTERM)
