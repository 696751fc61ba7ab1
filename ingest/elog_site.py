"""Asks a logbook, and understands whether what came is an answer.

The questions are those of ECL's XML interface, as its public clients ask them: a list
of the days from one to before another (``a``, ``b``), at most so many (``l``), and one
entry alone (``e``). Questions are signed where a user and a password are given. All
parameters stand here; what the answers say is in `elog_entries.py`.
"""

import hashlib
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlencode, urlsplit

from dunegpt.errors import (
    FetchError,
    SourceFormatError,
    SourceLoginError,
    SourceUnreachableError,
)
from dunegpt.ingest.elog_entries import Entry, Listed, read_export
from dunegpt.ingest.http import Answer, PoliteClient

_LIST, _ONE = "/E/xml_search", "/E/xml_get"
_GONE = {404, 410}


@dataclass(frozen=True, slots=True)
class Login:
    """How questions are signed, or a token to send instead; none of both: neither."""

    user: str = ""
    password: str = ""
    token: str = ""

    def headers(self, query: str) -> dict[str, str]:
        """Return the signature of a question. Source: public clients of ECL."""
        if not self.user:
            return {}
        signed = f"{query}:{self.password}:"
        return {
            "X-User": self.user,
            "X-Signature-Method": "md5",
            "X-Signature": hashlib.md5(
                signed.encode(), usedforsecurity=False
            ).hexdigest(),
        }


class Site:
    """One log behind an address.

    Attributes:
        limit: No list has more entries; one that has as many is asked for in parts.
    """

    def __init__(
        self, client: PoliteClient, path: str, login: Login, *, limit: int
    ) -> None:
        self.client = client
        self._path = path
        self._login = login
        self.limit = limit

    def between(self, first: date, end: date) -> Listed | None:
        """Return the entries of the days from one to before another.

        Returns: None if there may be more than a list can hold.

        Raises:
            SourceError: No answer, a login page, no whole list, other days.
        """
        asked = {"a": f"{first} 00:00:00", "b": f"{end} 00:00:00", "l": self.limit}
        place = f"The list of {first} to {end}"
        listed = read_export(self._ask(_LIST, asked, place).body, place)
        strays = [e for e in listed.entries if not first <= e.time.date() < end]
        if strays:
            raise SourceFormatError(
                f"{place} has entry {strays[0].number} of {strays[0].time.date()}.",
                hint="Does the log know the parameters a and b? Nothing was removed.",
            )
        count = len(listed.entries) + len(listed.problems)
        if count > self.limit:
            raise SourceFormatError(f"{place} has more entries than were asked for.")
        return None if count == self.limit else listed

    def entry(self, number: int) -> Entry | None:
        """Return one entry with its attachments; None if there is none.

        Raises:
            SourceError: No answer, a login page, or another entry.
        """
        place = f"The answer for entry {number}"
        answer = self._ask(_ONE, {"e": number}, place, may_be_gone=True)
        if answer.status in _GONE:
            return None
        listed = read_export(answer.body, place)
        if listed.problems:
            raise SourceFormatError(f"{place}: {listed.problems[0][1]}")
        if any(entry.number != number for entry in listed.entries):
            raise SourceFormatError(f"{place} is another entry.")
        return listed.entries[0] if listed.entries else None

    def export(self) -> Listed:
        """Return all entries, from an address that gives them all at once."""
        place = "The export"
        return read_export(self._ask("", {}, place).body, place)

    def file(self, url: str, max_bytes: int) -> Iterator[bytes]:
        """Yield the bytes of an attachment.

        Raises:
            FetchError: It cannot be had, or a page for people came in its place.
        """
        parts = urlsplit(url)
        headers = self._login.headers(parts.query)
        return self.client.stream(
            url,
            max_bytes=max_bytes,
            token=self._login.token,
            headers=headers,
            judge=_judge,
        )

    def _ask(
        self,
        question: str,
        asked: Mapping[str, object],
        place: str,
        *,
        may_be_gone: bool = False,
    ) -> Answer:
        """Return a good answer to a question, or that there is no such entry."""
        answer = self._get(f"{self._path}{question}", asked)
        if may_be_gone and answer.status in _GONE:
            return answer
        return checked(answer, place)

    def _get(self, path: str, asked: Mapping[str, object]) -> Answer:
        salted = dict(asked)
        if self._login.user:
            salted["salt"] = secrets.token_hex(8)
        query = urlencode(salted)
        whole = f"{path}{'&' if '?' in path else '?'}{query}" if query else path
        return self.client.get(
            whole, token=self._login.token, headers=self._login.headers(query)
        )


def checked(answer: Answer, place: str) -> Answer:
    """Return an answer if it is one.

    Raises:
        SourceLoginError: A login is asked for.
        SourceUnreachableError: The site has nothing there.
    """
    if answer.status in {401, 403} or 300 <= answer.status < 400:
        raise SourceLoginError(f"{place} needs a login (status {answer.status}).")
    if answer.status != 200:
        raise SourceUnreachableError(f"{place}: status {answer.status}.")
    if answer.is_html:
        raise SourceLoginError(f"{place} is a page for people, likely a login.")
    return answer


def _judge(status: int, headers: Mapping[str, str]) -> str:
    """Refuse what is no file of an entry.

    Raises:
        FetchError: Something else came.
    """
    if status in {401, 403} or 300 <= status < 400:
        raise FetchError(f"The attachment needs a login (status {status}).")
    if status == 200 and "text/html" in headers.get("content-type", ""):
        raise FetchError("A page for people came in the place of the attachment.")
    return ""
