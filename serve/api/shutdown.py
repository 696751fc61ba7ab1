"""The end of a server: running answers get some time, then are told and stopped."""

import asyncio


class Shutdown:
    """Whether this process is shutting down; belongs to its event loop.

    Attributes:
        has_begun: No new work should be sent here.
        is_over_time: Set when what still runs has to stop.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self.has_begun = False
        self.is_over_time = asyncio.Event()

    def begin(self) -> None:
        """Let running answers end, and stop those that take longer than the limit."""
        if not self.has_begun:
            self.has_begun = True
            asyncio.get_running_loop().call_later(
                self._timeout_s, self.is_over_time.set
            )
