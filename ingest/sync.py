"""What the sources that poll a document system over HTTP have in common.

HTTP clients with one request budget per host, the limit on failures in a row, full
passes that may take several runs, and the daily pass, which rereads a thirtieth of all
documents. Each class documents the `SourceState` keys under which it stores its state.
Does not depend on any particular source.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from dunegpt.config import Settings
from dunegpt.errors import SourceError, SourceLoginError
from dunegpt.ingest.http import PoliteClient, build_ssl_context
from dunegpt.ingest.items import Item, SourceState
from dunegpt.ingest.options import HttpOptions
from dunegpt.types import Failure

REREAD_CYCLE_DAYS = 30
"""Every document is read again at least once in so many days."""

MAX_CLOCK_SKEW = timedelta(minutes=5)
"""A moment that is further in the future was written by a wrong clock."""

_DAILY_INTERVAL = timedelta(hours=23)
_REREAD_MINIMUM = 50
_SAVE_BUDGET_EVERY = 20

NumberT = TypeVar("NumberT", int, str)


def get_origin(url: str) -> str:
    """Return scheme and host of a URL.

    >>> get_origin("https://docs.example.org:8443/cgi-bin/sso?page=1")
    'https://docs.example.org:8443'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def today() -> str:
    """Return the current day, UTC, ISO 8601."""
    return datetime.now(UTC).date().isoformat()


def is_within(moment: str, age: timedelta) -> bool:
    """Return whether a moment, ISO 8601, is less than so long ago.

    One that is more than minutes in the future was written by a wrong clock: it is not.
    """
    return -MAX_CLOCK_SKEW <= datetime.now(UTC) - datetime.fromisoformat(moment) < age


class HttpClients:
    """The HTTP clients of one source; those of one host share one request budget.

    State key ``spent``: the times of the last hour's requests, by host, so that a run
    that is killed and started again stays within the budget.
    """

    def __init__(
        self,
        options: HttpOptions,
        settings: Settings,
        *,
        authorities: Path | None = None,
        host_key: Callable[[str], str] | None = get_origin,
    ) -> None:
        """Prepare clients; none is opened yet.

        Args:
            options: Pace, time-out and budget.
            settings: Contact address, and the folder of relative paths.
            authorities: Certificate authorities to trust, from the options.
            host_key: Returns the key of a URL's host in ``spent``; None for a source of
                one site, whose request times are stored as a plain list.
        """
        self._options = options
        self._contact = settings.contact
        self._authorities = authorities and settings.resolve_path(authorities)
        self._host_key = host_key
        self._opened: list[PoliteClient] = []
        self._reusable: dict[tuple[str, tuple[Path, Path] | None], PoliteClient] = {}

    @property
    def requests(self) -> int:
        """Number of requests made so far."""
        return sum(client.requests for client in self._opened)

    def open(
        self, url: str, certificate: tuple[Path, Path] | None = None
    ) -> PoliteClient:
        """Return a new client, with a connection and cookies of its own.

        Args:
            url: Prefix of all paths that will be requested.
            certificate: Client certificate and its key, if the site asks for one.

        Raises:
            ConfigError: A certificate cannot be used.
        """
        client = PoliteClient(
            url,
            contact=self._contact,
            delay_s=self._options.delay_s,
            timeout_s=self._options.timeout_s,
            per_hour=self._options.crawl_requests_per_hour,
            trust=build_ssl_context(certificate, self._authorities),
        )
        if same_host := self._by_host().get(self._key(url)):
            client.share_rate_limit(same_host)
        self._opened.append(client)
        return client

    def get(
        self, url: str, certificate: tuple[Path, Path] | None = None
    ) -> PoliteClient:
        """Return the client of a URL's origin, opened at the first call.

        Raises:
            ConfigError: A certificate cannot be used.
        """
        key = get_origin(url), certificate
        if key not in self._reusable:
            self._reusable[key] = self.open(*key)
        return self._reusable[key]

    def close(self) -> None:
        """Close the connections."""
        for client in self._opened:
            client.close()

    def track(self, items: Iterator[Item], state: SourceState) -> Iterator[Item]:
        """Yield items; count their requests, and those of earlier runs, as spent."""
        stored = state.get("spent") or {}
        by_host = {self._key(""): stored} if isinstance(stored, list) else stored
        for host, client in self._by_host().items():
            client.restore_request_times(by_host.get(host) or [])
        saved_at = self.requests
        try:
            for item in items:
                yield item
                if self.requests - saved_at >= _SAVE_BUDGET_EVERY:
                    saved_at = self.requests
                    state.put("spent", self._request_times())
        finally:
            state.put("spent", self._request_times())

    def _key(self, url: str) -> str:
        return self._host_key(url) if self._host_key else ""

    def _by_host(self) -> dict[str, PoliteClient]:
        """Return one client of each host: the others have the same request times."""
        return {self._key(client.url): client for client in self._opened}

    def _request_times(self) -> Any:
        times = {
            host: client.recent_request_times()
            for host, client in self._by_host().items()
        }
        return times if self._host_key else times.get("", [])


class FailureStreak:
    """Counts failures in a row: after so many, the site is down, not a document."""

    def __init__(self, limit: int) -> None:
        """Begin to count.

        Args:
            limit: Failures in a row that end the run; 0 for no limit.
        """
        self._limit = limit
        self._count = 0

    def reset(self) -> None:
        """End the streak: something succeeded."""
        self._count = 0

    def add(self, error: SourceError) -> None:
        """Count a failure.

        Raises:
            SourceError: The failure itself, if it is one too many.
        """
        self._count += 1
        if self._limit and self._count >= self._limit:
            raise error

    def guard(self, document_id: str, items: Iterator[Item]) -> Iterator[Item]:
        """Yield the items of one document, or the failure to read it.

        Raises:
            SourceError: The login has expired, or this is one failure too many.
        """
        try:
            yield from items
            self.reset()
        except SourceLoginError:
            raise
        except SourceError as error:
            self.add(error)
            yield Failure(document_id, "list", type(error).__name__, str(error))


class FullPass:
    """A pass over all documents, which a killed run leaves open for the next one.

    State key ``full``: ``{"number": 3, "open": true}``.

    Attributes:
        number: Of the latest pass; documents store the one in which they were read.
        is_open: Whether it is still to be finished.
    """

    def __init__(self, state: SourceState, *, requested: bool) -> None:
        """Continue the open pass, or begin one if requested or if there was none."""
        stored = state.get("full") or {"number": 0, "open": False}
        self._state = state
        self.number = int(stored["number"])
        self.is_open = bool(stored["open"])
        if (requested or not self.number) and not self.is_open:
            self.number += 1
            self._save(is_open=True)

    def finish(self) -> None:
        """Close the pass, if one is open."""
        if self.is_open:
            self._save(is_open=False)

    def _save(self, *, is_open: bool) -> None:
        self.is_open = is_open
        self._state.put("full", {"number": self.number, "open": is_open})


class DailyPass:
    """What is done once a day, and which documents it reads again.

    State keys ``daily``: start of the last run that finished a daily pass; ``rolled``:
    the day of that pass.
    """

    def __init__(self, state: SourceState) -> None:
        self._state = state

    def is_due(self) -> bool:
        """Return whether the last daily pass is a day ago."""
        last = self._state.get("daily")
        return not last or not is_within(last, _DAILY_INTERVAL)

    def due_rereads(self, read_days: Iterable[tuple[str, NumberT]]) -> list[NumberT]:
        """Return the documents read longest ago: a thirtieth of all for each day.

        Args:
            read_days: The day on which each document was read last, and its number.
        """
        last = self._state.get("rolled")
        if not last:
            return []
        days = (date.fromisoformat(today()) - date.fromisoformat(last)).days
        oldest = [number for _, number in sorted(read_days)]
        share = max(math.ceil(len(oldest) / REREAD_CYCLE_DAYS), _REREAD_MINIMUM)
        return oldest[: share * max(0, min(days, REREAD_CYCLE_DAYS))]

    def finish(self) -> None:
        """Note that the daily pass is done."""
        self._state.put("rolled", today())
        self._state.put("daily", self._state.started_at())


class UnitFailures:
    """The units of a source (roots, groups, lists) that could not be listed.

    One that fails does not end the run for the others. The access overlay hides its
    documents, public ones included, that nobody has confirmed for too long.

    State key ``unconfirmed``: a list of ``{"unit": "category 12", "since": "2026-...",
    "ids": ["indico:7"]}``, where the ids stand for the documents at or below them.
    """

    def __init__(self, state: SourceState) -> None:
        self._state = state
        self._units: dict[str, dict[str, Any]] = {
            each["unit"]: each for each in state.get("unconfirmed") or []
        }

    def __bool__(self) -> bool:
        """Return whether some unit is not confirmed."""
        return bool(self._units)

    def fail(self, unit: str, ids: Iterable[str]) -> str:
        """Note that a unit could not be listed; return since when that is so.

        Args:
            unit: Its name for an operator.
            ids: Ids of the documents in it, as far as they are known.
        """
        before = self._units.get(unit)
        since = before["since"] if before else self._state.started_at()
        self._units[unit] = {"unit": unit, "since": since, "ids": sorted(ids)}
        self._save()
        return str(since)

    def confirm(self, unit: str) -> None:
        """Note that a unit was listed, or is none any more."""
        if self._units.pop(unit, None):
            self._save()

    def keep_only(self, units: Iterable[str]) -> None:
        """Drop the units that are not configured any more."""
        for unit in self._units.keys() - set(units):
            self.confirm(unit)

    def _save(self) -> None:
        self._state.put("unconfirmed", list(self._units.values()) or None)
