"""Reads one Indico event: what each account is shown, and the documents it makes.

An event is read at the levels ``subcontributions`` and ``sessions``, since each lacks
what the other has, by each account and then by the anonymous visitor: what is closed
meanwhile is closed here too. Sessions that were never scheduled are in neither
(`indico.bare_sessions`); breaks are in the timetable. Does not decide which event is
due.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dunegpt.errors import SourceError, SourceLoginError
from dunegpt.ingest.indico.access import (
    NETWORK_EVIDENCE,
    AccessJudge,
    AccountView,
    Judgement,
)
from dunegpt.ingest.indico.bare_sessions import BareSessions
from dunegpt.ingest.indico.client import ANONYMOUS, Account, IndicoClient, Json
from dunegpt.ingest.indico.documents import RecordParser
from dunegpt.ingest.indico.network import NetworkCheck
from dunegpt.ingest.indico.viewers import Viewers
from dunegpt.ingest.items import Alarm
from dunegpt.types import Document, Failure

EventListing = tuple[Json, Json | None]
"""What one eye was shown of an event: at ``subcontributions``, and at ``sessions``."""

Looks = Mapping[Account, EventListing]
"""What each account was shown of one event."""

_MANAGED_REASON = "an account that manages it does not count"

MALFORMED = (KeyError, TypeError, AttributeError, ValueError)
"""What reading an answer raises that is not of the form that was seen."""


@dataclass(frozen=True, slots=True)
class EventResult:
    """One event.

    Attributes:
        judgements: Its documents with their readers.
        failures: Parts that could not be listed.
        views: A hash of what each account is shown of it, by its label.
        digest: A hash of what all of them are shown.
        sessions: What is known of its sessions that are in no block.
    """

    judgements: list[Judgement]
    failures: list[Failure]
    views: dict[str, str]
    digest: str
    sessions: dict[str, Any]


class EventReader:
    """Reads the events of one site with several accounts.

    Attributes:
        client: Asks the site.
        parser: Reads its answers.
        viewers: The accounts.
        account_by_url: The account that can fetch a file of the current event which
            the first account is not shown.
    """

    def __init__(
        self,
        client: IndicoClient,
        parser: RecordParser,
        viewers: Viewers,
        network: NetworkCheck,
    ) -> None:
        self.client, self.parser, self.viewers = client, parser, viewers
        self._network = network
        audiences = viewers.audiences
        self._judge = AccessJudge(audiences, viewers.undecided, lambda: viewers.failed)
        self._bare_sessions = BareSessions(client, parser)
        audience_key = repr([(sorted(a.principals), a.accounts) for a in audiences])
        # Digests of earlier versions call an account so; another name reads all again.
        self._audience_key = audience_key.replace("Account(label=", "Eye(label=")
        self.account_by_url: dict[str, Account] = {}
        self._problems: dict[str, SourceError] = {}

    def collect_listings(
        self,
        ask: Callable[[str, Account], list[Json]],
        eyes: Sequence[Account] | None = None,
        *,
        with_sessions: bool = True,
    ) -> dict[str, dict[Account, EventListing]]:
        """Return what each account is shown of some events, by their numbers.

        Args:
            ask: Returns what is listed at a level of detail for an account.
            eyes: Who looks; all that are not refused by default.
            with_sessions: Whether the level ``sessions`` is asked for.

        Raises:
            SourceError: A list could not be had; or every account is refused.
        """
        shown: dict[str, dict[Account, EventListing]] = {}
        for eye in self.viewers.working if eyes is None else eyes:
            try:
                events = ask("subcontributions", eye)
                due = with_sessions and any(
                    e.get("type") != "simple_event" for e in events
                )
                full = ask("sessions", eye) if due else []
            except SourceLoginError as error:
                self.viewers.fail(eye, error)
                continue
            sessions = {str(event["id"]): event for event in full}
            for event in events:
                number = str(event["id"])
                shown.setdefault(number, {})[eye] = event, sessions.get(number)
        return shown

    def collect_breaks(self, shown: Mapping[str, Looks]) -> dict[str, list[Json]]:
        """Return the breaks of some events, by number: none if there is no timetable.

        Each event is asked for by an account that is shown it. An event whose breaks
        could not be had is left out.
        """
        by_eye: dict[Account, list[str]] = {}
        for number, looks in shown.items():
            if any(_is_scheduled(*look) for look in looks.values()):
                by_eye.setdefault(next(iter(looks)), []).append(number)
        asked = {number for numbers in by_eye.values() for number in numbers}
        found: dict[str, list[Json]] = {n: [] for n in shown if n not in asked}
        for eye, numbers in by_eye.items():
            try:
                told = self.client.fetch_breaks(numbers, eye)
            except SourceError as error:
                self._problems.setdefault("Breaks", error)
                continue
            found |= {number: told.get(number, []) for number in numbers}
        return found

    def report(self) -> Iterator[Alarm]:
        """Yield warnings of what was asked for besides the lists, and not answered."""
        problems = self._problems | self._bare_sessions.problems
        for what, error in problems.items():
            yield Alarm(
                f"{what} of some events could not be had; what was known of them stays:"
                f" {error}",
                is_critical=False,
            )

    def read_event(
        self,
        number: str,
        looks: Looks,
        before: Mapping[str, Any],
        breaks: Sequence[Json] = (),
        *,
        fresh: bool = False,
    ) -> EventResult:
        """Return what an event is made of.

        Args:
            number: Of the event.
            looks: What each account is shown of it.
            before: `EventResult.sessions` of an earlier reading.
            breaks: Of its timetable.
            fresh: Ask for its sessions again.

        Raises:
            KeyError, TypeError, AttributeError, ValueError: See `MALFORMED`.
        """
        views = {
            eye: self._build_view(eye, *look, breaks) for eye, look in looks.items()
        }
        failures, sessions = self._bare_sessions.add(
            number, looks, views, before, fresh=fresh
        )
        self._record_file_accounts(views)
        visitor = views.get(ANONYMOUS, AccountView())
        for document_id, reason in visitor.excluded.items():
            if reason == NETWORK_EVIDENCE:
                self._network.note_shown(document_id)
        for document_id, key in visitor.protected_files:
            self._network.note_shown(f"{document_id}#{key.removeprefix('info-')}")
        files = self._network_files(views)
        judgements = self._judge.merge_views(views, files)
        views_seen = self.view_digests(looks)
        digest = self._combine(views_seen, is_open=bool(files))
        return EventResult(judgements, failures, views_seen, digest, sessions)

    def _network_files(
        self, views: Mapping[Account, AccountView]
    ) -> frozenset[tuple[str, str]]:
        """Return the protected files if our network shows them all; else none."""
        closed = {pair for view in views.values() for pair in view.protected_files}
        if not closed or ANONYMOUS in self.viewers.failed:
            return frozenset()
        visitor = views.get(ANONYMOUS, AccountView())
        urls = {
            file.url
            for view in views.values()
            for document in view.documents.values()
            for file in document.files
            if (document.id, file.key) in closed - visitor.protected_files
            and file.body is None
        }
        is_open = self._network.opens_attachments(sorted(urls))
        return frozenset(closed) if is_open else frozenset()

    def _build_view(
        self, eye: Account, event: Json, full: Json | None, breaks: Sequence[Json] = ()
    ) -> AccountView:
        """Return what one eye was shown of an event.

        Raises:
            ValueError: The levels of detail do not agree on what is shown.
        """
        if full is None and event["type"] != "simple_event":
            raise ValueError("listed at one level of detail, and not at the other")
        blocks = _session_blocks(full)
        documents = self._list_documents(event, full, _own_breaks(breaks, blocks))
        ids, reason = self.parser.managed_ids(event, blocks), _MANAGED_REASON
        if eye == ANONYMOUS:
            ids, reason = self.parser.protected_ids(event, blocks), NETWORK_EVIDENCE
        if self.parser.event_id(event["id"]) in ids:
            ids = {d.id for d in documents}
        ids |= {d.id for d in documents if d.parent in ids}
        return AccountView(
            {d.id: d for d in documents},
            dict.fromkeys(ids, reason),
            self.parser.protected_files(event, blocks),
        )

    def _record_file_accounts(self, views: Mapping[Account, AccountView]) -> None:
        """Note by whom a file can be fetched that the first eye is not shown."""
        self.account_by_url = {}
        for eye, view in views.items():
            for document in view.documents.values():
                for file in document.files:
                    self.account_by_url.setdefault(file.url, eye)

    # ── whether it is as it was ───────────────────────────────────────────────────

    def listed_ids(self, looks: Looks) -> frozenset[str]:
        """Return the ids of all that any eye is shown, bare sessions left out."""
        return frozenset(
            d.id for look in looks.values() for d in self._list_documents(*look)
        )

    def view_digests(self, looks: Looks) -> dict[str, str]:
        """Return a hash of what each account is shown, by its label.

        Sessions that are in no block, and breaks, are left out.

        Raises:
            KeyError, TypeError, AttributeError, ValueError: See `MALFORMED`.
        """
        return {eye.label: self._digest_view(*look) for eye, look in looks.items()}

    def _digest_view(self, event: Json, full: Json | None) -> str:
        digest = hashlib.sha256()
        for part in self._iter_parts(event, full):
            digest.update(repr(part).encode())
        return digest.hexdigest()

    def _iter_parts(self, event: Json, full: Json | None) -> Iterator[object]:
        blocks = _session_blocks(full)
        yield sorted(self.parser.managed_ids(event, blocks))
        yield sorted(self.parser.protected_ids(event, blocks))
        yield sorted(self.parser.protected_files(event, blocks))
        yield from self._list_documents(event, full)

    def digest(self, looks: Looks) -> str:
        """Return a hash of what all eyes are shown, bare sessions and breaks left out.

        Raises:
            KeyError, TypeError, AttributeError, ValueError: See `MALFORMED`.
        """
        views = {eye: self._build_view(eye, *look) for eye, look in looks.items()}
        is_open = bool(self._network_files(views))
        return self._combine(self.view_digests(looks), is_open=is_open)

    def _combine(self, views: Mapping[str, str], *, is_open: bool) -> str:
        parts = [self._audience_key, is_open, *sorted(views.items())]
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def _list_documents(
        self, event: Json, full: Json | None, breaks: Sequence[Json] = ()
    ) -> list[Document]:
        """Return what an answer lists, each document with the access ``nobody``."""
        found = [*self.parser.parse_event(event, _session_blocks(full), breaks)]
        return [*found, *(self.parser.parse_sessions(full) if full else ())]


def _session_blocks(full: Json | None) -> list[Json]:
    """Return the session blocks that the level ``sessions`` lists."""
    return (full or {}).get("sessions") or []


def _is_scheduled(event: Json, full: Json | None) -> bool:
    """Return whether an event has a timetable; False for one that cannot be read."""
    try:
        talks = event.get("contributions") or []
        return bool(_session_blocks(full)) or any(t.get("startDate") for t in talks)
    except MALFORMED:
        return False


def _own_breaks(breaks: Sequence[Json], blocks: Sequence[Json]) -> list[Json]:
    """Return the breaks of an event, and of those sessions that are shown."""
    shown = {str(block.get("id")) for block in blocks}
    return [
        pause
        for pause in breaks
        if pause["sessionSlotId"] is None or str(pause["sessionSlotId"]) in shown
    ]


def list_failure(where: str, error: Exception) -> Failure:
    """Return the failure of something that could not be listed."""
    return Failure(where, "list", type(error).__name__, str(error))
