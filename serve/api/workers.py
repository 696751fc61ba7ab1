"""Threads for what blocks: answers, searches, the database, password hashes.

The event loop only passes on. Each kind of work has its own few threads, so that long
answers delay neither a login nor a health check; what cannot start soon is refused.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from dunegpt.serve.api.problems import ProblemError

T = TypeVar("T")


class Workers:
    """A bounded number of threads with a bounded queue.

    Attributes:
        busy: Calls that run or wait.
    """

    def __init__(
        self,
        name: str,
        threads: int,
        waiting: int,
        on_change: Callable[[int], object] = lambda busy: None,
    ) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._most = threads + waiting
        self._on_change = on_change
        self.busy = 0

    async def run(self, function: Callable[[], T]) -> T:
        """Return what a function returns, called in a thread.

        If the caller is cancelled, the function is not called if it still waits; if it
        runs, its thread counts as busy until it ends.

        Raises:
            ProblemError: Too many calls wait already.
        """
        if self.busy >= self._most:
            raise ProblemError("busy", headers={"Retry-After": "5"})
        self._count(+1)
        loop = asyncio.get_running_loop()
        try:
            job = self._pool.submit(function)
        except RuntimeError:  # after close
            self._count(-1)
            raise ProblemError("shutting_down", headers={"Retry-After": "5"}) from None
        job.add_done_callback(lambda _: self._call_loop(loop))
        return await asyncio.wrap_future(job)

    def close(self) -> None:
        """Start nothing more; what runs goes on."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _call_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._count, -1)

    def _count(self, change: int) -> None:
        self.busy += change
        self._on_change(self.busy)
