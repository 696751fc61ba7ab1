"""Leaves out a model server that keeps failing, and tries it again after a pause."""

import threading
import time
from collections.abc import Callable

from dunegpt.errors import ModelError, ModelFault

MAX_FAILURES = 3
"""After so many in a row a server is left out ..."""
PAUSE_S = 30.0
"""... for so long."""


class CircuitBreaker:
    """Counts a server's failures in a row, and says when it may be asked."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._open_until = 0.0
        self._last_fault = ""

    def enter(self) -> bool:
        """Let a question pass; return whether it is the one that tries again.

        Raises:
            ModelError: The server is left out at the moment.
        """
        with self._lock:
            if self._failures < MAX_FAILURES:
                return False
            left = self._open_until - self._clock()
            if left > 0:
                raise ModelError(
                    f"is left out for {left:.0f} s after {self._failures} failures;"
                    f" the last: {self._last_fault}",
                    fault=ModelFault.LEFT_OUT,
                )
            self._open_until = self._clock() + PAUSE_S  # the others wait for this one
            return True

    def record_failure(self, error: ModelError) -> None:
        """Count a failure of the server."""
        with self._lock:
            self._failures += 1
            self._last_fault = error.fault.value
            self._open_until = self._clock() + PAUSE_S

    def record_success(self) -> None:
        """Forget all failures."""
        with self._lock:
            self._failures = 0

    def release(self) -> None:
        """Let the next one try: who tried again learnt nothing of the server."""
        with self._lock:
            self._open_until = self._clock()
