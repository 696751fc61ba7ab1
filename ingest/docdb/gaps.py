"""Classifies the numbers that are in no list: never used, or closed to all our logins.

The HTML page of a document tells them apart. A number below the highest that does not
exist never will, so it is requested only once; a closed one is requested again by each
full pass. The result is a count, for the report; it does not affect access.
"""

import logging
from collections.abc import Iterable

from dunegpt.errors import SourceFormatError
from dunegpt.ingest.docdb.client import DocDBClient
from dunegpt.ingest.docdb.group_lists import DocumentLists
from dunegpt.ingest.docdb.html_pages import CLOSED, DELETED
from dunegpt.ingest.items import SourceState

log = logging.getLogger(__name__)

_NEWER_PROBES = 50
_SAVE_EVERY = 100
_MAX_CONSECUTIVE_FAILURES = 5


class GapScanner:
    """What is known of the numbers that no list has."""

    def __init__(
        self, site: DocDBClient, lists: DocumentLists, memory: SourceState
    ) -> None:
        self._client, self._lists, self._state = site, lists, memory
        kept = memory.get("gaps") or {"none": [], "closed": []}
        self._unused_numbers, self._closed_numbers = (
            set(kept["none"]),
            set(kept["closed"]),
        )
        self._consecutive_failures = 0

    def scan(self, *, tail: bool) -> None:
        """Ask for the numbers that nothing is known of, and note how many are closed.

        Args:
            tail: Ask for those behind the highest too, and again for the closed ones.
        """
        listed = self._lists.document_numbers()
        highest = max(listed, default=0)
        self._unused_numbers -= listed
        self._closed_numbers -= listed
        again = self._closed_numbers if tail else set()
        known = self._unused_numbers | (self._closed_numbers - again)
        self._probe_numbers(n for n in range(1, highest) if n not in listed | known)
        if tail:
            self._probe_newer(highest)
        self._save_summary(listed)

    def _probe_numbers(self, numbers: Iterable[int]) -> None:
        for count, number in enumerate(list(numbers), start=1):
            if self._consecutive_failures >= _MAX_CONSECUTIVE_FAILURES:
                break  # the rest is for another day
            self._probe_number(number)
            if not count % _SAVE_EVERY:
                self._save()
        self._save()

    def _probe_number(self, number: int) -> bool:
        """Ask for one number; tell if something is there that is closed to us."""
        try:
            fate = self._client.fetch_availability(self._client.endpoints[0], number)
            self._consecutive_failures = 0
        except SourceFormatError as error:
            log.info("number %d: %s", number, error)
            self._consecutive_failures += 1
            return False
        self._closed_numbers.discard(number)
        if fate == DELETED:
            self._unused_numbers.add(number)
        elif fate == CLOSED:
            self._closed_numbers.add(number)
        return fate == CLOSED

    def _probe_newer(self, highest: int) -> None:
        """Look for closed documents newer than all that are listed."""
        number, last = highest, highest
        while (
            number < last + _NEWER_PROBES
            and self._consecutive_failures < _MAX_CONSECUTIVE_FAILURES
        ):
            number += 1
            if self._probe_number(number):
                last = number
        # What is not there yet may come.
        self._unused_numbers = {n for n in self._unused_numbers if n <= last}
        self._save()

    def _save_summary(self, listed: set[int]) -> None:
        """Keep for ``dunegpt status`` what exists and is not shown to us."""
        withheld = {"documents closed to us": len(self._closed_numbers)}
        try:
            total = self._client.fetch_total(self._client.endpoints[0])
        except SourceFormatError:
            total = None
        if total is not None:
            rest = total - len(listed) - len(self._closed_numbers)
            withheld["documents by its own count, unaccounted for"] = max(rest, 0)
        self._state.put("withheld", withheld)

    def _save(self) -> None:
        kept = {
            "none": sorted(self._unused_numbers),
            "closed": sorted(self._closed_numbers),
        }
        self._state.put("gaps", kept)
