"""Decides whether documents that open to more readers are believed to be open.

A site whose access table is broken shows everything to everybody. So access that is
wider than what a run without an alarm found takes effect at the end of the run only,
and if very many documents open within a day, or the canary is shown to the public, only
when a person confirms it. Until then what opened on that day is closed again, and new
documents, and new files of known ones, are not shown either. What closes, closes at
once. Does not depend on any source.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from dunegpt.access import NOBODY, PUBLIC
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.catalog.openings import (
    AccessByKey,
    Opening,
    count_gains,
    get_effective_access,
    restrict_document,
)
from dunegpt.ingest.items import Alarm, Concern
from dunegpt.ingest.loss_guard import is_mass_loss
from dunegpt.types import Document

ACCEPT_HINT = (
    "Compare some of them with the source. If they are closed there, wait: the next run"
    " asks for all of them again. If they were really opened, run the crawl with"
    " --accept-opening."
)


_BASELINE = "openings_baseline"
"""State key: whether a complete run without an alarm says what readers had before."""
_RECENT = "openings_recent"
"""State key: by document, when it opened and who could read it and its files before."""
_RECENT_FOR = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class HeldOpenings:
    """What a run does not show to more readers than before.

    Attributes:
        count: Number of documents, new ones included.
        message: Why; empty if nothing is held back.
    """

    count: int = 0
    message: str = ""


class OpeningGuard:
    """The openings of one source during one run."""

    def __init__(self, catalog: Catalog, source: str) -> None:
        self._catalog, self._source = catalog, source
        # Until a first crawl is complete, what is stored is no measure of anything.
        self._has_baseline = bool(catalog.get_state(source, _BASELINE))
        self._open_before = {
            opening.document_id for opening in catalog.list_openings(source)
        }
        self._new: set[str] = set()
        self.is_alarmed = False

    def restrict(self, document: Document, known: Document | None) -> Document:
        """Return a document with the access that may take effect at once.

        Args:
            document: As the source shows it.
            known: As it is stored, or None.
        """
        is_new = known is None or not self._has_baseline or document.id in self._new
        if is_new:
            self._new.add(document.id)
            is_guarded = self._has_baseline or document.id in self._open_before
            if not (self.is_alarmed or is_guarded):
                return document
        opening = self._update_opening(document, None if is_new else known)
        if opening is None:
            return document
        if opening.trusted is not None:
            return restrict_document(document, opening.trusted)
        if self.is_alarmed:
            return replace(document, access=NOBODY)
        # What an earlier run held back waits for the end of this one.
        if known is not None and document.id in self._open_before:
            return restrict_document(document, get_effective_access(known))
        return document

    def settle(
        self,
        alarms: Collection[Alarm],
        known: int,
        *,
        is_loss_pending: bool,
        accept: bool,
    ) -> HeldOpenings:
        """Let documents open at the end of a run, or hold them back.

        Args:
            alarms: Critical ones of the run.
            known: Number of documents of the source before the run.
            is_loss_pending: Documents are hidden until a person confirms their loss.
            accept: The operator confirmed all openings.
        """
        openings = self._catalog.list_openings(self._source)
        concerns = {alarm.concern for alarm in alarms}
        if accept:
            self._catalog.put_state(self._source, _RECENT, {})
        else:
            recent = self._list_recent({o.document_id for o in openings})
            suspicious = self._find_mass_openings([*openings, *recent], known)
            if suspicious or Concern.OPENING in concerns:
                for opening in recent:
                    self._catalog.put_opening(self._source, opening)
                return self._hold([*openings, *recent], suspicious)
        for opening in openings:
            self._catalog.put_wanted(opening)
        if not self._has_baseline and not alarms:
            self._catalog.put_state(self._source, _BASELINE, True)
        if Concern.LOSS not in concerns and not is_loss_pending:
            # Otherwise what closed by mistake may open again as far as it was.
            if not accept:
                self._remember(openings)
            self._catalog.delete_openings(self._source)
        return HeldOpenings()

    def _list_recent(self, present: Collection[str]) -> list[Opening]:
        """Return what opened within a day and is still open, but for some documents.

        A fault that opens a few documents an hour is noticed by their sum.
        """
        openings = []
        for document_id, (_, packed) in self._load_recent().items():
            document = self._catalog.get(document_id)
            if document and document_id not in present:
                trusted = {key: frozenset(names) for key, names in packed.items()}
                opening = _make_opening(document, trusted)
                if opening.gained:
                    openings.append(opening)
        return openings

    def _load_recent(self) -> dict[str, tuple[str, dict[str, list[str]]]]:
        """Return the stored rows that are not older than a day."""
        rows = self._catalog.get_state(self._source, _RECENT) or {}
        since = (datetime.now(UTC) - _RECENT_FOR).isoformat(timespec="seconds")
        return {name: row for name, row in rows.items() if row[0] >= since}

    def _remember(self, openings: list[Opening]) -> None:
        """Store what opens at the end of this run, to be counted for a day."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        rows = self._load_recent()
        opened = [each for each in openings if each.gained]
        for each in opened:
            trusted = {k: sorted(names) for k, names in (each.trusted or {}).items()}
            rows.setdefault(each.document_id, (now, trusted))
        if opened:
            self._catalog.put_state(self._source, _RECENT, rows)

    def _update_opening(
        self, document: Document, known: Document | None
    ) -> Opening | None:
        """Store how a document differs from the trusted one; return what restricts it.

        What is new is stored too, for a run that is killed: the next one would take it
        for trusted. New files of a document that does not open otherwise restrict
        nothing, unless there is an alarm or it is held already.
        """
        before = self._catalog.get_opening(document.id)
        trusted = get_effective_access(known) if known else None
        if before:
            trusted = before.trusted
        opening = _make_opening(document, trusted)
        if trusted is not None:
            effective = get_effective_access(document)
            if all(trusted.get(k, NOBODY) == a for k, a in effective.items()):
                if before:
                    self._catalog.delete_opening(document.id)
                return None
        if opening != before:
            self._catalog.put_opening(self._source, opening)
        is_wider = opening.trusted is None or opening.gained or self.is_alarmed
        return opening if is_wider or before else None

    def _find_mass_openings(self, openings: list[Opening], known: int) -> list[str]:
        """Return a phrase for each principal to whom suspiciously many would open.

        A group that could read nothing so far was just founded or configured.
        """
        return [
            f"{count} to {'the public' if name == PUBLIC else name}"
            for name, count in sorted(count_gains(openings).items())
            if is_mass_loss(count, known)
            and (name == PUBLIC or self._catalog.has_reader(self._source, name))
        ]

    def _hold(self, openings: list[Opening], suspicious: list[str]) -> HeldOpenings:
        """Show no document to more readers than before the run."""
        held = [opening for opening in openings if opening.is_held]
        if not self._has_baseline:
            # Nothing was ever trusted, nor what an earlier run found that was killed.
            stored = {opening.document_id for opening in openings}
            for document_id in sorted(self._catalog.ids(self._source) - stored):
                document = self._catalog.get(document_id)
                if document and document.access:
                    opening = _make_opening(document, None)
                    self._catalog.put_opening(self._source, opening)
                    held.append(opening)
        for opening in held:
            self._catalog.put_restricted(opening)
        if not held:
            return HeldOpenings()
        why = f" ({', '.join(suspicious)})" if suspicious else ""
        return HeldOpenings(
            len(held),
            f"{len(held)} documents would open to more readers than before{why}; they"
            " stay as they were until you confirm it.",
        )


def _make_opening(document: Document, trusted: AccessByKey | None) -> Opening:
    wanted = {"": document.access} | {f.key: f.access for f in document.files}
    return Opening(document.id, trusted, wanted)
