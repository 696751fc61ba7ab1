"""Finds out what an Indico shows because of the network that the crawler is in.

A network group with full access to attachments opens all of them to whoever comes from
it, with or without an account (Indico 3.3.14). Then what the accounts see of protected
files says nothing of their groups.
"""

import logging
from collections.abc import Iterable, Iterator

from dunegpt.errors import SourceError
from dunegpt.ingest.indico.client import ANONYMOUS, IndicoClient
from dunegpt.ingest.items import Alarm, SourceState

log = logging.getLogger(__name__)

_MOST_TRIED = 3
_KEY = "network"
_ADVICE = (
    "Crawl from a network that no access list and no network group of this Indico"
    " names."
)


class NetworkCheck:
    """One answer for a run: whether our network may read all attachments.

    State key ``network``: the answer of the last run that found out.
    """

    def __init__(self, client: IndicoClient, state: SourceState) -> None:
        self._client, self._state = client, state
        self._is_open: bool | None = None
        self._tried = 0
        self._shown: set[str] = set()

    def opens_attachments(self, urls: Iterable[str]) -> bool:
        """Return whether a visitor without an account may read protected files here.

        Args:
            urls: Addresses of such files, which no list shows to him.
        """
        for url in urls:
            if self._is_open is not None or self._tried >= _MOST_TRIED:
                break
            self._tried += 1
            try:
                self._is_open = self._client.is_file_shown(url, ANONYMOUS)
            except SourceError as error:
                log.info("a protected file could not be asked for: %s", error)
            if self._is_open is not None:
                self._state.put(_KEY, self._is_open)
        known = self._state.get(_KEY) if self._is_open is None else self._is_open
        return bool(known)

    def note_shown(self, document_id: str) -> None:
        """Note something marked as protected that was shown without an account."""
        self._shown.add(document_id)

    def report(self) -> Iterator[Alarm]:
        """Yield what an operator must know."""
        if self._is_open:
            yield Alarm(
                "A protected file was shown without an account: our network has full"
                f" access to attachments. No protected file is for anybody. {_ADVICE}",
                is_critical=False,
            )
        elif self._tried and self._is_open is None:
            yield Alarm(
                "It could not be found out whether our network has full access to"
                " attachments: protected files answer neither yes nor no. It is tried"
                " again in the next run.",
                is_critical=False,
            )
        if self._shown:
            first = ", ".join(sorted(self._shown)[:3])
            yield Alarm(
                f"{len(self._shown)} objects that are marked as protected were shown"
                f" without an account ({first}): they are for nobody. {_ADVICE}",
                is_critical=False,
            )
