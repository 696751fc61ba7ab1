"""Parses DocDB's HTML pages: lists, a document, groups, members, counts.

DocDB answers 200 to everything, so each parser first checks that the page comes from
DocDB, is the one that was requested, and is complete. Based on DocDB 8.9.0. Makes no
requests.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from bs4 import BeautifulSoup

from dunegpt.errors import SourceFormatError, SourceLoginError
from dunegpt.ingest.docdb.text_repair import decode_body, repair_text

DELETED, CLOSED, SHOWN = "deleted", "closed", "shown"

_HTML_END = re.compile(r"</html>\s*$", re.IGNORECASE)
_DOCDB_PAGE = re.compile(r'class="DocDBNavBar"|</a>\s*Version\s+\d+\.|DocDB\.css', re.I)
_LOGIN_PAGE = re.compile(
    r"SAMLRequest|SAMLResponse|Select Authentication System|type=[\"']?password"
    r"|<title>[^<]*\b(log ?in|sign ?in|log ?on|sign ?on|authenticat|authoriz)"
    r"|\blog in\b",
    re.IGNORECASE,
)
_TITLE = re.compile(r"<title>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_COUNT = re.compile(r"Number of documents found:\s*(\d+)", re.IGNORECASE)
_ROW = re.compile(
    r'<td[^>]*class="?Docid"?[^>]*>\s*<a\s[^>]*>\s*(?:[\w.]+-doc-)?(\d+)-v(\d+)\s*</a>',
    re.IGNORECASE,
)
_NO_PERMISSION = re.compile(r"You do not have permission to view this document", re.I)
_NOT_FOUND = re.compile(r"This document does not exist\.", re.I)
_STATUS = re.compile(r"\(Document Status:\s*([^)]*)\)")
_MEMBER = re.compile(r"\(SSO:\s*([^,()\s]+)\s*(?:,\s*([^,()\s]*))?\s*\)\s*$")
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_DATE = re.compile(r"(\d{1,2}) ([A-Za-z]{3})[a-z]* (\d{4})")


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """What a document's page says that its XML does not.

    Attributes:
        sizes: Of its files as shown (``1.4 kB``), by name.
        signatures: Who has signed, and who has not.
    """

    version: int
    status: str
    created_on: date | None
    revised_on: date | None
    submitter: str
    sizes: Mapping[str, str]
    signatures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """One person of a group, by the name of the sign-on and by address."""

    sso: str
    email: str


@dataclass(frozen=True, slots=True)
class Group:
    """A group: who is in it, and whether it gives anybody the right to view."""

    name: str
    can_view: bool
    members: tuple[Member, ...]


def check_page(body: bytes, what: str) -> str:
    """Return the text of a page that is DocDB's, and whole.

    Args:
        body: Of the answer.
        what: Was asked for, for the message.

    Raises:
        SourceLoginError: It is a login page.
        SourceFormatError: It is something else, or was cut short.
    """
    text = decode_body(body)
    if not _DOCDB_PAGE.search(text):
        if _LOGIN_PAGE.search(text):
            raise SourceLoginError(
                f"A login page came instead of {what}.",
                hint="Renew the session, or check the address; nothing was removed.",
            )
        raise SourceFormatError(f"Another page came instead of {what}.")
    if not _HTML_END.search(text):
        raise SourceFormatError(f"{what} is truncated.")
    return text


def parse_document_list(body: bytes, what: str) -> dict[int, int]:
    """Return the documents of a list, each with the version that is shown of it.

    Raises:
        SourceLoginError: It is a login page.
        SourceFormatError: It is no list, or has not as many rows as it says.
    """
    text = check_page(body, what)
    count = _COUNT.search(text)
    if not count:
        raise SourceFormatError(f"{what} does not say how many documents it has.")
    rows = [(int(number), int(version)) for number, version in _ROW.findall(text)]
    found = dict(rows)
    if not len(rows) == len(found) == int(count[1]):
        raise SourceFormatError(
            f"{what} says that it has {count[1]} documents, and has {len(found)}."
        )
    return found


def parse_availability(body: bytes, number: int) -> str:
    """Return what became of a document: `DELETED`, `CLOSED` to this login, or `SHOWN`.

    Raises:
        SourceLoginError, SourceFormatError: The page does not say.
    """
    text = check_page(body, f"document {number}")
    title = repair_text(_first_match(_TITLE, text))
    if not re.match(rf"[^\s:]*-doc-{number}-v", title):
        raise SourceFormatError(f"The page is not about document {number}.")
    if _NO_PERMISSION.search(text) and title.endswith("Not authorized"):
        return DELETED if _NOT_FOUND.search(text) else CLOSED
    if 'id="BasicDocInfo"' in text:
        return SHOWN
    raise SourceFormatError(f"The page on document {number} does not describe it.")


def parse_document_page(body: bytes, number: int) -> DocumentPage | None:
    """Return what a document's page says; None if it is not shown.

    Raises:
        SourceLoginError, SourceFormatError: The page does not say.
    """
    if parse_availability(body, number) != SHOWN:
        return None
    text = decode_body(body)
    soup = BeautifulSoup(text, "lxml")
    version = re.match(
        r"[^\s:]*-doc-\d+-v(\d+)", repair_text(_first_match(_TITLE, text))
    )
    facts = dict(_parse_definitions(soup))
    title = soup.find(id="DocTitle")
    status = _STATUS.search(title.get_text(" ") if title else "")
    return DocumentPage(
        version=int(version[1]) if version else -1,
        status=repair_text(status[1]) if status else "",
        created_on=_parse_date(facts.get("Document Created", "")),
        revised_on=_parse_date(facts.get("Contents Revised", "")),
        submitter=facts.get("Submitted by", ""),
        sizes=dict(_parse_file_sizes(soup)),
        signatures=tuple(_parse_signatures(soup)),
    )


def parse_group_numbers(body: bytes) -> dict[int, str]:
    """Return the names of all groups by their numbers, from ``ListGroups``.

    Raises:
        SourceLoginError, SourceFormatError: The page names none.
    """
    soup = BeautifulSoup(check_page(body, "the list of groups"), "lxml")
    found = {}
    for link in soup.find_all("a", href=re.compile(r"ListBy\?groupid=\d+")):
        found[int(str(link["href"]).rpartition("=")[2])] = repair_text(link.get_text())
    if not found:
        raise SourceFormatError("The list of groups names none.")
    return found


def parse_own_groups(body: bytes) -> dict[int, str]:
    """Return the groups that a login may limit itself to, from ``SelectGroups``.

    Raises:
        SourceLoginError, SourceFormatError: It is no such page.
    """
    soup = BeautifulSoup(check_page(body, "the login's groups"), "lxml")
    select = soup.find("select", attrs={"name": "groups"})
    if select is None:
        raise SourceFormatError("The page does not list the groups of the login.")
    return {
        int(str(option["value"])): repair_text(option.get_text())
        for option in select.find_all("option")
        if str(option.get("value", "")).isdigit()
    }


def parse_group_members(body: bytes) -> list[Group]:
    """Return groups and members from ``ListGroupUsers``; certificates are left out.

    Raises:
        SourceLoginError, SourceFormatError: It is no such page.
    """
    soup = BeautifulSoup(check_page(body, "the list of members"), "lxml")
    views = {}
    for row in soup.find_all("tr"):
        cells = [repair_text(cell.get_text()) for cell in row.find_all("td")]
        if len(cells) >= 5:
            views[cells[0]] = cells[-1].casefold() == "yes"
    if not views:
        raise SourceFormatError("The list of members has no table of groups.")
    members: dict[str, list[Member]] = {}
    for head in soup.find_all("strong"):
        name = re.match(r"(.+) has (?:these|no) members", repair_text(head.get_text()))
        people = head.find_parent("p")
        people = people.find_next_sibling() if people else None
        if not name or people is None or people.name != "ul":
            continue
        for item in people.find_all("li"):
            if match := _MEMBER.search(repair_text(item.get_text())):
                one = Member(match[1], match[2] or "")
                members.setdefault(name[1], []).append(one)
    return [
        Group(name, can_view, tuple(members.get(name, ())))
        for name, can_view in views.items()
    ]


def parse_total(body: bytes) -> int | None:
    """Return how many documents there are, hidden ones too, or None if untold.

    Raises:
        SourceLoginError, SourceFormatError: It is not the page ``Statistics``.
    """
    text = BeautifulSoup(check_page(body, "the statistics"), "lxml").get_text(" ")
    count = re.search(r"Total number of Documents:\s*(\d+)", text)
    return int(count[1]) if count else None


def _parse_definitions(soup: BeautifulSoup) -> Iterator[tuple[str, str]]:
    box = soup.find(id="BasicDocInfo")
    for term in box.find_all("dt") if box else ():
        value = term.find_next_sibling("dd")
        if value:
            yield (
                repair_text(term.get_text()).rstrip(":"),
                repair_text(value.get_text(" ")),
            )


def _parse_file_sizes(soup: BeautifulSoup) -> Iterator[tuple[str, str]]:
    box = soup.find(id="Files")
    for item in box.find_all("li") if box else ():
        link = item.find("a")
        shown = item.get_text().strip()
        size = re.search(r",\s*([\d.,]+\s*(?:bytes|[kMGT]?B))\)$", shown)
        if link and link.get("title") and size:
            yield repair_text(str(link["title"])), size[1]


def _parse_signatures(soup: BeautifulSoup) -> Iterator[str]:
    box = soup.find(id="Signoffs")
    for link in box.find_all("a") if box else ():
        after = link.next_sibling
        state = " ".join(str(after).split()) if isinstance(after, str) else ""
        yield repair_text(f"{link.get_text()} {state}")


def _first_match(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""


def _parse_date(text: str) -> date | None:
    """Return the day of ``20 Feb 2020, 12:30``; None if it is none."""
    found = _DATE.match(text)
    if not found or found[2].lower() not in _MONTHS:
        return None
    month = _MONTHS.index(found[2].lower()) + 1
    try:
        return date(int(found[3]), month, int(found[1]))
    except ValueError:
        return None
