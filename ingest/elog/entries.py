"""Parses an export of an electronic logbook: XML as ECL sends it, or JSON.

Known from public clients of Fermilab's ECL: the root ``entry_list``, the attributes of
``entry`` (id, author, category, timestamp, form, subject, html, images, files), the
elements ``text``, ``text-html``, ``text-cdata``, and ``attachment`` with its URLs. How
form fields, tags, comments and related entries are sent is a guess; each is parsed in
the forms in which clients write entries. Makes no requests.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dunegpt.errors import SourceFormatError

_ROOT_ELEMENTS = frozenset({"entry_list", "entries", "entry", "ecl", "elog", "logbook"})
_COUNT_KEYS = ("count", "total", "number_of_entries")
_TIME_FORMATS = ("%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%Y/%m/%d %H:%M:%S")
_HTML_TAG = re.compile(
    r"<(?:p|br|pre|div|span|table|ul|ol|li|a|b|i|h[1-6])\b[^>]*>", re.I
)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file or picture of an entry; its address may be relative to the log's."""

    name: str
    url: str
    is_image: bool = False
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, from a list or requested on its own.

    Attributes:
        time: As the log shows it, without a zone.
        is_html: Whether ``text`` is HTML.
        comments: Author, time and text of each, as they came.
        related: Numbers of the entries that it names as related.
        attachment_count: Number of files and pictures, if only that was sent.
    """

    number: int
    time: datetime
    author: str = ""
    category: str = ""
    form: str = ""
    subject: str = ""
    text: str = ""
    is_html: bool = False
    tags: tuple[str, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    comments: tuple[tuple[str, str, str], ...] = ()
    related: tuple[int, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    attachment_count: int = 0


@dataclass(slots=True)
class EntryList:
    """What a list holds.

    Attributes:
        problems: Number (or place in the list) and reason of what could not be read.
    """

    entries: list[Entry] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)


def parse_export(content: bytes, place: str) -> EntryList:
    """Return the entries of an export, XML or JSON.

    Args:
        content: Of a file or an answer.
        place: Where it comes from, for messages.

    Raises:
        SourceFormatError: It is a page for people, cut short, something else, or has
            not as many entries as it says.
    """
    start = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:200].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        raise SourceFormatError(
            f"{place} is an HTML page, probably a login page, not an export."
        )
    if start.startswith((b"{", b"[")):
        rows, promised = _parse_json(content, place)
    elif start.startswith(b"<"):
        rows, promised = _parse_xml(content, place)
    else:
        raise SourceFormatError(f"{place} is neither XML nor JSON.")
    if promised is not None and promised != len(rows):
        raise SourceFormatError(
            f"{place} has {len(rows)} entries where {promised} are promised."
        )
    listed = EntryList()
    for position, row in enumerate(rows, start=1):
        try:
            listed.entries.append(_build_entry(row))
        except (ValueError, TypeError) as error:
            name = _get_text(row, "id", "number") or f"entry-{position}-of-list"
            listed.problems.append((name, f"The entry cannot be read: {error}."))
    numbers = [entry.number for entry in listed.entries]
    if len(set(numbers)) < len(numbers):
        raise SourceFormatError(f"{place} has a duplicate number.")
    return listed


def _parse_json(content: bytes, place: str) -> tuple[list[dict[str, Any]], int | None]:
    try:
        found = json.loads(content)
    except ValueError as error:
        raise SourceFormatError(
            f"{place} is truncated or not JSON: {error}."
        ) from error
    promised = None
    if isinstance(found, dict) and ("id" in found or "number" in found):
        found = [found]
    if isinstance(found, dict):
        promised = next((found[k] for k in _COUNT_KEYS if k in found), None)
        found = found.get("entries")
    if not isinstance(found, list) or not all(isinstance(r, dict) for r in found):
        raise SourceFormatError(f"{place} is not a list of entries.")
    if promised is not None and not isinstance(promised, int):
        raise SourceFormatError(f"{place} promises no number of entries.")
    return found, promised


def _parse_xml(content: bytes, place: str) -> tuple[list[dict[str, Any]], int | None]:
    from lxml import etree  # noqa: PLC0415 - searches import this module, too

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True
    )
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise SourceFormatError(f"{place} is truncated or not XML: {error}.") from error
    if root.tag not in _ROOT_ELEMENTS:
        raise SourceFormatError(f"{place} is not a list of entries, but <{root.tag}>.")
    found = [root] if root.tag == "entry" else list(root.iter("entry"))
    told = next((root.get(name) for name in _COUNT_KEYS if root.get(name)), None)
    if told is not None and not told.isdigit():
        raise SourceFormatError(f"{place} promises no number of entries.")
    return [_element_to_row(each) for each in found], int(told) if told else None


def _element_to_row(entry: Any) -> dict[str, Any]:
    """Return an XML entry in the shape of a JSON one."""
    row: dict[str, Any] = dict(entry.attrib)
    for child in entry:
        if not isinstance(child.tag, str):
            continue  # a comment of XML
        if child.tag == "form":
            row["form"] = child.get("name") or (child.text or "").strip()
            row.setdefault("fields", []).extend(map(_child_to_row, child.iter("field")))
        elif child.tag in {"field", "tag", "comment", "attachment", "related"}:
            row.setdefault(f"{child.tag}s", []).append(_child_to_row(child))
        elif child.tag in {"fields", "tags", "comments", "attachments"}:
            row.setdefault(child.tag, []).extend(map(_child_to_row, child))
        else:
            row[child.tag] = "".join(child.itertext())
    if "relateds" in row:
        row["related"] = row.pop("relateds")
    return row


def _child_to_row(element: Any) -> dict[str, Any]:
    text = "".join(element.itertext())
    return {**dict(element.attrib), "value": text, "text": text}


def _build_entry(row: dict[str, Any]) -> Entry:
    """Return the entry of a row.

    Raises:
        ValueError: It has no number, or no time.
    """
    number = _get_text(row, "id", "number")
    if not number.isdigit():
        raise ValueError("it has no number")
    html = _get_text(row, "text-html", "text_html", "text-cdata", "text_cdata")
    text = html or _get_text(row, "text", "body")
    claims = _get_text(row, "html").lower() in {"yes", "true", "1"}
    attachments = tuple(_iter_attachments(_get_list(row, "attachments")))
    return Entry(
        number=int(number),
        time=parse_time(_get_text(row, "timestamp", "time", "date")),
        author=_get_text(row, "author", "user"),
        category=_get_text(row, "category"),
        form=_get_text(row, "form"),
        subject=_get_text(row, "subject", "title"),
        text=text,
        is_html=bool(text)
        and (bool(html) or (claims and bool(_HTML_TAG.search(text)))),
        tags=tuple(
            filter(None, (_get_value(t, "name") for t in _get_list(row, "tags")))
        ),
        fields=tuple(_iter_fields(row)),
        comments=tuple(_iter_comments(_get_list(row, "comments"))),
        related=tuple(_iter_numbers(_get_list(row, "related"))),
        attachments=attachments,
        attachment_count=max(
            len(attachments), _get_count(row, "images") + _get_count(row, "files"), 0
        ),
    )


def parse_time(text: str) -> datetime:
    """Return a time as a log writes it, without a zone.

    Raises:
        ValueError: It is none.
    """
    text = text.strip()
    if text.isdigit() and len(text) in {9, 10}:
        raise ValueError("a time in seconds has no zone")
    for form in _TIME_FORMATS:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None, microsecond=0)
    except ValueError as error:
        raise ValueError(f"{text!r} is no time") from error


def _get_text(row: dict[str, Any], *names: str) -> str:
    for name in names:
        value = row.get(name)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            if str(value).strip():
                return str(value).strip()
        elif isinstance(value, bool):
            return "yes" if value else "no"
    return ""


def _get_list(row: dict[str, Any], name: str) -> list[Any]:
    value = row.get(name) or []
    return value if isinstance(value, list) else [value]


def _get_value(item: Any, *names: str) -> str:
    if isinstance(item, dict):
        return _get_text(item, *names, "value", "text")
    return str(item).strip()


def _get_count(row: dict[str, Any], name: str) -> int:
    value = row.get(name)
    if isinstance(value, list):
        return len(value)
    text = str(value or 0)
    return int(text) if text.isdigit() else 0


def _iter_fields(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield name and value of the fields of a form."""
    given = row.get("fields")
    if isinstance(given, dict):
        yield from ((str(name), str(value)) for name, value in given.items())
        return
    for item in _get_list(row, "fields"):
        if isinstance(item, dict) and (name := _get_text(item, "name", "label")):
            yield name, _get_text(item, "value", "text")


def _iter_comments(items: Iterable[Any]) -> Iterator[tuple[str, str, str]]:
    for item in items:
        if isinstance(item, dict):
            author = _get_text(item, "author", "user")
            time = _get_text(item, "timestamp", "time", "date")
            yield author, time, _get_text(item, "text", "value", "body")
        else:
            yield "", "", str(item)


def _iter_numbers(items: Iterable[Any]) -> Iterator[int]:
    for item in items:
        number = _get_value(item, "id", "number", "entry")
        if number.isdigit():
            yield int(number)


def _iter_attachments(items: Iterable[Any]) -> Iterator[Attachment]:
    for position, item in enumerate(items, start=1):
        if not isinstance(item, dict):
            raise ValueError("an attachment has no address")
        url = _get_text(item, "full_url", "url", "href")
        if not url:
            raise ValueError("an attachment has no address")
        size = _get_text(item, "size", "size_bytes")
        yield Attachment(
            name=_get_text(item, "filename", "name") or f"attachment {position}",
            url=url,
            is_image=_get_text(item, "type").lower() == "image",
            size_bytes=int(size) if size.isdigit() else None,
        )
