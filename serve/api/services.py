"""What the routes of one process share: assistant, accounts, workers, metrics."""

import asyncio
import logging
from dataclasses import dataclass, field

from starlette.types import Scope

from dunegpt.config import Settings
from dunegpt.errors import StorageError
from dunegpt.serve.accounts.store import AccountStore
from dunegpt.serve.api.metrics import Metrics
from dunegpt.serve.api.problems import ProblemError
from dunegpt.serve.api.shutdown import Shutdown
from dunegpt.serve.api.workers import Workers
from dunegpt.serve.assistant import Assistant, IndexState
from dunegpt.serve.login.logins import Logins

log = logging.getLogger(__name__)

STARTING = IndexState("starting")
_CHECK_EVERY_S = 1.0
_CHECK_AGAIN_S = 5.0
"""While there is no index: opening one begins with its models."""
_PRUNE_EVERY_S = 3600.0


@dataclass
class Services:
    """The parts of a server, opened with it.

    Attributes:
        answer_workers: For answers and searches.
        database_workers: For everything in ``serve.db``.
        password_workers: For password hashes, which take memory and time.
        login_workers: For requests to login providers.
        logins: Logins by a provider.
        index: What is known of the index, at most a second old.
    """

    settings: Settings
    assistant: Assistant
    accounts: AccountStore
    metrics: Metrics
    shutdown: Shutdown
    answer_workers: Workers
    database_workers: Workers
    password_workers: Workers
    login_workers: Workers
    logins: Logins
    index: IndexState = STARTING
    _tasks: list[asyncio.Task[None]] = field(default_factory=list, repr=False)

    @classmethod
    def open(
        cls, settings: Settings, metrics: Metrics, accounts: AccountStore
    ) -> "Services":
        """Open all parts; the index is opened by `start`, as that may take long."""
        server = settings.server
        return cls(
            settings,
            Assistant(settings, poll_interval_s=_CHECK_EVERY_S),
            accounts,
            metrics,
            Shutdown(server.shutdown_timeout_s),
            Workers(
                "answer",
                server.answers_at_once,
                server.answers_waiting,
                metrics.set_busy,
            ),
            Workers("database", 8, 256),
            Workers("password", 2, 16),
            Workers("login", 8, 64),
            Logins(settings, accounts),
        )

    def start(self) -> None:
        """Open the index in a thread, look at its state, and remove old records."""
        self._tasks += [
            asyncio.create_task(self._watch_index()),
            asyncio.create_task(self._prune_accounts()),
            asyncio.create_task(self.password_workers.run(self.accounts.local.prepare)),
        ]

    async def close(self) -> None:
        """Close all parts."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for workers in (
            self.answer_workers,
            self.database_workers,
            self.password_workers,
            self.login_workers,
        ):
            workers.close()
        await asyncio.to_thread(self.assistant.close)
        await asyncio.to_thread(self.accounts.close)

    async def _watch_index(self) -> None:
        while True:
            try:
                state = await asyncio.to_thread(self.assistant.check_index)
            except Exception:  # nobody else would look at an index again
                log.exception("the state of the index cannot be found out")
                state = IndexState("index_unknown")
            if state.reason != self.index.reason and state.reason:
                log.warning("not ready: %s", state.reason)
            self.index = state
            self.metrics.set_ready(not state.reason)
            await asyncio.sleep(_CHECK_EVERY_S if state.snapshot else _CHECK_AGAIN_S)

    async def _prune_accounts(self) -> None:
        while True:
            await asyncio.sleep(_PRUNE_EVERY_S)
            try:
                await self.database_workers.run(self.accounts.prune)
            except (StorageError, ProblemError) as error:
                log.warning("old records could not be removed: %s", error)


def get_services(scope: Scope) -> Services:
    """Return the parts of the server that serves a request."""
    services: Services = scope["app"].state.services
    return services
