"""Asks one DocDB through its doors: public, password, sign-on cookie, certificate.

A door is one login at one address. A view is what one group, or the public, is shown:
a door of that group alone, or one of many groups narrowed by the cookie ``groupids``.
A redirect that is not to a file means that a login is needed, never that something is
missing. Facts: DocDB 8.9.0. Does not know what the pages mean for the catalog.
"""

import base64
import logging
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from dunegpt.errors import FetchError, SourceFormatError, SourceLoginError
from dunegpt.ingest import docdb_html, docdb_xml
from dunegpt.ingest.http import Answer, PoliteClient
from dunegpt.types import PUBLIC

log = logging.getLogger(__name__)

TWO_COLUMNS = "Default=Docid_1_1_1_1%3BUpdated_1_2_1_1"
"""Makes a list of all documents four times smaller."""

_RAW_FILE = re.compile(r"/\d{4}/\d{6}/\d{3}/[^/]+$")
_HOOK_TIMEOUT_S = 300


@dataclass(slots=True)
class Door:
    """One login at one address.

    Attributes:
        name: For messages and evidence.
        path: Where its programs lie, below the client's address: ``/cgi-bin/sso``.
        group: The one group that this login is in; `PUBLIC` for no login; empty for a
            login of several groups.
        read_cookie: Returns the session's cookie as it is now, if the login is one.
        hook: Command that renews the session.
    """

    name: str
    client: PoliteClient
    path: str
    group: str = ""
    password: str = field(default="", repr=False)
    read_cookie: Callable[[], str] | None = None
    hook: tuple[str, ...] = ()
    _cookie: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """Address of its programs."""
        return f"{self.client.url}{self.path}"

    def headers(self, *cookies: str) -> dict[str, str]:
        """Return what to send so as to be let in."""
        found = {}
        if self.password:
            encoded = base64.b64encode(self.password.encode()).decode()
            found["Authorization"] = f"Basic {encoded}"
        if self.read_cookie and not self._cookie:
            self._cookie = self.read_cookie()
        sent = "; ".join(filter(None, (self._cookie, *cookies)))
        return found | ({"Cookie": sent} if sent else {})

    def renew(self) -> bool:
        """Run the hook and read the session's cookie again; tell if it is another."""
        if not self.read_cookie:
            return False
        if self.hook:
            log.info("%s: renewing the session", self.name)
            try:
                subprocess.run(
                    self.hook, check=True, timeout=_HOOK_TIMEOUT_S, capture_output=True
                )
            except (OSError, subprocess.SubprocessError) as error:
                # Its output may hold a secret, so it is not told.
                raise SourceLoginError(
                    f"The login hook of {self.name} failed: {type(error).__name__}.",
                    hint="Run it by hand; nothing was removed.",
                ) from None
        before, self._cookie = self._cookie, self.read_cookie()
        return bool(self.hook) or self._cookie != before


@dataclass(frozen=True, slots=True)
class View:
    """What one group, or the public, is shown.

    Attributes:
        name: Of the group, or `PUBLIC`.
        number: Of the group that the door is narrowed to; None: the door as it is.
    """

    name: str
    door: Door
    number: int | None = None

    @property
    def cookie(self) -> str:
        """What narrows the door to the group."""
        return "" if self.number is None else f"groupids={self.number}"


class Site:
    """One DocDB, asked through its doors."""

    def __init__(self, doors: list[Door]) -> None:
        self.doors = doors

    # ── lists ─────────────────────────────────────────────────────────────────────

    def all_documents(self, door: Door, cookie: str = "") -> dict[int, int]:
        """Return all documents that are shown, each with its latest shown version.

        Raises:
            SourceError: It cannot be had, or is not whole.
        """
        body = self._page(door, "ListBy?alldocs=1", cookie, TWO_COLUMNS)
        return docdb_html.listed(body, f"the list of all documents ({door.name})")

    def changed(self, door: Door, days: int, cookie: str = "") -> dict[int, int]:
        """Return the documents that changed within some calendar days.

        Raises:
            SourceError: They cannot be had, or the list is not whole.
        """
        body = self._page(door, f"ListBy?days={days}", cookie, TWO_COLUMNS)
        return docdb_html.listed(body, f"the list of changes ({door.name})")

    def own_groups(self, door: Door) -> dict[int, str]:
        """Return the groups of a login by number; all groups if it does not tell."""
        try:
            return docdb_html.own_groups(self._page(door, "SelectGroups"))
        except SourceFormatError as error:
            log.info("%s: %s", door.name, error)
        return docdb_html.groups_by_number(self._page(door, "ListGroups"))

    def groups(self, door: Door) -> list[docdb_html.Group]:
        """Return all groups with their members."""
        return docdb_html.groups_with_members(self._page(door, "ListGroupUsers"))

    def total(self, door: Door) -> int | None:
        """Return how many documents there are, hidden ones too, or None if untold."""
        return docdb_html.total_documents(self._page(door, "Statistics"))

    # ── one document ──────────────────────────────────────────────────────────────

    def revision(
        self, door: Door, number: int, version: int, cookie: str = ""
    ) -> docdb_xml.Revision | None:
        """Return a version of a document; None if it is not shown.

        Version 0, a reserved number, cannot be asked for once there is another: then
        that comes.

        Raises:
            SourceError: The answer does not say.
        """
        asked = f"&version={version}" if version else ""
        place = f"ShowDocument?docid={number}{asked}&outformat=xml"
        answer = self._ask(door, place, cookie)
        if answer.is_html or answer.status != 200:
            docdb_html.checked(answer.body, f"the XML of document {number}")
            raise SourceFormatError(f"A page came where XML of {number} was due.")
        return docdb_xml.revision(answer.body, number, version or None)

    def sees(self, view: View, number: int, version: int) -> bool:
        """Return whether a view is shown a version, by asking for it."""
        found = self.revision(view.door, number, version, view.cookie)
        return found is not None and found.version == version

    def page(self, door: Door, number: int) -> docdb_html.Page | None:
        """Return what the page on the latest version adds; None if it is not shown."""
        body = self._page(door, f"ShowDocument?docid={number}")
        return docdb_html.page(body, number)

    def fate(self, door: Door, number: int, version: int | None = None) -> str:
        """Return what became of a document or a version: deleted, closed, or shown."""
        asked = f"&version={version}" if version else ""
        body = self._page(door, f"ShowDocument?docid={number}{asked}")
        return docdb_html.fate(body, number)

    def fetch(
        self, door: Door, number: int, version: int, encoded: str, max_bytes: int
    ) -> Iterator[bytes]:
        """Yield the bytes of a file.

        Args:
            door: Where the version was seen.
            number: Of the document.
            version: Of the document.
            encoded: The file's name, percent-encoded.
            max_bytes: More than that is an error.

        Raises:
            FetchError: It is not there, or not for this login.
            SourceLoginError: The login has lapsed.
        """
        url = (
            f"{door.url}/RetrieveFile?docid={number}&version={version}"
            f"&filename={encoded}"
        )

        def judge(status: int, headers: Mapping[str, str]) -> str:
            return _file_elsewhere(door, encoded, status, headers)

        for is_last in (False, True):
            pieces = door.client.stream(
                url, max_bytes=max_bytes, headers=door.headers(), judge=judge
            )
            try:
                first = next(pieces, b"")
                break
            except SourceLoginError:
                if is_last or not door.renew():
                    raise
        yield first
        yield from pieces

    # ── answers ───────────────────────────────────────────────────────────────────

    def _page(self, door: Door, place: str, *cookies: str) -> bytes:
        """Return the body of a page.

        Raises:
            SourceFormatError: It is none.
        """
        answer = self._ask(door, place, *cookies)
        if answer.status != 200 or not answer.is_html:
            raise SourceFormatError(
                f"{door.name}: {place} answered {answer.status} without a page."
            )
        return answer.body

    def _ask(self, door: Door, place: str, *cookies: str) -> Answer:
        """Return the answer of a door that lets us in, after a renewal if need be.

        Raises:
            SourceLoginError: The login is refused, or has lapsed.
        """
        path = f"{door.path}/{place}"
        for is_last in (False, True):
            answer = door.client.get(path, headers=door.headers(*cookies))
            try:
                _check_login(door, place, answer)
                return answer
            except SourceLoginError:
                if is_last or not door.renew():
                    raise
        raise SourceLoginError(f"{door.name} lets us not in.")


def _check_login(door: Door, place: str, answer: Answer) -> None:
    """Stop at an answer that says that the login is refused or has lapsed.

    Raises:
        SourceLoginError: With the reason.
    """
    program = place.partition("?")[0]
    if 300 <= answer.status < 400:
        raise SourceLoginError(
            f"{door.name}: {program} leads to {_host(answer.location)} for a login.",
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
            docdb_html.checked(answer.body, program)
        except SourceFormatError as error:
            # The caller says what is wrong with it, in the place that it has there.
            log.debug("%s: %s", door.name, error)


def _file_elsewhere(
    door: Door, encoded: str, status: int, headers: Mapping[str, str]
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
            place = _host(headers.get("location", ""))
            raise SourceLoginError(f"{door.name}: a file leads to {place}.")
        # The name in the redirect is unescaped bytes; ours is escaped.
        folder = to.path[: to.path.rfind("/") + 1]
        return f"{own.scheme}://{own.netloc}{folder}{encoded}"
    if status == 401:
        raise SourceLoginError(f"{door.name} may not fetch files.")
    is_page = "text/html" in headers.get("content-type", "")
    if status == 200 and is_page and "content-disposition" not in headers:
        raise FetchError(
            "DocDB gave a page in the place of the file: not there, or not for us."
        )
    return ""


def _host(location: str) -> str:
    """Return the host and folder of an address, without what may be a secret."""
    to = urlsplit(location)
    return f"{to.netloc or 'this host'}{to.path[: to.path.rfind('/') + 1]}"


def public_view(doors: list[Door]) -> View | None:
    """Return the view of somebody without a login, if that door is there."""
    return next((View(PUBLIC, door) for door in doors if door.group == PUBLIC), None)
