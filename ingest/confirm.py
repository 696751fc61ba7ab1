"""Asks sources whether they still show what is about to be shown to a reader.

Only documents that the reader may read by our records are asked for, so a reader learns
nothing from the requests that they could not learn from the documents. All requests of
one answer share a time limit; one that comes later still counts for the next answer.
Whatever a source does not tell in time is shown as our records say. What it has closed
is recorded in `revoked_now` at once. Budget, cache and pauses are in `confirm_store`;
which request is made is up to the `AccessChecker` of the source.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from dunegpt.access import PUBLIC, Access
from dunegpt.config import Settings
from dunegpt.errors import ConfigError, DuneGPTError
from dunegpt.ingest.access_check import (
    UNKNOWN,
    AccessChecker,
    AccessRequest,
    Plan,
    Shown,
    ShownDocument,
    Verdict,
)
from dunegpt.ingest.confirm_session import (
    ConfirmOutcome,
    ConfirmSession,
    list_candidates,
    list_readers,
)
from dunegpt.ingest.confirm_store import ConfirmStore
from dunegpt.ingest.confirm_transport import ConfirmTransport, SourceStrainedError
from dunegpt.ingest.registry import check_confirmable, open_access_checker
from dunegpt.ingest.revoked_now import (
    RevokedAccess,
    add_revoked,
    read_revoked,
    read_stamp,
)

log = logging.getLogger(__name__)

_MAX_IN_FLIGHT = 6
_FIRST_PAUSE_S, _MAX_PAUSE_S = 1.0, 60.0
"""After one failure, doubled after each further one in a row."""
_CLOSE_WAIT_S = 0.2
_LEARN_AGAIN_S = 10.0
"""A checker that could not learn all it needs tries again so soon."""


class _UnansweredError(Exception):
    """A request was not made, or its answer does not tell; says why."""


class AccessConfirmer:
    """Confirms access to the documents of all sources with ``confirm``.

    Safe to share between threads. Opens its sources in a thread at once, so that the
    first answer need not wait for it.
    """

    def __init__(self, settings: Settings) -> None:
        """Begin to open the sources.

        Raises:
            ConfigError: A source cannot be asked about one document.
        """
        self._settings = settings
        self._sources = [n for n, table in settings.sources.items() if table.confirm]
        for name in self._sources:
            check_confirmable(name, settings)
        self._checkers: dict[str, AccessChecker] = {}
        self._failures: dict[str, int] = {}
        self._learn_again_at: dict[str, float] = {}
        self._lock = threading.Lock()
        self._store: ConfirmStore | None = None
        self._transport: ConfirmTransport | None = None
        self._config_error: ConfigError | None = None
        self._is_open = False
        self._is_ready, self._is_closed = threading.Event(), threading.Event()
        self._slots = {
            name: threading.Semaphore(_MAX_IN_FLIGHT) for name in self._sources
        }
        self._prepared = {name: threading.Event() for name in self._sources}
        self._revoked: tuple[tuple[int, int], list[RevokedAccess]] = (0, 0), []
        self._threads: set[threading.Thread] = set()
        self._threads_lock = threading.Lock()
        self._start_thread(self._open)

    @classmethod
    def from_settings(cls, settings: Settings) -> "AccessConfirmer | None":
        """Return a confirmer, or None if no source has ``confirm``."""
        if any(table.confirm for table in settings.sources.values()):
            return cls(settings)
        return None

    def start(self, principals: Access) -> "ConfirmSession":
        """Return what confirms the documents of one answer.

        Args:
            principals: The reader's principals.
        """
        return ConfirmSession(self, principals | {PUBLIC})

    def close(self) -> None:
        """Stop asking, and close all connections; late answers are dropped."""
        deadline = time.monotonic() + _CLOSE_WAIT_S
        with self._threads_lock:
            self._is_closed.set()
            running = list(self._threads)
        for thread in running:
            thread.join(max(deadline - time.monotonic(), 0))
        if self._is_ready.is_set():  # else the thread that opens them does it
            self._release()

    # ── what sessions use ─────────────────────────────────────────────────────────

    @property
    def budget_s(self) -> float:
        """Time limit for the documents of one answer."""
        return self._settings.access.confirm_budget_ms / 1000

    def confirms(self, source: str) -> bool:
        """Return whether a source is asked at all."""
        return source in self._sources

    def wait_until_open(self, deadline: float) -> bool:
        """Wait for the sources to be open; return whether they are.

        Raises:
            ConfigError: The settings of a source are invalid.
        """
        self._is_ready.wait(max(deadline - time.monotonic(), 0))
        if self._config_error:
            raise self._config_error
        return self._is_open and not self._is_closed.is_set()

    def get_revoked(self) -> list[RevokedAccess]:
        """Return all that was found closed since the last crawl, by any process."""
        stamp = read_stamp(self._settings.data)
        if stamp != self._revoked[0]:
            self._revoked = stamp, read_revoked(self._settings.data)
        return self._revoked[1]

    def submit(
        self,
        shown: ShownDocument,
        principals: Access,
        deadline: float,
        answers: "queue.SimpleQueue[tuple[int, ConfirmOutcome]]",
        number: int,
    ) -> None:
        """Confirm one document in a thread, which puts the outcome under its number."""

        def run() -> None:
            slots = self._slots[shown.document.source]
            if not slots.acquire(timeout=max(deadline - time.monotonic(), 0)):
                return
            try:
                outcome = self._confirm(shown, principals, deadline)
            except DuneGPTError as error:
                outcome = ConfirmOutcome(problem=str(error))
            except Exception as error:  # one document's; the answer goes on
                log.debug("confirming %s", shown.document.id, exc_info=True)
                outcome = ConfirmOutcome(problem=f"unexpected {type(error).__name__}")
            finally:
                slots.release()
            answers.put((number, outcome))

        self._start_thread(run)

    # ── in threads ────────────────────────────────────────────────────────────────

    def _start_thread(self, target: Callable[[], None]) -> None:
        """Run a function in a thread, which `close` waits for; not after that."""

        def run() -> None:
            try:
                target()
            finally:
                with self._threads_lock:
                    self._threads.discard(thread)

        thread = threading.Thread(target=run, name="confirm-access", daemon=True)
        with self._threads_lock:  # `close` joins only what has been started
            if not self._is_closed.is_set():
                self._threads.add(thread)
                thread.start()

    def _open(self) -> None:
        """Open the sources, and ask what their checkers need to know."""
        try:
            access, data = self._settings.access, self._settings.paths
            cache_s = 60 * access.confirm_after_min
            self._store = ConfirmStore(data.confirmations, cache_s=cache_s)
            self._transport = ConfirmTransport(self._settings.contact)
            for name in self._sources:
                checker = open_access_checker(name, self._settings)
                self._checkers[name] = checker
                self._start_thread(partial(self._prepare, name, checker, self._store))
            self._is_open = True
        except ConfigError as error:
            self._config_error = error
        except Exception as error:  # answers go on without it
            log.warning("access cannot be confirmed: %s", error)
            log.debug("opening the sources failed", exc_info=True)
        finally:
            self._is_ready.set()
            if self._is_closed.is_set():
                self._release()

    def _release(self) -> None:
        """Close connections and files; may be called twice."""
        if self._transport:
            self._transport.close()
        for checker in self._checkers.values():
            checker.close()
        if self._store:
            self._store.close()

    def _prepare(
        self, source: str, checker: AccessChecker, store: ConfirmStore
    ) -> None:
        """Let a checker learn what it needs, from an earlier process if possible."""
        try:
            self._learn(source, checker, store)
        except DuneGPTError as error:
            log.warning("%s: groups cannot be confirmed: %s", source, error)
        finally:
            self._prepared[source].set()

    def _learn(self, source: str, checker: AccessChecker, store: ConfirmStore) -> None:
        learned = store.get_learned(source)
        if learned is not None:
            checker.load(learned)
        asked: set[str] = set()
        while todo := [r for r in checker.preparation() if r.url not in asked]:
            asked.add(todo[0].url)
            try:
                self._send(source, todo[0])
            except _UnansweredError as error:
                log.warning("%s: groups cannot be confirmed: %s", source, error)
                return
        if asked:
            store.put_learned(source, checker.learned())

    def _is_prepared(self, source: str, deadline: float) -> bool:
        """Wait for what a checker learns; if it learned too little, begin anew.

        Returns whether it has ended by the deadline.
        """
        prepared, checker, store = (
            self._prepared[source],
            self._checkers[source],
            self._store,
        )
        is_ended = prepared.wait(max(deadline - time.monotonic(), 0))
        with self._lock:
            is_due = time.monotonic() >= self._learn_again_at.get(source, 0.0)
            if is_ended and is_due and store and checker.preparation():
                self._learn_again_at[source] = time.monotonic() + _LEARN_AGAIN_S
                prepared.clear()
                self._start_thread(partial(self._prepare, source, checker, store))
        return prepared.wait(max(deadline - time.monotonic(), 0))

    def _confirm(
        self, shown: ShownDocument, principals: Access, deadline: float
    ) -> ConfirmOutcome:
        """Ask as each of the reader's principals, until all that is shown is."""
        document, checker = shown.document, self._checkers[shown.document.source]
        readers = list_readers(shown)
        missing, problem = set(readers), ""
        revoked: list[RevokedAccess] = []
        now = datetime.now(UTC)
        for principal in list_candidates(readers, principals):
            verdict, why = self._ask(document.source, document.id, principal, deadline)
            entry = partial(RevokedAccess, document.source, document.id, at=now)
            if verdict.shown is Shown.UNKNOWN:
                problem = why
            elif verdict.shown is Shown.NO:
                revoked.append(entry("", frozenset({principal})))
            elif verdict.shown is Shown.DELETED:
                everyone = frozenset().union(*readers.values())
                revoked.append(entry("", everyone))
                problem = ""
                break
            else:
                own = {k for k in missing if principal in readers[k]}
                closed = {k for k in own if not verdict.lists(k, checker.is_protected)}
                revoked += [entry(k, frozenset({principal})) for k in sorted(closed)]
                missing -= own - closed
                if not missing:
                    break
        for each in revoked:
            log.info(
                "%s%s is closed at its source to %s",
                each.document_id,
                f"#{each.key}" if each.key else "",
                ", ".join(sorted(each.principals)),
            )
        add_revoked(self._settings.data, revoked)
        is_closed = bool(missing) and not problem
        return ConfirmOutcome(tuple(revoked), is_closed, problem if missing else "")

    def _ask(
        self, source: str, document_id: str, principal: str, deadline: float
    ) -> tuple[Verdict, str]:
        """Return what a source says of a document, and why nothing if so."""
        store = self._store
        if store is None:
            return UNKNOWN, "closing"
        if known := store.get_shown(source, document_id, principal):
            return known, ""
        checker = self._checkers[source]
        plan = checker.plan(document_id, principal)
        if not plan and self._is_prepared(source, deadline):
            plan = checker.plan(document_id, principal)
        if not plan:
            return UNKNOWN, "no account stands for the reader's group"
        try:
            verdict = self._follow(source, plan)
        except _UnansweredError as error:
            return UNKNOWN, str(error)
        if verdict.shown is Shown.YES:
            store.put_shown(source, document_id, principal, verdict)
        return verdict, "the answer does not tell"

    def _follow(self, source: str, plan: Plan) -> Verdict:
        """Return the verdict of the first way that confirms access, or of all.

        Raises:
            _UnansweredError: No way could be followed.
        """
        found: list[Verdict] = []
        for requests in plan:
            verdicts = []
            for request in requests:
                verdicts.append(self._send(source, request))
                if verdicts[-1].shown is not Shown.YES:
                    break
            merged = _require_all(verdicts)
            if merged.shown in {Shown.YES, Shown.DELETED}:
                return merged
            found.append(merged)
        is_closed = all(verdict.shown is Shown.NO for verdict in found)
        return Verdict(Shown.NO) if is_closed else UNKNOWN

    def _pause(self, source: str, store: ConfirmStore, asked_s: float | None) -> None:
        """Leave a source alone: as long as it asks, or longer after each failure."""
        failures = self._failures.get(source, 0)
        self._failures[source] = min(failures + 1, 10)
        own_s = min(_FIRST_PAUSE_S * 2**failures, _MAX_PAUSE_S)
        store.pause(source, own_s if asked_s is None else asked_s)

    def _send(self, source: str, request: AccessRequest) -> Verdict:
        """Return the verdict on the answer to one request, within the budget.

        Raises:
            _UnansweredError: It was not made, or was not answered.
        """
        store, transport = self._store, self._transport
        if self._is_closed.is_set() or store is None or transport is None:
            raise _UnansweredError("closing")
        if store.is_paused(source):
            raise _UnansweredError("the source is left alone for a while")
        if not store.take_request(source, self._checkers[source].per_hour):
            raise _UnansweredError("the hourly budget is used")
        try:
            status, headers, body = transport.get(request)
        except SourceStrainedError as error:
            self._pause(source, store, error.pause_s)
            raise _UnansweredError(str(error)) from error
        self._failures[source] = 0
        try:
            return request.judge(status, headers, body)
        except (DuneGPTError, ValueError, LookupError, TypeError, AttributeError):
            log.debug("%s: an answer does not tell", source, exc_info=True)
            return UNKNOWN


def _require_all(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the verdict of several accounts that must all be shown a document."""
    last = verdicts[-1]
    if last.shown is not Shown.YES:
        return last
    files = [verdict.files for verdict in verdicts if verdict.files is not None]
    return Verdict(Shown.YES, frozenset.intersection(*files) if files else None)
