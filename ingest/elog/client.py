"""Requests to one logbook, and checks that the answers are what was requested.

The requests are those of ECL's XML interface, as its public clients make them: a list
of the days from one to before another (``a``, ``b``) with a limit (``l``), and a single
entry (``e``). They are signed if a user and a password are configured. The answers are
parsed in `elog.entries`.
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
from dunegpt.ingest.elog.entries import Entry, EntryList, parse_export
from dunegpt.ingest.http import HttpResponse, PoliteClient

_LIST_PATH, _ENTRY_PATH = "/E/xml_search", "/E/xml_get"
_GONE_STATUSES = {404, 410}


@dataclass(frozen=True, slots=True)
class Login:
    """Credentials: user and password to sign requests, or a token; empty for none."""

    user: str = ""
    password: str = ""
    token: str = ""

    def sign_request(self, query: str) -> dict[str, str]:
        """Return the signature headers of a request. Source: public clients of ECL."""
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


class ElogClient:
    """One log behind an address.

    Attributes:
        limit: No list has more entries; one that has as many is asked for in parts.
    """

    def __init__(
        self, client: PoliteClient, path: str, login: Login, *, limit: int
    ) -> None:
        self.http_client = client
        self._path = path
        self._login = login
        self.limit = limit

    def fetch_days(self, first: date, end: date) -> EntryList | None:
        """Return the entries of the days from one to before another.

        Returns: None if there may be more than a list can hold.

        Raises:
            SourceError: No answer, a login page, no whole list, other days.
        """
        asked = {"a": f"{first} 00:00:00", "b": f"{end} 00:00:00", "l": self.limit}
        place = f"The list of {first} to {end}"
        listed = parse_export(self._request(_LIST_PATH, asked, place).body, place)
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

    def fetch_entry(self, number: int) -> Entry | None:
        """Return one entry with its attachments; None if there is none.

        Raises:
            SourceError: No answer, a login page, or another entry.
        """
        place = f"The answer for entry {number}"
        answer = self._request(_ENTRY_PATH, {"e": number}, place, may_be_gone=True)
        if answer.status in _GONE_STATUSES:
            return None
        listed = parse_export(answer.body, place)
        if listed.problems:
            raise SourceFormatError(f"{place}: {listed.problems[0][1]}")
        if any(entry.number != number for entry in listed.entries):
            raise SourceFormatError(f"{place} is another entry.")
        return listed.entries[0] if listed.entries else None

    def fetch_export(self) -> EntryList:
        """Return all entries, from an address that gives them all at once."""
        place = "The export"
        return parse_export(self._request("", {}, place).body, place)

    def fetch_file(self, url: str, max_bytes: int) -> Iterator[bytes]:
        """Yield the bytes of an attachment.

        Raises:
            FetchError: It cannot be had, or a page for people came in its place.
        """
        parts = urlsplit(url)
        headers = self._login.sign_request(parts.query)
        return self.http_client.stream(
            url,
            max_bytes=max_bytes,
            token=self._login.token,
            headers=headers,
            judge=_check_file_response,
        )

    def _request(
        self,
        question: str,
        asked: Mapping[str, object],
        place: str,
        *,
        may_be_gone: bool = False,
    ) -> HttpResponse:
        """Return the answer to a request; 404 and 410 only if ``may_be_gone``."""
        answer = self._send(f"{self._path}{question}", asked)
        if may_be_gone and answer.status in _GONE_STATUSES:
            return answer
        return check_response(answer, place)

    def _send(self, path: str, asked: Mapping[str, object]) -> HttpResponse:
        salted = dict(asked)
        if self._login.user:
            salted["salt"] = secrets.token_hex(8)
        query = urlencode(salted)
        whole = f"{path}{'&' if '?' in path else '?'}{query}" if query else path
        return self.http_client.get(
            whole, token=self._login.token, headers=self._login.sign_request(query)
        )


def check_response(answer: HttpResponse, place: str) -> HttpResponse:
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
        raise SourceLoginError(f"{place} is an HTML page, probably a login page.")
    return answer


def _check_file_response(status: int, headers: Mapping[str, str]) -> str:
    """Refuse what is no file of an entry.

    Raises:
        FetchError: Something else came.
    """
    if status in {401, 403} or 300 <= status < 400:
        raise FetchError(f"The attachment needs a login (status {status}).")
    if status == 200 and "text/html" in headers.get("content-type", ""):
        raise FetchError("An HTML page came instead of the attachment.")
    return ""
