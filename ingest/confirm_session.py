"""Confirms, for one reader and within a time limit, the documents about to be shown.

Decides which documents are asked for and what their outcomes mean for the reader; the
requests are made by `dunegpt.ingest.confirm`.
"""

import logging
import queue
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dunegpt.access import PUBLIC, Access, intersect_access
from dunegpt.ingest.access_check import ShownDocument
from dunegpt.ingest.revoked_now import RevokedAccess

log = logging.getLogger(__name__)

MAX_DOCUMENTS = 24
"""Documents that are asked for at a time; further ones are shown as recorded."""
_IDLE_S = 60.0
_NOT_IN_TIME = "no answer in time"
_TOO_MANY = "too many documents at a time"


@dataclass(frozen=True, slots=True)
class ConfirmOutcome:
    """What is known of one document after it was asked for.

    Attributes:
        revoked: What was found closed, for whomever.
        is_closed: Whether the reader may not read it, or one of its files, any more.
        problem: Why the source did not tell; empty if it did.
    """

    revoked: tuple[RevokedAccess, ...] = ()
    is_closed: bool = False
    problem: str = ""


class DocumentConfirmer(Protocol):
    """Asks the sources on behalf of all sessions."""

    @property
    def budget_s(self) -> float:
        """Time limit for the documents of one answer."""

    def confirms(self, source: str) -> bool:
        """Return whether a source is asked at all."""

    def wait_until_open(self, deadline: float) -> bool:
        """Wait for the sources to be open; return whether they are.

        Raises:
            ConfigError: The settings of a source are invalid.
        """

    def get_revoked(self) -> list[RevokedAccess]:
        """Return all that was found closed since the last crawl, by any process."""

    def submit(
        self,
        shown: ShownDocument,
        principals: Access,
        deadline: float,
        answers: "queue.SimpleQueue[tuple[int, ConfirmOutcome]]",
        number: int,
    ) -> None:
        """Confirm one document in a thread, which puts the outcome under its number."""


@dataclass
class ConfirmSession:
    """Confirms what one reader is about to be shown, within one time limit.

    A session that is used again a minute later has its time again.

    Attributes:
        principals: The reader's principals, with ``public``.
        unconfirmed: Number of documents that were shown without an answer, by source
            and reason.
    """

    confirmer: DocumentConfirmer
    principals: Access
    unconfirmed: Counter[tuple[str, str]] = field(default_factory=Counter)
    _spent_s: float = 0.0
    _last_used: float = 0.0
    _asked: dict[str, frozenset[str]] = field(default_factory=dict)

    def find_closed(self, shown: Sequence[ShownDocument]) -> list[RevokedAccess]:
        """Return what closes documents, or files of them, to the reader by now.

        Args:
            shown: Documents that the reader may read by our records, the most
                important first.

        Raises:
            ConfigError: The settings of a source with ``confirm`` are invalid.
        """
        started = time.monotonic()
        if started - self._last_used > _IDLE_S:
            self._spent_s = 0.0
            self._asked.clear()
        try:
            return self._find_closed(shown, started + self._budget_left())
        finally:
            self._last_used = time.monotonic()
            self._spent_s += self._last_used - started

    def find_known_closed(self, shown: Sequence[ShownDocument]) -> list[RevokedAccess]:
        """Return the same from what is known, without a request."""
        revoked = self.confirmer.get_revoked() if shown else []
        ids = {each.document.id for each in shown}
        of_document: dict[str, list[RevokedAccess]] = {}
        for entry in revoked:
            if entry.document_id in ids:
                of_document.setdefault(entry.document_id, []).append(entry)
        return [
            entry
            for each in shown
            if (entries := of_document.get(each.document.id))
            and _is_closed(each, entries, self.principals)
            for entry in entries
        ]

    def knows_closed(self) -> bool:
        """Return whether anything was found closed since the last crawl."""
        return bool(self.confirmer.get_revoked())

    def describe(self) -> list[str]:
        """Return notes on what was shown unconfirmed; they name no document."""
        return [
            f"Access was not confirmed at {source}: {count}"
            f" {'document' if count == 1 else 'documents'}, {reason}."
            for (source, reason), count in sorted(self.unconfirmed.items())
        ]

    def _budget_left(self) -> float:
        return max(self.confirmer.budget_s - self._spent_s, 0.0)

    def _find_closed(
        self, shown: Sequence[ShownDocument], deadline: float
    ) -> list[RevokedAccess]:
        known = self.find_known_closed(shown)
        if known:
            return known
        documents = self._select_unasked(shown)
        for each in documents[MAX_DOCUMENTS:]:
            self.unconfirmed[each.document.source, _TOO_MANY] += 1
        documents = documents[:MAX_DOCUMENTS]
        if not documents:
            return []
        if not self.confirmer.wait_until_open(deadline):
            self._note_unanswered(documents)
            return []
        outcomes = dict(self._ask_all(documents, deadline))
        late = [d for number, d in enumerate(documents) if number not in outcomes]
        self._note_unanswered(late)
        for number, outcome in outcomes.items():
            if outcome.problem:
                source = documents[number].document.source
                self.unconfirmed[source, outcome.problem] += 1
        return [
            entry
            for outcome in outcomes.values()
            if outcome.is_closed
            for entry in outcome.revoked
        ]

    def _select_unasked(self, shown: Sequence[ShownDocument]) -> list[ShownDocument]:
        """Return each document once, with its files that were not asked for yet."""
        todo: dict[str, ShownDocument] = {}
        for each in shown:
            name, keys = each.document.id, each.keys
            if self.confirmer.confirms(each.document.source):
                before = todo[name].keys if name in todo else frozenset()
                todo[name] = ShownDocument(each.document, before | keys)
        new = {
            name: each
            for name, each in todo.items()
            if name not in self._asked or each.keys - self._asked[name]
        }
        for name, each in new.items():
            self._asked[name] = self._asked.get(name, frozenset()) | each.keys
        return list(new.values())

    def _ask_all(
        self, documents: Sequence[ShownDocument], deadline: float
    ) -> Iterator[tuple[int, ConfirmOutcome]]:
        """Yield the outcomes that come in time, with the numbers of the documents."""
        answers: queue.SimpleQueue[tuple[int, ConfirmOutcome]] = queue.SimpleQueue()
        for number, each in enumerate(documents):
            self.confirmer.submit(each, self.principals, deadline, answers, number)
        for _ in documents:
            try:
                yield answers.get(timeout=max(deadline - time.monotonic(), 0))
            except queue.Empty:
                return

    def _note_unanswered(self, documents: Sequence[ShownDocument]) -> None:
        for each in documents:
            self.unconfirmed[each.document.source, _NOT_IN_TIME] += 1
        if documents:
            log.info("%d documents were not confirmed in time", len(documents))


def list_readers(shown: ShownDocument) -> dict[str, Access]:
    """Return who may read the document (key "") and its shown files, by our records."""
    access = shown.document.access
    return {"": access} | {
        file.key: intersect_access(access, file.access)
        for file in shown.document.files
        if file.key in shown.keys
    }


def list_candidates(readers: dict[str, Access], principals: Access) -> list[str]:
    """Return the reader's principals that open anything shown, the public first."""
    able = {p for access in readers.values() for p in access & principals}
    return sorted(able, key=lambda p: (p != PUBLIC, p))


def _is_closed(
    shown: ShownDocument, entries: Sequence[RevokedAccess], principals: Access
) -> bool:
    """Return whether entries close the document, or a shown file, to the reader."""
    whole = frozenset().union(*(e.principals for e in entries if not e.key))
    for key, access in list_readers(shown).items():
        own = (e.principals for e in entries if e.key and e.key == key)
        if not access.difference(whole, *own) & principals:
            return True
    return False
