"""The numbers that no list has: documents that do not exist, and those closed to us.

The page for people tells them apart. A number below the highest that does not exist
never will, so it is asked for once; one that is closed to us is asked for again by each
full pass. Concludes nothing on access: it counts.
"""

import logging
from collections.abc import Iterable

from dunegpt.errors import SourceFormatError
from dunegpt.ingest.docdb_html import CLOSED, DELETED
from dunegpt.ingest.docdb_lists import Lists
from dunegpt.ingest.docdb_site import Site
from dunegpt.ingest.items import Memory

log = logging.getLogger(__name__)

_TAIL = 50
_SAVE_EVERY = 100
_DOWN_AFTER = 5


class Gaps:
    """What is known of the numbers that no list has."""

    def __init__(self, site: Site, lists: Lists, memory: Memory) -> None:
        self._site, self._lists, self._memory = site, lists, memory
        kept = memory.get("gaps") or {"none": [], "closed": []}
        self._none, self._closed = set(kept["none"]), set(kept["closed"])
        self._in_row = 0

    def look(self, *, tail: bool) -> None:
        """Ask for the numbers that nothing is known of, and note how many are closed.

        Args:
            tail: Ask for those behind the highest too, and again for the closed ones.
        """
        listed = self._lists.numbers()
        highest = max(listed, default=0)
        self._none -= listed
        self._closed -= listed
        again = self._closed if tail else set()
        known = self._none | (self._closed - again)
        self._ask(n for n in range(1, highest) if n not in listed | known)
        if tail:
            self._ask_behind(highest)
        self._note(listed)

    def _ask(self, numbers: Iterable[int]) -> None:
        for count, number in enumerate(list(numbers), start=1):
            if self._in_row >= _DOWN_AFTER:
                break  # the rest is for another day
            self._ask_one(number)
            if not count % _SAVE_EVERY:
                self._save()
        self._save()

    def _ask_one(self, number: int) -> bool:
        """Ask for one number; tell if something is there that is closed to us."""
        try:
            fate = self._site.fate(self._site.doors[0], number)
            self._in_row = 0
        except SourceFormatError as error:
            log.info("number %d: %s", number, error)
            self._in_row += 1
            return False
        self._closed.discard(number)
        if fate == DELETED:
            self._none.add(number)
        elif fate == CLOSED:
            self._closed.add(number)
        return fate == CLOSED

    def _ask_behind(self, highest: int) -> None:
        """Look for closed documents newer than all that are listed."""
        number, last = highest, highest
        while number < last + _TAIL and self._in_row < _DOWN_AFTER:
            number += 1
            if self._ask_one(number):
                last = number
        # What is not there yet may come.
        self._none = {n for n in self._none if n <= last}
        self._save()

    def _note(self, listed: set[int]) -> None:
        """Keep for ``dunegpt status`` what exists and is not shown to us."""
        withheld = {"documents closed to us": len(self._closed)}
        try:
            total = self._site.total(self._site.doors[0])
        except SourceFormatError:
            total = None
        if total is not None:
            rest = total - len(listed) - len(self._closed)
            withheld["documents by its own count, unaccounted for"] = max(rest, 0)
        self._memory.put("withheld", withheld)

    def _save(self) -> None:
        kept = {"none": sorted(self._none), "closed": sorted(self._closed)}
        self._memory.put("gaps", kept)
