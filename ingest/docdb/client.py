"""Requests to one DocDB through its endpoints: public, password, cookie, certificate.

An endpoint is one login at one address. A view is what one group, or the public, sees:
an endpoint of that group alone, or one of many groups narrowed by the cookie
``groupids``. A redirect that does not lead to a file means that a login is needed,
never that something is missing. Based on DocDB 8.9.0. Does not store anything.
"""

import base64
import logging
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from dunegpt.access import PUBLIC
from dunegpt.errors import (
    FetchError,
    SourceError,
    SourceFormatError,
    SourceLoginError,
)
from dunegpt.ingest.docdb import html_pages, xml_records
from dunegpt.ingest.http import HttpResponse, PoliteClient

log = logging.getLogger(__name__)

LIST_COLUMNS = "Default=Docid_1_1_1_1%3BUpdated_1_2_1_1"
"""Makes a list of all documents four times smaller."""

_RAW_FILE = re.compile(r"/\d{4}/\d{6}/\d{3}/[^/]+$")
_RENEW_TIMEOUT_S = 300


@dataclass(slots=True)
class Endpoint:
    """One login at one address.

    Attributes:
        name: For messages and evidence.
        path: Path of its CGI programs below the client's URL: ``/cgi-bin/sso``.
        group: The only group of this login; `PUBLIC` for no login; empty for a login
            that is in several groups.
        read_cookie: Returns the current session cookie, if the login uses one.
        renew_command: Command that renews the session.
    """

    name: str
    client: PoliteClient
    path: str
    group: str = ""
    password: str = field(default="", repr=False)
    read_cookie: Callable[[], str] | None = None
    renew_command: tuple[str, ...] = ()
    _cookie: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """URL of its CGI programs."""
        return f"{self.client.url}{self.path}"

    def auth_headers(self, *cookies: str) -> dict[str, str]:
        """Return the headers that log a request in."""
        found = {}
        if self.password:
            encoded = base64.b64encode(self.password.encode()).decode()
            found["Authorization"] = f"Basic {encoded}"
        if self.read_cookie and not self._cookie:
            self._cookie = self.read_cookie()
        sent = "; ".join(filter(None, (self._cookie, *cookies)))
        return found | ({"Cookie": sent} if sent else {})

    def renew_login(self) -> bool:
        """Renew the session and read its cookie again; return whether it may help."""
        if not self.read_cookie:
            return False
        if self.renew_command:
            log.info("%s: renewing the session", self.name)
            try:
                subprocess.run(
                    self.renew_command,
                    check=True,
                    timeout=_RENEW_TIMEOUT_S,
                    capture_output=True,
                )
            except (OSError, subprocess.SubprocessError) as error:
                # Its output may contain a secret, so it is not reported.
                raise SourceLoginError(
                    f"The login hook of {self.name} failed: {type(error).__name__}.",
                    hint="Run it by hand; nothing was removed.",
                ) from None
        before, self._cookie = self._cookie, self.read_cookie()
        return bool(self.renew_command) or self._cookie != before


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What a web server says of a file.

    Attributes:
        size_bytes: Its size, or None if untold.
        modified_on: The day on which it was last written, or None if untold.
    """

    size_bytes: int | None = None
    modified_on: date | None = None

    @classmethod
    def from_headers(cls, answer: HttpResponse) -> "FileStamp":
        """Return what the headers say; without a date they are of no file."""
        size = answer.headers.get("content-length", "")
        written = answer.headers.get("last-modified", "")
        if not written:
            return cls()
        try:
            day = parsedate_to_datetime(written).date()
        except ValueError:
            return cls()
        return cls(int(size) if size.isdecimal() else None, day)


@dataclass(frozen=True, slots=True)
class GroupView:
    """What one group, or the public, sees.

    Attributes:
        name: Name of the group, or `PUBLIC`.
        number: Number of the group to which the endpoint is narrowed, or None.
    """

    name: str
    endpoint: Endpoint
    number: int | None = None

    @property
    def cookie(self) -> str:
        """Cookie that narrows the endpoint to the group."""
        return "" if self.number is None else f"groupids={self.number}"


class DocDBClient:
    """Requests to one DocDB."""

    def __init__(self, doors: list[Endpoint]) -> None:
        """Take the doors.

        Attributes:
            endpoints: Those that work, as far as is known.
            failures: Why the others do not, by name.
        """
        self.endpoints = doors
        self.failures: dict[str, SourceError] = {}

    def drop(self, door: Endpoint, error: SourceError) -> None:
        """Do without a door for the rest of the run.

        Raises:
            SourceError: The error itself, if it is the last one.
        """
        if len(self.endpoints) == 1:
            raise error
        log.warning("%s is left out: %s", door.name, error)
        self.endpoints.remove(door)
        self.failures[door.name] = error

    # ── lists ─────────────────────────────────────────────────────────────────────

    def fetch_documents(self, door: Endpoint, cookie: str = "") -> dict[int, int]:
        """Return all documents that are shown, each with its latest shown version.

        Raises:
            SourceError: It cannot be had, or is not whole.
        """
        body = self._get_page(door, "ListBy?alldocs=1", cookie, LIST_COLUMNS)
        return html_pages.parse_document_list(
            body, f"the list of all documents ({door.name})"
        )

    def fetch_changed(
        self, door: Endpoint, days: int, cookie: str = ""
    ) -> dict[int, int]:
        """Return the documents that changed within some calendar days.

        Raises:
            SourceError: They cannot be had, or the list is not whole.
        """
        body = self._get_page(door, f"ListBy?days={days}", cookie, LIST_COLUMNS)
        return html_pages.parse_document_list(
            body, f"the list of changes ({door.name})"
        )

    def fetch_own_groups(self, door: Endpoint) -> dict[int, str]:
        """Return the groups of a login by number; all groups if it does not tell."""
        try:
            return html_pages.parse_own_groups(self._get_page(door, "SelectGroups"))
        except SourceFormatError as error:
            log.info("%s: %s", door.name, error)
        return html_pages.parse_group_numbers(self._get_page(door, "ListGroups"))

    def fetch_groups(self, door: Endpoint) -> list[html_pages.Group]:
        """Return all groups with their members."""
        return html_pages.parse_group_members(self._get_page(door, "ListGroupUsers"))

    def fetch_total(self, door: Endpoint) -> int | None:
        """Return how many documents there are, hidden ones too, or None if untold."""
        return html_pages.parse_total(self._get_page(door, "Statistics"))

    # ── one document ──────────────────────────────────────────────────────────────

    def fetch_revision(
        self, door: Endpoint, number: int, version: int, cookie: str = ""
    ) -> xml_records.Revision | None:
        """Return a version of a document; None if it is not shown.

        Version 0, a reserved number, cannot be asked for once there is another: then
        that comes.

        Raises:
            SourceError: The answer does not say.
        """
        asked = f"&version={version}" if version else ""
        place = f"ShowDocument?docid={number}{asked}&outformat=xml"
        answer = self._request(door, place, cookie)
        if answer.is_html or answer.status != 200:
            html_pages.check_page(answer.body, f"the XML of document {number}")
            raise SourceFormatError(
                f"An HTML page came instead of the XML of document {number}."
            )
        return xml_records.parse_revision(answer.body, number, version or None)

    def can_view(self, view: GroupView, number: int, version: int) -> bool:
        """Return whether a view is shown a version, by asking for it."""
        found = self.fetch_revision(view.endpoint, number, version, view.cookie)
        return found is not None and found.version == version

    def fetch_page(self, door: Endpoint, number: int) -> html_pages.DocumentPage | None:
        """Return what the page on the latest version adds; None if it is not shown."""
        body = self._get_page(door, f"ShowDocument?docid={number}")
        return html_pages.parse_document_page(body, number)

    def fetch_availability(
        self, door: Endpoint, number: int, version: int | None = None
    ) -> str:
        """Return what became of a document or a version: deleted, closed, or shown."""
        asked = f"&version={version}" if version else ""
        body = self._get_page(door, f"ShowDocument?docid={number}{asked}")
        return html_pages.parse_availability(body, number)

    def fetch_file(
        self, door: Endpoint, number: int, version: int, encoded: str, max_bytes: int
    ) -> Iterator[bytes]:
        """Yield the bytes of a file.

        Args:
            door: Where the version was seen.
            number: Of the document.
            version: Of the document.
            encoded: The file's name, percent-encoded.
            max_bytes: More than that is an error.

        Raises:
            FetchError: It is not there, not for this login, or too large.
            SourceLoginError: The login has lapsed.
        """
        url = (
            f"{door.url}/RetrieveFile?docid={number}&version={version}"
            f"&filename={encoded}"
        )

        def judge(status: int, headers: Mapping[str, str]) -> str:
            return _resolve_file_url(door, encoded, status, headers)

        for is_last in (False, True):
            pieces = door.client.stream(
                url, max_bytes=max_bytes, headers=door.auth_headers(), judge=judge
            )
            try:
                first = next(pieces, b"")
                break
            except SourceLoginError:
                if is_last or not door.renew_login():
                    raise
        yield first
        yield from pieces

    def fetch_file_stamp(
        self, door: Endpoint, number: int, version: int, encoded: str
    ) -> "FileStamp":
        """Return what the web server says of a file without sending it.

        Raises:
            SourceError: The site does not answer.
        """
        place = f"RetrieveFile?docid={number}&version={version}&filename={encoded}"
        sent = door.auth_headers()
        answer = door.client.head(f"{door.path}/{place}", headers=sent)
        if 300 <= answer.status < 400:
            try:
                url = _resolve_file_url(door, encoded, answer.status, answer.headers)
            except (FetchError, SourceLoginError) as error:
                log.info("%s: %s", door.name, error)
                return FileStamp()
            path = url.removeprefix(door.client.url)
            answer = door.client.head(path, headers=sent)
        return FileStamp.from_headers(answer) if answer.status == 200 else FileStamp()

    # ── answers ───────────────────────────────────────────────────────────────────

    def _get_page(self, door: Endpoint, place: str, *cookies: str) -> bytes:
        """Return the body of a page.

        Raises:
            SourceFormatError: It is none.
        """
        answer = self._request(door, place, *cookies)
        if answer.status != 200 or not answer.is_html:
            raise SourceFormatError(
                f"{door.name}: {place} answered {answer.status} without a page."
            )
        return answer.body

    def _request(self, door: Endpoint, place: str, *cookies: str) -> HttpResponse:
        """Return the answer of a door that lets us in, after a renewal if need be.

        Raises:
            SourceLoginError: The login is refused, or has lapsed.
        """
        path = f"{door.path}/{place}"
        for is_last in (False, True):
            answer = door.client.get(path, headers=door.auth_headers(*cookies))
            try:
                _check_login(door, place, answer)
                return answer
            except SourceLoginError:
                if is_last or not door.renew_login():
                    raise
        raise SourceLoginError(f"{door.name} does not accept the login.")


def _check_login(door: Endpoint, place: str, answer: HttpResponse) -> None:
    """Stop at an answer that says that the login is refused or has lapsed.

    Raises:
        SourceLoginError: With the reason.
    """
    program = place.partition("?")[0]
    if 300 <= answer.status < 400:
        raise SourceLoginError(
            f"{door.name}: {program} leads to {_redact_url(answer.location)}"
            " for a login.",
            hint="Renew the session's cookie, or check the address; nothing was"
            " removed.",
        )
    if answer.status in {401, 403, 407}:
        raise SourceLoginError(
            f"{door.name} is refused ({answer.status}) at {program}.",
            hint="Check user and password, or the certificate; nothing was removed.",
        )
    if answer.status == 200 and answer.is_html:
        try:
            html_pages.check_page(answer.body, program)
        except SourceFormatError as error:
            # The caller says what is wrong with it, in the place that it has there.
            log.debug("%s: %s", door.name, error)


def _resolve_file_url(
    door: Endpoint, encoded: str, status: int, headers: Mapping[str, str]
) -> str:
    """Return where a file's bytes lie, or empty if they are in this very answer.

    Raises:
        FetchError: There are none for us.
        SourceLoginError: It leads to a login.
    """
    if status in {301, 302, 303, 307, 308}:
        to = urlsplit(headers.get("location", ""))
        own = urlsplit(door.client.url)
        is_own = (to.scheme, to.netloc) in {(own.scheme, own.netloc), ("", "")}
        if not (is_own and _RAW_FILE.search(to.path)):
            place = _redact_url(headers.get("location", ""))
            raise SourceLoginError(f"{door.name}: a file redirects to {place}.")
        # The name in the redirect is unescaped bytes; ours is escaped.
        folder = to.path[: to.path.rfind("/") + 1]
        return f"{own.scheme}://{own.netloc}{folder}{encoded}"
    if status == 401:
        raise SourceLoginError(f"{door.name} may not fetch files.")
    is_page = "text/html" in headers.get("content-type", "")
    if status == 200 and is_page and "content-disposition" not in headers:
        raise FetchError(
            "DocDB sent an HTML page instead of the file: it is missing, or not visible"
            " to us."
        )
    return ""


def _redact_url(location: str) -> str:
    """Return the host and folder of an address, without what may be a secret."""
    to = urlsplit(location)
    return f"{to.netloc or 'this host'}{to.path[: to.path.rfind('/') + 1]}"


def find_public_view(doors: list[Endpoint]) -> GroupView | None:
    """Return the view of somebody without a login, if that door is there."""
    return next(
        (GroupView(PUBLIC, door) for door in doors if door.group == PUBLIC), None
    )
